import email
import sys
from pathlib import Path

import pytest
from pydoc_corpus import MIN_WORDS, Paragraph, cut_into_paragraphs, docstrings

from tests.support.human_texts import human_paragraphs

MODULE = '''"""Module."""

def outer():
    r"""Outer has invalid \\d escapes.

        Its second paragraph is indented.
    """
    class Inner:
        """Inner."""
        async def method(self):
            """Method."""

def bare(): "not documented" + "here"

raise SystemExit("a module that is parsed is not run")
'''


@pytest.fixture(scope="module")
def paragraphs() -> list[Paragraph]:
    return list(human_paragraphs())


def test_paragraphs_are_cut_at_blank_lines_and_short_ones_left_out():
    text = "one two\nthree  four\n \n\tfive\n\nsix seven eight nine"
    assert list(cut_into_paragraphs("here", text, min_words=4)) == [
        Paragraph("here#0", "one two three four"),
        Paragraph("here#2", "six seven eight nine"),
    ]


def test_docstrings_are_found_by_parsing_in_the_order_of_paths_and_lines(tmp_path: Path):
    for name in ("b.py", "a/late.py", "test/left_out.py", "a/site-packages/left_out.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MODULE, encoding="utf-8")
    (tmp_path / "a" / "latin.py").write_bytes(b'# coding: latin-1\n"""Caf\xe9."""\n')
    of_module = [
        ("1", "Module."),
        ("4", "Outer has invalid \\d escapes.\n\nIts second paragraph is indented."),
        ("9", "Inner."),
        ("11", "Method."),
    ]
    assert list(docstrings(tmp_path)) == [
        *((f"a/late.py:{line}", text) for line, text in of_module),
        ("a/latin.py:2", "Café."),
        *((f"b.py:{line}", text) for line, text in of_module),
    ]


@pytest.mark.parametrize(
    ("place", "topic"),
    [
        ("topics/for#2", "topics/for"),
        ("json/decoder.py:41#0", "json"),
        ("typing.py:1204#13", "typing"),
        ("__future__.py:1#0", "__future__"),
    ],
)
def test_topic_is_the_page_or_the_package(place: str, topic: str):
    assert Paragraph(place, "").topic == topic


def test_this_python_gives_a_corpus(paragraphs: list[Paragraph]):
    assert len(paragraphs) > 5_000
    assert sum(len(text.split()) for _, text in paragraphs) > 150_000
    assert len({text for _, text in paragraphs}) == len(paragraphs)
    assert len({place for place, _ in paragraphs}) == len(paragraphs)
    assert min(len(text.split()) for _, text in paragraphs) == MIN_WORDS
    assert len({paragraph.topic for paragraph in paragraphs}) > 100


def test_the_order_does_not_depend_on_the_file_system(monkeypatch: pytest.MonkeyPatch):
    folder = Path(email.__file__).parent
    expected = list(docstrings(folder))
    assert len({place.split(":")[0] for place, _ in expected}) > 10
    in_order = Path.rglob

    def backwards(self: Path, pattern: str):
        return reversed(list(in_order(self, pattern)))

    monkeypatch.setattr(Path, "rglob", backwards)
    assert list(docstrings(folder)) == expected


def test_nothing_is_imported(paragraphs: list[Paragraph]):
    assert any(
        place.startswith("antigravity.py") or "turtledemo" in place for place, _ in paragraphs
    )
    assert "turtledemo" not in sys.modules
