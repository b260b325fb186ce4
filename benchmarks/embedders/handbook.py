"""The Debian Administrator's Handbook, paragraph by paragraph, in several languages.

Debian's package `debian-handbook` (CC-BY-SA-3.0 or GPL-2+) carries the book and its translations as
HTML. Pages have the same names and the same paragraphs in each language, and chapters are topics
that nobody chose for a measurement. Nothing of it is shipped here:

    apt-get download debian-handbook && dpkg -x debian-handbook_*.deb FOLDER
    python -m benchmarks.embedders.handbook FOLDER/usr/share/doc/debian-handbook/html OUT
"""

from __future__ import annotations

import argparse
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path

LANGUAGES = {
    "English": ("en-US", "LATIN"),
    "German": ("de-DE", "LATIN"),
    "Chinese": ("zh-CN", "CJK"),
    "Arabic": ("ar-MA", "ARABIC"),
}
"""Folder and script of each language."""

LEAST, MOST = 40, 1500  # characters of a paragraph, so that headings and listings are left out
_TITLE = re.compile(r"<h[12] class=\"title\">.*?</a>\D*?(\d+)\.")
_SKIPPED = ("pre", "h1", "h2", "h3", "h4", "h5", "h6", "table")


class Paragraphs(HTMLParser):
    """Collect the texts of the elements of class `para`, without those inside them."""

    def __init__(self) -> None:
        """Start without texts."""
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, int]] = []  # elements, and the text that each belongs to

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a text at a paragraph; leave out what stands in code, tables and headings."""
        if tag in ("br", "hr", "img", "link", "meta", "input", "col"):
            return
        place = self._open[-1][1] if self._open else -1
        if dict(attrs).get("class") == "para":
            place = len(self.texts)
            self.texts.append("")
        elif tag in _SKIPPED or (tag == "div" and self._open):
            place = -1
        self._open.append((tag, place))

    def handle_endtag(self, tag: str) -> None:
        """End the last element of this name, and those that it holds."""
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth][0] == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        """Add characters to the current text."""
        if self._open and self._open[-1][1] >= 0:
            self.texts[self._open[-1][1]] += data


def pages(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """Return chapter and paragraphs of each page that belongs to a chapter, by name."""
    by_name = {}
    for path in sorted(folder.glob("*.html")):
        content = path.read_text("utf-8")
        title = _TITLE.search(content)
        if title is None:
            continue
        parser = Paragraphs()
        parser.feed(content)
        by_name[path.name] = (title[1], [" ".join(text.split()) for text in parser.texts])
    return by_name


def written_in(script: str, text: str) -> bool:
    """Tell if at least half of a text's letters are of a script."""
    letters = [unicodedata.name(c, "").startswith(script) for c in text if c.isalpha()]
    return 2 * sum(letters) >= len(letters) > 0


def passages(folder: Path, languages: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the paragraphs that stand in all of the languages.

    Args:
        folder: folder `html` of the package.
        languages: keys of `LANGUAGES`.

    Returns:
        Chapter of each passage, and the passages by language, aligned.
    """
    read = {name: pages(folder / LANGUAGES[name][0]) for name in languages}
    chapters: list[str] = []
    texts: dict[str, list[str]] = {name: [] for name in languages}
    seen: set[str] = set()
    for page, (chapter, paragraphs) in read[languages[0]].items():
        others = [read[name].get(page, ("", []))[1] for name in languages]
        if len({len(other) for other in others}) > 1:
            continue
        for place in range(len(paragraphs)):
            passage = [other[place] for other in others]
            fits = all(
                LEAST <= len(text) <= MOST and written_in(LANGUAGES[name][1], text)
                for name, text in zip(languages, passage, strict=True)
            )
            # A paragraph that is not translated yet stands in English.
            if not fits or len(set(passage)) < len(passage) or seen & set(passage):
                continue
            seen.update(passage)
            chapters.append(chapter)
            for name, text in zip(languages, passage, strict=True):
                texts[name].append(text)
    return chapters, texts


def _write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), "utf-8")


def main() -> None:
    """Write the passages as JSON lines, of even pages in one file and of odd ones in another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    names = list(LANGUAGES)[1:]
    chapters, texts = passages(arguments.folder, names)
    for name in names:
        rows = [
            {"id": f"{name}-{n}", "chapter": chapter, "text": text}
            for n, (chapter, text) in enumerate(zip(chapters, texts[name], strict=True))
        ]
        for part, start in zip(("human", "offered"), cycle((0, 1)), strict=False):
            _write(arguments.out / f"{name.lower()}.{part}.jsonl", rows[start::2])
        print(f"{name}: {len(rows)} passages of {len(set(chapters))} chapters")


if __name__ == "__main__":
    main()
