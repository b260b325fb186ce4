"""Defaults of the budget, measured on pairs of synthetic and human corpora.

    python benchmarks/defaults.py [PAIR ...] [--data ../shared/data] [--seeds 0 1]

Human text is split by a hash: half is the reference, a quarter may be written, and a quarter is
held out. `outcross.run` mixes each pair with its defaults, and with one setting changed at a time.
Controls are `select random` and a naive mix, drawn evenly with the same tokens of each role.
A mix is worth what a language model that learns it knows of the held-out text, and what it holds of
the words, phrases and clusters of that text.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent / "loop"))

import numpy as np
import pyarrow.parquet as pq
from corpora import write_jsonl
from corpus import rows
from documents import END, SPECIAL, UNKNOWN, Documents, borders, up_to
from evaluate import variety
from generator import train
from topics import Codebook

import outcross
from outcross.schemas.budget import MaxCopies
from outcross.schemas.config import Config
from outcross.schemas.sources import Source

DATA = Path(__file__).parents[2] / "shared" / "data"

SETTINGS: dict[str, tuple[Any, ...]] = {
    "max_copies": ((1, 1), (2, 1), (2, 2), (4, 1)),
    "alpha": (0.5, 0.7, 1.0),
    "off_support": ("keep", "cap", "drop"),
    "rounds": (4, 8, 16),
    "select": ("residual", "random"),
}
"""Values of each setting; `max_copies` of a synthetic and a human document."""


class Budget(NamedTuple):
    """A budget, and the settings that are varied in it.

    `human` is the human text that may be written, and `tokens` the synthetic text that is written,
    as shares of the synthetic text; None for the product's default.
    """

    human: float
    tokens: float | None
    settings: tuple[str, ...] = ("max_copies", "select")


BUDGETS = {
    "default": Budget(0.25, None),
    "half": Budget(0.25, 0.5, tuple(SETTINGS)),
    "most": Budget(0.25, 0.9),
    "scarce": Budget(0.1, None),
}
"""`default` is a run without `tokens`, and `scarce` has less human text than that wants."""

ROLES = ("synthetic", "human", "reference")

_HUMAN_SHARE: float = Config.model_fields["human_share"].default
_WORD = re.compile(r"\w+|[^\w\s]")
_RARE = (2, 5)  # occurrences in the held-out text
_CLUSTERS, _DIMENSIONS = 48, 24
_COVERED = 0.25  # of a cluster's held-out share


class Mix(NamedTuple):
    """Texts that are written, copies included."""

    synthetic: list[str]
    human: list[str]


class Value(NamedTuple):
    """Perplexity of held-out text, and what a mix holds of it.

    Distinct words and trigrams are counted in as many tokens of each mix.
    """

    tokens: int
    human_share: float
    perplexity: float
    words: int
    trigrams: float
    rare_words: float
    coverage: float
    effective: float


def read_pair(data: Path, name: str) -> tuple[list[str], list[str]]:
    """Return the synthetic and human texts of a pair.

    `instructions`: answers of language models, and of people, to different prompts. `solutions`:
    solutions by models that learned the human ones. `questions`: generations 3 to 5 of an n-gram
    model that learned human questions and then its own, beside questions that it didn't learn.

    Raises:
        ValueError: if there is no such pair.
    """
    if name == "instructions":
        synthetic = [row["response"] for row in rows(data, "synthetic/gpteacher")]
        return synthetic, [row["response"] for row in rows(data, "human/dolly_6400")]
    if name == "solutions":
        answered = [row.values() for row in rows(data, "synthetic/gsm8k_model_solutions")]
        synthetic = [of["solution"] for row in answered for of in row if isinstance(of, dict)]
        return synthetic, [row["answer"] for row in rows(data, "human/gsm8k")]
    if name == "questions":
        generations = [
            row
            for row in rows(data, "multigen/ngram_generations")
            if row["regime"] == "replace" and row["generation"] in (0, 3, 4, 5)
        ]
        learned = {row["text"] for row in generations if row["generation"] == 0}
        questions = [row["question"] for row in rows(data, "human/gsm8k")]
        return (
            [row["text"] for row in generations if row["generation"] > 0],
            [question for question in questions if question not in learned],
        )
    raise ValueError(f"{name}: there is no such pair; the pairs are {', '.join(PAIRS)}")


PAIRS = ("instructions", "solutions", "questions")


def split_human(texts: Iterable[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    """Split texts by hash: reference (half), fresh (a quarter), held out (a quarter)."""
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for text in shuffled(dict.fromkeys(texts), seed):
        parts[(0, 0, 1, 2)[_hash(text, seed) % 4]].append(text)
    return parts


def shuffled(texts: Iterable[str], seed: int) -> list[str]:
    """Return texts in an order that their hashes give."""
    return sorted(texts, key=lambda text: (_hash(text, seed) >> 2, text))


def _hash(text: str, seed: int) -> int:
    return int.from_bytes(blake2b(f"{seed} {text}".encode(), digest_size=8).digest(), "big")


def first_words(texts: Sequence[str], n_words: float) -> list[str]:
    """Return the first texts that together have about `n_words` words, all if they have fewer."""
    sizes = np.array([len(text.split()) for text in texts], np.int64)
    return list(texts) if sizes.sum() <= n_words else list(texts[: up_to(sizes, n_words)])


def settings(keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the product's defaults, and those with the value of one key changed, by name."""
    arms: dict[str, dict[str, Any]] = {"defaults": {}}
    for key in keys:
        default = Config.model_fields[key].default
        for value in SETTINGS[key]:
            if key == "max_copies":
                caps = MaxCopies(synthetic=value[0], human=value[1])
                if caps != default:
                    arms[f"max_copies {caps.synthetic}/{caps.human}"] = {key: caps}
            elif value != default:
                arms[f"{key} {value}"] = {key: value}
    return arms


def run(folder: Path, seed: int, asked: Mapping[str, Any]) -> tuple[Mix, int]:
    """Mix the sources of a folder; return the mix, and the synthetic tokens after deduplication."""
    result = outcross.run(
        Config(
            out=str(folder / "out"),
            seed=seed,
            workers=1,
            best_effort=True,
            sources=[
                Source(name=name, role=name, files=[str(folder / f"{name}.jsonl")])
                for name in ROLES
            ],
            **asked,
        )
    )
    mix = Mix([], [])
    for row in pq.read_table(folder / "out" / "data", columns=["text", "outcross"]).to_pylist():
        getattr(mix, row["outcross"]["source"]).append(row["text"])
    return mix, result.report.figures("deduplicate", "synthetic").tokens


class Judge:
    """Held-out text over one vocabulary, and all that is measured on it.

    Args:
        held_out: texts that no mix holds.
        texts: all texts; what stands once in them and the held-out ones is unknown.
    """

    def __init__(self, held_out: Sequence[str], texts: Iterable[str]) -> None:
        counts = Counter(word for text in (*held_out, *texts) for word in _words(text))
        known = (word for word, count in counts.most_common() if count > 1)
        self._numbers = {word: number for number, word in enumerate((*SPECIAL, *known))}
        self.held_out = self.documents(held_out)
        n_words = len(self._numbers)
        occurs = np.bincount(self.held_out.tok, minlength=n_words)
        self._rare = (occurs >= _RARE[0]) & (occurs <= _RARE[1])
        self._rare[: len(SPECIAL)] = False
        self._codebook = Codebook.fit(self.held_out, n_words, _CLUSTERS, _DIMENSIONS, 0)
        self._share = self._codebook.shares(self.held_out)

    def documents(self, texts: Sequence[str]) -> Documents:
        """Return texts as numbers, with one topic for all."""
        rows = [
            [*(self._numbers.get(word, UNKNOWN) for word in _words(text)), END] for text in texts
        ]
        off = borders(np.array([len(row) for row in rows], np.int64))
        tok = np.array([word for row in rows for word in row], np.int32)
        return Documents(tok, off, np.zeros(len(rows), np.int32))

    def value(self, mix: Mix, tokens: int) -> Value:
        """Measure a mix; `tokens` of it hold its words, trigrams and rare words."""
        n_words = len(self._numbers)
        documents = self.documents(shuffled([*mix.synthetic, *mix.human], 0))
        sample = documents.take(np.arange(up_to(documents.lengths, tokens)))
        model = train(documents, n_words, 1, 0, "faithful")
        counted = variety(sample, n_words)
        share = self._codebook.shares(documents)
        present = np.bincount(sample.tok, minlength=n_words) > 0
        human = self.documents(mix.human).off[-1] / documents.off[-1]
        return Value(
            len(documents.tok),
            float(human),
            float(np.exp(model.nll(self.held_out).sum() / len(self.held_out.tok))),
            counted.words,
            counted.distinct_3,
            float(present[self._rare].mean()),
            float((share >= _COVERED * self._share)[self._share > 0].mean()),
            float(np.exp(_entropy(share) - _entropy(self._share))),
        )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _entropy(share: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    some = share[share > 0]
    return float(-(some * np.log(some)).sum())


def measure(
    synthetic: Sequence[str], human: Sequence[str], work: Path, seed: int, budgets: Iterable[str]
) -> dict[str, dict[str, Value]]:
    """Return the value of each mix of a pair, by budget and setting."""
    reference, fresh, held_out = split_human(human, seed)
    judge = Judge(held_out, [*synthetic, *fresh, *reference])
    n_words = sum(len(text.split()) for text in synthetic)
    values = {}
    for name in budgets:
        budget = BUDGETS[name]
        offered = first_words(fresh, budget.human * n_words)
        folder = work / f"human-{budget.human}"
        folder.mkdir(parents=True, exist_ok=True)
        for role, texts in zip(ROLES, (synthetic, offered, reference), strict=True):
            write_jsonl(folder / f"{role}.jsonl", texts)
        asked: dict[str, Any] = {}
        if budget.tokens is not None:
            _, kept = run(folder, seed, {"rounds": 1})
            asked = {"tokens": round(budget.tokens * kept / (1 - _HUMAN_SHARE))}
        mixes = {
            arm: run(folder, seed, {**asked, **changed})[0]
            for arm, changed in settings(budget.settings).items()
        }
        mixes["naive"] = naive(mixes["defaults"], synthetic, offered, seed)
        tokens = min(
            sum(len(_words(text)) + 1 for part in mix for text in part) for mix in mixes.values()
        )
        values[name] = {arm: judge.value(mix, tokens) for arm, mix in mixes.items()}
    return values


def naive(mix: Mix, synthetic: Sequence[str], human: Sequence[str], seed: int) -> Mix:
    """Draw as many words of each role evenly, each document once."""
    return Mix(
        *(
            first_words(shuffled(texts, seed + 1), sum(len(text.split()) for text in written))
            for texts, written in ((synthetic, mix.synthetic), (human, mix.human))
        )
    )


def table(values: Sequence[Mapping[str, Value]]) -> str:
    """Return a Markdown table of settings: means over runs, each beside its own defaults."""
    lines = [
        "| setting | tokens | human | perplexity | words | trigrams | rare words | coverage "
        "| effective clusters |",
        "|---|" + "---:|" * 8,
    ]
    for name in values[0]:
        pairs = [(by_name[name], by_name["defaults"]) for by_name in values]
        cells = [_change([value[i] / base[i] for value, base in pairs]) for i in (2, 3, 4, 5)] + [
            f"{np.mean([value[i] for value, _ in pairs]):.3f}" for i in (6, 7)
        ]
        share = np.mean([value.human_share for value, _ in pairs])
        tokens = _change([value.tokens / base.tokens for value, base in pairs])
        lines.append(f"| {name} | {tokens} | {share:.1%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _change(ratios: Sequence[float]) -> str:
    """Return a mean change in percent, with its standard error."""
    changes = 100 * (np.array(ratios) - 1)
    error = changes.std(ddof=1) / len(changes) ** 0.5 if len(changes) > 1 else 0.0
    return f"{changes.mean():+.1f} ± {error:.1f} %"


def main() -> None:
    """Print a table for each pair and budget, and one for all."""
    parser = argparse.ArgumentParser(description="defaults of the budget on pairs of corpora")
    parser.add_argument("pairs", nargs="*", default=PAIRS, metavar="PAIR")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--budgets", nargs="+", default=list(BUDGETS), choices=BUDGETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--json", type=Path, help="file for all values")
    options = parser.parse_args()
    by_budget: dict[str, list[dict[str, Value]]] = defaultdict(list)
    for pair in options.pairs:
        synthetic, human = read_pair(options.data, pair)
        of_pair: dict[str, list[dict[str, Value]]] = defaultdict(list)
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as work:
                values = measure(synthetic, human, Path(work), seed, options.budgets)
            for budget, by_name in values.items():
                of_pair[budget].append(by_name)
                by_budget[budget].append(by_name)
                if options.json is not None:
                    rows = {name: value._asdict() for name, value in by_name.items()}
                    with options.json.open("a") as file:
                        print(json.dumps([pair, seed, budget, rows]), file=file)
        for budget, runs in of_pair.items():
            print(f"\n{pair}, {budget}\n\n{table(runs)}", flush=True)
    for budget, runs in by_budget.items():
        print(f"\nall pairs, {budget}\n\n{table(runs)}")


if __name__ == "__main__":
    main()
