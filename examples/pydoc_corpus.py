"""Human text that needs no download: the documentation that comes with Python.

Two places: `pydoc_data.topics`, the language reference as `help()` shows it, and the docstrings of
the standard library. Modules are parsed, never imported: importing `antigravity` opens a browser.
"""

from __future__ import annotations

import ast
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import NamedTuple

MIN_WORDS = 12

# Distributions differ in whether they ship the tests, and other people's packages are not Python's.
LEFT_OUT = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages"})

_BLANK_LINES = re.compile(r"\n\s*\n")
_PLACE_IN_PAGE = re.compile(r"(\.py)?(:\d+)?(#\d+)?$")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Paragraph(NamedTuple):
    """One paragraph: its place (`topics/for#2`, `json/decoder.py:41#0`) and its text."""

    id: str
    text: str

    @property
    def topic(self) -> str:
        """Topic of the paragraph: the page of the reference, or the package of the library."""
        first, _, rest = self.id.partition("/")
        place = self.id if first == "topics" and rest else first
        return _PLACE_IN_PAGE.sub("", place)


def cut_into_paragraphs(place: str, text: str, min_words: int = MIN_WORDS) -> Iterator[Paragraph]:
    """Cut `text` at blank lines, on one line each, and keep those of `min_words` words or more."""
    for number, part in enumerate(_BLANK_LINES.split(text)):
        words = part.split()
        if len(words) >= min_words:
            yield Paragraph(f"{place}#{number}", " ".join(words))


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all statements below it; expressions hold none, so they are left out."""
    yield node
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        for child in getattr(node, field, ()):
            yield from statements(child)


def docstrings(root: Path) -> Iterator[tuple[str, str]]:
    """Yield `(path:line, docstring)` for all that is documented in the Python files below `root`.

    Files come in the order of their paths, docstrings in the order of their lines, so that the
    answer does not depend on the file system. What `LEFT_OUT` names is left out.
    """
    files = (path.relative_to(root) for path in root.rglob("*.py"))
    for path in sorted(path for path in files if LEFT_OUT.isdisjoint(path.parts)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in old modules are not ours to mend
            tree = ast.parse((root / path).read_bytes(), filename=str(path))
        texts = []
        for node in statements(tree):
            if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
                texts.append((node.body[0].lineno, text))
        for line, text in sorted(texts):
            yield f"{path.as_posix()}:{line}", text


def human_paragraphs(min_words: int = MIN_WORDS) -> list[Paragraph]:
    """Return all distinct paragraphs of Python's documentation; the first of equal ones is kept.

    The order and the ids are the same wherever the same Python is installed.
    """
    library = Path(sysconfig.get_path("stdlib"))
    texts = [(f"topics/{name}", topics[name]) for name in sorted(topics)]
    texts.extend(docstrings(library))
    distinct: dict[str, Paragraph] = {}
    for place, text in texts:
        for paragraph in cut_into_paragraphs(place, text, min_words):
            distinct.setdefault(paragraph.text, paragraph)
    return list(distinct.values())
