"""Hide installed modules that other packages import if they are there."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType


class _Hiding(MetaPathFinder):
    def __init__(self, modules: Collection[str]) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
        if name in self.modules:
            raise ModuleNotFoundError(f"{name} is hidden", name=name)


def hide(modules: Collection[str]) -> None:
    """Let each later import of some modules fail, as if they weren't installed.

    Args:
        modules: full names of the modules.
    """
    sys.meta_path.insert(0, _Hiding(modules))


@contextmanager
def hidden(modules: Collection[str]) -> Iterator[None]:
    """Hide modules while the body of the `with` statement runs.

    Args:
        modules: full names of the modules.
    """
    finder = _Hiding(modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
