"""Count docstrings that begin as a fragment, such as "Of the…", "What…" or "The…".

A function's docstring should begin with a verb: "Return the…", "Count…".
"""

from __future__ import annotations

import argparse
import ast
from pathlib import Path

# Openings that no imperative sentence has.
FRAGMENTS = frozenset(
    "a all also an and another any as at be because before below beside between both but by each "  # noqa: SIM905
    "either else every few first for from had has her here his how if in into is it its last least "
    "less like longer many more most much neither no none not nothing of on one only or other our "
    "own same several some such than that the their them then there these they this those to too "
    "two under until up was were what whatever when where whether which while who whole whom whose "
    "why with within without".split()
)


def function_docstrings(path: Path) -> list[str]:
    """Return the docstrings of a file's functions and methods, in their order."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = (n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return [text for node in functions if (text := ast.get_docstring(node))]


def is_fragment(docstring: str) -> bool:
    """Return whether a docstring begins with a word that opens no imperative sentence.

    Verbs in the third person ("Returns the…") count as fragments too.
    """
    words = docstring.split(None, 1)
    first = words[0].strip("`'\"(,.:").lower()
    third_person = first.endswith("s") and not first.endswith(("ss", "us"))
    return first in FRAGMENTS or third_person or not first.isalpha()


def main() -> None:
    """Print the share of fragments for each folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--list", action="store_true", help="print each fragment")
    arguments = parser.parse_args()
    for folder in arguments.folders or map(Path, ("schemas", "transforms", "pipeline", "tests")):
        fragments = total = 0
        for path in sorted(folder.rglob("*.py")):
            for docstring in function_docstrings(path):
                total += 1
                if is_fragment(docstring):
                    fragments += 1
                    if arguments.list:
                        print(f"{path}: {docstring.splitlines()[0]}")
        share = fragments / total if total else 0.0
        print(f"{folder}: {fragments} of {total} function docstrings are fragments ({share:.1%})")


if __name__ == "__main__":
    main()
