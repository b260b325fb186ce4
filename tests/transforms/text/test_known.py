"""When an embedder knows enough of the words."""

import pytest

from outcross.transforms.text.known import LEAST_KNOWN, LEAST_WORDS, Known, warning


@pytest.mark.parametrize(
    ("words", "known", "share", "enough"),
    [
        (LEAST_WORDS - 1, 0, None, True),  # of too few words nothing is said
        (LEAST_WORDS, 0, 0.0, False),
        (1000, int(1000 * LEAST_KNOWN) - 1, LEAST_KNOWN - 0.001, False),
        (1000, int(1000 * LEAST_KNOWN), LEAST_KNOWN, True),
        (1000, 1000, 1.0, True),
        (0, 0, None, True),
    ],
)
def test_the_share_is_held_against_the_threshold(
    words: int, known: int, share: float | None, enough: bool
) -> None:
    counted = Known(words, known)
    assert counted.share == (None if share is None else pytest.approx(share))
    assert counted.enough is enough


def test_parts_add_up() -> None:
    assert Known.total([Known(5, 3), Known(0, 0), Known(7, 1)]) == Known(12, 4)
    assert Known.total([]) == Known(0, 0)


def test_the_warning_names_source_share_and_what_to_do() -> None:
    message = warning("people", Known(1000, 123))
    assert message.startswith(
        "source 'people': the embedder knows 12% of its words, and below 60% "
    )
    assert "words and near duplicates" in message
    assert "alpha = 1" in message
