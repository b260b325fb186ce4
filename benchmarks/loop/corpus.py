"""Human text for the recursive loop: domains, cut into short documents over one vocabulary."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from documents import END, SPECIAL, UNKNOWN, borders
from numpy.typing import NDArray

Source = tuple[str, list[str]]
"""A domain, and the paragraphs of one text of it."""

_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|[^\sa-z\d]", re.IGNORECASE)
_MARKUP = frozenset("{}[]*\\/|_~^=+<>#")
_SENTENCE_ENDS = frozenset(".!?")
_NUMBER = "<num>"
_RARE = 4  # a word that stands less often is unknown

_LONG_PARAGRAPH = 90
_CLOSES = 40  # tokens from which a document is closed at the end of a paragraph
_LENGTHS = range(15, 131)

CAPS = {
    **{"movie": 1150, "pros": 280, "cons": 300, "gsm_q": 330, "gsm_a": 280, "dolly_resp": 420},
    **{"eip_core": 450, "pep_stan_2000": 350, "pep_stan_2010": 450, "pep_stan_2020": 450},
    **{"rfc_2014": 350, "rfc_2016": 300, "rfc_2019": 330, "ms_mfc": 260},
    **{"ms_standard-library": 150, "ms_c-runtime-library": 110, "ms_build": 100},
    **{"ms_error-messages": 80, "ms_atl": 70, "ms_dotnet": 60, "ms_cpp": 120, "ms_parallel": 60},
    **{"ms_data": 45, "ms_intrinsics": 20, "ms_cppcx": 35, "ms_code-quality": 35},
    **{"ms_windows": 30, "ms_overview": 30, "ms_c-language": 50, "ms_porting": 40},
    **{"ms_atl-mfc-shared": 20, "ms_build-insights": 15, "ms_assembler": 15},
    **{"ms_preprocessor": 18, "ms_extensions": 12, "ms_ide": 12, "ms_sanitizers": 10},
    **{"ms_linux": 10, "ms_cross-platform": 8, "ms_text": 6, "ms_get-started": 6},
    **{"ms_security": 6, "ms_safeint": 4, "ms_embedded": 4},
}
"""Thousands of tokens that a domain gives at most, from 4 to 1150: there have to be tails."""


@dataclass(frozen=True)
class Corpus:
    """All documents.

    `domain` int32[n] are indices into `domains`; `tok` and `off` are as in Documents.
    """

    words: tuple[str, ...]
    tok: NDArray[np.int32]
    off: NDArray[np.int64]
    domain: NDArray[np.int32]
    domains: tuple[str, ...]


def _tokens(paragraph: str) -> list[str]:
    tokens = (token.lower() for token in _TOKEN.findall(paragraph))
    numbered = (_NUMBER if token.isdigit() else token for token in tokens)
    return [token for token in numbered if token not in _MARKUP]


def cut(paragraphs: Iterable[str]) -> Iterator[list[str]]:
    """Cut paragraphs into documents of 15 to 130 tokens.

    Short paragraphs are joined, long ones are cut at a sentence.
    """
    document: list[str] = []
    for paragraph in paragraphs:
        tokens = _tokens(paragraph)
        while len(tokens) > _LONG_PARAGRAPH:
            ends = (i for i in range(40, _LONG_PARAGRAPH) if tokens[i] in _SENTENCE_ENDS)
            place = next(ends, 59) + 1
            yield document
            yield tokens[:place]
            document, tokens = [], tokens[place:]
        document = document + tokens
        if len(document) >= _CLOSES:
            yield document
            document = []
    yield document


def corpus(sources: Iterable[Source], caps: Mapping[str, int]) -> Corpus:
    """Cut texts, drop exact repeats, cap large domains (`caps`, thousands of tokens)."""
    texts: dict[str, list[list[str]]] = {}
    for domain, paragraphs in sources:
        texts.setdefault(domain, []).append(paragraphs)
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    documents: list[list[str]] = []
    of_domain: list[int] = []
    domains: list[str] = []
    for domain in sorted(texts):
        distinct = []
        for paragraphs in texts[domain]:
            for document in cut(paragraphs):
                text = " ".join(document)
                if len(document) in _LENGTHS and text not in seen:
                    seen.add(text)
                    distinct.append(document)
        if not distinct:
            continue
        domains.append(domain)
        budget = 1000 * caps[domain] if domain in caps else sys.maxsize
        for i in rng.permutation(len(distinct)):
            if budget <= 0:
                break
            documents.append(distinct[i])
            of_domain.append(len(domains) - 1)
            budget -= len(distinct[i]) + 1
    counts = Counter(token for document in documents for token in document)
    words = (*SPECIAL, *(word for word, count in counts.most_common() if count >= _RARE))
    number_of = {word: i for i, word in enumerate(words)}
    tok = [number_of.get(token, UNKNOWN) for doc in documents for token in (*doc, SPECIAL[END])]
    return Corpus(
        words,
        np.array(tok, np.int32),
        borders(np.array([len(document) + 1 for document in documents])),
        np.array(of_domain, np.int32),
        tuple(domains),
    )


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _prose(markdown: str) -> str:
    """Markdown without front matter, code, tables, directives and the targets of links."""
    text = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "", re.sub(r"\]\([^)]*\)", "]", text))
    dropped = ("|", "[", "::", "..", "#include")
    lines = (line for line in text.split("\n") if not line.lstrip().startswith(dropped))
    return re.sub(r"[`*#]", "", "\n".join(lines))


def _field(pattern: str, text: str, default: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1) if match else default


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    """Return the rows of a set in the folder `data`."""
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _instructions(data: Path) -> Iterator[Source]:
    dolly = list(rows(data, "dolly_6400"))
    yield "dolly_instr", [row["instruction"] for row in dolly]
    for row in dolly:
        yield "dolly_resp", _paragraphs(row["response"])
    tasks = {"seed_tasks": "seed_tasks", "user_instr": "user_oriented_instructions"}
    for domain, name in tasks.items():
        for row in rows(data, name):
            parts = [row["instruction"]]
            for instance in row["instances"][:1]:
                parts += [instance.get("input") or "", instance.get("output") or ""]
            yield domain, _paragraphs("\n\n".join(parts))


def _speeches(data: Path) -> Iterator[Source]:
    for row in rows(data, "us_speeches"):
        year = int(row["id"][:4])
        if row["corpus"] == "state_union":
            domain = f"sou_{max(y for y in (1945, 1961, 1981, 1997) if y <= max(year, 1945))}"
        else:
            domain = "inaug_" + ("early" if year < 1861 else "mid" if year < 1933 else "late")
        yield domain, _paragraphs(row["text"].replace("\n", "\n\n"))


def _proposals(data: Path) -> Iterator[Source]:
    for row in rows(data, "eips"):
        text = row["text"]
        kind = _field(r"^category:\s*(\S+)", text, _field(r"^type:\s*(\S+)", text, "x"))
        yield f"eip_{kind.lower()}", _paragraphs(_prose(text))
    for row in rows(data, "peps"):
        text = row["text"]
        kind = _field(r"^Type:\s*(\S+)", text, "x").lower()[:4]
        decade = int(_field(r"^Created:.*?(\d{4})", text, "2000")) // 10 * 10
        body = re.sub(r"\A.*?\n\n", "", text, count=1, flags=re.DOTALL)
        lines = (line for line in body.split("\n") if not line.startswith(("    ", "..")))
        domain = f"pep_{kind}" + (f"_{decade}" if kind == "stan" else "")
        yield domain, _paragraphs(re.sub(r"[`*#]", "", "\n".join(lines)))
    for row in rows(data, "rust_rfcs"):
        year = int(_field(r"Start Date:?\W*(\d{4})", row["text"], "2020"))
        start = 2014 if year < 2016 else 2016 if year < 2019 else 2019
        yield f"rfc_{start}", _paragraphs(_prose(row["text"]))


def human_sources(data: Path) -> Iterator[Source]:
    """Return all human sets of the folder `data`, by domain."""
    for row in rows(data, "movie_reviews"):
        yield "movie", _paragraphs(row["text"])
    short = sorted(rows(data, "pros_cons"), key=lambda row: str(row["kind"]))
    for kind, group in groupby(short, key=lambda row: str(row["kind"])):
        yield kind, [row["text"] for row in group]
    tasks = list(rows(data, "gsm8k"))
    yield "gsm_q", [row["question"] for row in tasks]
    yield "gsm_a", [re.sub(r"<<[^>]*>>|####.*", "", row["answer"]) for row in tasks]
    yield from _instructions(data)
    yield from _speeches(data)
    yield from _proposals(data)
    for row in rows(data, "ms_cpp_docs"):
        folders = row["path"].split("/")
        if folders[0] == "docs" and len(folders) > 2:
            yield f"ms_{folders[1]}", _paragraphs(_prose(row["text"]))


def labelled_sources(texts: Iterable[tuple[str, str]]) -> Iterator[Source]:
    """Return (text, topic) documents as sources."""
    for text, topic in texts:
        yield topic, _paragraphs(text)


def human_corpus(data: Path, work: Path) -> Corpus:
    """Return the corpus of the folder `data`, cut once and kept in the folder `work`.

    Raises:
        FileNotFoundError: if a set is missing.
    """
    files = sorted(data.glob("*.jsonl.gz"))
    identity = repr([(file.name, file.stat().st_size) for file in files])
    kept = work / f"corpus-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.npz"
    if not kept.exists():
        corpus_ = corpus(human_sources(data), CAPS)
        work.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(".half.npz")
        np.savez(
            half,
            words=np.array(corpus_.words),
            tok=corpus_.tok,
            off=corpus_.off,
            domain=corpus_.domain,
            domains=np.array(corpus_.domains),
        )
        half.replace(kept)
    with np.load(kept) as file:
        return Corpus(
            tuple(file["words"].tolist()),
            file["tok"],
            file["off"],
            file["domain"],
            tuple(file["domains"].tolist()),
        )
