"""Beam's options as manifest.json may show them: values may be secrets, names are not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SHOWN = frozenset(
    (
        *("runner", "job_name", "project", "region", "worker_region", "worker_zone", "zone"),
        *("temp_location", "staging_location", "setup_file", "requirements_file", "sdk_location"),
        *("sdk_container_image", "environment_type", "sdk_worker_parallelism", "parallelism"),
        *("num_workers", "max_num_workers", "autoscaling_algorithm", "max_parallelism"),
        *("machine_type", "worker_machine_type", "disk_size_gb", "disk_type", "worker_disk_type"),
        *("number_of_worker_harness_threads", "min_cpu_platform", "flexrs_goal", "experiments"),
        *("network", "subnetwork", "use_public_ips", "no_use_public_ips", "dataflow_endpoint"),
        *("direct_num_workers", "direct_running_mode", "job_endpoint", "artifact_endpoint"),
        *("flink_master", "flink_version", "flink_job_server_jar", "job_server_timeout"),
        *("spark_master_url", "spark_version", "spark_job_server_jar", "prism_location"),
        *("s3_endpoint_url", "s3_region_name", "hdfs_host", "hdfs_port"),
    )
)
"""Names of options whose values are never secrets."""

_USER = re.compile(r"://[^/\s]*@")


def recorded_options(beam_args: Sequence[str]) -> list[str]:
    """Return Beam's arguments without values that may be secrets, which become an ellipsis.

    Only values of options that are known as harmless stay, without user and password in addresses.
    Others, such as keys, tokens and variables of workers, are for the run alone.

    Args:
        beam_args: arguments after `--`.
    """
    return list(_recorded(beam_args))


def _recorded(beam_args: Sequence[str]) -> Iterator[str]:
    is_shown = False
    for word in beam_args:
        if word.startswith("-"):
            name, equals, _ = word.partition("=")
            is_shown = name.lstrip("-").replace("-", "_") in _SHOWN
            yield _USER.sub("://", word) if is_shown else f"{name}{equals}{'…' if equals else ''}"
        else:
            yield _USER.sub("://", word) if is_shown else "…"
