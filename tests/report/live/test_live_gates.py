"""Gates on the live page, in a real browser: the command's to the last bit."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.commands.gate.matrix import StoredMatrix
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.report.live.document import document
from gammapolars.report.live.section import Known
from tests.commandline import gammapolars
from tests.drawing import examples
from tests.report.live.browsers import LivePage, Rows, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

BINS = 240
WIDTH = 0.1
"""No whole number of it is one that a float holds."""

LINES = {5.0: "A 5.0", 15.0: "B 15.0"}


def net_matrix(seed: int = 1, *, symmetric: bool = True, pairs: int = 6000) -> pl.DataFrame:
    """A matrix net of chance by two scales: no sum of its cells is exact."""
    rng = np.random.default_rng(seed)
    energies = np.where(rng.random((2, pairs)) < 0.4, [[5.0], [15.0]], rng.exponential(8, (2, pairs)))
    energies = np.clip(energies + rng.normal(0, 0.2, (2, pairs)), 0, BINS * WIDTH - 0.01)
    weights = rng.choice([1.0, 1.0, 1.0, -1 / 3, -0.1], pairs)
    table = pl.DataFrame({"energy_kev_a": energies[0], "energy_kev_b": energies[1], "weight": weights})
    return gp.matrix(table.lazy(), bin_kev=WIDTH, symmetric=symmetric).collect()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


def written(folder: Path, matrix: pl.DataFrame, width: float = WIDTH, **how: Any) -> tuple[Path, Path]:
    """The stored matrix and its page."""
    stored, page = folder / "matrix.parquet", folder / "page.html"
    gp.save(matrix.lazy(), stored)
    page.write_text(document(matrix, width=width, **how), encoding="utf-8")
    return stored, page


@pytest.fixture(scope="module")
def symmetric(browser: "Browser", folder: Path) -> Iterator[tuple[Path, LivePage]]:
    (folder / "symmetric").mkdir()
    known = Known(lines=LINES, fwhm={5.0: 0.5, 15.0: 0.5})
    stored, page = written(folder / "symmetric", net_matrix(), known=known)
    with opened(browser, page) as live:
        yield stored, live


@pytest.fixture(scope="module")
def asymmetric(browser: "Browser", folder: Path) -> Iterator[tuple[Path, LivePage]]:
    (folder / "asymmetric").mkdir()
    stored, page = written(folder / "asymmetric", net_matrix(2, symmetric=False))
    with opened(browser, page) as live:
        yield stored, live


def by_command(stored: Path, command: str) -> tuple[Rows, float, float]:
    """What the page's own command counts: rows, net counts and their uncertainty."""
    _, _, _, *words = shlex.split(command)
    options: dict[str, list[str]] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        options.setdefault(name, []).append(value)
    counts = StoredMatrix(
        stored,
        GateOptions(
            names=[str(stored)],
            on=float(options["--on"][0]),
            output=Path("gated.csv"),
            width=float(options["--width"][0]),
            background=options.get("--background"),
            axis=options.get("--axis", [None])[0],
            unit=options.get("--unit", ["keV"])[0],
        ),
    ).count()
    return counts.net.rows(), counts.summary.counts, counts.summary.counts_unc


GATES = st.lists(st.integers(0, BINS - 1), min_size=2, max_size=6, unique=True).map(sorted)
"""Ends of a gate and of stretches beside it, in bins."""


def type_gate(live: LivePage, ends: list[int], of: int) -> None:
    """Type the gate that lies between two of the ends, and backgrounds between others."""
    stretches = [(ends[k] * WIDTH, ends[k + 1] * WIDTH) for k in range(0, len(ends) - 1, 2)]
    gate = stretches.pop(of % len(stretches))
    live.type_gate(*gate, background=stretches)


@given(ends=GATES, of=st.integers(0, 2))
@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_gates_are_the_commands_to_the_last_bit(
    symmetric: tuple[Path, LivePage], ends: list[int], of: int
) -> None:
    stored, live = symmetric
    type_gate(live, ends, of)

    rows, counts, unc = by_command(stored, live.command)

    assert live.spectrum() == rows
    assert live.total[0] == counts
    assert np.sqrt(live.total[1]) == unc


@given(ends=GATES, of=st.integers(0, 2), side=st.sampled_from("xy"))
@examples(24, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_gates_on_either_axis_of_an_asymmetric_matrix_are_the_commands(
    asymmetric: tuple[Path, LivePage], ends: list[int], of: int, side: str
) -> None:
    stored, live = asymmetric
    live.page.select_option("#live-side", side)
    type_gate(live, ends, of)

    rows, counts, unc = by_command(stored, live.command)

    assert f"--axis {side}" in live.command
    assert live.spectrum() == rows
    assert (live.total[0], np.sqrt(live.total[1])) == (counts, unc)


def test_gates_on_channels_are_the_commands(browser: "Browser", tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    table = pl.LazyFrame({"adc_a": rng.integers(0, 4096, 3000), "adc_b": rng.integers(0, 9000, 3000)})
    matrix = gp.matrix(table, x="adc_a", y="adc_b", bin_kev=16.0, symmetric=False).collect()
    stored, page = written(tmp_path, matrix, 16.0)
    with opened(browser, page) as live:
        live.type_gate(1000, 1100, [(800, 900), (1200, 1333)])
        rows, counts, unc = by_command(stored, live.command)

        assert "--unit adc --axis x" in live.command
        assert live.spectrum() == rows
        assert (live.total[0], np.sqrt(live.total[1])) == (counts, unc)


def test_the_command_that_is_shown_writes_the_file_that_is_saved(symmetric: tuple[Path, LivePage]) -> None:
    stored, live = symmetric
    live.type_gate(4.5, 5.5, [(3.0, 4.0), (6.0, 7.2)])

    words = [str(stored) if word == "matrix.parquet" else word for word in shlex.split(live.command)[1:]]
    words[words.index("gated.csv")] = str(stored.with_name("gated.csv"))
    gammapolars(*words)

    written_ = pl.read_csv(stored.with_name("gated.csv"))
    assert live.spectrum() == written_.select("energy_kev", "counts", "variance").rows()
    assert live.saved("png")[:8] == b"\x89PNG\r\n\x1a\n"
