"""The pages of the documentation: their blocks of code, links and headings.

A comment before a block says what is done with it:

    <!-- run -->             it ends with exit code 0
    <!-- run, exit 3 -->     it ends with that exit code
    <!-- file NAME -->       it is the content of a file that later blocks read
    <!-- hf -->              its calls of `hf` have options that there are; it isn't run
    <!-- python -->          a test of the examples runs it with data of its own
    <!-- output -->          its lines stand in the output of the last block that was run
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "runbooks").glob("*.md")]
)

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_INDENTED = re.compile(r"^(?:    .*\n)+", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]\[]*\]\((?P<path>[^)\s:#]*)(?:#(?P<anchor>[^)\s]*))?\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        mark: the comment before it; empty without one.
        language: of the code.
        code: its lines.
    """

    mark: str
    language: str
    code: str

    @property
    def exit_code(self) -> int | None:
        """Return the exit code that a block to run ends with; None if it isn't run."""
        match = re.fullmatch(r"run(?:, exit (\d+))?", self.mark)
        return int(match[1] or 0) if match else None

    @property
    def file(self) -> str | None:
        """Return the name of the file that the block is the content of."""
        match = re.fullmatch(r"file (\S+)", self.mark)
        return match[1] if match else None


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    fences = _FENCE.finditer(path.read_text())
    return [Block(match["mark"] or "", match["language"], match["code"]) for match in fences]


def commands(path: Path) -> Iterator[str]:
    """Return the lines of a page's code that call `outcross`."""
    code = [block.code for block in blocks(path) if block.language in ("bash", "")]
    code += _INDENTED.findall(without_code(path))
    for line in "".join(code).replace("\\\n", " ").splitlines():
        if match := re.match(r"\s*(?:\w+ )?(outcross .*)", line):
            yield match[1]


def without_code(path: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", path.read_text())


def links(path: Path) -> Iterator[tuple[str, str]]:
    """Return path and anchor of each relative link of a page; one of them may be empty."""
    for match in _LINK.finditer(without_code(path)):
        if match["path"] or match["anchor"]:
            yield match["path"], match["anchor"] or ""


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as mkdocs makes them."""
    headings = _HEADING.findall(without_code(path))
    return {anchor(heading) for heading in headings}


def anchor(heading: str) -> str:
    """Return the anchor of a heading: letters and digits in lower case, joined by hyphens."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    text = text.encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())
