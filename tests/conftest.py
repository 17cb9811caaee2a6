"""What holds for all tests."""

from hypothesis import settings

# Times depend on what else the machine does; what a test may take is told where it matters.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
