"""What an installation brings: one package, loaded once, beside any project."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta as b; b.build_{what}(sys.argv[1])"
SOURCES = ["outcross", "pipeline", "schemas", "transforms", "pyproject.toml", "setup.py"]


def build(source: Path, what: str, folder: Path) -> Path:
    """Build a wheel or an sdist of a source tree, and return its file."""
    command = [sys.executable, "-c", BUILD.format(what=what), str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources, as a build writes beside them."""
    folder = tmp_path_factory.mktemp("source")
    for name in [*SOURCES, *(path.name for path in ROOT.glob("*") if path.name.isupper())]:
        if (ROOT / name).is_dir():
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skip)
        else:
            shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "README.md", folder / "README.md")
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel's contents, to be put first on the path."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_wheel_holds_one_package_with_all_of_its_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"outcross"}
    wanted = {
        f"outcross/{path.relative_to(ROOT).as_posix()}"
        for folder in ("pipeline", "schemas", "transforms")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted | {"outcross/__init__.py", "outcross/py.typed"} <= names


def test_an_sdist_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    for name in ("sdist", "unpacked", "wheel"):
        (tmp_path / name).mkdir()
    sdist = build(source, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            assert not PurePosixPath(member.name).is_absolute()
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = build(unpacked, "wheel", tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        for name in first.namelist():
            if not name.endswith("/RECORD"):
                assert first.read(name) == second.read(name), name
        assert set(first.namelist()) == set(second.namelist())


def pack(python: Path, source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Pack a source tree as Beam does for `--setup_file setup.py`."""
    command = [python, "setup.py", "sdist", "--dist-dir", folder]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("environment", ["of the tests", "new"])
def test_beam_packs_the_files_of_the_wheel(
    source: Path, wheel: Path, tmp_path: Path, environment: str
) -> None:
    """Python up to 3.11 puts setuptools 65 into a new environment, later ones put none."""
    python = Path(sys.executable)
    if environment == "new":
        venv.create(tmp_path / "venv", with_pip=True)
        python = tmp_path / "venv" / "bin" / "python"
    done = pack(python, source, tmp_path)
    if environment == "new" and sys.version_info >= (3, 12):
        assert "pip install 'setuptools" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
    with zipfile.ZipFile(wheel) as archive:
        wanted = {name for name in archive.namelist() if name.startswith("outcross/")}
    assert {name for name in names if name.startswith("outcross/")} == wanted


def test_packing_without_setuptools_says_what_to_install(source: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    done = pack(tmp_path / "venv" / "bin" / "python", source, tmp_path)
    assert done.returncode == 1
    assert done.stderr == "setup.py: setuptools is missing; pip install 'setuptools>=65'\n"


@pytest.mark.parametrize("project", ["folders", "files"])
def test_a_project_may_have_packages_of_the_same_names(
    installed: Path, tmp_path: Path, project: str
) -> None:
    for name in ("pipeline", "schemas", "transforms"):
        path = tmp_path / name / "__init__.py" if project == "folders" else tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("MINE = True\n")
    (tmp_path / "train.py").write_text(
        "import importlib, pkgutil\n"
        "import pipeline, schemas, transforms\n"
        "import outcross\n"
        "names = [m.name for m in pkgutil.walk_packages(outcross.__path__, 'outcross.')]\n"
        "modules = [importlib.import_module(name) for name in names]\n"
        "assert all(hasattr(outcross, name) for name in outcross.__all__)\n"
        "assert pipeline.MINE and schemas.MINE and transforms.MINE\n"
        "print(outcross.__file__, len(modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "HOME": str(tmp_path), "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    file, modules = done.stdout.split()
    assert file == str(installed / "outcross" / "__init__.py")
    assert int(modules) > 100


def test_no_module_is_loaded_twice(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a text of several words"}\n')
    script = (
        "import sys, os\n"
        "from outcross.pipeline.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "files = {}\n"
        "for name, module in list(sys.modules.items()):\n"
        "    path = getattr(module, '__file__', None)\n"
        f"    if path and os.path.realpath(path).startswith({str(ROOT)!r} + os.sep):\n"
        "        if '.venv' not in path:\n"
        "            files.setdefault(os.path.realpath(path), set()).add(name)\n"
        "assert len(files) > 50, files\n"
        "assert all(len(names) == 1 for names in files.values()), files\n"
        "assert all(name.startswith('outcross') for (name,) in files.values()), files\n"
    )
    arguments = ["dedup", "--synthetic", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "o")]
    # The repository is the working directory, where `import pipeline` would work, too.
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_defaults_of_models_are_keywords() -> None:
    """Type checkers without pydantic's plugin see a default as `Field(default=…)` only."""
    positional = [
        f"{path.name}:{node.lineno}"
        for path in (ROOT / "schemas").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Field" and node.args
    ]
    assert positional == []
