"""Steps of a Dockerfile, carried out in a virtual environment in place of a container."""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath


@dataclass
class Image:
    """Result of the steps of a Dockerfile.

    Attributes:
        root: folder that stands for the image's root.
        variables: variables that the image sets.
        folder: the image's working folder, below `root`.
        entrypoint: command that a container runs.
        skipped: steps that need other images.
    """

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()
    entrypoint: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def bin(self) -> Path:
        """Folder of the environment's programs; in the image it is on the path."""
        return self.root / "venv" / "bin"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a container's process."""
        path = f"{self.bin}:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(Path.home()), **self.variables}  # HOME has pip's cache

    def place(self, path: str) -> Path:
        """Return the place of an absolute or relative path of the image."""
        if PurePosixPath(path).is_absolute():
            return self.root / PurePosixPath(path).relative_to("/")
        return self.folder / path


def steps(dockerfile: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments, in order."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def build(dockerfile: Path, context: Path, root: Path, given: Mapping[str, Path]) -> Image:
    """Carry out the steps of a Dockerfile, and return the image.

    Args:
        dockerfile: the file; a file of the same name with `.dockerignore` stands beside it.
        context: folder that the steps copy from.
        root: empty folder for the image.
        given: folders that stand for those of other images, by their paths there.

    Raises:
        AssertionError: a step failed, or copies what the builder isn't sent.
        ValueError: an instruction isn't known here.
    """
    ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text().splitlines()
    sent = [PurePosixPath(line[1:]) for line in ignored if line.startswith("!")]
    image = Image(root, folder=root)
    venv.create(root / "venv", with_pip=True)
    for instruction, argument in steps(dockerfile):
        words = argument.split()
        match instruction:
            case "FROM":
                image.skipped.append(f"FROM {argument}")
            case "COPY" if words[0].startswith("--from="):
                image.skipped.append(f"COPY {argument}")
                shutil.copytree(given[words[1]], image.place(words[2]))
            case "COPY":
                for name in map(PurePosixPath, words[:-1]):
                    assert any(name == top or top in name.parents for top in sent), name
                _copy([context / name for name in words[:-1]], image, words[-1])
            case "WORKDIR":
                image.folder = image.place(argument)
                image.folder.mkdir(parents=True, exist_ok=True)
            case "ENV":
                name, _, value = argument.partition("=")
                image.variables[name] = value
            case "RUN":
                _run(argument, image)
            case "ENTRYPOINT":
                image.entrypoint = json.loads(argument)
            case _:
                raise ValueError(f"unknown instruction {instruction} {argument}")
    return image


def _copy(sources: list[Path], image: Image, target: str) -> None:
    """Copy files into a folder, and a folder's contents, as Docker does."""
    place = image.place(target)
    for source in sources:
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, place, symlinks=True, ignore=skip, dirs_exist_ok=True)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, place)


def _run(command: str, image: Image) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=image.folder,
        env=image.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-8000:]}"
