"""Build the site from pages that read well in the repository too.

A link in a page is relative to its file, so that it works where the repository is shown. The site
has the pages of `docs/` and `runbooks/` only. A link to another file becomes the file's path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RUNBOOKS = ROOT / "runbooks"

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\[]+)\]\((?P<path>[^)\s:#]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1\s*$", re.DOTALL | re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the runbooks to the site's pages."""
    from mkdocs.structure.files import File

    for path in sorted(RUNBOOKS.glob("*.md")):
        files.append(File.generated(config, f"runbooks/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn each link to a file of the repository into a link of the site, or into its path."""
    place = Path(page.file.abs_src_path)
    return outside_code(markdown, lambda text: _LINK.sub(lambda link: site_link(link, place), text))


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Change a page's text, and leave its blocks of code as they are."""
    parts = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def site_link(link: re.Match[str], place: Path) -> str:
    """Return a link as the site has it.

    Args:
        link: match of a relative link in a page.
        place: the page's file.
    """
    target = (place.parent / link["path"]).resolve()
    here = _page(place.resolve())
    there = _page(target)
    if not target.exists():
        return link[0]  # mkdocs reports it
    if there is None or here is None or target.is_dir():
        name = f"`{target.relative_to(ROOT).as_posix()}`"
        return name if link["text"].strip("`") in name else f"{link['text']} ({name})"
    relative = Path(os.path.relpath(there, here.parent)).as_posix()
    return f"[{link['text']}]({relative}{link['anchor'] or ''})"


def _page(path: Path) -> Path | None:
    """Return the place of a file in the site; None if the site doesn't have it."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS)
    if path.is_relative_to(RUNBOOKS):
        return Path("runbooks") / path.relative_to(RUNBOOKS)
    return None
