"""The estimate of a dry run says what it leaves out."""

from __future__ import annotations

import pytest

from outcross.pipeline.cli.preview_table import show_estimate
from outcross.schemas.estimate import Estimate, Range

SOME = Range(low=1, high=2)


@pytest.mark.parametrize(
    ("embedder", "said"), [(None, False), ("static:model", False), ("transformers:model", True)]
)
def test_the_time_of_an_encoder_is_said_to_be_missing(
    embedder: str | None, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = Estimate(
        input_bytes=1, seconds=SOME, disk_bytes=SOME, memory_bytes=SOME, free_bytes=None
    )
    show_estimate(figures, embedder)
    assert ("without the time of transformers:model" in capsys.readouterr().out) == said
