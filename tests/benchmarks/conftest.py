"""The benchmarks are programs, not a package: they import each other from their own folder."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS / "dedup_accuracy"), str(BENCHMARKS)]
