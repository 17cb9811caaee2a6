"""What holds for all tests."""

from importlib import import_module

import pytest
from hypothesis import settings

from tests.drawing import USUAL, examples

# Each run draws others.
settings.register_profile("usual", examples(USUAL))
settings.load_profile("usual")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `-n`, files stay together, so that what a module shares is made once; who ends early helps the others."""
    if config.getoption("dist") != "load":
        return None
    return import_module("xdist.scheduler").WorkStealingScheduling(config, log)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports whose figures are built but not drawn, which takes a second: test_report.py and test_figures.py draw."""
    monkeypatch.setattr("gammapolars.report.content.png", lambda plot: b"PNG")
