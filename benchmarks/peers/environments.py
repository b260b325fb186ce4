"""A virtual environment for each peer, from pinned requirements, made once.

    python benchmarks/peers/environments.py [NAME ...]     # all of them without a name

They stand under `benchmarks/.peers/NAME` and are made again when `requirements/NAME.txt` changes.
Peers never go into the product's own environment: their pins exclude each other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
REQUIREMENTS = FOLDER / "requirements"
ENVIRONMENTS = FOLDER.parent / ".peers"


def known() -> list[str]:
    """Return the names of all peers that have requirements."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def environment(name: str) -> Path:
    """Return the path of the peer's Python; make its environment first if it is missing.

    Raises:
        KeyError: if there are no requirements of that name.
        subprocess.CalledProcessError: if pip could not install them.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    if not requirements.exists():
        raise KeyError(f"no peer is called {name!r}; there are {', '.join(known())}")
    folder = ENVIRONMENTS / name
    marker = folder / ".installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if marker.exists() and marker.read_text() == wanted:
        return python
    if folder.exists():
        shutil.rmtree(folder)
    print(f"installing {name} into {folder}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)],
        check=True,
        stdout=sys.stderr,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    marker.write_text(wanted)
    return python


def main() -> None:
    for name in sys.argv[1:] or known():
        print(environment(name))


if __name__ == "__main__":
    main()
