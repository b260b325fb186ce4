"""Check that `outcross audit` stops narrowed corpora and lets human text pass.

    python benchmarks/measures/alarms.py [NAME ...] [--data ../shared/data]

Checks by name, all of them without one: `jokes`, `generations`, `halves`, `templates`, `junk`,
`converge`. Each audits real text as a user would, prints what the audit said, and fails where a
promise doesn't hold. Halves are cut by a seeded hash of the text, so that every run has the same;
what is fitted on them has the same seed. The documents whose words are counted are those with the
smallest hashes, whatever the seed: of large sets all halves look at the same few hundred.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import math
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: a process has one core

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # it imports Beam, which takes seconds
    from outcross.schemas.figures import Measure
    from outcross.schemas.report import Report

CONSOLE = Console(width=140)

Corpus = Path | Sequence[str] | Sequence[tuple[str, str]]
"""A file, texts, or texts with their domains."""

HUMAN = {
    "dolly": ("human/dolly_6400.jsonl.gz", "response"),
    "gsm8k questions": ("human/gsm8k.jsonl.gz", "question"),
    "gsm8k answers": ("human/gsm8k.jsonl.gz", "answer"),
    "movie reviews": ("human/movie_reviews.jsonl.gz", "text"),
    "cpp docs": ("human/ms_cpp_docs.jsonl.gz", "text"),
    "pros and cons": ("human/pros_cons.jsonl.gz", "text"),
    "EIPs": ("human/eips.jsonl.gz", "text"),
}
"""Human texts: file and column."""
LARGE = [name for name in HUMAN if name != "EIPs"]  # 2,000 documents or more
TEMPLATED = ["cpp docs", "EIPs"]
TEMPLATE_HALVES = 20
MOST_ALARMS = 0.01
CLUSTERS = ("effective_clusters", "audit_effective_clusters", "js", "audit_js")
WORDS = ("vocabulary", "distinct_3", "rare_words")
FAMILIES = {"words": WORDS, "clusters": CLUSTERS}
REGIMES = ("replace", "fresh20", "accumulate")
STOPPED_BY = 3
JUNKED = ["dolly", "pros and cons", "movie reviews"]
JUNK_SHARE = 0.05
MATHS_SHARE = 0.3
OUTCOMES = ("stop", "warn", "noise", "too few")
FLAGS = {"stop": " ■", "warn": " ▪", "noise": " ~"}
LEGEND = "■ stop, ▪ warning, ~ noise"
_Z = 1.96


@cache
def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def human_texts(data: Path, name: str) -> list[str]:
    """Return the texts of a human set that are not empty."""
    path, column = HUMAN[name]
    return [text for row in rows(data / path) if (text := row[column]).strip()]


def halves(texts: Sequence[str], seed: int) -> tuple[list[str], list[str]]:
    """Split texts into two halves by hash, so that equal texts stay together."""
    parts: tuple[list[str], list[str]] = ([], [])
    for text in texts:
        parts[text_hash(text, seed) & 1].append(text)
    return parts


def text_hash(text: str, seed: int) -> int:
    """Hash a text for seeded draws that no order changes."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, salt=seed.to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little")


def junk(texts: Sequence[str], count: int, seed: int) -> dict[str, list[str]]:
    """Return junk as long as the texts, by kind.

    Args:
        texts: texts whose lengths, characters and lines are used.
        count: number of junk texts of all kinds together.
        seed: seed of the draws.
    """
    rng = random.Random(seed)
    drawn = rng.choices(texts, k=count)
    shuffled = ["".join(rng.sample(text, len(text))) for text in drawn[::3]]
    repeated = []
    for text in drawn[1::3]:
        line = rng.choice([line for line in text.splitlines() if line.strip()])
        repeated.append("\n".join([line] * max(10, len(text) // len(line))))
    encoded = [
        base64.b64encode(rng.randbytes(max(12, len(text) * 3 // 4))).decode()
        for text in drawn[2::3]
    ]
    return {"shuffled": shuffled, "one line": repeated, "base64": encoded}


@contextmanager
def audited(
    human: Corpus,
    target: Corpus,
    human_field: str = "text",
    gates: str | None = None,
    seed: int = 0,
) -> Iterator[tuple[Report, Path]]:
    """Return the report of an audit in a temporary folder.

    Args:
        human: human text that the reference is made from.
        target: corpus to audit.
        human_field: column of the text, if `human` is a file.
        gates: contents of gates.yaml.
        seed: seed of the audit.
    """
    from outcross.pipeline.engine.engines import load_beam

    load_beam()  # first, so that it stays quiet
    import outcross
    from outcross.pipeline.engine.progress import StageProgress

    with tempfile.TemporaryDirectory(prefix="alarms-") as name:
        folder = Path(name)
        paths = [
            write_texts(folder / f"{i}.jsonl", texts) for i, texts in enumerate((human, target))
        ]
        fields: dict[str, Any] = {}
        if not isinstance(target, Path) and isinstance(target[0], tuple):
            fields["domain_field"] = "domain"
        if gates is not None:
            (folder / "gates.yaml").write_text(gates)
            fields["gates"] = str(folder / "gates.yaml")
        request = outcross.AuditRequest(
            human=paths[:1],
            paths=paths[1:],
            human_text_field=human_field,
            workers=1,
            max_reject_share=0,
            seed=seed,
            out=str(folder / "out"),
            **fields,
        )
        yield outcross.audit(request, progress=StageProgress(quiet=True)).report, folder / "out"


def write_texts(path: Path, corpus: Corpus) -> str:
    """Write texts as JSON lines, unless they stand in a file already; return its path."""
    if isinstance(corpus, Path):
        return str(corpus)
    with path.open("w", encoding="utf-8") as lines:
        for line in corpus:
            text, domain = (line, None) if isinstance(line, str) else line
            row = {"text": text} if domain is None else {"text": text, "domain": domain}
            lines.write(json.dumps(row) + "\n")
    return str(path)


def by_name(report: Report) -> dict[str, Measure]:
    """Return the judged measures by name."""
    assert report.judged is not None
    return {measure.name: measure for measure in report.judged.measures}


def shown(measure: Measure) -> str:
    """Format a measure against human text, marked by the outcome of its gate."""
    if measure.against is None:
        return "–"
    return f"{measure.against:.3f}{FLAGS.get(measure.outcome, '')}"


def jokes(data: Path, arguments: argparse.Namespace) -> list[str]:
    """Check that a model that repeats the same jokes is stopped, and that the joke is shown."""
    corpus = data / "multisample/jokegpt.jsonl.gz"
    often = Counter(row["text"] for row in rows(corpus)).most_common(1)
    ((joke, times),) = often
    path, column = HUMAN["dolly"]
    with audited(data / path, corpus, column) as (report, out):
        page = (out / "report.html").read_text(encoding="utf-8")
    CONSOLE.print(report.verdict.sentence, *report.verdict.reasons, sep="\n")
    table = Table("came", "word for word", "text", title="Jokes that came most often")
    repeated = report.deduplication.most_repeated
    for joke_ in repeated[:5]:
        table.add_row(f"{joke_.times}", f"{joke_.exact}", joke_.text)
    CONSOLE.print(table)
    wrong = []
    if report.verdict.outcome != "stop":
        wrong.append(f"jokes: {report.verdict.outcome}, not stop")
    if not repeated or repeated[0].text != joke or repeated[0].exact != times:
        wrong.append(
            f"jokes: the commonest is {repeated[:1]}; in the corpus it is {joke!r}, {times}x"
        )
    if joke.split("?")[0] not in page:
        wrong.append(f"jokes: {joke!r} does not stand in report.html")
    return wrong


def generations(data: Path, arguments: argparse.Namespace) -> list[str]:
    """Check that text of a model in place of human text is stopped early, by words first."""
    texts: dict[tuple[str, int], list[str]] = defaultdict(list)
    seen = set()
    for row in rows(data / "multigen/ngram_generations.jsonl.gz"):
        texts[row["regime"], row["generation"]].append(row["text"])
        if row["source"] == "human":
            seen.add(row["text"].strip())
    human = [text for text in human_texts(data, "gsm8k questions") if text.strip() not in seen]
    last = max(generation for _, generation in texts)
    audits: dict[tuple[str, int], tuple[str, dict[str, Measure]]] = {}
    for regime in REGIMES:
        for generation in range(last + 1):
            with audited(human, texts[regime, generation]) as (report, _):
                audits[regime, generation] = report.verdict.outcome, by_name(report)
    human_set = (REGIMES[0], 0)
    names = (*WORDS, *CLUSTERS, "tail_mass", "tail_coverage")
    table = Table("regime", "", "verdict", title=f"Generations against human text; {LEGEND}")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for (regime, generation), (outcome, measures) in audits.items():
        figures = [shown(measures[name]) for name in names]
        table.add_row(regime, str(generation), outcome, *figures, end_section=generation == last)
    table.add_row("± error", "", "", *(f"{audits[human_set][1][name].error:.3f}" for name in names))
    CONSOLE.print(table)
    order = {
        name: [
            [audits[key][1][name] for key in (("replace", g), ("fresh20", g), human_set)]
            for g in range(1, last + 1)
        ]
        for name in (*WORDS, *CLUSTERS)
    }
    table = Table("family", "measure", title="replace < fresh20 < human, from generation")
    table.add_column("on", justify="right")
    table.add_column("beyond chance", justify="right")
    first = {name: ordered_from(sets, 0) for name, sets in order.items()}
    clearly = {name: ordered_from(sets, _Z) for name, sets in order.items()}
    for family, members in FAMILIES.items():
        for name in members:
            positions = ("never" if at[name] > last else str(at[name]) for at in (first, clearly))
            table.add_row(family, name, *positions)
    CONSOLE.print(table)
    wrong = []
    stopped = [g for g in range(last + 1) if audits["replace", g][0] == "stop"]
    if not stopped or stopped[0] > STOPPED_BY or len(stopped) < last + 1 - STOPPED_BY:
        wrong.append(f"generations: replace is stopped at {stopped}, wanted: from {STOPPED_BY} on")
    for regime in REGIMES:
        if audits[regime, 0][0] != "go":
            wrong.append(f"generations: human text of {regime} gets {audits[regime, 0][0]}")
    for at, how in ((first, "on"), (clearly, "beyond chance")):
        words, clusters = (min(at[name] for name in names) for names in FAMILIES.values())
        if words > clusters:
            wrong.append(f"generations: {how}, words order from {words}, clusters from {clusters}")
    return wrong


def ordered_from(by_generation: Sequence[Sequence[Measure]], z: float) -> int:
    """Return the generation, from 1, from which on the sets are in order.

    Args:
        by_generation: for each generation, one measure of several sets, the least diverse first.
        z: standard errors by which neighbours differ at least.

    Returns:
        one more than the number of generations if the last is not in order.
    """
    in_order = [
        all(_less_diverse(worse, better, z) for worse, better in pairwise(sets))
        for sets in by_generation
    ]
    return max((at for at, holds in enumerate(in_order, 1) if not holds), default=0) + 1


def _less_diverse(worse: Measure, better: Measure, z: float) -> bool:
    from outcross.schemas.measures import MEASURES

    sign = -1 if MEASURES[worse.name].better == "low" else 1
    gap, error = np.nan, np.nan  # which nothing is larger than
    if worse.against is not None and better.against is not None:
        gap = sign * (better.against - worse.against)
    if worse.error is not None and better.error is not None:
        error = math.hypot(worse.error, better.error)
    return bool(gap > z * error)


def one_split(task: tuple[Path, str, int]) -> dict[str, Any]:
    """Audit one half of a human set against the other."""
    data, name, seed = task
    started = time.monotonic()
    human, target = halves(human_texts(data, name), seed)
    with audited(human, target, seed=seed) as (report, _):
        return {
            "set": name,
            "seed": seed,
            "verdict": report.verdict.outcome,
            "documents": report.judged.documents if report.judged else 0,
            "seconds": round(time.monotonic() - started, 1),
            "measures": {key: measure.model_dump() for key, measure in by_name(report).items()},
        }


def split_all(
    data: Path, names: Sequence[str], count: int, arguments: argparse.Namespace
) -> dict[str, list[dict[str, Any]]]:
    """Audit several splits of each set."""
    tasks = [(data, name, seed) for seed in range(count) for name in names]
    audits: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    lines = arguments.lines.open("a") if arguments.lines else None
    method = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=method) as pool:
        for line in pool.map(one_split, tasks):
            audits[line["set"]].append(line)
            if lines is not None:
                print(json.dumps(line), file=lines, flush=True)
    return audits


def false_alarms(
    audits: Mapping[str, Sequence[Mapping[str, Any]]], most: float, title: str
) -> list[str]:
    """Print a table of the outcomes of human text, and the sets that were stopped too often."""
    table = Table("human text", "halves", "documents", "stop", "warn", title=title)
    table.add_column("by measure, stops and warnings")
    wrong = []
    for name, splits in audits.items():
        verdicts = Counter(split["verdict"] for split in splits)
        outcomes = Counter(
            (outcome, key)
            for split in splits
            for key, audits in split["measures"].items()
            if (outcome := audits["outcome"]) in OUTCOMES
        )
        by = [f"{outcome} {key} {often}" for (outcome, key), often in sorted(outcomes.items())]
        documents = round(np.mean([split["documents"] for split in splits]))
        table.add_row(
            name,
            str(len(splits)),
            f"{documents:,}",
            str(verdicts["stop"]),
            str(verdicts["warn"]),
            "\n".join(by),
        )
        if verdicts["stop"] > most * len(splits):
            wrong.append(f"{name}: {verdicts['stop']} of {len(splits)} halves are stopped")
    CONSOLE.print(table)
    return wrong


def human_halves(data: Path, arguments: argparse.Namespace) -> list[str]:
    """Human text against itself raises no alarm."""
    audits = split_all(data, arguments.sets or LARGE, arguments.halves, arguments)
    return false_alarms(audits, MOST_ALARMS, "Halves of human sets against each other")


def templates(data: Path, arguments: argparse.Namespace) -> list[str]:
    """Check that templated pages count as no narrowing against pages of their kind."""
    audits = split_all(data, TEMPLATED, TEMPLATE_HALVES, arguments)
    return false_alarms(audits, 0, "Templated pages against their own kind")


def classes(reference: Path, texts: Sequence[str]) -> NDArray[np.int8]:
    """Return the document class (HEAD, TAIL or OFF_SUPPORT) of each text on a reference."""
    import pyarrow as pa

    from outcross.transforms.reference.reference import load_reference
    from outcross.transforms.text.embed import load_default
    from outcross.transforms.text.surface import surface
    from outcross.transforms.text.words import split_words

    reference_ = load_reference(str(reference), load_default().fingerprint)
    array = pa.array(texts, pa.string())
    embeddings = load_default().embed(split_words(array), array).vectors
    _, dot, density = reference_.codebook.assign(embeddings)
    return reference_.thresholds.classify(dot, density, surface(array))


def tail_losses(data: Path, arguments: argparse.Namespace) -> list[str]:
    """Half of the tail is gone and junk fills the room: the tail is still missed."""
    from outcross.transforms.estimators.richness import CLASSES, TAIL

    names = ("tail_mass", "tail_coverage", "off_support", *WORDS)
    table = Table("human text", "set", "verdict", title=f"A lost tail, and junk; {LEGEND}")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    sorted_as = Table("human text", "junk", *CLASSES, title="What junk was taken for")
    wrong = []
    for name in JUNKED:
        human, target = halves(human_texts(data, name), arguments.seed)
        with audited(human, target) as (_, out):
            kind = classes(out / "reference", target)
            less = [
                text
                for text, class_ in zip(target, kind, strict=True)
                if class_ != TAIL or text_hash(text, ~arguments.seed & 0xFF) & 1
            ]
            rubbish = junk(target, round(JUNK_SHARE * len(less) / (1 - JUNK_SHARE)), arguments.seed)
            for way, texts in rubbish.items():
                counts = np.bincount(classes(out / "reference", texts), minlength=len(CLASSES))
                sorted_as.add_row(name, way, *(f"{count / len(texts):.0%}" for count in counts))
        added = [text for texts in rubbish.values() for text in texts]
        for title, corpus in (
            ("whole", target),
            ("junk added", target + added),
            ("tail halved", less),
            ("tail halved, junk added", less + added),
        ):
            with audited(human, corpus) as (report, _):
                measures = by_name(report)
            figures = [shown(measures[key]) for key in names]
            table.add_row(name, title, report.verdict.outcome, *figures)
            if title == "tail halved, junk added" and not any(
                measures[key].outcome in ("stop", "warn") for key in ("tail_mass", "tail_coverage")
            ):
                wrong.append(f"junk: {name} with half of its tail and junk isn't told so")
        known = (measures[key].error for key in names)
        errors = ("–" if error is None else f"{error:.3f}" for error in known)
        table.add_row(name, "± error", "", *errors, end_section=True)
    CONSOLE.print(table, sorted_as)
    return wrong


def converging(data: Path, arguments: argparse.Namespace) -> list[str]:
    """Check that maths is measured but not judged if the gates say that it converges."""
    gates = "domains:\n  maths: converge\n"
    human, talk = halves(human_texts(data, "dolly"), arguments.seed)
    answers = human_texts(data, "gsm8k answers")
    some = sorted(answers, key=lambda text: text_hash(text, arguments.seed))
    maths = [(text, "maths") for text in some[: round(MATHS_SHARE * len(talk))]]
    talks = [(text, "talk") for text in talk]
    cases = {
        "talk": (talks, gates),
        "talk and maths": (talks + maths, gates),
        "talk and maths, thrice": (talks + 3 * maths, gates),
        "talk and maths, no gates": (talks + maths, None),
        "maths": (maths, gates),
    }
    table = Table("corpus", "verdict", "judged documents", "domains", title="Domains that converge")
    reports: dict[str, Report] = {}
    for name, (corpus, given) in cases.items():
        with audited(human, corpus, gates=given) as (report, _):
            reports[name] = report
        shown_domains = [f"{d.name} ({d.kind}) {d.figures.documents:,}" for d in report.domains]
        documents = report.judged.documents if report.judged else 0
        table.add_row(name, report.verdict.sentence, f"{documents:,}", "\n".join(shown_domains))
    CONSOLE.print(table)
    talked, mixed, repeated, ungated, alone = reports.values()
    wrong = []
    domains = {domain.name: domain for domain in mixed.domains}
    if "maths" not in domains or not domains["maths"].figures.measures:
        wrong.append("converge: there are no figures of maths")
    if talked.verdict.outcome != "go":
        wrong.append(f"converge: talk by itself gets {talked.verdict.outcome}")
    for name, report in (("maths", mixed), ("maths thrice", repeated)):
        if by_name(report) != by_name(talked) or report.verdict.outcome != talked.verdict.outcome:
            wrong.append(f"converge: {name} changes what is said of talk")
    if ungated.verdict.outcome == mixed.verdict.outcome or ungated.judged == mixed.judged:
        wrong.append(f"converge: without gates maths gets {ungated.verdict.outcome} as well")
    if alone.verdict.outcome != "done":
        wrong.append(f"converge: maths alone is judged: {alone.verdict.sentence}")
    return wrong


CHECKS: dict[str, Callable[[Path, argparse.Namespace], list[str]]] = {
    "jokes": jokes,
    "generations": generations,
    "halves": human_halves,
    "templates": templates,
    "junk": tail_losses,
    "converge": converging,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CHECKS)}")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared/data")
    parser.add_argument("--halves", type=int, default=100, help="of each human set")
    parser.add_argument("--sets", nargs="*", choices=LARGE, help="of `halves`; all by default")
    parser.add_argument("--workers", type=int, default=2, help="processes that audit halves")
    parser.add_argument("--lines", type=Path, help="what each split said is added to this file")
    parser.add_argument("--seed", type=int, default=1, help="of `junk` and `converge`")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(CHECKS):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(CHECKS)}")
    wrong = []
    for name in arguments.names or CHECKS:
        wrong += CHECKS[name](arguments.data, arguments)
    for line in wrong:
        CONSOLE.print(f"fails: {line}", style="bold red")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
