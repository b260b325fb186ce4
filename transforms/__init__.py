"""Beam transforms, and the Beam-free algorithms that they wire. Imports schemas only."""

import outcross.transforms.base.cache  # noqa: F401  before anything imports numba
