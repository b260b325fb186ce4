"""Settings of all tests."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

# What is imported and collected stays. Looking for garbage in it takes a fourth of that time.
gc.disable()

# Before NumPy is imported. Each process of pytest-xdist has a core: more threads of BLAS would wait
# for each other, which costs four times the processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A busy machine is no fault of the code; and what a change has to pass does not depend on luck.
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes of pytest-xdist compile no kernel twice."""
    if "PYTEST_XDIST_WORKER" in os.environ and hasattr(config, "cache"):
        from outcross.transforms.base.kernels import take_turns

        path = config.cache.mkdir("kernels") / "turns"
        take_turns(os.open(path, os.O_RDWR | os.O_CREAT))


def pytest_collection_finish() -> None:
    """Look from now on for what the tests leave behind, and for nothing before them."""
    gc.freeze()
    gc.enable()
