"""Settings of all tests."""

from hypothesis import settings

# The same examples in every run: a test passes or fails for what the code is, not for luck.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
