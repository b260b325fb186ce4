"""The manifest holds no secret of Beam's options."""

from __future__ import annotations

import pytest

from outcross.pipeline.engine.recorded_options import recorded_options


def test_harmless_options_stay_as_they_were_given() -> None:
    given = ["--runner", "FlinkRunner", "--parallelism=4", "--flink_master=host:80", "--no_auth"]
    assert recorded_options(given) == given


@pytest.mark.parametrize(
    "name",
    [
        *("--s3_secret_access_key", "--s3_access_key_id", "--s3_session_token", "--s3_sec"),
        *(
            "--azure_connection_string",
            "--gbek",
            "--environment_config",
            "--profiler_extra_env_var",
        ),
        *("--some_password", "--unknown"),
    ],
)
def test_values_that_may_be_secrets_are_left_out(name: str) -> None:
    assert recorded_options([f"{name}=hush", "--region=r"]) == [f"{name}=…", "--region=r"]
    assert recorded_options([name, "hush", "--region", "r"]) == [name, "…", "--region", "r"]


def test_addresses_lose_user_and_password() -> None:
    address = "https://me:hu@sh@store:9000/x@y"
    for given in ([f"--s3_endpoint_url={address}"], ["--s3_endpoint_url", address]):
        assert "".join(recorded_options(given)).endswith("https://store:9000/x@y")
