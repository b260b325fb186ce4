"""Show what `outcross` does to a narrow corpus, with human text from this machine.

    python examples/demo.py [--work DIR] [--seed N]

A small generator learns half of Python's own documentation, then learns its own sharp samples for
a few generations. `outcross run` gets three times as many of its last samples, and the other half
of the documentation, and writes what the next generation would learn. At the end stands what three
corpora hold of human text: the samples alone, a naive mix, and the mix that the run wrote, with as
many words and as much human text. The first figures are the run's own. The others are counted here,
from the files alone.
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

    def order(text: str) -> int:
        # Not the order of `lexicon`, which would find more human text at the beginning.
        return content_hash(f"naive {text}")

    mix: list[str] = []
    for texts, wanted in ((synthetic, words * (1 - share)), (human, words * share)):
        remaining = wanted
        for text in sorted(texts, key=order):
            if remaining <= 0:
                break
            mix.append(text)
            remaining -= count_words([text])
    return mix


@dataclass(frozen=True)
class Row:
    """One figure of the synthetic corpus, the naive mix, the curated mix and human text."""

    name: str
    form: str
    synthetic: float
    naive: float
    curated: float
    human: float

    def gap_closed(self, mix: float) -> float:
        """Return how far a mix has come on the way from the synthetic corpus to human text."""
        return (mix - self.synthetic) / (self.human - self.synthetic)

    def cells(self) -> list[str]:
        """Return the row as text."""
        values = (self.synthetic, self.naive, self.curated, self.human)
        gaps = f"{self.gap_closed(self.naive):.0%} → {self.gap_closed(self.curated):.0%}"
        return [self.name, *(format(value, self.form) for value in values), gaps]


def reported(report: dict[str, Any], control: dict[str, Any]) -> list[Row]:
    """Return figures of the run's report, and of the report on the naive mix."""
    stages = {stage["name"]: stage["roles"] for stage in report["stages"]}
    naive = next(stage["roles"] for stage in control["stages"] if stage["name"] == "read")
    corpora = (stages["read"]["synthetic"], naive["synthetic"], stages["write"]["all"])
    human = report["reference"]

    def row(name: str, form: str, key: str, ideal: float) -> Row:
        synthetic, naive, curated = (corpus[key] for corpus in corpora)
        return Row(name, form, synthetic, naive, curated, ideal)

    return [
        row("effective clusters", ".1f", "effective_clusters", human["effective_clusters"]),
        row("share of rare texts", ".1%", "tail_mass", human["tail_mass"]),
        row("KL to human (nats)", ".3f", "kl_to_reference", 0.0),
    ]


def counted(texts: Sequence[Sequence[str]], rare: frozenset[str]) -> list[Row]:
    """Return figures that are counted in as many words of each corpus."""
    n_words = min(count_words(of) for of in texts)
    lexicons = [lexicon(of, n_words) for of in texts]
    return [
        Row("distinct words", ",", *(len(of.words) for of in lexicons)),
        Row("distinct word pairs", ",", *(of.bigrams for of in lexicons)),
        Row("rare words kept", ".0%", *(len(of.words & rare) / len(rare) for of in lexicons)),
    ]


def comparison(first: Sequence[Row], second: Sequence[Row], caption: str) -> Table:
    """Return the table of both groups of rows."""
    table = Table(title="How much of human text is left?", caption=caption)
    table.add_column("")
    for heading in ("synthetic", "naive mix", "curated", "human", "gap closed"):
        table.add_column(heading, justify="right")
    for rows in (first, second):
        for row in rows:
            table.add_row(*row.cells(), end_section=row is rows[-1])
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
        *("--tokens", count_words(paragraph.text for paragraph in learned)),
        *("--out", out, "--seed", options.seed),
    )
    before, human = [text for text, _ in synthetic], [paragraph.text for paragraph in fresh]
    written = pq.read_table(out / "data", columns=["text"])["text"].to_pylist()

    # The control on the same reference: it goes in as a corpus, and is measured as it is read.
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    human_share = report["achieved"]["human_share"]
    naive = naive_mix(before, human, count_words(written), human_share)
    write_jsonl(work / "naive.jsonl", ({"text": text} for text in naive))
    run_outcross(
        command,
        *("--synthetic", work / "naive.jsonl", "--reference", out / "reference"),
        *("--out", work / "naive"),
        quiet=True,
    )
    control = json.loads((work / "naive" / "report.json").read_text(encoding="utf-8"))
    words = counted(
        [before, naive, written, human], rare_words(paragraph.text for paragraph in learned)
    )
    caption = (
        f"Both mixes have {count_words(written):,} words, {human_share:.0%} of them human. "
        "Naive: drawn blindly. Curated: what outcross wrote. Gap closed: from synthetic to "
        "human text, by the naive mix → by the curated mix."
    )
    console.print(comparison(reported(report, control), words, caption))
    console.print(f"report: {out / 'report.html'}\ndata:   {out / 'data'}", soft_wrap=True)


if __name__ == "__main__":
    main()
