"""Bins that are too narrow, or too wide, to be counted in."""

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.analysis.accumulators import Matrix
from gammapolars.core.errors import UsageError
from gammapolars.core.units import Window
from gammapolars.detectors import Detector, Detectors
from gammapolars.spectra import binning, bins, rebinned

DETECTORS = Detectors((Detector(0, 0, energy=(0.0, 0.5)), Detector(0, 1, energy=(0.0, 0.5))))
COUNTS = pl.DataFrame(
    {"board": [0, 0], "channel": [0, 0], "adc": [1000, 2000], "counts": [3, 4]},
    schema_overrides={"board": pl.UInt16, "channel": pl.UInt16},
)


@pytest.mark.parametrize("width", [1e-300, 1e-12, 1e-9, 1e-8])
def test_counts_are_not_shared_out_among_more_bins_than_fit(width: float) -> None:
    with pytest.raises(UsageError, match=r"million bins|wide"):
        rebinned(COUNTS, DETECTORS, bin_kev=width)


def test_the_narrowest_bins_that_fit_hold_all_counts() -> None:
    assert rebinned(COUNTS, DETECTORS, bin_kev=1e-4)["counts"].sum() == pytest.approx(7, rel=1e-12)


@pytest.mark.parametrize("width", [1e-300, 5e-324, 1e300])
def test_widths_out_of_range_are_refused(width: float) -> None:
    hits = pl.LazyFrame({"board": [0], "channel": [0], "energy_kev": [1332.5]})
    with pytest.raises(UsageError, match="wide"):
        gp.spectrum(hits, bin_kev=width)


def test_a_value_whose_bin_has_no_number_is_an_error() -> None:
    hits = pl.LazyFrame({"board": [0, 0], "channel": [0, 0], "energy_kev": [1.0, 1e300]})
    with pytest.raises(UsageError, match="wider bins"):
        gp.spectrum(hits, bin_kev=1e-9).collect()


def test_filled_bins_beyond_the_limit_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = pl.LazyFrame({"board": [0] * 100, "channel": [0] * 100, "energy_kev": [1e15 * n for n in range(100)]})
    assert gp.spectrum(hits, bin_kev=1e-3).collect()["counts"].sum() == 100
    monkeypatch.setattr(bins, "MOST_BINS", 50)
    monkeypatch.setattr(binning, "BATCH_ROWS", 60)
    with pytest.raises(UsageError, match="million bins"):
        gp.spectrum(hits, bin_kev=1e-3).collect()


def test_a_matrix_does_not_leave_out_pairs_whose_bins_have_no_number() -> None:
    columns = {"board": 0, "channel": 0, "adc": 2000}
    pair = {f"{name}_{side}": value for side in "ab" for name, value in columns.items()}
    pairs = (
        pl.DataFrame([{**pair, "channel_b": 1, "timestamp_ps": 0, "dt_ps": 0}])
        .cast({pl.Int64: pl.UInt16})
        .with_columns(pl.col("timestamp_ps", "dt_ps").cast(pl.Int64))
    )
    counts = Matrix.of_energies(Window(-1000, 1000), DETECTORS, bin_kev=1e-300)
    counts.add_pairs(pairs)
    with pytest.raises(UsageError, match="too narrow"):
        counts.table()
