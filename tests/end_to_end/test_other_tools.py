"""Columns of other tools in `where`, `priority_field` and `domain_field`, as their page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT, blocks
from tests.end_to_end.conftest import dedup
from tests.support.other_tools import COPY, LAYOUTS, REPEATED, expected, language, score

PAGE = blocks(ROOT / "docs" / "other-tools.md")


def configuration(name: str) -> Any:
    """Return the page's configuration of a tool."""
    (block,) = (block for block in PAGE if block.file == f"{name}.yaml")
    return yaml.safe_load(block.code)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        *((name, None) for name in LAYOUTS),
        ("datatrove", "datatrove-parquet/*.parquet"),
    ],
)
def test_filters_priorities_and_domains_are_those_of_the_tool(
    name: str, files: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    LAYOUTS[name](tmp_path)
    for block in PAGE:  # joins of the tool's files
        if block.language == "python" and f"'{name}.parquet'" in block.code:
            exec(compile(block.code, name, "exec"), {})
    config = configuration(name)
    if files is not None:
        config["sources"][0]["files"] = [files]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    result = dedup("config.yaml", out=tmp_path / config["out"])
    written = {row["outcross"]["id"]: row["outcross"]["domain"] for row in result.data}
    assert written == expected()
    assert result.gone == {("web", f"doc-{REPEATED}"): ("web", f"doc-{COPY}")}
    left_out = sum(language(n) != "en" or score(n) < 0.5 for n in range(10))
    assert result.conservation("web")["filtered"] == left_out > 0
    assert "warning" not in result.stderr
