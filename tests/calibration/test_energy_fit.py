"""The energy polynomial, the resolution and a detector's calibration, from simulated lines with known truth."""

import functools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars import figures
from gammapolars.calibration.energy.polynomial import EnergyFit, fit_energy, fit_gain
from gammapolars.calibration.energy.resolution import fit_resolution
from gammapolars.calibration.energy.result import Calibration, Pair, calibrate_peaks
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.detectors import Detector, Detectors, format_detectors, load_detectors
from tests.drawing import examples
from tests.peaklists import LINES, Truth, peaks_of, random_truth, table_of
from tests.plots import built

EUROPIUM = np.array([line[0] for line in LINES["Eu-152"] if line[3]])


@functools.cache
def true_positions(coefficients: tuple[float, ...], energies: tuple[float, ...]) -> np.ndarray:
    """Where E = polynomial of the position: looked up on a fine grid, once for many fits."""
    grid = np.linspace(0, 20_000, 400_001)
    return np.interp(energies, np.polynomial.polynomial.polyval(grid, coefficients), grid)


def simulated(
    random: np.random.Generator,
    coefficients: tuple[float, ...],
    energy: np.ndarray = EUROPIUM,
    *,
    extra: float = 0.0,
    blur: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions with uncertainties and energies with uncertainties, where E = polynomial of the true position."""
    true = true_positions(coefficients, tuple(energy))
    unc = blur * random.uniform(0.02, 0.4, len(energy))
    return true + random.normal(0, unc) + random.normal(0, extra, len(energy)), unc, energy, np.full(len(energy), 0.003)


@pytest.mark.parametrize(
    ("order", "fits"), [(1, 50), (2, 50), *(pytest.param(order, 150, marks=pytest.mark.slow) for order in (1, 2, 3))]
)
def test_energies_and_their_uncertainties_are_right(order: int, fits: int) -> None:
    random = np.random.default_rng(order)
    truth = (-3.0, 0.2, 1.2e-7, -6e-12)[: order + 1]
    at = np.linspace(600, 7000, 5)
    pulls = []
    for _ in range(fits):
        fit = fit_energy(*simulated(random, truth), order=order)
        found, unc = fit.energy_at(at)
        pulls.append((found - np.polynomial.polynomial.polyval(at, truth)) / unc)

    # Neighbouring energies of one fit share their fluctuation: the mean's error is that of one pull of each fit.
    assert abs(np.mean(pulls)) < 1.25 / math.sqrt(fits)
    assert abs(np.std(pulls) - 1) < 1.25 / math.sqrt(fits)


@pytest.mark.parametrize("fits", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_the_order_follows_the_lines(fits: int) -> None:
    """Positions of a few channels' uncertainty do not measure a bend of 0.4 keV; better ones measure it, if it is 0."""
    random = np.random.default_rng(1)
    poor, linear, bent, cubic = (
        np.array([fit_energy(*simulated(random, truth, blur=blur)).order for _ in range(fits)])
        for truth, blur in (
            ((-3.0, 0.2), 60.0),
            ((-3.0, 0.2), 1.0),
            ((-3.0, 0.2, 1e-6), 1.0),
            ((-3.0, 0.2, 1e-6, -6e-11), 1.0),
        )
    )

    assert np.mean(poor == 1) > 0.75
    assert np.mean(linear == 2) > 0.8
    assert np.mean(bent == 2) > 0.8
    assert np.mean(cubic == 3) == 1


@given(seed=st.integers(0, 10_000), gain=st.floats(0.02, 20), order=st.integers(1, 3))
@examples(30)
def test_it_is_the_weighted_polynomial_of_least_squares(seed: int, gain: float, order: int) -> None:
    random = np.random.default_rng(seed)
    adc, unc = np.sort(random.uniform(100, 9000, 12)), 0.5
    energy = gain * adc + random.normal(0, 0.3 * gain, 12)
    fit = fit_energy(adc, 1e-9, energy, unc * gain, order=order)

    # The same weights for all: numpy's unweighted fit, which scales as well.
    used = np.array(fit.used)
    expected = np.polynomial.Polynomial.fit(adc[used], energy[used], order)
    np.testing.assert_allclose(fit.energy_at(adc)[0], expected(adc), rtol=1e-8)
    np.testing.assert_allclose(fit.fitted_kev, expected(adc), rtol=1e-8)


def test_one_bad_line_is_left_out() -> None:
    random = np.random.default_rng(4)
    for bad in range(len(EUROPIUM)):
        adc, unc, energy, energy_unc = simulated(random, (-3.0, 0.2))
        adc[bad] += 15
        fit = fit_energy(adc, unc, energy, energy_unc)

        assert [place for place, used in enumerate(fit.used) if not used] == [bad]
        assert abs(fit.energy_at(adc[bad] - 15)[0] - energy[bad]) < 0.5


@pytest.mark.parametrize("lines", [5, 6, 9, 10, 11])
def test_no_more_lines_are_left_out_than_promised(lines: int) -> None:
    """One line and one more for each five: the others must be the many."""
    random = np.random.default_rng(lines)
    left_out = []
    for bad in range(lines):
        adc, unc, energy, energy_unc = simulated(random, (1.0, 0.2), EUROPIUM[:lines])
        adc[:bad] += random.choice([-1, 1], bad) * random.uniform(20, 200, bad)
        left_out.append(int((~np.array(fit_energy(adc, unc, energy, energy_unc, order=1).used)).sum()))

    assert left_out[0] == 0
    assert max(left_out) <= 1 + lines // 5
    assert left_out[1] == 1


@pytest.mark.parametrize(("fits", "most"), [(20, 1), pytest.param(80, 2, marks=pytest.mark.slow)])
def test_good_lines_are_kept(fits: int, most: int) -> None:
    random = np.random.default_rng(6)
    left_out = sum(not all(fit_energy(*simulated(random, (-3.0, 0.2, 1e-7))).used) for _ in range(fits))

    assert left_out <= most


@pytest.mark.slow
@pytest.mark.parametrize("fits", [15, pytest.param(40, marks=pytest.mark.slow)])
def test_a_common_scatter_is_no_row_of_outliers(fits: int) -> None:
    # As a scintillator's non-proportionality: some channels, where the positions are known to a hundredth of one.
    random = np.random.default_rng(8)
    pulls, kept = [], 0
    for _ in range(fits):
        fit = fit_energy(*simulated(random, (-3.0, 0.2), extra=5.0), order=1)
        found, unc = fit.energy_at([2000.0])
        pulls.append((found[0] - 397.0) / unc[0])
        kept += sum(fit.used)
        assert 0.4 < fit.extra_kev < 2.0

    assert kept > 0.99 * fits * len(EUROPIUM)
    assert np.std(pulls) == pytest.approx(1.05, abs=1.8 / math.sqrt(fits))
    assert fit.chi2 > 10 * fit.ndf


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shift", [2.5, 3.4, 6.0])
def test_weak_lines_that_lie_off_take_no_weight_from_strong_ones(shift: float, seed: int) -> None:
    # Two weak lines are some of their σ off: hardly outliers, or outliers that hide one another.
    random = np.random.default_rng(seed)
    energy = np.array([121.78, 244.7, 344.28, 411.12, 778.9, 867.38, 1085.84, 1112.08, 1212.9, 1299.1, 1408.01])
    unc = np.full(len(energy), 0.03)
    unc[[3, 8, 9]] = 1.5
    adc = true_positions((-3.0, 0.2), tuple(energy)) + random.normal(0, unc)
    adc[[3, 9]] += shift * unc[[3, 9]]

    good = np.delete(np.arange(len(energy)), [3, 9])
    known = fit_energy(adc[good], unc[good], energy[good], 0.001, order=2)
    fit = fit_energy(adc, unc, energy, 0.001, order=2)

    at = adc[good]
    assert fit.energy_at(at)[1] == pytest.approx(known.energy_at(at)[1], rel=0.6)
    assert np.abs(fit.energy_at(at)[0] - known.energy_at(at)[0]).max() < 0.004
    assert fit.extra_kev < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("spectra", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_a_bend_that_is_hardly_seen_is_within_the_uncertainty(spectra: int) -> None:
    # A parabola that is about 1.5 of its σ from a straight line, and worse known than detectors bend: either is chosen.
    random = np.random.default_rng(11)
    truth = (-3.0, 0.2, 9e-8)
    true = true_positions(truth, tuple(EUROPIUM))
    unc = 30 * np.where(np.arange(len(EUROPIUM)) % 3 == 0, 0.05, 0.25)
    at = true[[0, 3, 6, 9, -1]]
    pulls, orders = [], []
    for _ in range(spectra):
        fit = fit_energy(true + random.normal(0, unc), unc, EUROPIUM, 0.002)
        energy, energy_unc = fit.energy_at(at)
        pulls.append((energy - np.polynomial.polynomial.polyval(at, truth)) / energy_unc)
        orders.append(fit.order)

    assert 0.1 < np.mean(np.array(orders) == 1) < 0.9
    assert np.abs(np.mean(pulls, 0)).max() < 0.25 + 3 / math.sqrt(spectra)
    assert np.std(pulls, 0).max() < 1.3 + 2 / math.sqrt(spectra)  # this bend is about the worst


def test_two_lines_are_a_straight_line() -> None:
    fit = fit_energy([692, 1725], 0.5, [511, 1274.5], 0.001)

    assert (fit.order, fit.ndf) == (1, 0)
    assert fit.chi2 == pytest.approx(0, abs=1e-12)
    assert fit.coefficients == pytest.approx((511 - 692 * 763.5 / 1033, 763.5 / 1033))
    assert fit.energy_at(692)[1] == pytest.approx(0.5 * 763.5 / 1033, rel=0.01)
    assert fit.adc_range == (692, 1725)


@pytest.mark.parametrize(("adc", "energy", "order"), [([692], [511], None), ([692, 1725], [511, 1274], 2), ([], [], 1)])
def test_too_few_lines_are_refused(adc: list[float], energy: list[float], order: int | None) -> None:
    with pytest.raises(CalibrationError, match="too few"):
        fit_energy(adc, 0.1, energy, 0.1, order=order)


def test_a_polynomial_that_falls_is_refused() -> None:
    with pytest.raises(CalibrationError, match="decreases within the range of its lines"):
        fit_energy([100, 200, 300, 400], 0.1, [100, 300, 310, 200], 0.1, order=2)


@pytest.mark.parametrize(
    "change", [{"order": 4}, {"order": 0}, {"adc": [math.nan, 2.0]}, {"adc_unc": -1.0}, {"adc": [1.0, 2.0, 3.0]}]
)
def test_wrong_arguments(change: dict[str, object]) -> None:
    given: dict[str, object] = {"adc": [692.0, 1725.0], "adc_unc": 0.5, "energy_kev": [511.0, 1274.5]}

    with pytest.raises(UsageError):
        fit_energy(energy_kev_unc=0.01, **(given | change))  # type: ignore[arg-type]


def test_one_line_adjusts_the_gain() -> None:
    start = (2.0, 0.5, 1e-6)
    at = 1300.0
    energy = float(np.polynomial.polynomial.polyval(at * 1.04, start))

    fit = fit_gain(start, [at], [0.1], [energy], [0.001])

    assert fit.coefficients == pytest.approx((2.0, 0.5 * 1.04, 1e-6 * 1.04**2))
    assert fit.energy_at(at)[0] == pytest.approx(energy)
    assert fit.energy_at(at)[1] == pytest.approx(0.1 * fit.slope_at(at), rel=1e-3)


# Resolution.


def test_the_resolution_is_found_with_its_uncertainty() -> None:
    random = np.random.default_rng(2)
    true = (1.0, 0.0016, 4e-7)
    pulls = []
    for _ in range(200):
        fwhm = np.sqrt(np.polynomial.polynomial.polyval(EUROPIUM, true))
        unc = 0.03 * fwhm
        fit = fit_resolution(EUROPIUM, random.normal(fwhm, unc), unc)
        found, found_unc = fit.fwhm_at(800.0)
        pulls.append((float(found) - math.sqrt(1 + 1.28 + 0.256)) / float(found_unc))

    assert abs(np.mean(pulls)) < 0.25
    assert 0.8 < np.std(pulls) < 1.2


def test_the_resolution_leaves_annihilation_out_and_stays_real() -> None:
    energy = np.array([100.0, 300, 511, 800, 1200, 1400])
    fit = fit_resolution(energy, [0.5, 1.4, 3.0, 2.3, 2.8, 3.0], 0.02)

    assert fit.used == (True, True, False, True, True, True)
    assert min(fit.coefficients) >= 0
    assert (fit.fwhm_at([0.0, 50.0, 3000.0])[0] >= 0).all()


def test_the_resolution_of_annihilation_alone_is_unknown() -> None:
    with pytest.raises(CalibrationError):
        fit_resolution([511.0], [3.0], [0.1])


# A detector.


def calibrated(seed: int = 1, channel: int = 1, name: str = "", sources: tuple[str, ...] = ("Eu-152",)) -> Calibration:
    random = np.random.default_rng(seed)
    truth = random_truth(random)
    detector = Detector(0, channel, name=name, kind="HPGe", time_offset_ps=70, efficiency=(1.0, -0.8))
    return calibrate_peaks(peaks_of(truth, random, sources, extra=5, strength=12.0), table_of(*sources), detector)


def test_a_detector_is_calibrated_and_keeps_what_else_is_known(tmp_path: object) -> None:
    found = calibrated(name="HPGe-1")
    detector = found.detector

    assert isinstance(found.energy, EnergyFit)
    assert detector.energy == found.energy.coefficients
    assert detector.energy_covariance == found.energy.covariance
    assert detector.energy_range == found.energy.adc_range
    assert found.resolution is not None
    assert detector.fwhm == found.resolution.coefficients
    assert (detector.name, detector.kind, detector.time_offset_ps) == ("HPGe-1", "HPGe", 70)
    assert detector.efficiency == (1.0, -0.8)


def test_a_calibration_survives_its_file(tmp_path: object) -> None:
    path = pytest.importorskip("pathlib").Path(str(tmp_path)) / "detectors.toml"
    detector = calibrated(name="HPGe-1").detector

    path.write_text(format_detectors(Detectors((detector,))))

    assert load_detectors(path).all == (detector,)


@pytest.mark.parametrize("seeds", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_simulated_calibrations_are_right_within_their_uncertainties(seeds: int) -> None:
    pulls, worst = [], 0.0
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        truth = random_truth(random)
        peaks = peaks_of(truth, random, ["Eu-152"], extra=int(random.integers(0, 16)), strength=12.0)
        found = calibrate_peaks(peaks, table_of("Eu-152"), Detector(0, 0))
        at = np.linspace(*found.energy.adc_range, 5)
        energy, unc = found.energy.energy_at(at)
        pulls.append((energy - truth.energy(at)) / unc)
        worst = max(worst, float(np.abs(energy - truth.energy(at)).max()))

    assert abs(np.mean(pulls)) < 1.12 / math.sqrt(seeds)
    assert abs(np.std(pulls) - 1) < 0.9 / math.sqrt(seeds)
    assert worst < 0.15


def test_the_table_tells_what_was_used() -> None:
    table = calibrated().residuals

    assert table["energy_kev"].is_sorted()
    assert not table.filter(pl.col("energy_kev").is_in([443.965, 964.072]))["used"].any()  # doublets
    assert table.filter("used").height == 11
    difference = table["residual_kev"] - (table["energy_kev"] - table["fitted_kev"])
    assert difference.abs().max() == 0
    assert table["channel"].unique().to_list() == [1]


def test_lines_are_left_out_by_hand() -> None:
    random = np.random.default_rng(1)
    truth = random_truth(random)
    peaks = peaks_of(truth, random, ("Eu-152",), extra=5, strength=12.0)

    found = calibrate_peaks(peaks, table_of("Eu-152"), Detector(0, 0), without=[1299.0, 121.8])

    unused = found.residuals.filter(reason="excluded by hand")
    assert unused["energy_kev"].to_list() == pytest.approx([121.782, 1299.142], abs=0.01)
    assert not unused["used"].any()
    assert found.energy.adc_range[0] == pytest.approx(float(truth.adc(np.array(244.697))), abs=1)


@pytest.mark.parametrize("energies", [(511.0, 1274.5), (661.66, 1173.2), (344.28, 1408.01)])
def test_a_residual_that_is_zero_by_construction_is_no_result(energies: tuple[float, float]) -> None:
    peaks = pl.DataFrame(
        {"centroid_adc": [1000.0, 2400.0], "centroid_adc_unc": 0.1, "fwhm_adc": 5.0, "area": 1e4, "area_unc": 110.0}
    )
    pairs = [Pair(adc, energy) for adc, energy in zip((1000.0, 2400.0), energies, strict=True)]

    found = calibrate_peaks(peaks, table_of("Eu-152"), Detector(0, 0), pairs=pairs, adc_range=(12.0, 4000.0))

    assert found.energy.ndf == 0
    assert found.residuals.select("residual_kev", "residual_sigma").null_count().row(0) == (2, 2)
    assert found.residuals["used"].all()
    assert found.adc_range == (12.0, 4000.0)


def test_a_start_and_one_line() -> None:
    random = np.random.default_rng(3)
    truth = Truth(0.4, 3.0, 0.0)
    peaks = peaks_of(truth, random, ["Cs-137"], strength=12.0)

    found = calibrate_peaks(peaks, table_of("Cs-137"), Detector(0, 0), start=(3.0, 0.41))

    assert found.energy.coefficients == pytest.approx((3.0, 0.4), rel=1e-3)


def test_pairs_by_hand_calibrate() -> None:
    random = np.random.default_rng(3)
    truth = Truth(0.4, 3.0, 0.0)
    peaks = peaks_of(truth, random, ["Na-22"], strength=12.0, extra=4)
    first, second = truth.adc(np.array([511.0, 1274.5]))

    found = calibrate_peaks(
        peaks, table_of("Na-22"), Detector(0, 0), pairs=[Pair(first + 1, 511), Pair(second - 1, 1274.5)]
    )

    assert found.energy.coefficients == pytest.approx((3.0, 0.4), abs=0.2)


def test_an_error_names_the_detector() -> None:
    random = np.random.default_rng(3)
    peaks = peaks_of(Truth(0.4, 3.0, 0.0), random, ["Na-22"], strength=12.0)

    with pytest.raises(CalibrationError, match="detector HPGe-7"):
        calibrate_peaks(peaks, table_of("Na-22"), Detector(0, 0, name="HPGe-7"), order=2)


# Figures.


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_figures_can_be_drawn(count: int) -> None:
    found = [calibrated(seed, channel=seed, name=f"HPGe-{seed}") for seed in range(count)]
    empty = calibrated().residuals.head(0)
    residuals = pl.concat([empty, *[one.residuals for one in found]])
    energy = np.arange(0.5, 1600)
    spectra = pl.concat(
        [
            pl.DataFrame({"energy_kev": energy, "counts": 1e4 * np.exp(-energy / 300)}).with_columns(
                pl.lit(0, pl.UInt16).alias("board"),
                pl.lit(channel, pl.UInt16).alias("channel"),
                pl.lit(f"HPGe-{channel}").alias("name"),
            )
            for channel in range(count + 1)
        ]
    )
    curves = {one.detector.key: one.detector.fwhm for one in found if one.detector.fwhm}

    plots = [
        figures.calibration(spectra, residuals),
        figures.residuals(residuals),
        figures.residuals(residuals, in_sigma=True),
        figures.resolution(residuals, curves),
    ]

    for plot in plots:
        assert built(plot).startswith(b"\x89PNG")
