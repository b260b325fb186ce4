"""Python worker of an engine on machines of a cluster: the console script `outcross-worker`.

Engines with `--environment_type PROCESS` start such a command for each worker. Beam's own is a
binary of its container images, which no Python package holds.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from outcross.pipeline.engine.engines import load_beam
from outcross.pipeline.engine.hiding import hide

_PROVISION_SECONDS = 60


def worker_environment(arguments: Sequence[str]) -> dict[str, str]:
    """Ask the engine for the variables that Beam's Python worker reads.

    Args:
        arguments: command line that the engine gives: the worker's id, and endpoints.

    Raises:
        grpc.RpcError: the engine doesn't answer within a minute.
    """
    import grpc
    from apache_beam.portability.api import (
        beam_provision_api_pb2,
        beam_provision_api_pb2_grpc,
        endpoints_pb2,
    )
    from google.protobuf import json_format, text_format

    parser = ArgumentParser(prog="outcross-worker", allow_abbrev=False)
    parser.add_argument("--id", required=True, help="the worker's name")
    parser.add_argument("--provision_endpoint", required=True, help="where options are asked for")
    parser.add_argument("--logging_endpoint", default="", help="where messages are sent")
    parser.add_argument("--control_endpoint", default="", help="where work comes from")
    known, _ = parser.parse_known_args(arguments)
    given = {name: value.strip("'") for name, value in vars(known).items()}  # Prism quotes them

    with grpc.insecure_channel(given["provision_endpoint"]) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        info = service.GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(),
            metadata=[("worker_id", given["id"])],
            timeout=_PROVISION_SECONDS,
            wait_for_ready=True,
        ).info

    def descriptor(asked: str, default: str) -> str:
        service = endpoints_pb2.ApiServiceDescriptor(url=asked or default)
        return text_format.MessageToString(service, as_one_line=True)

    return {
        "WORKER_ID": given["id"],
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "LOGGING_API_SERVICE_DESCRIPTOR": descriptor(
            info.logging_endpoint.url, given["logging_endpoint"]
        ),
        "CONTROL_API_SERVICE_DESCRIPTOR": descriptor(
            info.control_endpoint.url, given["control_endpoint"]
        ),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


def main() -> None:
    """Work for the engine that started this process, until the engine ends it."""
    hide(("pandas", "scipy"))  # half a second of each start, for nothing that workers use
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    load_beam(connectors=False)
    os.environ.update(worker_environment(sys.argv[1:]))
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)
