"""Settings of all tests."""

import os

from hypothesis import HealthCheck, settings

# A busy machine is no fault of the code; and what a change has to pass does not depend on luck.
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("house")
