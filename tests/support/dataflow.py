"""A stand-in for Dataflow's job service: it checks each job, executes it, and says how it ended."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import subprocess
import tarfile
import threading
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as messages
from apache_beam.runners.pipeline_context import PipelineContext

from tests.support.object_store import PROJECT, Store

LARGEST_GRAPH = 10 << 20
LARGEST_REQUEST = 20 << 20
LARGEST_SIDE_INPUT = 1 << 30
IMAGE = "us-central1-docker.pkg.dev/my-project-1/images/outcross:1"
"""Name of a container image; no registry is asked for it."""
DEPENDENCIES = "submission_environment_dependencies.txt"
"""Staged list of the packages that the command has; workers only log it."""
CANCELLED = 5
"""Number of `JOB_STATE_CANCELLED` in the service's protocol."""
TIME = "2026-01-01T00:00:00Z"
WORKER = Path(__file__).with_name("dataflow_worker.py")

_JOB_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PRIMITIVES = {
    urn.urn
    for urn in (
        common_urns.primitives.IMPULSE,
        common_urns.primitives.PAR_DO,
        common_urns.primitives.GROUP_BY_KEY,
        common_urns.primitives.FLATTEN,
        common_urns.composites.RESHUFFLE,
    )
} | {
    value.urn
    for name, value in vars(common_urns.combine_components).items()
    if not name.startswith("_")
}


class RefusedError(Exception):
    """The service refuses a job."""


@dataclass
class Job:
    """A job that was accepted.

    Attributes:
        name: name that the request gives.
        request_bytes: size of the request.
        graph_bytes: size of the staged pipeline.
        steps: names of the transforms, sorted.
        artifacts: names and bytes of the staged packages.
        state: state as the service reports it.
        message: error of a job that failed.
        counters: counters of the workers.
        images: names of the workers' container images.
        pool: machines that the request asks for.
        side_inputs: bytes of the side inputs, by step, when the job has been executed.
    """

    name: str
    request_bytes: int
    graph_bytes: int
    steps: list[str]
    artifacts: dict[str, bytes]
    state: str = "JOB_STATE_RUNNING"
    message: str = ""
    counters: list[dict[str, Any]] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    pool: dict[str, Any] = field(default_factory=dict)
    side_inputs: dict[str, int] = field(default_factory=dict)


def check_pipeline(pipeline: messages.Pipeline) -> list[str]:
    """Return the names of a pipeline's steps, sorted.

    Raises:
        RefusedError: two steps share a name, or the service doesn't know a transform or a coder.
    """
    parts = pipeline.components
    names = sorted(transform.unique_name for transform in parts.transforms.values())
    if len(names) != len(set(names)) or not all(names[1:]):
        raise RefusedError("step names are not unique")
    for transform in parts.transforms.values():
        primitive = not transform.subtransforms and bool(transform.spec.urn)
        passes_on = set(transform.outputs.values()) <= set(transform.inputs.values())
        if primitive and not passes_on and transform.spec.urn not in _PRIMITIVES:
            raise RefusedError(f"unknown transform {transform.spec.urn} in {transform.unique_name}")
        if transform.spec.urn == common_urns.primitives.GROUP_BY_KEY.urn:
            (pairs,) = transform.inputs.values()
            coder = parts.coders[parts.pcollections[pairs].coder_id]
            if coder.spec.urn != common_urns.coders.KV.urn:
                raise RefusedError(f"coder {coder.spec.urn} before {transform.unique_name}")
    context = PipelineContext(parts)
    for name in parts.coders:
        try:
            context.coders.get_by_id(name)
        except Exception as error:
            raise RefusedError(f"unknown coder {parts.coders[name].spec.urn}") from error
    for environment in parts.environments.values():
        if environment.urn != common_urns.environments.DOCKER.urn:
            raise RefusedError(f"environment {environment.urn} is no container")
    return names


@dataclass
class Service:
    """State of the service.

    Attributes:
        store: object store with the staged files.
        folder: folder of the workers' environment and of the jobs' files.
        jobs: jobs that were accepted, in their order.
        refusals: reasons of the refusals.
        endpoint: address of the service.
        installed: files of the package that the workers have.
        image: interpreter that stands for the image `IMAGE`; None for Beam's own image and a
            package that workers install.
        process: program that is at work for a job.
    """

    store: Store
    folder: Path
    jobs: list[Job] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    endpoint: str = ""
    installed: dict[str, bytes] = field(default_factory=dict)
    image: Path | None = None
    process: subprocess.Popen[str] | None = None

    @property
    def options(self) -> list[str]:
        """Options of Beam that send a pipeline to this service, with a package to install."""
        return [
            *("--runner", "DataflowRunner", "--region", "us-central1", "--project", PROJECT),
            *("--temp_location", f"gs://{self.store.bucket}/tmp"),
            *("--dataflow_endpoint", self.endpoint),
            *("--setup_file", str(Path(__file__).parents[2] / "setup.py")),
        ]

    def accept(self, body: bytes) -> dict[str, Any]:
        """Check a request for a job, start the job, and return the answer.

        Raises:
            RefusedError: the job breaks a rule of the service.
        """
        request = json.loads(body)
        options = request["environment"]["sdkPipelineOptions"]["options"]
        if len(body) >= LARGEST_REQUEST:
            raise RefusedError(f"the request has {len(body)} bytes")
        if not _JOB_NAME.fullmatch(request["name"]):
            raise RefusedError(f"job name {request['name']!r}")
        if any(
            job.name == request["name"] and job.state == "JOB_STATE_RUNNING" for job in self.jobs
        ):
            raise RefusedError(f"a job {request['name']} is running")
        graph = self.store.read(options["pipelineUrl"])
        if len(graph) >= LARGEST_GRAPH:
            raise RefusedError(f"the graph has {len(graph)} bytes")
        if sha256(graph).hexdigest() != options["pipelineProtoHash"]:
            raise RefusedError("the staged pipeline is another one")
        pipeline = messages.Pipeline.FromString(graph)
        steps, artifacts = check_pipeline(pipeline), self._artifacts(pipeline)
        job = Job(request["name"], len(body), len(graph), steps, artifacts)
        job.images = {
            messages.DockerPayload.FromString(environment.payload).container_image
            for environment in pipeline.components.environments.values()
        }
        (job.pool,) = request["environment"]["workerPools"]
        self.jobs.append(job)
        threading.Thread(target=self._execute, args=(job, graph, options), daemon=True).start()
        return self.answer(len(self.jobs) - 1)

    def answer(self, number: int) -> dict[str, Any]:
        """Return a job as the service describes it."""
        job = self.jobs[number]
        return {
            **{"id": f"job-{number}", "projectId": PROJECT, "location": "us-central1"},
            **{"name": job.name, "type": "JOB_TYPE_BATCH", "currentState": job.state},
            **{"createTime": TIME, "currentStateTime": TIME},
        }

    def change(self, number: int, body: bytes) -> dict[str, Any]:
        """Cancel a job, which is the one change that a command asks for, and return the answer.

        Raises:
            RefusedError: another change is asked for.
        """
        request = json.loads(body)
        if request.get("requestedState") not in (CANCELLED, "JOB_STATE_CANCELLED"):
            raise RefusedError(f"unknown change {request}")
        self.jobs[number].state = "JOB_STATE_CANCELLED"
        if self.process is not None:
            self.process.kill()
        return self.answer(number)

    def messages(self, number: int) -> dict[str, Any]:
        """Return a job's messages: its error, if it failed."""
        text = self.jobs[number].message
        importance = "JOB_MESSAGE_ERROR"
        line = {"id": "1", "time": TIME, "messageText": text, "messageImportance": importance}
        return {"jobMessages": [line] if text else []}

    def metrics(self, number: int) -> dict[str, Any]:
        """Return a job's counters, each as attempted and as committed."""
        updates = [
            {
                "name": {
                    "origin": "user",
                    "name": counter["name"],
                    "context": {
                        **{"namespace": counter["namespace"], "step": counter["step"]},
                        **tentative,
                    },
                },
                "kind": "Sum",
                "scalar": counter["value"],
                "updateTime": TIME,
            }
            for counter in self.jobs[number].counters
            for tentative in ({}, {"tentative": "true"})
        ]
        return {"metrics": updates, "metricTime": TIME}

    def _artifacts(self, pipeline: messages.Pipeline) -> dict[str, bytes]:
        """Fetch the packages that a pipeline's environments need, as a worker does."""
        artifacts: dict[str, bytes] = {}
        for environment in pipeline.components.environments.values():
            for need in environment.dependencies:
                if need.type_urn != common_urns.artifact_types.URL.urn:
                    raise RefusedError(f"artifact of type {need.type_urn}")
                place = messages.ArtifactUrlPayload.FromString(need.type_payload)
                role = messages.ArtifactStagingToRolePayload.FromString(need.role_payload)
                data = self.store.read(place.url)
                if sha256(data).hexdigest() != place.sha256:
                    raise RefusedError(f"{place.url} is another file")
                artifacts[role.staged_name] = data
        return artifacts

    def _execute(self, job: Job, graph: bytes, options: dict[str, Any]) -> None:
        folder = self.folder / f"job-{len(self.jobs) - 1}"
        folder.mkdir()
        (folder / "pipeline.pb").write_bytes(graph)
        (folder / "options.json").write_text(json.dumps(options))
        try:
            python = self._environment(job, folder)
            files = [folder / name for name in ("pipeline.pb", "options.json", "result.json")]
            self._call(python, WORKER, *files, folder=folder)
            result = json.loads((folder / "result.json").read_text())
            job.counters, job.side_inputs = result["counters"], result["side_inputs"]
            largest = max(job.side_inputs.values(), default=0)
            if largest >= LARGEST_SIDE_INPUT:
                raise RefusedError(f"a side input has {largest} bytes")
            job.state = "JOB_STATE_DONE"
        except BaseException as error:
            if job.state == "JOB_STATE_RUNNING":
                job.message, job.state = str(error), "JOB_STATE_FAILED"

    def _environment(self, job: Job, folder: Path) -> Path:
        """Install what was staged as the container's start does, and return the interpreter.

        Beam's container has Beam. A package with the same files is installed once. The image of
        the project has all, and no package is staged for it.
        """
        if self.image is not None:
            if job.images != {IMAGE} or set(job.artifacts) - {DEPENDENCIES}:
                raise RefusedError(f"images {job.images}, artifacts {list(job.artifacts)}")
            return self.image
        python = self.folder / "worker" / "bin" / "python"
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        if not python.exists():
            venv.create(self.folder / "worker", with_pip=True)
            beam = f"apache-beam[gcp]=={version('apache-beam')}"
            self._call(python, *pip, beam, folder=folder)
        package = folder / "workflow.tar.gz"
        package.write_bytes(job.artifacts[package.name])
        with tarfile.open(package) as archive:
            files = {m.name: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
            content = {name: file.read() for name, file in files.items() if file}
        if content != self.installed:
            self._call(python, *pip, "--force-reinstall", "--no-deps", package, folder=folder)
            self._call(python, *pip, package, folder=folder)
            self.installed = content
        return python

    def _call(self, *command: Any, folder: Path) -> None:
        """Run a program that sees nothing of this repository or its environment."""
        self.process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(Path.home()),  # pip's cache
                **self.store.environment,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, errors = self.process.communicate(timeout=600)
        if self.process.returncode:
            raise RuntimeError(errors[-8000:])


@contextmanager
def dataflow(store: Store, folder: Path, image: Path | None = None) -> Iterator[Service]:
    """Run the service at a free port of this machine.

    Args:
        store: object store where jobs stage their files.
        folder: empty folder for the workers.
        image: interpreter that stands for the project's image; None to install its package.
    """
    service = Service(store, folder, image=image)

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answer the requests that Beam sends to Dataflow."""

        def reply(self, value: dict[str, Any], code: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.act(service.accept)

        def do_PUT(self) -> None:
            number = int(self.path.partition("?")[0].rpartition("/job-")[2])
            self.act(lambda body: service.change(number, body))

        def act(self, action: Callable[[bytes], dict[str, Any]]) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            try:
                self.reply(action(body))
            except Exception as error:
                service.refusals.append(f"{type(error).__name__}: {error}")
                status = {"code": 400, "status": "INVALID_ARGUMENT", "message": str(error)}
                self.reply({"error": status}, 400)

        def do_GET(self) -> None:
            match = re.search(r"/jobs/job-(\d+)(?:/(messages|metrics))?", self.path)
            if match is None:
                self.reply({"error": {"code": 404, "message": self.path}}, 404)
                return
            answers = {None: service.answer, "messages": service.messages}
            answers["metrics"] = service.metrics
            self.reply(answers[match[2]](int(match[1])))

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.endpoint = f"http://localhost:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
