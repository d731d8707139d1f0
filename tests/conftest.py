"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["include.local_stack.local_aws.pytest_plugin"]

# How long one example takes says more about the machine than about the code.
settings.register_profile("nightsort", deadline=None)
settings.load_profile("nightsort")
