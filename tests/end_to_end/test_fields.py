"""What is judged, what is carried and what is filtered, as a user meets it."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.support.commands import outcross

WORDS = [f"{a}{b}" for a in ("har", "lan", "bri", "sto", "wel") for b in ("bour", "tern", "dge")]
DULL = "I am sorry, I did not quite understand what you asked me to do there."


def text(number: int, words: int = 30) -> str:
    rng = random.Random(number)
    return " ".join(rng.choice(WORDS) + str(rng.randrange(40)) for _ in range(words))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def people(folder: Path, rows: int = 60) -> dict[str, Any]:
    path = write(folder / "people.jsonl", [{"text": text(1000 + i)} for i in range(rows)])
    return {"name": "people", "role": "human", "files": [str(path)]}


def request(folder: Path, *sources: dict[str, Any], **keys: Any) -> Path:
    path = folder / "config.yaml"
    values = {"out": str(folder / "out"), "sources": list(sources), "rounds": 1, **keys}
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def data(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "out" / "data").glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def conversations() -> list[dict[str, Any]]:
    """Chats that share the first answer; the last two share all of it."""
    chats = []
    for number in [*range(12), 11]:
        messages = [("user", text(number, 5)), ("assistant", DULL), ("user", "Once more, please?")]
        messages.append(("assistant", text(number)))
        turns = [{"role": role, "content": content} for role, content in messages]
        chats.append({"id": f"c{len(chats)}", "messages": turns, "note": "kept as it is"})
    return chats


def test_conversations_don_t_go_for_a_first_answer_that_they_share(tmp_path: Path) -> None:
    chats = conversations()
    path = write(tmp_path / "chats.jsonl", chats)
    chat = {"name": "chat", "role": "synthetic", "files": [str(path)], "id_field": "id"}
    config = request(tmp_path, chat | {"text_field": "messages", "roles": ["assistant"]})
    outcross("dedup", config)
    rows = {row["outcross"]["id"]: row for row in data(tmp_path)}
    repeats = {"c11", "c12"}
    (gone,) = repeats - rows.keys()
    assert rows.keys() == {f"c{i}" for i in range(13)} - {gone}
    for name, row in rows.items():
        number = min(int(name[1:]), 11)
        assert row["messages"] == chats[number]["messages"]
        assert row["text_judged"] == f"{DULL}\n\n{text(number)}"
    # The column that was written is what an audit of the output reads.
    audited = outcross("audit", tmp_path / "out", "--out", tmp_path / "audit", "--json")
    (line,) = json.loads(audited.stdout)["conservation"]
    assert (line["read"], line["rejected"]) == (12, 0)
    # The first answer alone, as `messages.1.content` has it, leaves one.
    other = request(tmp_path, chat | {"text_field": "messages.1.content"})
    outcross("dedup", other)
    assert len(data(tmp_path)) == 1
    assert "text_judged" not in data(tmp_path)[0]


def test_fields_are_joined_and_the_plan_says_what_is_judged(tmp_path: Path) -> None:
    rows = [
        {"instruction": text(i, 8), "input": text(i, 3) if i % 2 else "", "output": text(i, 20)}
        for i in range(50)
    ]
    path = write(tmp_path / "alpaca.jsonl", [{"id": i, **row} for i, row in enumerate(rows)])
    fields = ["instruction", "input", "output"]
    alpaca = {"name": "alpaca", "role": "synthetic", "files": [str(path)], "text_field": fields}
    config = request(tmp_path, alpaca, people(tmp_path))
    said = outcross("plan", config).stdout.replace("\n", " ")
    assert "alpaca: judged: instruction, input, output; carried: id" in said
    assert "people: judged: text; carried: nothing" in said
    planned = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert planned["texts"][0] == {
        "source": "alpaca",
        "judged": fields,
        "roles": None,
        "carried": ["id"],
    }
    outcross("run", config)
    written = [row for row in data(tmp_path) if row["outcross"]["source"] == "alpaca"]
    assert written
    for row in written:
        asked = rows[row["id"]]
        assert {key: row[key] for key in asked} == asked
        assert row["text_judged"] == "\n\n".join(part for part in asked.values() if part)


def test_audits_of_the_files_of_a_run_name_the_column_of_judged_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "chats.jsonl", conversations())
    out, data = tmp_path / "out", tmp_path / "out" / "data"
    outcross("dedup", "--synthetic", path, "--text-field", "messages", "--out", out)
    audit = ["audit", data, "--out", tmp_path / "audit"]
    refused = outcross(*audit, code=1).stderr
    assert "has no text in 'text'" in refused
    assert "(--text-field text_judged), or raise" in refused
    outcross(*audit, "--text-field", "text_judged")


def test_several_fields_on_the_command_line(tmp_path: Path) -> None:
    rows = [{"q": text(i, 6), "a": text(500 + i)} for i in range(8)]
    rows += [{"q": "", "a": None}]
    path = write(tmp_path / "qa.jsonl", rows)
    out = ["--out", tmp_path / "out", "--max-reject-share", 1]
    outcross("dedup", "--synthetic", path, "--text-field", "q", "--text-field", "a", *out)
    assert {row["text_judged"] for row in data(tmp_path)} == {
        f"{row['q']}\n\n{row['a']}" for row in rows[:8]
    }
    (reject,) = pq.read_table(tmp_path / "out" / "rejects" / "rejects.parquet").to_pylist()
    assert reject["reason"] == "text fields 'q', 'a' hold no text: missing, null or empty"
    outcross("dedup", "--synthetic", path, "--text-field", "Q: {q}\nA: {a}", *out)
    assert {row["text_judged"] for row in data(tmp_path)} == {
        f"Q: {row['q']}\nA: {row['a']}" for row in rows[:8]
    }


def test_preference_pairs_stay_together(tmp_path: Path) -> None:
    def turns(number: int) -> list[dict[str, str]]:
        said = {"user": text(number, 6), "assistant": text(number + 100)}
        return [{"role": role, "content": content} for role, content in said.items()]

    rows = [{"chosen": turns(i), "rejected": turns(5)[:1] + turns(6)[1:]} for i in range(9)]
    path = write(tmp_path / "pairs.jsonl", [*rows, {**rows[0], "rejected": None}])
    options = ["--synthetic", path, "--text-field", "chosen", "--out", tmp_path / "out"]
    outcross("dedup", *options)
    written = data(tmp_path)
    assert len(written) == 9  # that all rejected answers are the same takes no pair away
    for row in written:
        place = [pair["chosen"] for pair in rows].index(row["chosen"])
        assert row["rejected"] in (rows[place]["rejected"], None)


def test_where_a_column_of_judged_texts_is_written(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.jsonl", [{"answer": text(i), "text_judged": "mine"} for i in range(9)]
    )
    gpt = {"name": "gpt", "role": "synthetic", "files": [str(path)], "text_field": "answer"}
    refused = outcross("dedup", request(tmp_path, gpt, people(tmp_path)), code=2)
    assert "the sources have a column 'text_judged' already" in refused.stderr
    outcross("dedup", request(tmp_path, gpt, people(tmp_path), text_out=None))
    assert {row["text_judged"] for row in data(tmp_path)} == {"mine", None}
    outcross("dedup", request(tmp_path, gpt, people(tmp_path), text_out="said"))
    assert all(row["said"] == (row["answer"] or row["text"]) for row in data(tmp_path))
    outcross("dedup", request(tmp_path, gpt))
    assert {row["text_judged"] for row in data(tmp_path)} == {"mine"}


def tongues(folder: Path) -> dict[str, Any]:
    rows = [{"text": text(i), "lang": ["no", "en", "de", "fr"][i % 4], "n": i} for i in range(40)]
    path = write(folder / "tongues.jsonl", rows)
    return {"name": "tongues", "role": "synthetic", "files": [str(path)]}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("{lang: [no, en]}", "truth values among texts; YAML reads no and off as false"),
        ("{lang: no}", "where: lang: found False, a truth value, and the column holds texts"),
        ("{lang: {not: no}}", "where: lang: found False, a truth value"),
        ("{lnag: de}", "no row has a value in 'lnag' (did you mean 'lang'?)"),
        ("{lang: xx}", 'lang: no row is = "xx"; its values: "no", "en", "de", "fr"'),
        ('{n: {">": 99}}', "n: no row is > 99; its values: 0, 1, 2, 3, 4, 5, 6, 7"),
        ("{lang: de, n: 1}", "lang fits 10 rows, none of which the other keys keep; n fits 1 rows"),
    ],
)
def test_a_filter_that_can_not_be_meant_is_refused(
    tmp_path: Path, where: str, message: str
) -> None:
    source = tongues(tmp_path) | {"where": yaml.safe_load(where)}
    refused = outcross("run", request(tmp_path, source, people(tmp_path)), code=2)
    assert message in refused.stderr
    assert not (tmp_path / "out" / "data").exists()


def test_each_key_and_value_that_fits_no_row_is_said(tmp_path: Path) -> None:
    where = {"lang": ["no", "da", "en"], "note": None, "n": {"<": 30, "not": [77, 2]}}
    config = request(tmp_path, tongues(tmp_path) | {"where": where}, people(tmp_path))
    said = outcross("dedup", config).stderr
    assert "source 'tongues': where: lang: no row is = \"da\" ('lang' holds a string)" in said
    assert "where: n: no row is = 77, so that `not` leaves nothing out" in said
    assert said.count("where:") == 2
    kept = {row["n"] for row in data(tmp_path) if row["outcross"]["source"] == "tongues"}
    assert kept == {n for n in range(30) if n % 4 < 2}


def test_a_run_whose_synthetic_part_is_gone_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.jsonl", [{"text": " "}, {"text": None}])
    gpt = {"name": "gpt", "role": "synthetic", "files": [str(path)]}
    config = request(tmp_path, gpt, people(tmp_path), max_reject_share=1)
    refused = outcross("run", config, code=2)
    assert "no synthetic row is left: 'gpt' has 0 filtered and 2 rejected rows" in refused.stderr
    assert not (tmp_path / "out" / "data").exists()


def test_documents_without_a_word_are_said_to_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "faces.jsonl", [{"text": "🙂" * (i + 1)} for i in range(30)])
    gpt = {"name": "gpt", "role": "synthetic", "files": [str(path)]}
    said = outcross("plan", request(tmp_path, gpt, people(tmp_path)))
    assert "there is no synthetic text: 30 documents, none has a word" in said.stderr
    alone = outcross("run", request(tmp_path, gpt), code=2)
    assert "30 documents, none has a word" in alone.stderr


def test_a_dry_run_tells_of_the_first_rows(tmp_path: Path) -> None:
    rows = [{"q": text(i, 3), "a": "\x1b[31mred\x07 " + text(i), "ok": i % 2 > 0} for i in range(9)]
    path = write(tmp_path / "qa.jsonl", [*rows, {"q": 7, "ok": True}])
    qa = {"name": "qa", "role": "synthetic", "files": [str(path)], "text_field": ["q", "a"]}
    config = request(tmp_path, qa | {"where": {"ok": True}}, people(tmp_path))
    told = json.loads(outcross("run", config, "--dry-run", "--json").stdout)["sources"]
    assert told[0] == {
        "source": "qa",
        "judged": ["q", "a"],
        "roles": None,
        "carried": ["ok"],
        "role": "synthetic",
        "files": 1,
        "bytes": path.stat().st_size,
        "rows": 10,
        "passed": 5,
        "valid": 4,
        "reason": "text field 'q' holds a number; a string is expected",
        "warnings": [],
        "text": f"{text(1, 3)} [31mred {text(1)}"[:299] + "…",
    }
    shown = outcross("run", config, "--dry-run").stdout
    assert "qa: judged: q, a; carried: ok" in shown
    assert "\x1b" not in shown
    assert "rejected: text field 'q' holds a number" in shown
    assert not (tmp_path / "out").exists()
    nothing = request(tmp_path, qa | {"where": {"okk": True}})
    assert json.loads(outcross("run", nothing, "--dry-run", "--json").stdout)["sources"][0][
        "carried"
    ] == ["ok"]
