"""Links, names of files, names of code and options that the pages give are there."""

from __future__ import annotations

import pkgutil
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import outcross
from outcross.pipeline.cli.main import app
from tests.docs.pages import PAGES, ROOT, anchor, anchors, commands, links, without_code
from tests.test_rooms import FLOORS

DOCS = ROOT / "docs"
FOLDERS = "transforms|pipeline|schemas|tests|tools|examples|benchmarks|docs|runbooks"


class _Loader(yaml.SafeLoader):
    """YAML whose tags of mkdocs are passed over."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def in_nav(entries: Any) -> list[str]:
    """Return the pages of a navigation, in order."""
    if isinstance(entries, str):
        return [entries]
    parts = entries.values() if isinstance(entries, dict) else entries
    return [page for part in parts for page in in_nav(part)]


def test_every_page_is_in_the_navigation() -> None:
    nav = in_nav(yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)["nav"])
    runbooks = [f"runbooks/{path.name}" for path in (ROOT / "runbooks").glob("*.md")]
    assert sorted(nav) == sorted([path.name for path in DOCS.glob("*.md")] + runbooks)


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
def test_relative_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    for name, heading in links(path):
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path.name}: {name}"
        if heading:
            assert heading in anchors(target), f"{path.name}: {name}#{heading}"


@pytest.mark.parametrize("path", PAGES)
def test_lists_begin_a_paragraph(path: Path) -> None:
    """The site takes a list for one only after a blank line."""
    paragraphs = re.split(r"\n\s*\n", without_code(path))
    lists = [text for text in paragraphs if re.search(r"^([-*]|\d+\.) ", text, re.MULTILINE)]
    late = [text for text in lists if not re.match(r"\s*([-*]|\d+\.) ", text)]
    assert late == []


def test_anchors_are_those_of_the_site() -> None:
    assert anchor("`outcross clean OUT`") == "outcross-clean-out"
    assert anchor("How good was it?") == "how-good-was-it"
    assert anchor("Lineage: a loop's memory") == "lineage-a-loops-memory"


def test_files_of_the_code_that_pages_name_are_there() -> None:
    named = re.compile(rf"`((?:{FOLDERS})/[\w/.-]+\.\w+)`")
    missing = [
        f"{path.name}: {name}"
        for path in PAGES
        for name in named.findall(path.read_text())
        if not (ROOT / name).exists()
    ]
    assert missing == []


def test_every_room_is_drawn_and_described() -> None:
    drawing = (DOCS / "rooms.svg").read_text()
    page = (DOCS / "architecture.md").read_text()
    for room in FLOORS[1:]:
        assert f">{room.split('.')[1]}</text>" in drawing
        assert f"`{room.replace('.', '/')}`" in page


def test_the_api_has_every_public_name() -> None:
    names = re.findall(r"^::: (\S+)$", (DOCS / "api.md").read_text(), re.MULTILINE)
    for name in names:
        assert pkgutil.resolve_name(name)
    public = {f"outcross.{name}" for name in outcross.__all__ if not name.startswith("__")}
    assert public <= set(names)


def test_commands_and_options_that_pages_show_exist() -> None:
    wrong = []
    for path in PAGES:
        for line in commands(path):
            words = shlex.split(line.partition(" -- ")[0], comments=True)[1:]
            if problem := unknown(words):
                wrong.append(f"{path.name}: {line}: {problem}")
    assert wrong == []


def unknown(words: list[str]) -> str:
    """Return the first command or option that `outcross` doesn't know; empty if it knows all."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return words[0]
        command = command.commands[words.pop(0)]
    command.make_context("outcross", [], resilient_parsing=True)  # options may be made here
    options = {"-h", "--help"}.union(
        *({*parameter.opts, *parameter.secondary_opts} for parameter in command.params)
    )
    return next((word for word in words if re.match("-+[a-z]", word) and word not in options), "")
