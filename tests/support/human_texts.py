"""Human text of the examples, parsed once for all tests of a process."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydoc_corpus import Paragraph

EXAMPLES = Path(__file__).parents[2] / "examples"


@cache
def human_paragraphs() -> tuple[Paragraph, ...]:
    """Return the paragraphs of `examples/pydoc_corpus.py`; parsing them takes 5 s."""
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    from pydoc_corpus import human_paragraphs as parse

    return tuple(parse())
