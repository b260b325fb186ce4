"""A Flink cluster on this machine: a job manager and task managers, each a process of its own.

    python -m tools.flink.cluster FOLDER [--jar .engines/flink.jar] [--task-managers 2]

starts it, prints the options for `outcross`, and ends it at Ctrl-C. FOLDER gets configuration, logs
and temporary files. The jar holds Beam's job server and Flink itself (`make -f tools/engines.mk`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
TASK_MANAGER_MEMORY = ("-Xmx1500m", "-XX:MaxDirectMemorySize=4g", "-XX:MaxMetaspaceSize=512m")
# Jobs of tests are short, so code is compiled once, and quickly, as in java-options.txt.
JOB_SERVER_JAVA = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
START_SECONDS = 90
STOP_SECONDS = 15


class FlinkCluster:
    """A job manager and task managers, started when entered and ended by process id when left.

    Attributes:
        folder: of configuration, logs and temporary files.
        port: of the REST interface.
        processes: those that were started, by name: `job-manager`, `task-manager-1` and so on.
    """

    def __init__(self, folder: Path, jar: Path, task_managers: int = 2) -> None:
        self.folder = folder.absolute()
        self.jar = jar.absolute()
        self.wanted = task_managers
        self.port = 0
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> FlinkCluster:
        if shutil.which("java") is None:
            raise FileNotFoundError("java is not installed; Flink needs Java 11 or 17")
        if not self.jar.exists():
            raise FileNotFoundError(f"{self.jar} is not there: `make engines` builds it")
        for name in ("conf", "log", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        rpc, self.port = free_ports(2)
        settings = {
            **dict.fromkeys(("jobmanager.rpc.address", "jobmanager.bind-host"), "127.0.0.1"),
            **dict.fromkeys(("rest.address", "rest.bind-address"), "127.0.0.1"),
            **dict.fromkeys(("taskmanager.host", "taskmanager.bind-host"), "127.0.0.1"),
            "jobmanager.rpc.port": rpc,
            "rest.port": self.port,
            "io.tmp.dirs": self.folder / "tmp",
        }
        lines = "".join(f"{key}: {value}\n" for key, value in settings.items())
        (self.folder / "conf" / "config.yaml").write_text(
            (HERE / "config.yaml").read_text() + lines
        )
        try:
            self._start("job-manager", JOB_MANAGER, ("-Xmx448m",), "-x", "cluster")
            for _ in range(self.wanted):
                self.start_task_manager()
            self.wait_for_task_managers(self.wanted)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Host and port of the REST interface."""
        return f"127.0.0.1:{self.port}"

    def start_task_manager(self) -> str:
        """Start one more task manager, and return its name."""
        name = f"task-manager-{len(self.processes)}"
        resource = f"-Dtaskmanager.resource-id={name}"
        self._start(name, TASK_MANAGER, TASK_MANAGER_MEMORY, resource)
        return name

    def kill(self, name: str) -> None:
        """End a process without warning, as a machine that fails."""
        self.processes[name].kill()
        self.processes[name].wait()

    def wait_for_task_managers(self, count: int) -> None:
        """Wait until so many task managers are registered.

        Raises:
            TimeoutError: they aren't after a minute and a half.
        """

        def registered() -> bool:
            self._check()
            return len(self.task_managers()) == count

        wait_until(registered, START_SECONDS, f"{count} task managers; logs: {self.folder / 'log'}")

    def ask(self, path: str) -> Any:
        """Return an answer of the REST interface; nothing if it can't be reached."""
        url = f"http://{self.address}{path}"
        with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
        return {}

    def task_managers(self) -> set[str]:
        """Return the names of the task managers that are registered."""
        return {manager["id"] for manager in self.ask("/taskmanagers").get("taskmanagers", [])}

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs that the cluster was sent, in their order: `jid`, `name`, `state`."""
        jobs: list[dict[str, Any]] = self.ask("/jobs/overview").get("jobs", [])
        return sorted(jobs, key=lambda job: job["start-time"])

    def running_subtasks(self, job: str) -> int:
        """Return how many subtasks of a job are at work."""
        vertices = self.ask(f"/jobs/{job}").get("vertices", [])
        return sum(vertex["tasks"].get("RUNNING", 0) for vertex in vertices)

    def workers_of(self, job: str) -> dict[str, int]:
        """Return by task manager how many subtasks of a job it worked on."""
        return dict(Counter(subtask["taskmanager-id"] for subtask in self._subtasks(job)))

    def attempts(self, job: str) -> int:
        """Return how often the subtask of a job was begun that was begun most often."""
        return 1 + max((subtask["attempt"] for subtask in self._subtasks(job)), default=0)

    def _subtasks(self, job: str) -> Iterator[dict[str, Any]]:
        for vertex in self.ask(f"/jobs/{job}").get("vertices", []):
            yield from self.ask(f"/jobs/{job}/vertices/{vertex['id']}").get("subtasks", [])

    def cancel_jobs(self) -> None:
        """Cancel all jobs that haven't ended, as after a driver that was killed."""
        for job in self.jobs():
            if job["state"] not in ("FINISHED", "FAILED", "CANCELED"):
                request = urllib.request.Request(
                    f"http://{self.address}/jobs/{job['jid']}", method="PATCH"
                )
                with suppress(OSError):
                    urllib.request.urlopen(request, timeout=10).close()

    def stop(self) -> None:
        """End all processes, and the Python workers that a task manager left behind."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):  # nobody is left of the group
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def _start(self, name: str, main: str, java: tuple[str, ...], *arguments: str) -> None:
        command = ["java", f"@{HERE / 'java-options.txt'}", *java, "-cp", str(self.jar), main]
        with (self.folder / "log" / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*command, "-c", str(self.folder / "conf"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _check(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None and process.returncode != -signal.SIGKILL:
                log = self.folder / "log" / f"{name}.log"
                raise RuntimeError(f"{name} ended with {process.returncode}: {log}")


def options(address: str, jar: Path, worker: Path, parallelism: int = 2) -> list[str]:
    """Return Beam's options of a run on a cluster whose task managers start Python workers.

    Args:
        address: of the REST interface.
        jar: Beam's job server.
        worker: the command `outcross-worker` at its place on the task managers' machines.
        parallelism: number of subtasks of each step.
    """
    return [
        *("--runner", "FlinkRunner", "--flink_master", address, "--flink_version", "1.19"),
        *("--flink_job_server_jar", str(jar)),
        *(f"--job_server_jvm_properties={option}" for option in JOB_SERVER_JAVA),
        *("--parallelism", str(parallelism), "--environment_type", "PROCESS"),
        *("--environment_option", f"process_command={worker}"),
        *("--environment_cache_millis", "30000"),  # steps of a job share their workers
    ]


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    with sockets(count) as listening:
        return [socket.getsockname()[1] for socket in listening]


@contextmanager
def sockets(count: int) -> Iterator[list[socket.socket]]:
    """Open so many sockets at once, so that each has a port of its own."""
    opened = [socket.socket() for _ in range(count)]
    try:
        for each in opened:
            each.bind(("127.0.0.1", 0))
        yield opened
    finally:
        for each in opened:
            each.close()


def wait_until(happened: Callable[[], object], seconds: float, event: str) -> None:
    """Ask again and again whether an event has happened.

    Raises:
        TimeoutError: it hasn't after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {event}")
        time.sleep(0.25)


def main() -> None:
    """Start a cluster, and keep it until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jar", type=Path, default=Path(".engines/flink.jar"))
    parser.add_argument("--task-managers", type=int, default=2)
    asked = parser.parse_args()
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(ending, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        FlinkCluster(asked.folder, asked.jar, asked.task_managers) as cluster,
    ):
        for name, process in cluster.processes.items():
            print(f"{name}: process {process.pid}, log {cluster.folder / 'log' / name}.log")
        worker = Path(sys.executable).with_name("outcross-worker")
        print("outcross run ... --", *options(cluster.address, asked.jar, worker), flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
