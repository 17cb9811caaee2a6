"""What holds for all tests."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import import_module
from typing import Any

import polars as pl
import pytest
from hypothesis import settings

from gammapolars.core.system import EMULATES_WINDOWS
from tests.drawing import THOROUGH, USUAL, examples

# Each run draws others.
settings.register_profile("usual", examples(USUAL))
settings.load_profile("usual")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `-n`, files stay together, so that what a module shares is made once; who ends early helps the others."""
    if config.getoption("dist") != "load":
        return None
    return import_module("xdist.scheduler").WorkStealingScheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what draws figures in a thorough run alone, so that it can be chosen: `-m figures`."""
    for item in items:
        if {"undrawn", "built_figures"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("figures")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests of pages."""
    with import_module("tests.report.live.browsers").started() as browser:
        yield browser


@pytest.fixture(autouse=EMULATES_WINDOWS)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `GAMMAPOLARS_EMULATE=windows`, files that are open are neither renamed nor removed."""
    import_module("tests.windows").emulate(monkeypatch)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports whose figures are not drawn, which takes a second each: test_report.py and test_figures.py draw."""
    if not THOROUGH:
        for module in ("drawing", "saved_pairs"):
            monkeypatch.setattr(f"gammapolars.report.{module}.png", lambda plot, **_: b"\x89PNG")


@pytest.fixture
def built_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of commands are built and not drawn."""
    if not THOROUGH:
        for name in ("image", "png"):
            monkeypatch.setattr(f"gammapolars.figures.{name}", import_module("tests.plots").built)


@pytest.fixture(scope="module")
def fits_once() -> Iterator[None]:
    """Peaks of the same spectrum, fitted in the same way, are fitted once a module."""
    with pytest.MonkeyPatch.context() as patch:
        fit = once(import_module("gammapolars.peaks").fit_peaks)
        for user in ("analysis.run_spectra", "commands.gated_peaks"):
            patch.setattr(f"gammapolars.{user}.fit_peaks", fit)
        yield


def once(fit: Callable[..., pl.DataFrame]) -> Callable[..., pl.DataFrame]:
    """A function of tables that gives again what it gave for equal arguments."""
    known: dict[tuple[object, ...], pl.DataFrame] = {}

    def key(value: object) -> object:
        if isinstance(value, pl.DataFrame):
            return (*value.schema.items(), sha256(value.write_ipc(None).getvalue()).hexdigest())
        return repr(value)

    def remembered(*tables: Any, **how: Any) -> pl.DataFrame:
        of = (*map(key, tables), *((name, key(value)) for name, value in sorted(how.items())))
        if of not in known:
            known[of] = fit(*tables, **how)
        return known[of].clone()

    return remembered
