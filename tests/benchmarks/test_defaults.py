import gzip
import json
import random
from unittest.mock import patch

import defaults
from defaults import Judge, Mix, first_words, naive, settings, split_human
from hypothesis import given
from hypothesis import strategies as st

from outcross.schemas.config import Config
from tests.support.commands import call_program

WORDS = [f"word{i}" for i in range(400)]


def texts(n, seed, words=WORDS):
    rng = random.Random(seed)
    return [" ".join(rng.choices(words, k=rng.randrange(15, 40))) for _ in range(n)]


@given(st.lists(st.text(max_size=4), max_size=40), st.integers(0, 9))
def test_human_text_is_split_into_parts_that_share_no_text(rows, seed):
    parts = split_human(rows, seed)
    assert sorted(text for part in parts for text in part) == sorted(set(rows))
    assert parts == split_human(rows[::-1], seed)


def test_half_of_the_human_text_is_the_reference_and_a_quarter_is_held_out():
    reference, fresh, held_out = map(len, split_human(map(str, range(8000)), 3))
    assert abs(reference - 4000) < 200
    assert abs(fresh - 2000) < 150
    assert abs(held_out - 2000) < 150


def test_each_setting_changes_one_key_to_a_value_that_is_no_default():
    arms = settings(defaults.SETTINGS)
    assert arms.pop("defaults") == {}
    assert (
        len({str(arm) for arm in arms.values()})
        == len(arms)
        == sum(len(values) - 1 for values in defaults.SETTINGS.values())
    )
    for arm in arms.values():
        ((key, value),) = arm.items()
        assert Config.model_fields[key].default != value


def test_the_naive_mix_has_as_many_words_of_each_role_and_no_document_twice():
    synthetic, human = texts(300, 1), texts(200, 2)
    mix = naive(Mix(synthetic[:20] * 2, human[:10]), synthetic, human, 0)
    for drawn, asked, offered in (
        (mix.synthetic, synthetic[:20] * 2, synthetic),
        (mix.human, human[:10], human),
    ):
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) <= set(offered)
        wanted = sum(len(text.split()) for text in asked)
        assert abs(sum(len(text.split()) for text in drawn) - wanted) <= 20
    assert first_words(human, 1e9) == human


def test_a_mix_that_is_like_the_held_out_text_is_worth_more():
    held_out, alike, narrow = texts(60, 3), texts(200, 4), texts(200, 5, WORDS[:20])
    judge = Judge(held_out, [*alike, *narrow])
    near = judge.value(Mix(alike[:150], alike[150:]), 4000)
    far = judge.value(Mix(narrow, []), 4000)
    assert near.perplexity < far.perplexity
    assert near.words > far.words == 21  # 20 words and the document's end
    assert near.trigrams > far.trigrams
    assert near.rare_words > far.rare_words
    assert near.coverage > far.coverage
    assert near.effective > far.effective
    assert far.human_share == 0
    assert 0.2 < near.human_share < 0.3


def test_the_program_prints_a_table_for_each_pair_and_budget(tmp_path):
    rows = {
        "multigen/ngram_generations": [
            {"regime": "replace", "generation": 4, "text": text}
            for text in texts(300, 6, WORDS[:150])
        ],
        "human/gsm8k": [{"question": text} for text in texts(600, 7)],
    }
    for name, of in rows.items():
        path = tmp_path / f"{name}.jsonl.gz"
        path.parent.mkdir()
        with gzip.open(path, "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in of)
    arguments = ("questions", "--data", tmp_path, "--json", tmp_path / "values.json")
    with patch.dict(
        defaults.BUDGETS,
        {
            name: defaults.BUDGETS[name]._replace(settings=("select",))
            for name in ("default", "most")
        },
    ):
        done = call_program(
            defaults.main, "defaults.py", *arguments, "--budgets", "default", "most"
        )
    assert not done.returncode, done.stderr
    tables = done.stdout.count("| setting |")
    assert tables == done.stdout.count("| select random |") == done.stdout.count("| naive |") == 4
    assert "| defaults | +0.0 ± 0.0 % |" in done.stdout
    values = [json.loads(line) for line in (tmp_path / "values.json").read_text().splitlines()]
    assert [value[:3] for value in values] == [
        ["questions", 0, "default"],
        ["questions", 0, "most"],
    ]
    for *_, by_name in values:
        assert abs(by_name["naive"]["tokens"] / by_name["defaults"]["tokens"] - 1) < 0.02
