"""Prompt peaks wherever they lie: the same position and width from every output, and none where chance is all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gammapolars.analysis.recording import Recording
from gammapolars.calibration.timing import measure_timing
from gammapolars.calibration.timing.prompt_peaks import prompt_peaks
from gammapolars.core import defaults
from gammapolars.core.types import Floats
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import open_runs

SEARCH_PS = 10_000_000


def run_of(path: Path, late_ps: Callable[[np.random.Generator, Floats], Floats], *, pairs: int, singles: int) -> Path:
    """Two detectors: hits of the second are late by so much, given the adc values of the first ones."""
    rng = np.random.default_rng(pairs)
    first = np.sort(rng.integers(0, 10**12, pairs))
    adc = rng.integers(200, 8000, pairs)
    late = np.rint(late_ps(rng, adc.astype(float))).astype(np.int64)
    channels = [np.zeros(pairs), np.ones(pairs), rng.integers(0, 2, singles)]
    table = pl.DataFrame(
        {
            "board": pl.repeat(0, 2 * pairs + singles, dtype=pl.UInt16, eager=True),
            "channel": np.concatenate(channels).astype(np.uint16),
            "timestamp_ps": np.concatenate([first, first + late, rng.integers(0, 10**12, singles)]),
            "adc": np.concatenate([adc, np.full(pairs, 3000), np.full(singles, 1000)]).astype(np.uint16),
            "flags": pl.repeat(0, 2 * pairs + singles, dtype=pl.UInt32, eager=True),
        }
    )
    table.sort("timestamp_ps").write_parquet(path)
    return path


def peaks_in(path: Path, detectors: Detectors | None = None) -> pl.DataFrame:
    recording = Recording(open_runs(path), detectors or Detectors())
    return prompt_peaks(recording, reject=defaults.REJECT, search_ps=SEARCH_PS)


@pytest.mark.parametrize(("position_ns", "fwhm_ns"), [(0.0, 18.0), (-120.3, 2.0), (7_077.0, 60.0)])
def test_a_symmetric_peak_is_measured_where_it_is(tmp_path: Path, position_ns: float, fwhm_ns: float) -> None:
    sigma_ps = fwhm_ns / 2.3548 * 1000
    run = run_of(
        tmp_path / "run.parquet",
        lambda rng, adc: rng.normal(1000 * position_ns, sigma_ps, len(adc)),
        pairs=20_000,
        singles=50_000,
    )

    (peak,) = peaks_in(run).iter_rows(named=True)

    assert peak["position_ns"] == pytest.approx(position_ns, abs=3 * peak["position_ns_unc"])
    # The fit keeps to the core, so that tails have no say: that costs a third of the precision.
    assert peak["position_ns_unc"] == pytest.approx(1.45 * fwhm_ns / 2.3548 / np.sqrt(20_000), rel=0.15)
    assert peak["fwhm_ns"] == pytest.approx(fwhm_ns, abs=4 * peak["fwhm_ns_unc"])
    assert peak["sampled_pairs"] == pytest.approx(20_000, rel=0.03)


def test_a_peak_skewed_by_walk_stands_where_align_puts_it_and_at_zero_once_aligned(tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "run.parquet",
        lambda rng, adc: 30_000 - 400_000 / np.sqrt(adc) + rng.normal(0, 2000, len(adc)),
        pairs=30_000,
        singles=20_000,
    )
    timing = measure_timing(open_runs(run), walk=False)
    pair = timing.pairs.row(0, named=True)

    (as_recorded,) = peaks_in(run).iter_rows(named=True)
    (aligned,) = peaks_in(run, measure_timing(open_runs(run), walk=True).aligned).iter_rows(named=True)

    assert as_recorded["position_ns"] == pytest.approx(pair["position_ps"] / 1000, abs=1e-9)
    assert as_recorded["fwhm_ns"] == pytest.approx(pair["fwhm_before_ps"] / 1000, abs=1e-9)
    assert abs(aligned["position_ns"]) < 3 * aligned["position_ns_unc"] + 0.01
    assert aligned["fwhm_ns"] == pytest.approx(2.0 * 2.3548, rel=0.03)


def test_offsets_are_subtracted(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run.parquet", lambda rng, adc: rng.normal(50_000, 3000, len(adc)), pairs=5000, singles=0)
    detectors = Detectors((Detector(0, 0, "A", time_offset_ps=20_000), Detector(0, 1, "B", time_offset_ps=75_000)))

    (peak,) = peaks_in(run, detectors).iter_rows(named=True)

    assert (peak["name_a"], peak["name_b"]) == ("A", "B")
    assert peak["position_ns"] == pytest.approx(-5.0, abs=3 * peak["position_ns_unc"])


@pytest.mark.parametrize("singles", [10, 3000, 300_000])
def test_chance_alone_has_no_peak(tmp_path: Path, singles: int) -> None:
    run = run_of(tmp_path / "run.parquet", lambda _, adc: adc, pairs=0, singles=singles)

    assert peaks_in(run).is_empty()


def test_many_detectors_show_in_sum_what_none_shows_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    times = np.sort(rng.integers(0, 10**13, 400))
    first, second = (rng.permuted(np.tile(np.arange(16), (400, 1)), axis=1)[:, :2]).T
    late = np.rint(rng.normal(0, 5000, 400)).astype(np.int64)
    table = pl.DataFrame(
        {
            "board": pl.repeat(0, 800, dtype=pl.UInt16, eager=True),
            "channel": np.concatenate([first, second]).astype(np.uint16),
            "timestamp_ps": np.concatenate([times, times + late]),
            "adc": pl.repeat(1000, 800, dtype=pl.UInt16, eager=True),
            "flags": pl.repeat(0, 800, dtype=pl.UInt32, eager=True),
        }
    )
    table.sort("timestamp_ps").write_parquet(tmp_path / "run.parquet")

    (peak,) = peaks_in(tmp_path / "run.parquet").iter_rows(named=True)

    assert (peak["name_a"], peak["name_b"]) == ("all detector pairs", "")
    assert peak["position_ns"] == pytest.approx(0.0, abs=4 * peak["position_ns_unc"])
    assert peak["fwhm_ns"] == pytest.approx(5.0 * 2.3548, rel=0.15)
