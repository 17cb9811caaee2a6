"""What holds for all tests."""

import pytest
from hypothesis import settings

# Times depend on what else the machine does; what a test may take is told where it matters. Each run draws others.
settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports whose figures are built but not drawn, which takes a second: test_report.py and test_figures.py draw."""
    monkeypatch.setattr("gammapolars.report.content.png", lambda plot: b"PNG")
