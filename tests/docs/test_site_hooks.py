"""Links of a page lead to the same place on the site as in the repository."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from tests.docs.pages import ROOT

_SPEC = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
assert _SPEC is not None
assert _SPEC.loader is not None
site_hooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(site_hooks)


def on_site(markdown: str, page: str) -> str:
    """Return a page's text as the site has it."""
    file = SimpleNamespace(abs_src_path=str(ROOT / page))
    return site_hooks.on_page_markdown(markdown, page=SimpleNamespace(file=file))


@pytest.mark.parametrize(
    ("page", "link", "on_the_site"),
    [
        ("docs/index.md", "[a](budget.md#options)", "[a](budget.md#options)"),
        ("docs/index.md", "[a](../runbooks/local.md#sizes)", "[a](runbooks/local.md#sizes)"),
        ("runbooks/local.md", "[a](../docs/budget.md)", "[a](../budget.md)"),
        ("runbooks/local.md", "[a](reading-a-report.md)", "[a](reading-a-report.md)"),
        ("docs/index.md", "[the rules](../CONTRIBUTING.md)", "the rules (`CONTRIBUTING.md`)"),
        ("docs/index.md", "[tools](../tools/README.md)", "`tools/README.md`"),
        ("docs/index.md", "[`benchmarks`](../benchmarks)", "`benchmarks`"),
        ("docs/index.md", "![a](flow.svg)", "![a](flow.svg)"),
        ("docs/index.md", "[a](https://example.org/b)", "[a](https://example.org/b)"),
        ("docs/index.md", "[a](no-such-page.md)", "[a](no-such-page.md)"),
    ],
)
def test_a_link_leads_to_the_same_place(page: str, link: str, on_the_site: str) -> None:
    assert on_site(f"See {link}.", page) == f"See {on_the_site}."


def test_code_stays_as_it_is() -> None:
    code = "```text\n[a](../CONTRIBUTING.md)\n```\n"
    assert on_site(f"A\n\n{code}\nB", "docs/index.md") == f"A\n\n{code}\nB"
