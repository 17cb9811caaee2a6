"""The drift of gains: lines tracked in simulated runs whose true gain is known, and factors attached to hits."""

import functools
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

import gammapolars as gp
from gammapolars.analysis.accumulators import AdcSpectra
from gammapolars.analysis.accumulators.drift import AdcRange, DriftSpectra
from gammapolars.analysis.gain_correction import GainCorrection
from gammapolars.calibration.drift.lines import SIGMA_PER_FWHM, Position, adc_at, line_position, tracked_lines
from gammapolars.calibration.drift.path import LineCounts, gain_path
from gammapolars.calibration.drift.smooth import smooth
from gammapolars.core.errors import DetectorsError, GammapolarsError, InputError, TableError, UsageError
from gammapolars.detectors import Detector, Detectors, format_detectors, load_detectors
from gammapolars.io import open_runs
from gammapolars.simulate import DEFAULT_DETECTORS, GainDrift, around_source, parse_sources, simulate, write_run
from tests.commandline import gammapolars
from tests.drawing import FULL, examples
from tests.hits import BAD, frame, in_batches, stream
from tests.plots import built

Floats = npt.NDArray[np.float64]

RECORDED = os.environ.get("GAMMAPOLARS_REAL_DATA", "")

TWO = Detectors(DEFAULT_DETECTORS.all[:2])
ONE = Detectors(DEFAULT_DETECTORS.all[:1])
COBALT = (1173.228, 1332.492)
HITS = 150_000
SPAN_S = 900.0
"""About how long such a run lasts."""

DRIFTS = {
    "linear": GainDrift(per_hour=0.01 * 3600 / SPAN_S),
    "sine": GainDrift(amplitude=0.005, period_s=SPAN_S / 1.5),
    "steady": GainDrift(),
}


def made(
    path: Path,
    drift: GainDrift,
    *,
    sources: Sequence[str] = ("Co-60=2kBq",),
    hits: int = HITS,
    seed: int = 5,
    detectors: Detectors = TWO,
) -> Path:
    """A simulated run of detectors whose gains drift."""
    simulated = around_source(detectors, drift=drift)
    write_run(path, simulate(parse_sources(sources), simulated, seed=seed, hits=hits))
    return path


class Simulated(dict[str, Path]):
    """Runs by the name of their drift, simulated when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, name: str) -> Path:
        self[name] = made(self.folder / f"{name}.root", DRIFTS[name])
        return self[name]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return Simulated(tmp_path_factory.mktemp("drift"))


@pytest.fixture(scope="module")
def tracked(runs: dict[str, Path]) -> Callable[[str], gp.DriftTrack]:
    return functools.cache(lambda name: gp.track_drift(runs[name], TWO, COBALT))


def residuals(hits: pl.DataFrame, drift: GainDrift) -> Floats:
    """For each hit by how much its corrected adc is off, relative to what a steady gain would have given."""
    return np.asarray(hits["gain_factor"].to_numpy() * drift.gain(hits["timestamp_ps"].to_numpy()) - 1)


def width_kev(energies: pl.Series, line_kev: float) -> float:
    """The FWHM of a line in energies."""
    counts, _ = np.histogram(energies.drop_nulls().to_numpy(), np.arange(line_kev - 20, line_kev + 20, 0.1))
    fit = line_position(counts.astype(float), 0.5, 200, 19, fit_width=True)
    assert fit.status == "ok"
    return 0.1 * fit.fwhm


# The simulated drift


def test_a_simulated_gain_drifts_as_it_is_told() -> None:
    drift = GainDrift(per_hour=0.01, amplitude=0.002, period_s=100, step=-0.004, step_s=1800)

    gain = drift.gain(np.array([0, 25, 1800, 3600]) * 10**12)

    assert gain == pytest.approx([1, 1 + 0.01 * 25 / 3600 + 0.002, 1.005 - 0.004, 1.01 - 0.004], abs=1e-12)
    assert not GainDrift()


@pytest.mark.parametrize("numbers", [{"period_s": 0.0}, {"per_hour": np.nan}, {"amplitude": np.inf}])
def test_an_impossible_drift_is_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        GainDrift(**numbers)


def test_adc_values_are_those_of_a_steady_gain_times_the_drift(runs: dict[str, Path]) -> None:
    steady, drifted = (gp.scan(runs[name]).collect() for name in ("steady", "linear"))

    assert steady.drop("adc", "flags").equals(drifted.drop("adc", "flags"))
    good = ((steady["flags"] | drifted["flags"]) & BAD) == 0
    expected = steady["adc"].to_numpy() * DRIFTS["linear"].gain(steady["timestamp_ps"].to_numpy())
    assert np.abs(drifted["adc"].to_numpy() - expected)[good.to_numpy()].max() < 1.02


@pytest.mark.parametrize(
    ("words", "drift"),
    [(("--drift", "0.02"), GainDrift(per_hour=0.02)), pytest.param((), None, marks=pytest.mark.slow)],
)
def test_the_command_simulates_a_drift_and_its_metadata_tell_the_truth(
    tmp_path: Path, words: tuple[str, ...], drift: GainDrift | None
) -> None:
    done = gammapolars("simulate", "--source", "Co-60", "--hits", "2000", "-o", tmp_path / "run.root", *words)

    assert done.code == 0
    told = _simulation(tmp_path / "run.root")["detectors"][0].get("drift")
    assert (GainDrift(**told) if told else None) == drift


def _simulation(path: Path) -> dict[str, list[dict[str, dict[str, float]]]]:
    import uproot

    with uproot.open(path) as file:
        told: dict[str, dict[str, list[dict[str, dict[str, float]]]]] = json.loads(str(file["gammapolars"]))
    return told["simulation"]


# One line


def fitted(
    rng: np.random.Generator, area: float, background: float, *, fit_width: bool = False
) -> tuple[float, Position]:
    """A true position and what is found of it; 18 channels FWHM, on a falling background."""
    true = 100 + rng.uniform(-6, 6)
    edges = np.arange(201) - 0.5
    expected = area * np.diff(ndtr((edges - true) / (18 * SIGMA_PER_FWHM))) + background * np.linspace(1.3, 0.7, 200)
    return true, line_position(rng.poisson(expected).astype(float), 0, 100, 18, fit_width=fit_width)


@pytest.mark.parametrize(("area", "background"), [(60, 0.1), (100, 1), (400, 0.05), (3000, 20)])
def test_positions_have_the_uncertainties_that_they_claim(area: float, background: float) -> None:
    rng = np.random.default_rng(1)
    pulls = []
    for _ in range(300):
        true, found = fitted(rng, area, background)
        if found.status == "ok":
            pulls.append((found.position - true) / found.unc)

    assert len(pulls) >= 295
    assert abs(np.mean(pulls)) < 0.18
    assert 0.87 < np.std(pulls) < 1.13


def test_a_width_is_fitted_too() -> None:
    rng = np.random.default_rng(2)

    widths = [fitted(rng, 3000, 5, fit_width=True)[1].fwhm for _ in range(100)]

    assert np.mean(widths) == pytest.approx(18, abs=0.12)


@pytest.mark.parametrize(
    ("area", "background", "status"), [(0, 5.0, "no line"), (0, 0.05, "few counts"), (15, 5.0, "no line")]
)
def test_where_there_is_no_line_the_fit_says_so(area: float, background: float, status: str) -> None:
    rng = np.random.default_rng(3)

    found = [fitted(rng, area, background)[1].status for _ in range(200)]

    assert found.count(status) > 150
    assert found.count("ok") <= 4


def test_a_line_elsewhere_is_not_taken() -> None:
    counts = np.zeros(200)
    counts[125:132] = 50

    assert line_position(counts, 0, 100, 18).status != "ok"
    assert line_position(counts, 0, 300, 18).status == "at the edge"


def test_bins_of_several_values_give_the_same_position() -> None:
    rng = np.random.default_rng(4)
    counts = np.histogram(rng.normal(1000.3, 30, 20_000), np.arange(700.5, 1301.5))[0].astype(float)

    fine = line_position(counts, 701, 1000, 70)
    coarse = line_position(counts.reshape(-1, 6).sum(axis=1), 701, 1000, 70, bin_adc=6)

    assert coarse.position == pytest.approx(fine.position, abs=0.2 * fine.unc)
    assert coarse.unc == pytest.approx(fine.unc, rel=0.03)


def test_the_way_of_a_gain_is_found_through_slices_with_few_counts_and_none() -> None:
    rng = np.random.default_rng(5)
    gain = 1 + 0.01 * np.sin(np.linspace(0, 6, 120))
    counts = np.zeros((120, 1400))
    for place, one in enumerate(gain):
        line = np.histogram(rng.normal(10_000 * one, 7.6, 12), np.arange(9300, 10_701) - 0.5)[0]
        counts[place] = line + rng.poisson(0.02, 1400)
    counts[40:55] = 0

    found, _ = gain_path([LineCounts(10_000, 9299.5, 1, counts)], [18.0], 0.03)

    seen = np.delete(np.arange(120), np.arange(40, 55))
    assert np.abs(found - gain)[seen].max() < 0.0018  # one width of the line


# The smooth course


def course(shape: Floats, sigma: float, seed: int) -> tuple[Floats, Floats, float]:
    """Deviations from the truth and their uncertainties, and how many steps were found."""
    rng = np.random.default_rng(seed)
    time = (np.arange(len(shape), dtype=np.float64) + 0.5) * 1000
    at = np.linspace(0, 1000 * len(shape), 101)
    found = smooth(time, shape + rng.normal(0, sigma, len(shape)), np.full(len(shape), sigma), at)
    return found.level - np.interp(found.time, time, shape), found.unc, len(found.steps)


@pytest.mark.parametrize("name", ["constant", "line", "sine"])
def test_a_smooth_course_follows_the_truth_and_not_the_noise(name: str) -> None:
    x = np.linspace(0, 1, 200)
    shape = {"constant": 0 * x, "line": 0.01 * x, "sine": 0.005 * np.sin(6 * x)}[name]

    found = [course(shape, 1e-4, seed) for seed in range(6)]

    inside = slice(2, -2)  # np.interp ends with the first and last positions
    rms = np.sqrt(np.mean([deviation[inside] ** 2 for deviation, _, _ in found]))
    pulls = np.concatenate([(deviation / unc)[inside] for deviation, unc, _ in found])
    assert rms < (0.45 if name == "sine" else 0.15) * 1e-4
    assert 0.6 < np.sqrt(np.mean(pulls**2)) < 1.35
    assert sum(steps for _, _, steps in found) == 0


def test_a_step_stays_a_step() -> None:
    shape = np.where(np.arange(200) < 87, 0.0, 0.003) + np.linspace(0, 0.002, 200)
    rng = np.random.default_rng(7)
    time = (np.arange(200, dtype=np.float64) + 0.5) * 1000
    found = smooth(time, shape + rng.normal(0, 1e-4, 200), np.full(200, 1e-4), np.linspace(0, 200_000, 101))

    assert found.steps == (87_000.0,)
    true = np.where(found.time < 87_000, 0.0, 0.003) + np.interp(found.time, time, np.linspace(0, 0.002, 200))
    assert np.abs(found.level - true).max() < 1.5e-4


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_few_positions_are_enough(count: int) -> None:
    time = np.linspace(100, 900, count)
    found = smooth(time, 1 + 1e-6 * time, np.full(count, 1e-5), np.linspace(0, 1000, 11))

    assert found.level == pytest.approx(1 + 1e-6 * (found.time if count > 1 else 100), abs=1e-5)
    assert (found.unc > 0).all()


@pytest.mark.parametrize("unc", [1e6, 1e12])
def test_a_position_that_nothing_is_known_of_does_not_move_the_course(unc: float) -> None:
    time = np.arange(8.0)
    known = np.arange(8) != 3
    line = 1000 + 0.5 * time

    found = smooth(time, np.where(known, line, line + unc), np.where(known, 0.01, unc), time)

    assert found.level == pytest.approx(line, abs=1e-4)
    assert (found.unc < 0.011).all()


# Counts in slices


@examples(60)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 400), st.integers(0, 2), st.integers(0, 1), st.integers(0, 60), st.sampled_from([0, 8])
        ),
        max_size=60,
    ),
    batch=st.integers(1, 20),
    step=st.sampled_from([1, 2, 5]),
    second=st.booleans(),
)
def test_slices_hold_what_is_counted_hit_by_hit(
    rows: list[tuple[int, int, int, int, int]], batch: int, step: int, second: bool
) -> None:
    hits = frame(sorted(rows, key=lambda row: row[0]))
    parts = [hits, hits.with_columns(timestamp_ps=pl.col("timestamp_ps") * 3 - 700)] if second else [hits]
    numbered = [part.with_columns(run=pl.lit(number, pl.UInt16)) for number, part in enumerate(parts, 1)]
    ranges = {(0, 1): [AdcRange(10, 30 // step, step), AdcRange(20, 15 // step, step)], (1, 2): [AdcRange(0, 4, step)]}
    product = DriftSpectra(8, ranges, first_width_ps=7, most_slices=8)

    for part in numbered:
        for piece in in_batches(part, batch):
            product.add_hits(piece)

    found = {one.run: one for one in product.runs}
    assert set(found) == {number for number, part in enumerate(numbered, 1) if part.height}
    for number, part in enumerate(numbered, 1):
        if not part.height:
            continue
        one = found[number]
        assert len(one.counts) <= 8
        assert one.first_ps == part["timestamp_ps"][0]
        assert (one.width_ps // 7).bit_count() == 1
        for key, wanted in ranges.items():
            for place in wanted:
                expected = np.zeros((len(one.counts), place.bins))
                for hit in part.iter_rows(named=True):
                    column = (hit["adc"] - place.first_adc) // place.bin_adc
                    if (hit["board"], hit["channel"]) == key and not hit["flags"] & 8 and 0 <= column < place.bins:
                        expected[(hit["timestamp_ps"] - one.first_ps) // one.width_ps, column] += 1
                assert np.array_equal(product.counts(one, key, place), expected)


def test_many_runs_stay_within_the_bound() -> None:
    product = DriftSpectra(0, {(0, 0): [AdcRange(0, 50)]}, first_width_ps=1, most_slices=64, most_cells=6400)
    for run in range(1, 41):
        hits = frame((time, 0, 0, time % 50) for time in range(1000))
        product.add_hits(hits.with_columns(run=pl.lit(run, pl.UInt16)))

    found = product.runs

    assert sum(one.counts.size for one in found) <= 6400
    assert all(one.counts.sum() == 1000 for one in found)
    assert len({one.run for one in found}) == 40


# Factors attached to hits


def table(rows: Sequence[tuple[int, int, int, int, float]]) -> pl.DataFrame:
    """A table of drift from run, board, channel, time and factor."""
    return pl.DataFrame([(*row, 1e-5) for row in rows], dict(gp.DRIFT.columns), orient="row")


KNOTS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(-2, 60).map(lambda us: us * 10**6),
        st.floats(0.5, 2.0),
    ),
    max_size=25,
    unique_by=lambda row: row[:4],
)


@examples(80)
@given(
    knots=KNOTS,
    hits=st.lists(
        st.tuples(st.integers(1, 3), st.integers(-3_000_000, 70_000_000), st.integers(0, 2), st.integers(0, 1)),
        max_size=40,
    ),
    batch=st.integers(1, 15),
    late=st.integers(0, 2_000_000),
)
def test_factors_are_those_of_numpy_interp(
    knots: list[tuple[int, int, int, int, float]], hits: list[tuple[int, int, int, int]], batch: int, late: int
) -> None:
    rng = np.random.default_rng(len(hits))
    hits = sorted(hits, key=lambda hit: (hit[0], hit[1] - rng.integers(0, late + 1)))
    known = table(knots)
    given_ = frame((time, channel, board) for _, time, channel, board in hits).with_columns(
        run=pl.Series([hit[0] for hit in hits], dtype=pl.UInt16)
    )

    found = gp.correct_drift(stream(given_, batch), known).collect()

    assert found.drop("gain_factor").equals(given_)
    for (run, time, channel, board), factor in zip(hits, found["gain_factor"], strict=True):
        own = known.filter(run=run, board=board, channel=channel).sort("timestamp_ps")
        expected = 1.0
        if own.height:
            # Knots before 0 count as knots at 0, the last of them.
            knots_ps = (
                own.with_columns(pl.col("timestamp_ps").clip(0))
                .unique("timestamp_ps", keep="last")
                .sort("timestamp_ps")
            )
            expected = float(np.interp(time, knots_ps["timestamp_ps"], knots_ps["gain_factor"]))
        if late == 0:
            assert factor == pytest.approx(expected, rel=1e-12)
        else:
            assert 0.49 < factor < 2.01


def test_hits_a_little_late_are_interpolated_from_their_own_time() -> None:
    known = table([(1, 0, 0, 0, 1.0), (1, 0, 0, 10**12, 1.1)])
    times = [3 * 10**11, 3 * 10**11 - 10**9, 4 * 10**11]

    found = gp.correct_drift(frame((time,) for time in times).lazy(), known).collect()

    assert found["gain_factor"].to_list() == pytest.approx([1 + 0.1 * time / 10**12 for time in times], rel=1e-12)


def test_a_factor_jumps_at_a_step_alone() -> None:
    known = table(
        [(1, 0, 0, 0, 1.0), (1, 0, 0, 10**12, 1.0), (1, 0, 0, 10**12 + 10**6, 1.1), (1, 0, 0, 2 * 10**12, 1.1)]
    )
    times = [10**12 - 1, 10**12 + 10**6, 10**12 + 2 * 10**6, 10**12 - 10**9, 3 * 10**12]

    found = gp.correct_drift(frame((time,) for time in times).lazy(), known).collect()

    assert found["gain_factor"].to_list() == pytest.approx([1.0, 1.1, 1.1, 1.1, 1.1])  # the late one: that of its time


@pytest.mark.parametrize("span_us", [1, 2, 3])
def test_factors_rise_evenly_between_knots_a_few_microseconds_apart(span_us: int) -> None:
    start, end = 5 * 10**6, (5 + span_us) * 10**6
    known = table([(1, 0, 0, start, 1.0), (1, 0, 0, end, 1.6)])
    times = np.linspace(start, end - 1, 7).astype(np.int64)

    found = gp.correct_drift(frame((int(time),) for time in times).lazy(), known).collect()

    expected = 1 + 0.6 * (times - start) / (end - start)
    assert found["gain_factor"].to_list() == pytest.approx(expected, rel=1e-12)


def test_calibrating_makes_use_of_the_factor() -> None:
    detectors = Detectors((Detector(0, 0, energy=(1.0, 2.0, 1e-3)),))
    hits = frame([(0, 0, 0, 100), (10, 0, 0, 100), (20, 1, 0, 100)]).lazy()
    factors = pl.Series([1.1, None, 1.2])

    plain = hits.pipe(gp.calibrate, detectors).collect()["energy_kev"].to_list()
    found = hits.with_columns(gain_factor=factors).pipe(gp.calibrate, detectors).collect()

    assert found["energy_kev"].to_list() == [pytest.approx(1 + 2 * 110 + 12.1), plain[1], None]
    pairs = hits.with_columns(gain_factor=factors).pipe(gp.pairs, "5ps:15ps").pipe(gp.calibrate, detectors).collect()
    assert pairs.is_empty() or "energy_kev_b" in pairs.columns
    both = gp.pairs(hits.with_columns(gain_factor=factors, channel=pl.Series([0, 1, 2], dtype=pl.UInt16)), "30ps")
    assert {"gain_factor_a", "gain_factor_b"} <= set(both.collect_schema())
    gp.require(both, gp.PAIRS)


def test_spectra_count_corrected_values_without_gaps() -> None:
    rng = np.random.default_rng(1)
    rows = [(1000 * time, 0, 0, int(adc)) for time, adc in enumerate(rng.integers(900, 1100, 40_000))]
    hits = frame(rows)
    plain, corrected = AdcSpectra(0), AdcSpectra(0)

    plain.add_hits(hits)
    corrected.add_hits(hits.with_columns(gain_factor=pl.lit(1.1)))

    detectors = Detectors((Detector(0, 0, energy=(0.0, 1.0)),))
    before, after = (one.spectra(detectors, None) for one in (plain, corrected))
    assert before["counts"].sum() == after["counts"].sum() == 40_000
    values = after["adc"].to_numpy()
    assert values.min() >= 989
    assert values.max() <= 1210
    inside = after.filter(pl.col("adc").is_between(1000, 1200))["counts"].to_numpy()
    assert len(inside) == 201
    assert inside.mean() == pytest.approx(40_000 / 220, rel=0.02)
    assert inside.std() < 1.3 * np.sqrt(inside.mean())


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.inf])
def test_an_impossible_factor_is_refused(factor: float) -> None:
    with pytest.raises(TableError, match="positive number"):
        gp.correct_drift(frame([]).lazy(), table([(1, 0, 0, 0, factor)]))


def test_hits_of_an_unnamed_run_need_a_table_of_one() -> None:
    known = table([(1, 0, 0, 0, 1.5), (2, 0, 0, 0, 2.0)])
    hits = frame([(5,)]).lazy()

    with pytest.raises(UsageError, match="runs 1 to 2"):
        gp.correct_drift(hits, known)
    assert gp.correct_drift(hits, known, run=2).collect()["gain_factor"].to_list() == [2.0]
    assert gp.correct_drift(hits, known.head(0)).collect()["gain_factor"].to_list() == [1.0]


# Tracking


@pytest.mark.parametrize(
    "name", ["linear", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sine", "steady"))]
)
def test_a_drift_of_a_percent_is_corrected(
    name: str, runs: dict[str, Path], tracked: Callable[[str], gp.DriftTrack]
) -> None:
    found = tracked(name)

    hits = gp.scan(runs[name]).pipe(gp.correct_drift, found.drift).pipe(gp.calibrate, TWO).collect()

    off = residuals(hits, DRIFTS[name])
    assert np.sqrt(np.mean(off**2)) < 1e-4
    assert np.abs(off).max() < 4e-4
    steady = gp.scan(runs["steady"]).pipe(gp.calibrate, TWO).collect()
    for channel in (1, 2):
        own, other = (one.filter(pl.col("channel") == channel)["energy_kev"] for one in (hits, steady))
        assert width_kev(own, 1332.492) == pytest.approx(width_kev(other, 1332.492), rel=0.03)
    assert found.warnings == ()
    assert (found.positions["status"] == "ok").to_numpy().mean() > 0.97
    if name == "steady":
        assert found.detectors["drift_span_pct"].to_numpy().max() < 0.01


def test_what_was_found_is_told(tracked: Callable[[str], gp.DriftTrack]) -> None:
    found = tracked("linear")

    gp.require(found.drift.table.lazy(), gp.DRIFT)
    assert found.drift.runs[0].files == ("linear.root",)
    assert found.detectors["drift_span_pct"].to_list() == pytest.approx([1.0, 1.0], abs=0.05)
    for row in found.lines.iter_rows(named=True):
        assert row["fwhm_before_kev"] > 4 * row["fwhm_after_kev"]
        assert 0.75 < row["chi2_ndf"] < 1.25
        assert row["disagreement_pct"] is None
    sums = found.spectra.group_by("channel", "line_kev").agg(pl.col("counts_before", "counts_after").sum())
    assert (sums["counts_after"] / sums["counts_before"]).to_list() == pytest.approx(
        [1] * 4, abs=0.04
    )  # background moves in and out


@pytest.mark.slow
def test_the_mean_can_be_the_reference(runs: dict[str, Path]) -> None:
    found = gp.track_drift(runs["linear"], TWO, [1332.492], reference="mean")

    factors = found.drift.table
    for channel in (1, 2):
        own = factors.filter(pl.col("channel") == channel)
        assert np.log(own["gain_factor"].to_numpy()).mean() == pytest.approx(0, abs=1e-5)
        gain = DRIFTS["linear"].gain(own["timestamp_ps"].to_numpy())
        assert np.ptp(own["gain_factor"].to_numpy() * gain) < 4e-4


@pytest.mark.slow
def test_a_width_that_is_not_known_is_found(runs: dict[str, Path], tracked: Callable[[str], gp.DriftTrack]) -> None:
    bare = Detectors(tuple(replace(one, fwhm=None, kind="") for one in ONE))

    found = gp.track_drift(runs["linear"], bare, COBALT)

    known = tracked("linear").lines.filter(pl.col("channel") == 1)["fwhm_after_kev"].to_list()
    assert found.lines["fwhm_after_kev"].to_list() == pytest.approx(known, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(8000, 1300, 6500), pytest.param((30_000, 1300, 25_000), marks=pytest.mark.slow)])
def test_runs_are_corrected_each_by_itself(sizes: tuple[int, ...], tmp_path: Path) -> None:
    drifts = [GainDrift(per_hour=0.01), GainDrift(step=-0.006), GainDrift(step=0.005, per_hour=-0.01)]
    paths = [
        made(tmp_path / f"run{number}.root", drift, hits=size, seed=number, detectors=ONE)
        for number, (drift, size) in enumerate(zip(drifts, sizes, strict=True), 1)
    ]
    opened = open_runs(*paths, apart=True)

    found = gp.track_drift(opened, ONE, COBALT)

    hits = gp.correct_drift(opened.hits, found.drift).collect()
    for number, drift in enumerate(drifts, 1):
        off = residuals(hits.filter(pl.col("run") == number), drift)
        assert np.sqrt(np.mean(off**2)) < 2e-4, number
    assert [one.files for one in found.drift.runs] == [(path.name,) for path in paths]
    assert found.curves.group_by("run").agg(pl.col("time_s").min()).sort("run")["time_s"].is_sorted()


def test_a_short_run_has_one_knot(tmp_path: Path) -> None:
    path = made(tmp_path / "short.root", GainDrift(step=0.004), hits=900)

    found = gp.track_drift(path, TWO, [1332.492])

    assert found.drift.table.group_by("channel").len()["len"].to_list() == [1, 1]
    assert found.drift.table["gain_factor"].to_list() == pytest.approx([1 / 1.004] * 2, abs=6e-4)


@pytest.mark.slow
def test_a_drift_of_the_offset_is_told(tmp_path: Path) -> None:
    """Lines that do not move by the same factor."""
    path = made(tmp_path / "run.root", GainDrift(), sources=("Eu-152=2kBq",), hits=70_000, detectors=ONE)
    hits = gp.scan(path).collect()
    moved = hits.with_columns(
        adc=(pl.col("adc") + (pl.col("timestamp_ps") / hits["timestamp_ps"].max() * 20).round()).cast(pl.UInt16)
    )
    moved.write_parquet(tmp_path / "moved.parquet")

    found = gp.track_drift(tmp_path / "moved.parquet", ONE, [344.2785, 1408.013])

    assert any("drifts differently from the others" in text for text in found.warnings)


@pytest.mark.slow
def test_missing_and_distant_lines_are_told(runs: dict[str, Path]) -> None:
    nothing = gp.track_drift(runs["steady"], TWO, [900.0])
    assert nothing.drift.table.is_empty()
    assert all("no line was found" in text for text in nothing.warnings[::2])
    assert nothing.detectors["drift_span_pct"].to_list() == [None, None]

    away = gp.track_drift(runs["steady"], TWO, [1359.0])
    assert any("from the positions expected from the calibration" in text for text in away.warnings)

    beyond = gp.track_drift(runs["steady"], Detectors((TWO.all[0],)), [1332.492, 1e4])
    assert any("10000 keV are outside the range of HPGe-1" in text for text in beyond.warnings)
    assert any("HPGe-1" not in text or "no energy" not in text for text in beyond.warnings)
    assert any("0/2 has no energy calibration" in text for text in beyond.warnings)


@pytest.mark.parametrize(
    ("lines", "options", "said"),
    [
        ([], {}, "no line"),
        ([-5.0], {}, "positive"),
        ([1e5], {}, "outside the range of every detector"),
        ([1332.5], {"reach": 0.5}, "reach"),
        ([1332.5], {"slice": "0s"}, "longer than 0"),
        ([1332.5], {"reference": "median"}, "calibration"),
    ],
)
def test_impossible_requests_are_refused(
    runs: dict[str, Path], lines: list[float], options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        gp.track_drift(runs["steady"], TWO, lines, **options)  # type: ignore[arg-type]


def test_without_a_calibration_nothing_is_tracked(runs: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="no detector is calibrated"):
        gp.track_drift(runs["steady"], Detectors((Detector(0, 1),)), [1332.5])


def test_lines_are_looked_for_where_the_calibration_has_them() -> None:
    detector = Detector(0, 0, energy=(-3.0, 0.25, 1e-6), fwhm=(4.0,))

    adc = adc_at(detector.energy or (), 661.657)

    assert adc is not None
    assert -3 + 0.25 * adc + 1e-6 * adc**2 == pytest.approx(661.657)
    (line,) = tracked_lines(detector, [661.657, 1e6], 0.03)
    low, high = line.part.first_adc, line.part.first_adc + line.part.bins * line.part.bin_adc
    assert low < 0.97 * adc < 1.03 * adc < high
    assert adc_at((0.0, 1.0), 70_000) is None
    assert adc_at((), 5) is None


# Files and commands

CALIBRATED = 'drift = "gain.parquet"\n\n' + format_detectors(TWO)


@pytest.fixture(scope="module")
def gains(runs: dict[str, Path]) -> Path:
    """The drift of a run as the command writes it."""
    folder = runs["linear"].parent
    (folder / "plain.toml").write_text(format_detectors(TWO))
    done = gammapolars(
        "drift", runs["linear"], "--track", "1173.228", "--track", "1332.492", "--detectors", folder / "plain.toml",
        "-o", folder / "gain.parquet", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["detectors"][0]["drift_span_pct"] == pytest.approx(1, abs=0.05)
    return folder / "gain.parquet"


@pytest.fixture
def folder(tmp_path: Path, runs: dict[str, Path], gains: Path) -> Path:
    """A run, the drift of it as the command writes it, and a detectors.toml that names it."""
    (tmp_path / "linear.root").symlink_to(runs["linear"])
    (tmp_path / "steady.root").symlink_to(runs["steady"])
    (tmp_path / "plain.toml").write_text(format_detectors(TWO))
    (tmp_path / "d.toml").write_text(CALIBRATED)
    shutil.copy(gains, tmp_path / "gain.parquet")
    return tmp_path


def test_the_command_writes_what_python_finds(folder: Path, tracked: Callable[[str], gp.DriftTrack]) -> None:
    found = gp.load_drift(folder / "gain.parquet")

    assert found.table.equals(tracked("linear").drift.table)
    assert found.runs == tracked("linear").drift.runs
    assert json.loads(gammapolars("info", folder / "linear.root", "--json").out)["hits"] == HITS


@pytest.mark.slow
@pytest.mark.usefixtures("built_figures")
def test_the_command_prints_a_table_and_draws_a_figure(folder: Path) -> None:
    gp.scan(folder / "linear.root").head(20_000).collect().write_parquet(folder / "run.parquet")
    words = ("drift", folder / "run.parquet", "--track", "1332.492", "--detectors", folder / "plain.toml")

    done = gammapolars(*words, "-o", folder / "g.parquet", "--figure", folder / "g.png")

    assert done.code == 0, done.err
    assert "HPGe-2, 1332.49 keV" in done.out
    assert (folder / "g.png").read_bytes().startswith(b"\x89PNG")
    assert "--overwrite" in gammapolars(*words, "-o", folder / "g.parquet").error
    assert "unknown suffix" in gammapolars(*words, "-o", folder / "g.csv").error
    assert "reference" in gammapolars(*words, "-o", folder / "h.parquet", "--reference", "x").error


def test_commands_correct_the_drift_that_detectors_toml_names(folder: Path) -> None:
    """A line of one per cent drift comes out as narrow as of a steady gain, in every product."""
    run, detectors = folder / "linear.root", folder / "d.toml"
    plain = gammapolars("spectrum", run, "--detectors", detectors, "--bin-kev", "0.25", "-o", folder / "s.parquet")
    assert plain.code == 0, plain.err
    assert "Warning" not in plain.out
    spectrum = pl.read_parquet(folder / "s.parquet").filter(pl.col("channel") == 2)
    line = spectrum.filter(pl.col("energy_kev").is_between(1320, 1345)).sort("energy_kev")
    inside = line.filter(pl.col("energy_kev").is_between(1330.5, 1334.5))
    assert float(inside["counts"].sum()) > 0.9 * float(line["counts"].sum())

    assert gammapolars("convert", run, "--detectors", detectors, "-o", folder / "c.parquet").code == 0
    assert gammapolars("coincidences", run, "--detectors", detectors, "-o", folder / "p.parquet").code == 0
    hits, pairs = pl.read_parquet(folder / "c.parquet"), pl.read_parquet(folder / "p.parquet")
    expected = gp.scan(run).pipe(gp.correct_drift, folder / "gain.parquet").pipe(gp.calibrate, TWO).collect()
    assert hits.select("timestamp_ps", "gain_factor", "energy_kev").equals(
        expected.select("timestamp_ps", "gain_factor", "energy_kev")
    )
    paired = gp.pairs(expected.lazy()).collect()
    assert pairs.select(sorted(pairs.columns)).equals(paired.select(sorted(pairs.columns)))
    assert {"gain_factor_a", "gain_factor_b"} <= set(pairs.columns)


def test_a_query_gets_corrected_energies(folder: Path) -> None:
    (folder / "ask.py").write_text(
        '"""The energies of all hits."""\n\nimport polars as pl\n\n\n'
        'def query(hits: pl.LazyFrame) -> pl.LazyFrame:\n    return hits.select("timestamp_ps", "energy_kev")\n'
    )

    done = gammapolars(
        "query", folder / "ask.py", folder / "linear.root", "--detectors", folder / "d.toml", "-o", folder / "q.parquet"
    )

    assert done.code == 0, done.err
    expected = gp.scan(folder / "linear.root").pipe(gp.correct_drift, folder / "gain.parquet").pipe(gp.calibrate, TWO)
    assert pl.read_parquet(folder / "q.parquet").equals(expected.select("timestamp_ps", "energy_kev").collect())


@pytest.mark.usefixtures("undrawn")
def test_the_matrix_and_the_report_are_corrected(folder: Path) -> None:
    run, detectors = folder / "linear.root", folder / "d.toml"

    assert gammapolars("matrix", run, "--detectors", detectors, "-o", folder / "m.parquet").code == 0
    assert gammapolars("matrix", run, "--detectors", folder / "plain.toml", "-o", folder / "n.parquet").code == 0
    assert gammapolars("report", run, "--detectors", detectors, "-o", folder / "report").code == 0

    def at_cascade(path: Path) -> float:
        near = pl.col("energy_kev_x").is_between(1170, 1176) & pl.col("energy_kev_y").is_between(1329, 1336)
        return float(pl.read_parquet(path).filter(near)["counts"].sum())

    assert at_cascade(folder / "m.parquet") > 2 * at_cascade(folder / "n.parquet") > 0
    spectra = pl.read_parquet(folder / "report" / "spectra.parquet").filter(pl.col("channel") == 2)
    near = spectra.filter(pl.col("energy_kev").is_between(1320, 1345))
    inside = near.filter(pl.col("energy_kev").is_between(1330, 1335))
    assert float(inside["counts"].sum()) > 0.9 * float(near["counts"].sum())


def test_a_run_that_the_table_does_not_know_stays_as_it_is_and_is_told(folder: Path) -> None:
    outcome = {
        name: gammapolars("convert", folder / "steady.root", "--detectors", folder / f"{name}.toml", "-o",
                          folder / f"{name}.parquet", "--json")
        for name in ("d", "plain")
    }  # fmt: skip

    warned = json.loads(outcome["d"].out)["warnings"]
    assert len(warned) == 1
    assert "gain.parquet does not contain" in warned[0]
    corrected, plain = (pl.read_parquet(folder / f"{name}.parquet") for name in ("d", "plain"))
    assert corrected.drop("gain_factor").equals(plain)
    assert set(corrected["gain_factor"]) == {1.0}
    for words in (("coincidences", "-o", "x.parquet"), ("spectrum", "-o", "y.parquet"), ("matrix", "-o", "z.csv")):
        out = gammapolars(words[0], folder / "steady.root", "--detectors", folder / "d.toml", "-o", folder / words[2])
        assert "does not contain" in out.out


@pytest.mark.parametrize(
    "suffix", ["parquet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("root", "csv"))]
)
def test_hits_that_are_corrected_already_keep_their_factors(folder: Path, suffix: str) -> None:
    words = ("--detectors", folder / "d.toml", "-o")
    assert gammapolars("convert", folder / "linear.root", *words, folder / "once.parquet").code == 0
    assert gammapolars("convert", folder / "linear.root", *words, folder / f"again.{suffix}").code == 0

    done = gammapolars("convert", folder / f"again.{suffix}", *words, folder / "twice.parquet", "--json")

    assert json.loads(done.out)["warnings"] == []
    once, twice = (pl.read_parquet(folder / f"{name}.parquet") for name in ("once", "twice"))
    assert twice.select(once.columns).equals(once)


def test_runs_are_told_by_the_names_of_their_files(folder: Path) -> None:
    both = open_runs(folder / "steady.root", folder / "linear.root", apart=True)
    known = load_detectors(folder / "d.toml")
    correction = GainCorrection(known, both)
    assert correction

    corrected = [
        correction.corrected(both.hits.filter(pl.col("run") == number).head(1000).collect()) for number in (1, 2)
    ]

    assert set(corrected[0]["gain_factor"]) == {1.0}
    alone = gp.scan(folder / "linear.root").head(1000).pipe(gp.correct_drift, folder / "gain.parquet").collect()
    assert corrected[1]["gain_factor"].equals(alone["gain_factor"])
    assert len(correction.warnings) == 1
    assert "steady.root" in correction.warnings[0]


def test_detectors_toml_names_a_table_beside_it(folder: Path) -> None:
    known = load_detectors(folder / "d.toml")

    assert known.drift_path == folder / "gain.parquet"
    (folder / "again.toml").write_text(format_detectors(known))
    assert load_detectors(folder / "again.toml") == known
    assert load_detectors(folder / "plain.toml").drift is None
    (folder / "bad.toml").write_text("drift = 5\n")
    with pytest.raises(DetectorsError, match="file name"):
        load_detectors(folder / "bad.toml")


@pytest.mark.parametrize("what", ["missing", "text", "other"])
def test_a_table_that_is_none_is_one_line(folder: Path, what: str) -> None:
    path = folder / "gain.parquet"
    path.unlink()
    if what == "text":
        path.write_text("no table")
    elif what == "other":
        pl.DataFrame({"run": [1]}).write_parquet(path)

    error = gammapolars(
        "spectrum", folder / "linear.root", "--detectors", folder / "d.toml", "-o", folder / "s.csv"
    ).error

    assert "gain.parquet" in error
    with pytest.raises(InputError):
        gp.load_drift(path)


def test_a_table_without_names_is_matched_by_number(folder: Path) -> None:
    drift = gp.load_drift(folder / "gain.parquet").table
    drift.write_parquet(folder / "gain.parquet")

    correction = GainCorrection(load_detectors(folder / "d.toml"), open_runs(folder / "steady.root"))

    assert correction
    corrected = correction.corrected(gp.scan(folder / "steady.root").head(100).collect())
    assert corrected["gain_factor"].n_unique() > 1
    assert correction.warnings == []


@pytest.mark.figures
def test_the_figure_shows_both_sides(tracked: Callable[[str], gp.DriftTrack]) -> None:
    from gammapolars import figures

    found = tracked("linear")

    assert built(figures.drift(found.positions, found.curves, found.spectra)).startswith(b"\x89PNG")
    nothing = figures.drift(found.positions.head(0), found.curves.head(0), found.spectra.head(0))
    assert built(nothing).startswith(b"\x89PNG")


def test_errors_are_the_packages_own() -> None:
    with pytest.raises(GammapolarsError):
        gp.correct_drift(pl.LazyFrame({"a": [1]}), table([]))


# A recorded run


@pytest.mark.slow
@pytest.mark.skipif(not RECORDED, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")
def test_three_seconds_of_two_nai_detectors_have_no_drift_to_speak_of() -> None:
    path = Path(RECORDED) / "na22-two-nai" / "SDataR_na22_two_nai.root"
    detectors = Detectors(
        tuple(Detector(0, channel, energy=(0.0, 511 / adc), kind="NaI") for channel, adc in ((4, 692), (5, 540)))
    )

    found = gp.track_drift(path, detectors, [511.0])

    assert found.warnings == ()
    assert found.detectors["drift_span_pct"].to_numpy().max() < 0.3
    for row in found.lines.iter_rows(named=True):
        assert row["failed"] == 0
        assert 0.7 < row["chi2_ndf"] < 1.4
        assert row["fwhm_after_kev"] == pytest.approx(row["fwhm_before_kev"], rel=0.02)


# Statistics over many runs


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["linear", "sine", "steady"])
@pytest.mark.parametrize(
    ("sources", "lines"),
    [(("Co-60=2kBq",), COBALT), (("K-40=15kBq",), (1460.82,)), (("Eu-152=2kBq",), (344.2785, 778.9045, 1408.013))],
    ids=["Co-60", "K-40", "Eu-152"],
)
def test_over_many_runs_factors_are_right_and_so_are_their_uncertainties(
    tmp_path: Path, sources: tuple[str, ...], lines: tuple[float, ...], shape: str
) -> None:
    pulls, rms, largest = [], [], []
    probe = make_span(tmp_path, sources)
    drift = {
        "linear": GainDrift(per_hour=0.01 * 3600 / probe),
        "sine": GainDrift(amplitude=0.005, period_s=probe / 1.5),
        "steady": GainDrift(),
    }[shape]
    for seed in range(3 if FULL else 2):
        path = made(tmp_path / f"{seed}.root", drift, sources=sources, hits=300_000, seed=seed)
        found = gp.track_drift(path, TWO, lines)
        hits = gp.scan(path).pipe(gp.correct_drift, found.drift).collect()
        off = residuals(hits, drift)
        rms.append(np.sqrt(np.mean(off**2)))
        largest.append(np.abs(off).max())
        for own in found.curves.partition_by("channel"):
            true = drift.gain(own["timestamp_ps"].to_numpy())
            pulls.append(((own["gain"].to_numpy() - true) / own["gain_unc"].to_numpy())[10:-10:12])

    print(sources, shape, f"rms {100 * np.mean(rms):.4f} %, max {100 * max(largest):.4f} %, pulls {np.std(pulls):.2f}")
    assert max(rms) < 2e-4
    assert np.percentile(largest, 50) < 6e-4
    assert 0.45 < np.sqrt(np.mean(np.square(np.concatenate(pulls)))) < 1.5


def make_span(folder: Path, sources: tuple[str, ...]) -> float:
    """How long a run of these sources lasts, in seconds."""
    hits = gp.scan(made(folder / "probe.root", GainDrift(), sources=sources, hits=300_000)).select("timestamp_ps")
    return float(hits.max().collect().item()) / 1e12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3 if FULL else 1))
def test_the_line_of_a_drifting_run_is_as_narrow_as_of_a_steady_one(tmp_path: Path, seed: int) -> None:
    span = make_span(tmp_path, ("Co-60=2kBq",))
    widths = {}
    for name, drift in (("steady", GainDrift()), ("drifting", GainDrift(per_hour=0.01 * 3600 / span, amplitude=0.002))):
        path = made(tmp_path / f"{name}.root", drift, hits=1_000_000, seed=seed)
        found = gp.track_drift(path, TWO, COBALT)
        hits = gp.scan(path).pipe(gp.correct_drift, found.drift).pipe(gp.calibrate, TWO)
        energies = hits.filter(pl.col("channel") == 1).select("energy_kev").collect()["energy_kev"]
        widths[name] = width_kev(energies, 1332.492)
        if name == "steady":
            plain = gp.scan(path).pipe(gp.calibrate, TWO).filter(pl.col("channel") == 1).select("energy_kev").collect()
            assert widths[name] == pytest.approx(width_kev(plain["energy_kev"], 1332.492), rel=0.003)

    print(widths)
    assert widths["drifting"] == pytest.approx(widths["steady"], rel=0.03)
