"""Show what `outcross` does to a narrow corpus, with human text from this machine.

    python examples/demo.py [--work DIR] [--seed N]

A small generator learns half of Python's own documentation, then learns its own sharp samples for
a few generations. `outcross run` gets its last samples and the other half of the documentation. At
the end stands what changed, beside a naive mix with as much human text: the run's own figures, and
lexical ones that are counted here, from the files alone.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from kneser_ney import Document, KneserNey, tokenize
from pydoc_corpus import MIN_WORDS, Paragraph, human_paragraphs
from rich.console import Console
from rich.table import Table

GENERATIONS = 5
SHARPNESS = 0.7
CANDIDATES = 3  # synthetic tokens that the run may choose from, for each token that is trained on
COUNTED = 50_000  # words in which a generation's variety is counted

_WORD = re.compile(r"\w+")


def content_hash(text: str) -> int:
    """Return 64 bits of the text; unlike `hash`, the same on every machine."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def split_human(paragraphs: Iterable[Paragraph]) -> tuple[list[Paragraph], list[Paragraph]]:
    """Split the paragraphs by hash into text for the first generator and fresh text."""
    halves: tuple[list[Paragraph], list[Paragraph]] = ([], [])
    for paragraph in paragraphs:
        halves[content_hash(paragraph.text) & 1].append(paragraph)
    return halves


@dataclass(frozen=True)
class Lexicon:
    """Numbers of different words and phrases in a fixed number of words."""

    n_words: int
    words: frozenset[str]
    bigrams: int


def lexicon(texts: Iterable[str], n_words: int) -> Lexicon:
    r"""Count over the first `n_words` words of `texts` in the order of their hashes.

    Lower case, `\w+`, bigrams within a text. The order by hash makes it a random sample: what is
    distinct grows with the number of words, and texts that stand together speak of the same.
    """
    words: Counter[str] = Counter()
    bigrams: set[tuple[str, str]] = set()
    remaining = n_words
    for text in sorted(texts, key=content_hash):
        tokens = _WORD.findall(text.lower())[:remaining]
        words.update(tokens)
        bigrams.update(pairwise(tokens))
        remaining -= len(tokens)
        if not remaining:
            break
    return Lexicon(n_words - remaining, frozenset(words), len(bigrams))


def count_words(texts: Iterable[str]) -> int:
    """Count the words of all texts."""
    return sum(len(_WORD.findall(text)) for text in texts)


def rare_words(texts: Iterable[str]) -> frozenset[str]:
    """Return words that occur two to five times: they can be learned and lost."""
    counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    return frozenset(word for word, count in counts.items() if 2 <= count <= 5)


def retrain(learned: Sequence[Paragraph], seed: int, console: Console) -> list[Document]:
    """Fit on `learned`, then on samples of the same size, again and again; return the last ones.

    Returns `CANDIDATES` times what was learned from, without texts that are shorter than a human
    paragraph may be.
    """
    n_tokens = sum(len(tokenize(paragraph.text)) for paragraph in learned)
    table = Table(title=f"The generator, in {COUNTED:,} of its words")
    for heading in ("generation", "distinct words", "distinct bigrams", "topics left"):
        table.add_column(heading, justify="right")
    samples = [Document(paragraph.text, paragraph.topic) for paragraph in learned]
    for generation in range(GENERATIONS + 1):
        counted = lexicon((text for text, _ in samples), COUNTED)
        name = str(generation) if generation else "human"
        topics = len({topic for _, topic in samples[: len(learned)]})
        table.add_row(name, f"{len(counted.words):,}", f"{counted.bigrams:,}", str(topics))
        if generation < GENERATIONS:
            last = generation == GENERATIONS - 1
            samples = KneserNey.fit(samples).sample(
                n_tokens * (CANDIDATES if last else 1), seed + generation, SHARPNESS
            )
    console.print(table)
    return [document for document in samples if len(document.text.split()) >= MIN_WORDS]


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def installed_command() -> str:
    """Return the path of the command beside this Python, not the first one on the path."""
    folder = Path(sys.executable).parent
    command = shutil.which("outcross", path=str(folder))
    if command is None:
        raise SystemExit(f"{folder} holds no command outcross: install the package there first")
    return command


def run_outcross(command: str, *arguments: object, quiet: bool = False) -> None:
    """Run the command as a user does; end with its exit code where it is not 0."""
    line = [command, "run", *map(str, arguments)]
    if quiet:
        done = subprocess.run([*line, "--json"], check=False, stdout=subprocess.DEVNULL)
    else:
        done = subprocess.run(line, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def naive_mix(
    synthetic: Sequence[str], human: Sequence[str], words: int, share: float
) -> list[str]:
    """Return the control: as much text with as much human text, drawn at random, each once."""
    mix: list[str] = []
    for texts, wanted in ((synthetic, words * (1 - share)), (human, words * share)):
        remaining = wanted
        for text in sorted(texts, key=content_hash):
            if remaining <= 0:
                break
            mix.append(text)
            remaining -= count_words([text])
    return mix


@dataclass(frozen=True)
class Figures:
    """Figures of one corpus, a column of the table."""

    effective_clusters: float
    tail_share: float
    kl_to_human: float
    human_share: float


def read_report(path: Path, control: Path) -> tuple[Figures, Figures, Figures, Figures]:
    """Return figures of the corpus as read, the naive mix, the corpus as written, and humans."""
    report, naive = (json.loads(file.read_text(encoding="utf-8")) for file in (path, control))
    stages = {stage["name"]: stage["roles"] for stage in report["stages"]}
    mixed = next(stage["roles"] for stage in naive["stages"] if stage["name"] == "read")
    reference = report["reference"]

    def figures(measured: dict[str, Any], human_share: float) -> Figures:
        return Figures(
            measured["effective_clusters"],
            measured["tail_mass"],
            measured["kl_to_reference"],
            human_share,
        )

    return (
        figures(stages["read"]["synthetic"], 0.0),
        figures(mixed["synthetic"], report["achieved"]["human_share"]),
        figures(stages["write"]["all"], report["achieved"]["human_share"]),
        figures({**reference, "kl_to_reference": 0.0}, 1.0),
    )


def before_and_after(
    report: Path,
    control: Path,
    texts: Sequence[Sequence[str]],
    rare: frozenset[str],
) -> Table:
    """Print the report's figures, and below them figures that are counted here at equal length."""
    n_words = min(count_words(of) for of in texts)
    counted = [lexicon(of, n_words) for of in texts]
    reported = read_report(report, control)
    table = Table(
        title="Before against after",
        caption="Before: the synthetic corpus. Naive mix: as many words with as many human ones, "
        "drawn blindly. After: what outcross wrote. "
        f"Below the line: counted here in {n_words:,} words of each.",
    )
    table.add_column("")
    for heading in ("before", "naive mix", "after", "human"):
        table.add_column(heading, justify="right")
    table.add_row("effective clusters", *(f"{of.effective_clusters:.1f}" for of in reported))
    table.add_row("tail share", *(f"{of.tail_share:.1%}" for of in reported))
    table.add_row("KL to human (nats)", *(f"{of.kl_to_human:.3f}" for of in reported))
    table.add_row("human share", *(f"{of.human_share:.1%}" for of in reported), end_section=True)
    table.add_row("distinct words", *(f"{len(of.words):,}" for of in counted))
    table.add_row("distinct-2", *(f"{of.bigrams / of.n_words:.3f}" for of in counted))
    table.add_row("rare words kept", *(f"{len(of.words & rare) / len(rare):.1%}" for of in counted))
    return table


def main() -> None:
    """Run the demonstration and print its table."""
    parser = argparse.ArgumentParser(description="outcross on Python's own documentation")
    parser.add_argument("--work", type=Path, default=Path("out/demo"), help="where all is written")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    command = installed_command()
    console = Console()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)

    learned, fresh = split_human(human_paragraphs())
    synthetic = retrain(learned, options.seed, console)
    write_jsonl(work / "human.jsonl", ({"id": p.id, "text": p.text} for p in fresh))
    write_jsonl(
        work / "synthetic.jsonl",
        (
            {"id": f"sample-{i:06}", "text": text, "generation": GENERATIONS}
            for i, (text, _) in enumerate(synthetic)
        ),
    )

    out = work / "run"
    run_outcross(
        command,
        *("--synthetic", work / "synthetic.jsonl", "--human", work / "human.jsonl"),
        *("--out", out, "--seed", options.seed),
    )
    before, human = [text for text, _ in synthetic], [paragraph.text for paragraph in fresh]
    written = pq.read_table(out / "data", columns=["text"])["text"].to_pylist()

    # The control on the same reference: it goes in as a corpus, and is measured as it is read.
    achieved = json.loads((out / "report.json").read_text(encoding="utf-8"))["achieved"]
    naive = naive_mix(before, human, count_words(written), achieved["human_share"])
    write_jsonl(work / "naive.jsonl", ({"text": text} for text in naive))
    run_outcross(
        command,
        *("--synthetic", work / "naive.jsonl", "--reference", out / "reference"),
        *("--out", work / "naive"),
        quiet=True,
    )
    console.print(
        before_and_after(
            out / "report.json",
            work / "naive" / "report.json",
            [before, naive, written, human],
            rare_words(paragraph.text for paragraph in learned),
        )
    )
    console.print(f"report: {out / 'report.html'}\ndata:   {out / 'data'}", soft_wrap=True)


if __name__ == "__main__":
    main()
