"""Count how often `outcross audit` stops what has narrowed, and human text.

    python benchmarks/measures/power.py [NAME ...] [--sizes 300 1500 5000] [--lines FILE]
                                        [--data ../shared/data]

Checks by name, all of them without one: `generations` and `mixtures` count the stops of corpora
that have narrowed, `halves` those of human text against human text of the same set, and `others`
shows how much of human text of one set is unlike a reference of another. A reference has as many
documents as the corpus, and 1,500 at least where there are so many; a seeded hash draws both. A
generation has 1,500 texts, which are all that is audited at 5,000.

With `--lines` what was measured is kept in a file, and what stands there is judged without being
measured again: so other limits (`--gates`) are tried in seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alarms import CONSOLE, HUMAN, human_texts, rows, text_hash, write_texts
from rich.table import Table

if TYPE_CHECKING:  # they import Beam, which takes seconds
    from outcross.schemas.gates import Gates
    from outcross.schemas.report import Verdict

SETS = {
    **HUMAN,
    "PEPs": ("human/peps.jsonl.gz", "text"),
    "RFCs": ("human/rust_rfcs.jsonl.gz", "text"),
}
MIXED = ("dolly", "pros and cons")
SHARES = (0.05, 0.1, 0.2, 0.5)
SIZES = (300, 1500, 5000)
LEAST_HUMAN = 1500  # texts of a reference, where there are so many
TRIALS = {
    "generations": {300: 2, 1500: 3, 5000: 1},
    "mixtures": {300: 2, 1500: 2, 5000: 1},
    "halves": {300: 6, 1500: 12, 5000: 3},
    "others": {300: 1, 1500: 0, 5000: 0},
}
"""Seeds of each check, by size: each has references of its own."""
CORPORA = {300: 4, 1500: 1, 5000: 1}
"""Corpora of human text that are audited on one reference, where there is text for so many."""
MOST_ALARMS = 1 / 200
LETTERS = 12  # texts that form letters are made from
FRAMES = (
    ("Sure! Here is what you asked for.", "I hope this helps! Let me know if you need more."),
    ("Thank you for your question.", "Please feel free to reach out with any further questions."),
    ("As an AI language model, I can say this:", "It is important to consult an expert."),
    ("Great question! Let us look at this step by step.", "In conclusion, it depends on the case."),
)


@dataclass(frozen=True)
class Trial:
    """One audit.

    Attributes:
        check: name of its check.
        corpus: name of the audited corpus.
        size: number of documents asked for, of the reference and of the corpus.
        seed: seed of the draws.
        number: number among corpora with the same name, size and seed.
    """

    check: str
    corpus: str
    size: int
    seed: int
    number: int = 0


@dataclass(frozen=True)
class Drawn:
    """The texts of several audits on one reference.

    Attributes:
        reference: texts of the reference.
        corpora: names and texts of the corpora.
    """

    reference: Sequence[str]
    corpora: Sequence[tuple[str, Sequence[str]]]


def split(texts: Sequence[str], size: int, seed: int, corpora: int = 1) -> list[list[str]]:
    """Draw human text and corpora from one set.

    Args:
        texts: texts to draw from.
        size: texts of a corpus.
        seed: seed of the hash that orders texts.
        corpora: most corpora to draw.

    Returns:
        max(size, LEAST_HUMAN) texts, or all but one corpus, then the corpora; nothing if there are
            fewer than twice `size` texts.
    """
    if len(texts) < 2 * size:
        return []
    order = by_hash(texts, seed)
    cut = min(max(size, LEAST_HUMAN), len(order) - size)
    starts = range(cut, min(len(order) - size, cut + (corpora - 1) * size) + 1, size)
    return [order[:cut], *(order[start : start + size] for start in starts)]


def by_hash(texts: Sequence[str], seed: int) -> list[str]:
    """Order texts by a seeded hash; each copy of a text has a place of its own."""
    keyed = []
    copies = Counter[str]()
    for text in texts:
        named = f"{copies[text]} {text}" if copies[text] else text
        copies[text] += 1
        keyed.append((text_hash(named, seed), named, text))
    return [text for _, _, text in sorted(keyed)]


def templated(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Make templated documents: half of them texts in a fixed frame, half of them form letters.

    Args:
        texts: texts that contents and letters are taken from.
        count: number of documents.
        seed: seed of the draws.

    Returns:
        the documents; a form letter is one of a dozen texts in which every third word changes.
    """
    rng = random.Random(seed)
    words = " ".join(rng.choices(texts, k=1000)).split()
    letters = [text.split() for text in rng.choices(texts, k=LETTERS)]
    documents = []
    for number in range(count):
        if number % 2:
            letter = rng.choice(letters)
            words_ = [rng.choice(words) if at % 3 == 2 else word for at, word in enumerate(letter)]
            documents.append(" ".join(words_))
        else:
            opening, closing = rng.choice(FRAMES)
            documents.append(f"{opening} {rng.choice(texts)} {closing}")
    return documents


@cache
def generated(data: Path) -> dict[str, list[str]]:
    """Return the texts of each generation, by its regime and number."""
    texts: dict[str, list[str]] = defaultdict(list)
    for row in rows(data / "multigen/ngram_generations.jsonl.gz"):
        if row["generation"] or row["regime"] == "replace":
            texts[f"{row['regime']} {row['generation']}"].append(row["text"])
    return dict(texts)


def generations(data: Path, size: int, seed: int) -> Iterator[Drawn]:
    """Ten generations of an n-gram model, against human text that it has not seen."""
    corpora = generated(data)
    seen = {text.strip() for text in corpora["replace 0"]}
    human = [text for text in human_texts(data, "gsm8k questions") if text.strip() not in seen]
    yield Drawn(
        by_hash(human, seed)[: max(size, LEAST_HUMAN)],
        [(name, by_hash(texts, seed)[:size]) for name, texts in corpora.items()],
    )


def mixtures(data: Path, size: int, seed: int) -> Iterator[Drawn]:
    """Human text of which a share is replaced by templated documents."""
    for name in MIXED:
        texts = human_texts(data, name)
        reference, corpus = split(texts, min(size, len(texts) // 2), seed)
        mixed = []
        for share in SHARES:
            count = round(share * len(corpus))
            documents = corpus[count:] + templated(corpus, count, seed)
            mixed.append((f"{name}, {share:.0%}", documents))
        yield Drawn(reference, mixed)


def halves(data: Path, size: int, seed: int) -> Iterator[Drawn]:
    """Human text against human text of the same set."""
    for name, texts in set_texts(data).items():
        if parts := split(texts, size, seed, CORPORA[size]):
            yield Drawn(parts[0], [(name, part) for part in parts[1:]])


def other_kinds(data: Path, size: int, seed: int) -> Iterator[Drawn]:
    """Human text of each set on a reference of each other set."""
    texts = {name: by_hash(human_set, seed) for name, human_set in set_texts(data).items()}
    for name, human in texts.items():
        corpora = [(f"{other} on {name}", texts[other][:size]) for other in texts if other != name]
        yield Drawn(human[:LEAST_HUMAN], corpora)


@cache
def set_texts(data: Path) -> dict[str, list[str]]:
    """Return the texts of each human set that are not empty."""
    return {
        name: [text for row in rows(data / path) if (text := row[column]).strip()]
        for name, (path, column) in SETS.items()
    }


CHECKS: dict[str, Callable[[Path, int, int], Iterator[Drawn]]] = {
    "generations": generations,
    "mixtures": mixtures,
    "halves": halves,
    "others": other_kinds,
}


def audits(drawn: Drawn, seed: int) -> Iterator[list[dict[str, Any]]]:
    """Audit corpora on one reference; yield the measures of each."""
    from outcross.pipeline.engine.engines import load_beam

    load_beam()  # first, so that it stays quiet
    import outcross
    from outcross.pipeline.engine.progress import StageProgress

    quiet: dict[str, Any] = {"progress": StageProgress(quiet=True)}
    common: dict[str, Any] = {"workers": 1, "max_reject_share": 0, "seed": seed}
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        folder = Path(name)
        human, reference = (
            write_texts(folder / "human.jsonl", drawn.reference),
            folder / "reference",
        )
        request = outcross.ReferenceRequest(human=[human], out=str(reference), **common)
        outcross.build_reference(request, **quiet)
        for number, (_, texts) in enumerate(drawn.corpora):
            path = write_texts(folder / f"{number}.jsonl", texts)
            audit = outcross.AuditRequest(
                paths=[path], reference=str(reference), out=str(folder / f"out-{number}"), **common
            )
            report = outcross.audit(audit, **quiet).report
            assert report.judged is not None
            yield [measure.model_dump() for measure in report.judged.measures]


def measured(
    names: Sequence[str], sizes: Sequence[int], data: Path, lines: Path
) -> dict[Trial, list[dict[str, Any]]]:
    """Return the measures of all trials; those in `lines` are not measured again."""
    known: dict[Trial, list[dict[str, Any]]] = {}
    if lines.exists():
        for line in map(json.loads, lines.read_text().splitlines()):
            known[Trial(**line["trial"])] = line["measures"]
    wanted = []
    with lines.open("a") as file:
        for name in names:
            for size in sizes:
                for seed in range(TRIALS[name][size]):
                    for drawn in CHECKS[name](data, size, seed):
                        trials = numbered(name, drawn, size, seed)
                        wanted += trials
                        if known.keys() >= set(trials):
                            continue
                        for trial, measures in zip(trials, audits(drawn, seed), strict=True):
                            line = {"trial": asdict(trial), "measures": measures}
                            print(json.dumps(line), file=file, flush=True)
                            known[trial] = measures
    return {trial: known[trial] for trial in wanted}


def numbered(check: str, drawn: Drawn, size: int, seed: int) -> list[Trial]:
    """Return the trials of some corpora."""
    often = Counter[str]()
    trials = []
    for name, _ in drawn.corpora:
        trials.append(Trial(check, name, size, seed, often[name]))
        often[name] += 1
    return trials


def verdicts(
    trials: Mapping[Trial, Sequence[Mapping[str, Any]]], gates: Gates
) -> dict[Trial, Verdict]:
    """Return the verdict of the gates on each trial."""
    from outcross.schemas.figures import Measure
    from outcross.transforms.measuring.gate import judged, verdict

    return {
        trial: verdict(
            judged([Measure(**_afresh(measure)) for measure in measures], gates), [], gates
        )
        for trial, measures in trials.items()
    }


def _afresh(measure: Mapping[str, Any]) -> dict[str, Any]:
    """Return a measure without what gates have said of it."""
    known = measure["against"] is not None
    return {**measure, "outcome": "shown" if known else "too few", "unjudged": None}


def show(check: str, judgements: Mapping[Trial, Verdict], sizes: Sequence[int]) -> None:
    """Print a table of stops by corpus and size."""
    table = Table("corpus", title=f"{check}: stops of audits, then warnings; by documents")
    for size in sizes:
        table.add_column(f"{size:,}", justify="right")
    corpora = dict.fromkeys(trial.corpus for trial in judgements if trial.check == check)
    for corpus in corpora:
        cells = []
        for size in sizes:
            outcomes = [
                verdict.outcome
                for trial, verdict in judgements.items()
                if (trial.check, trial.corpus, trial.size) == (check, corpus, size)
            ]
            stops, warnings = (outcomes.count(outcome) for outcome in ("stop", "warn"))
            cells.append(f"{stops} of {len(outcomes)}, {warnings}" if outcomes else "–")
        table.add_row(corpus, *cells)
    CONSOLE.print(table)


def show_others(
    trials: Mapping[Trial, Sequence[Mapping[str, Any]]], judgements: Mapping[Trial, Verdict]
) -> None:
    """Print which share of a corpus is unlike a reference of another set; * where that is said."""
    table = Table("corpus \\ reference", title="others: documents unlike the reference")
    for name in SETS:
        table.add_column(name, justify="right")
    for corpus in SETS:
        cells = []
        for reference in SETS:
            trial = Trial("others", f"{corpus} on {reference}", SIZES[0], 0)
            if trial not in trials:
                cells.append("")
                continue
            (share,) = (m["value"] for m in trials[trial] if m["name"] == "off_support")
            named = "unlike the reference:" in judgements[trial].sentence
            cells.append(f"{share:.0%}{' *' if named else ''}")
        table.add_row(corpus, *cells)
    CONSOLE.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CHECKS)}")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared/data")
    parser.add_argument("--sizes", type=int, nargs="*", choices=SIZES, default=SIZES)
    parser.add_argument("--lines", type=Path, help="keeps what was measured")
    parser.add_argument("--gates", help="a gates.yaml to judge by")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(CHECKS):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(CHECKS)}")
    from outcross.schemas.gates import load_gates

    names = arguments.names or list(CHECKS)
    with tempfile.TemporaryDirectory(prefix="power-") as folder:
        lines = arguments.lines or Path(folder) / "lines.jsonl"
        trials = measured(names, arguments.sizes, arguments.data, lines)
    judgements = verdicts(trials, load_gates(arguments.gates))
    for name in names:
        if name == "others":
            show_others(trials, judgements)
        else:
            show(name, judgements, arguments.sizes)
    human = {trial: verdict for trial, verdict in judgements.items() if trial.check == "halves"}
    stops = [trial for trial, verdict in human.items() if verdict.outcome == "stop"]
    for trial in stops:
        CONSOLE.print(trial, human[trial].sentence)
    if len(stops) > MOST_ALARMS * len(human):
        CONSOLE.print(f"fails: {len(stops)} of {len(human)} halves are stopped", style="bold red")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
