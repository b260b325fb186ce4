"""Beam transforms, and the Beam-free algorithms that they wire. Imports schemas only."""

import transforms.cache  # noqa: F401  before anything imports numba
