"""The same bytes on the local runner, on Prism and on embedded Flink (`make engines`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import promised_bytes
from tests.support.commands import installed

ENGINES = Path(__file__).parents[2] / ".engines"
# As in runbooks/local.md.
OPTIONS = {
    "prism": ["--runner", "PrismRunner", "--prism_location", ENGINES / "prism"],
    "flink": [
        *("--runner", "FlinkRunner", "--flink_master", "[local]", "--flink_version", "1.19"),
        *("--flink_job_server_jar", ENGINES / "flink.jar", "--parallelism", 2),
        "--job_server_jvm_properties=-Xmx2g",
    ],
}


@pytest.mark.engines
@pytest.mark.parametrize("engine", OPTIONS)
def test_the_engine_makes_no_difference(corpus, base, tmp_path, engine):
    needed = ENGINES / {"prism": "prism", "flink": "flink.jar"}[engine]
    assert needed.exists(), f"{needed} is not there: `make engines` builds it"
    out = tmp_path / "out"
    installed("run", corpus.config(out), "--", *OPTIONS[engine], seconds=400)
    assert promised_bytes(out) == promised_bytes(base.out)
