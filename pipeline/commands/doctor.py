"""Examination of an installation: versions, resources, and engines that can run."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from outcross.pipeline.commands.commented_config import one_line
from outcross.pipeline.engine.engines import pipeline_options, run_pipeline
from outcross.schemas.doctor import Check, Disk, DoctorReport, Kernels, Machine
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.cache import TEMPORARY, is_empty
from outcross.transforms.base.kernels import lower_bound
from outcross.transforms.base.stores import file_system

_PACKAGES = ("apache-beam", "pyarrow", "numba", "numpy", "faiss-cpu", "pydantic")
_FILE_SYSTEMS = {"gcs": "gs", "s3": "s3", "hf": "hf"}
"""Scheme that each extra reads."""
_NO_HOME = "unknown: Beam keeps its downloads in the home directory, and there is none"
_CGROUP_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
_SECONDS = 5.0  # until a cluster counts as out of reach


def examine(flink_master: str | None = None) -> DoctorReport:
    """Examine the installation and its machine. Nothing is downloaded or changed.

    Args:
        flink_master: host:port of a Flink cluster's REST address, which is asked for its state.
    """
    local = check_local_engine()
    engines = [local, _prism(), _job_server("flink"), _job_server("spark"), _dataflow()]
    if flink_master is not None:
        engines.append(_flink_cluster(flink_master))
    return DoctorReport(
        can_run=local.state == "ready",
        versions={"outcross": version("outcross"), "python": platform.python_version()}
        | {package: _version(package) for package in _PACKAGES},
        machine=_machine(),
        disks=[
            _disk("this folder", Path.cwd()),
            _disk("temporary files", Path(tempfile.gettempdir())),
        ],
        kernels=_kernels(),
        extras=[_file_system(extra, scheme) for extra, scheme in _FILE_SYSTEMS.items()],
        programs=[
            _program("java", "install Java 11 or newer; Flink and Spark need it"),
            _program("go", "install Go; it builds Prism from source"),
        ],
        engines=engines,
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _machine() -> Machine:
    affinity = getattr(os, "sched_getaffinity", None)
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        cores=len(affinity(0)) if affinity else os.cpu_count() or 1,
        memory_bytes=_memory(),
        available_bytes=_available(),
    )


def _memory() -> int | None:
    """Return bytes of memory, or the container's limit if it is less."""
    amounts = []
    with suppress(OSError, ValueError):
        amounts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or "max"
            amounts.append(int(Path(path).read_text()))
    return min(amounts, default=None)


def _available() -> int | None:
    """Return bytes of memory that are free now; None where the system doesn't say."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) << 10
    return None


def _disk(purpose: str, folder: Path) -> Disk:
    return Disk(purpose=purpose, folder=str(folder), free_bytes=shutil.disk_usage(folder).free)


def _kernels() -> Kernels:
    """Return where numba keeps kernels: beside the code, or in a folder for each room of it."""
    room = Path(lower_bound.stats.cache_path)
    beside_code = room.name == "__pycache__"
    folder = room.parent.parent if beside_code else room.parent
    files = folder.glob("*/__pycache__/*.nbi" if beside_code else "*/*.nbi")
    return Kernels(
        folder=str(folder),
        files=sum(1 for _ in files),
        compiled=not is_empty(),
        remedy=None
        if TEMPORARY is None
        else "neither the installation nor the home directory can be written; set NUMBA_CACHE_DIR "
        "to a folder that lasts",
    )


def _file_system(extra: str, scheme: str) -> Check:
    name = f"{extra} ({scheme}://)"
    try:
        file_system(f"{scheme}://")
    except ConfigError:
        remedy = f"in the clone of outcross: pip install '.[{extra}]'"
        return Check(name=name, state="missing", detail="the extra is not installed", remedy=remedy)
    return Check(name=name, state="ready", detail="the extra is installed", remedy=None)


def _program(name: str, remedy: str) -> Check:
    path = shutil.which(name)
    if path is None:
        return Check(name=name, state="missing", detail="not on the path", remedy=remedy)
    return Check(name=name, state="ready", detail=path, remedy=None)


def check_local_engine() -> Check:
    """Import what a run needs, and run a pipeline of one element on the local engine."""
    name = "local"
    try:
        import_module("outcross.pipeline.commands.run")
        options = pipeline_options(workers=1, beam_args=[])
        run_pipeline(_build_smallest, options)
    except Exception as error:  # the user asks for just this error
        remedy = "install it again: pip install . in the clone of outcross"
        return Check(name=name, state="failed", detail=_first_line(error), remedy=remedy)
    detail = "a pipeline of one element has run; it is used unless --runner names another engine"
    return Check(name=name, state="ready", detail=detail, remedy=None)


def _build_smallest(pipeline: object) -> None:
    import apache_beam as beam

    _ = pipeline | beam.Create([1]) | beam.Map(int)


def _beam_cache() -> Path | None:
    """Return the folder of Beam's downloads; None where the user has no home directory."""
    try:
        return Path("~/.apache_beam/cache").expanduser()
    except RuntimeError:
        return None


def _prism() -> Check:
    """Look for Prism on the path, and where Beam keeps its downloads."""
    beam = _version("apache-beam")
    cache = _beam_cache()
    names = f"prism/bin/apache_beam-v{beam}-prism-*"
    binaries = [] if cache is None else sorted(cache.glob(names))
    binary = shutil.which("prism")
    if binary is not None:
        detail = f"{binary}; give it by -- --runner PrismRunner --prism_location {binary}"
        return Check(name="prism", state="ready", detail=detail, remedy=None)
    if binaries:
        return Check(name="prism", state="ready", detail=str(binaries[0]), remedy=None)
    return Check(
        name="prism",
        state="downloads",
        detail=_NO_HOME if cache is None else "Beam downloads it from github.com on first use",
        remedy="without network: go install github.com/apache/beam/sdks/v2/go/cmd/prism@v"
        f"{beam}, then -- --runner PrismRunner --prism_location PATH",
    )


def _job_server(engine: str) -> Check:
    """Look for Java, and for the job server among Beam's downloads."""
    if shutil.which("java") is None:
        return Check(
            name=engine,
            state="missing",
            detail="its job server needs Java, which is not on the path",
            remedy="install Java 11 or newer, or name a job server that runs elsewhere by "
            "-- --job_endpoint HOST:PORT",
        )
    cache = _beam_cache()
    names = f"jars/beam-runners-{engine}-*job-server*.jar"
    jars = [] if cache is None else sorted(cache.glob(names))
    if jars:
        return Check(name=engine, state="ready", detail=str(jars[-1]), remedy=None)
    return Check(
        name=engine,
        state="downloads",
        detail=_NO_HOME
        if cache is None
        else "Beam downloads the job server from Maven Central on first use",
        remedy=f"without network: build the jar, and give it by -- --{engine}_job_server_jar PATH",
    )


def _dataflow() -> Check:
    extra = _file_system("gcs", "gs")
    detail = "needs credentials and a project as well" if extra.remedy is None else extra.detail
    return Check(name="dataflow", state=extra.state, detail=detail, remedy=extra.remedy)


def _flink_cluster(master: str) -> Check:
    """Ask a cluster for its version and its free slots."""
    name = f"flink at {one_line(master)}"
    address = master if master.startswith(("http://", "https://")) else f"http://{master}"
    remedy = "name the REST address of the job manager, such as host:8081, and check the network"
    try:
        overview = _json(f"{address.rstrip('/')}/overview")
        detail = (
            f"Flink {overview['flink-version']}, {overview['taskmanagers']} task managers, "
            f"{overview['slots-available']} of {overview['slots-total']} slots free"
        )
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        return Check(name=name, state="failed", detail=_first_line(error), remedy=remedy)
    return Check(name=name, state="ready", detail=one_line(detail), remedy=None)


def _json(address: str) -> dict[str, object]:
    with urllib.request.urlopen(address, timeout=_SECONDS) as response:
        value: dict[str, object] = json.load(response)
    return value


def _first_line(error: Exception) -> str:
    return one_line(next(iter(str(error).splitlines()), "")) or type(error).__name__
