"""A training loop that learns from its own samples and is kept from narrowing.

    python examples/closing_the_loop.py [--generations 4] [--fresh 0.1] [--naive] [--work DIR]

Human text is Python's own documentation, and the n-gram generator of kneser_ney.py stands in for a
language model; all else is as in a real loop. A first generator learns from human text. Then every
generation goes once around:

    generate   the newest generator is sampled
    curate     `outcross run` chooses from the samples and adds human text, fresh or from the ledger
    train      the next generator learns from the result
    audit      `outcross audit` measures its samples on the reference of the lineage
    compare    `outcross compare` looks for losses since the first generator

`outcross` is called as from a shell, and its exit code decides: 0 continues, 3 stops the loop
because a gate has closed, 1 and 2 end it as failures. runbooks/closing-the-loop.md tells what to do
then; the same command continues the loop. `--naive` adds a control: as much text with the same
fresh text, and random samples for the rest. A gate that closes on the control is noted but doesn't
stop it, so that the table shows how it develops.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from demo import content_hash, count_words, installed_command, write_jsonl
from kneser_ney import Document, KneserNey, tokenize
from pydoc_corpus import MIN_WORDS, human_paragraphs
from rich.console import Console
from rich.table import Table

STOP = 3
SHARPNESS = 0.5
CANDIDATES = 3  # words that are sampled for each word that is learned from
HUMAN_SHARE = 0.6  # of what a curated generator learns from: fresh text and the ledger
GATES = """\
tail_mass: null     # n-grams miss half of the human tail, even where all that they learned is human
tail_coverage: null
self_repetition: null  # and repeat phrases of what they learned
openings: null
fall_lexical: 0.10  # once, where a generator learns from samples as well; naive ones go on falling
"""
SHOWN = {"effective_clusters": "clusters", "rare_words": "rare words", "distinct_3": "triples"}


def deal() -> tuple[list[Document], list[Document], list[Document]]:
    """Split human text by the hashes of the texts into three parts.

    Returns:
        text of the reference, which nothing learns from; text of the first generator; text for
            sale.
    """
    texts = [Document(paragraph.text, paragraph.topic) for paragraph in human_paragraphs()]
    texts.sort(key=lambda document: content_hash(document.text))
    third, half = len(texts) // 3, len(texts) // 2
    return texts[:third], texts[third:half], texts[half:]


def up_to(documents: Sequence[Document], words: float) -> list[Document]:
    """Return the first documents that together hold no more than `words` words."""
    taken = []
    for document in documents:
        words -= count_words([document.text])
        if words < 0:
            break
        taken.append(document)
    return taken


def write(path: Path, documents: Sequence[Document]) -> Path:
    """Write JSON lines. The topic is a column of our own: `outcross` carries it along untouched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(path, (document._asdict() for document in documents))
    return path


def read(data: Path) -> list[Document]:
    """Read what a run has written, as a trainer does."""
    rows = pq.read_table(data, columns=["text", "topic"]).to_pylist()
    return [Document(**row) for row in rows]


def train_and_sample(learned: Sequence[Document], seed: int) -> list[Document]:
    """Fit a generator, and sample from it. In a real loop this takes days."""
    tokens = CANDIDATES * sum(len(tokenize(document.text)) for document in learned)
    samples = KneserNey.fit(learned).sample(tokens, seed, SHARPNESS)
    return [document for document in samples if len(document.text.split()) >= MIN_WORDS]


def outcross(*arguments: object) -> bool:
    """Run the command; return whether a gate has closed. Any failure ends the loop.

    Exit code 1: it failed on the way. 2: the request is wrong, or can't be met. It says why itself.
    """
    line = [installed_command(), *map(str, arguments)]
    code = subprocess.run([*line, "--json"], check=False, stdout=subprocess.DEVNULL).returncode
    if code not in (0, STOP):
        print(f"exit code {code} of {' '.join(line)}", file=sys.stderr)
        raise SystemExit(code)
    return code == STOP


class Loop:
    """A loop in its own folder, with samples/, audits/ and results."""

    def __init__(self, folder: Path, reference: Path, gates: Path, obeys: bool) -> None:
        self.folder, self.reference, self.gates, self.obeys = folder, reference, gates, obeys
        self.stopped: list[str] = []

    def judge(self, step: str, out: Path, *arguments: object) -> None:
        """Run a command that judges, print its verdict, and stop the loop if it says so."""
        closed = outcross(*arguments, "--out", out, "--gates", self.gates)
        report = out / ("compare.json" if arguments[0] == "compare" else "report.json")
        verdict = json.loads(report.read_text(encoding="utf-8"))["verdict"]
        print(f"{step}: {verdict['sentence']}", flush=True)
        if closed and self.obeys:
            print(f"The loop stops at {step}. What to look at: {out / 'report.html'}")
            raise SystemExit(STOP)
        if closed:
            self.stopped.append(step)

    def audit(self, generation: int, learned: Sequence[Document]) -> list[Document]:
        """Train, sample, and measure the samples, alone and against those of all before."""
        name = f"{self.folder.name} gen{generation}"
        samples = train_and_sample(learned, generation)
        path = write(self.folder / "samples" / f"gen{generation}.jsonl", samples)
        audits = [self.folder / "audits" / f"gen{number}" for number in range(generation + 1)]
        self.judge(f"{name} audit", audits[-1], "audit", path, "--reference", self.reference)
        if generation:
            self.judge(f"{name} compare", self.folder / "compared", "compare", *audits)
        return samples


def finished(lineage: Path) -> list[str]:
    """Return the number of generations that an earlier start of the loop has finished.

    The last one doesn't count: it is done again. That takes no time if nothing has changed, and if
    a gate closed on it, something may be changed first.
    """
    state = lineage / "lineage.json"
    generations = json.loads(state.read_text())["generations"] if state.exists() else []
    return [generation["name"] for generation in generations][:-1]


def curated(loop: Loop, first: Path, bought: Sequence[Path], words: int) -> None:
    """Run the loop in which every generation learns from the output of `outcross run`."""
    lineage = loop.folder / "lineage"
    finished_count = finished(lineage)
    for generation in range(len(bought) + 1):
        out = loop.folder / "runs" / f"gen{generation}"
        request: list[object] = ["--lineage", lineage, "--gate"]
        if generation == 0:  # the first corpus is our own, so it goes into the ledger
            request += ["--human", first, "--human-share", 1, "--reference", loop.reference]
        else:
            request += ["--synthetic", loop.folder / "samples" / f"gen{generation - 1}.jsonl"]
            request += ["--human", bought[generation - 1], "--human-share", HUMAN_SHARE]
            request += ["--tokens", words]
        if out.name not in finished_count:
            loop.judge(f"{loop.folder.name} {out.name} run", out, "run", *request)
        loop.audit(generation, read(out / "data"))


def naive(loop: Loop, first: Sequence[Document], bought: Sequence[Path], words: int) -> None:
    """Run the loop in which every generation learns from fresh text and random samples."""
    samples = loop.audit(0, first)
    for generation, path in enumerate(bought, 1):
        fresh = [Document(**json.loads(line)) for line in path.open(encoding="utf-8")]
        samples.sort(key=lambda document: content_hash(document.text))
        remaining = words - count_words(document.text for document in fresh)
        samples = loop.audit(generation, [*fresh, *up_to(samples, remaining)])


def against_human(loops: Sequence[Loop], generations: int) -> Table:
    """Print the measures of each generator's samples; as much human text has 100 %."""
    table = Table(title="What the generators sample, against as much human text")
    table.add_column("gen", justify="right")
    for title in SHOWN.values():
        for loop in loops:
            table.add_column(f"{title}\n{loop.folder.name}", justify="right", no_wrap=True)
    for generation in range(generations + 1):
        columns = []
        for loop in loops:
            report = loop.folder / "audits" / f"gen{generation}" / "report.json"
            measures = json.loads(report.read_text(encoding="utf-8"))["judged"]["measures"]
            columns.append({measure["name"]: measure["against"] for measure in measures})
        table.add_row(
            str(generation), *(f"{figures[name]:.0%}" for name in SHOWN for figures in columns)
        )
    return table


def main() -> None:
    """Run the loop that the command line asks for."""
    parser = argparse.ArgumentParser(description="a training loop on Python's own documentation")
    parser.add_argument("--generations", type=int, default=4, help="after the first generator")
    parser.add_argument("--fresh", type=float, default=0.1, help="share of fresh human text")
    parser.add_argument("--naive", action="store_true", help="the control beside it")
    parser.add_argument("--gates", type=Path, help="limits of your own for every verdict")
    parser.add_argument("--work", type=Path, default=Path("out/loop"), help="where all is written")
    options = parser.parse_args()
    work: Path = options.work

    human_text, first, for_sale = deal()
    words = count_words(document.text for document in first)
    bought = []
    for generation in range(1, options.generations + 1):
        fresh = up_to(for_sale, options.fresh * words)
        if len(fresh) in (0, len(for_sale)):
            parser.error(f"--fresh {options.fresh}: not enough text for {generation} generations")
        bought.append(write(work / "bought" / f"gen{generation}.jsonl", fresh))
        for_sale = for_sale[len(fresh) :]
    gates = options.gates
    if gates is None:
        gates = work / "gates.yaml"
        gates.write_text(GATES, encoding="utf-8")

    reference = work / "reference"
    human = write(work / "reference.jsonl", human_text)
    if not (reference / "manifest.json").exists():  # made once, and never changed
        outcross("reference", "build", "--human", human, "--out", reference)
    loops = [Loop(work / "curated", reference, gates, obeys=True)]
    curated(loops[0], write(work / "first.jsonl", first), bought, words)
    if options.naive:
        loops.append(Loop(work / "naive", reference, gates, obeys=False))
        naive(loops[1], read(work / "curated" / "runs" / "gen0" / "data"), bought, words)
    Console().print(against_human(loops, options.generations))
    if options.naive:
        stopped = loops[1].stopped
        print(f"Stopped, had it obeyed: {stopped[0]}" if stopped else "No gate closed on naive.")


if __name__ == "__main__":
    main()
