"""The simulator: its physics against tables and formulas, its digitizer against a plain loop, its truth."""

import hashlib
import json
import math
import resource
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import GammapolarsError, OutputError, UsageError
from gammapolars.core.schema import HITS, require
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detector, Detectors, load_detectors
from gammapolars.io import provenance
from gammapolars.simulate import (
    DEFAULT_DETECTORS,
    NUCLIDES,
    Chunk,
    SimulatedDetector,
    Source,
    around_source,
    parse_sources,
    run,
    simulate,
)
from gammapolars.simulate.decays import START_PS, Deposits, Emitter
from gammapolars.simulate.digitizer import Digitizer, hit_of_deposit
from gammapolars.simulate.response import compton_electron_kev, partial_deposit_kev
from gammapolars.simulate.sources import cascades, photons_per_decay
from tests.drawing import examples

# Photons per 100 decays and their uncertainty: the calibration lines of the IAEA evaluation. Two lines are doublets.
LINES: dict[str, dict[float, tuple[float, float]]] = {
    "Na-22": {1274.537: (99.94, 0.01)},
    "K-40": {1460.822: (10.66, 0.13)},
    "Co-60": {1173.228: (99.85, 0.03), 1332.492: (99.9826, 0.0006)},
    "Cs-137": {661.657: (84.99, 0.20)},
    "Eu-152": {
        121.7817: (28.41, 0.13),
        244.6974: (7.55, 0.04),
        344.2785: (26.58, 0.12),
        411.1165: (2.237, 0.010),
        443.965: (3.125, 0.014),
        778.9045: (12.96, 0.06),
        867.380: (4.241, 0.023),
        964.072: (14.62, 0.06),
        1085.837: (10.13, 0.06),
        1112.076: (13.40, 0.06),
        1212.948: (1.415, 0.009),
        1299.142: (1.632, 0.009),
        1408.013: (20.85, 0.09),
    },
    "Ba-133": {
        53.1622: (2.14, 0.03),
        80.9979: (32.9, 0.3),
        276.3989: (7.16, 0.05),
        302.8508: (18.34, 0.13),
        356.0129: (62.05, 0.19),
        383.8485: (8.94, 0.06),
    },
    "Co-57": {14.41295: (9.15, 0.17), 122.06065: (85.51, 0.06), 136.47356: (10.71, 0.15)},
    "In-111": {171.28: (90.65, 0.25), 245.35: (94.09, 0.18)},
    "Hf-181": {133.021: (43.3, 0.5), 136.26: (5.85 + 0.86, 0.26), 345.93: (15.12, 0.10), 482.18: (80.50, 0.11)},
}

HPGE = around_source(DEFAULT_DETECTORS)


def collected(chunks: Sequence[Chunk]) -> pl.DataFrame:
    """Hits and truth side by side, with a row number."""
    hits = pl.concat([chunk.hits for chunk in chunks])
    truth = pl.concat([chunk.truth for chunk in chunks])
    return pl.concat([hits, truth], how="horizontal")


def simulated(
    sources: list[str], detectors: Sequence[SimulatedDetector] = HPGE, hits: int = 200_000, seed: int = 7
) -> pl.DataFrame:
    found = parse_sources(sources) if sources else ()
    return collected(list(simulate(found, detectors, hits=hits, seed=seed)))


@pytest.fixture(scope="module")
def cobalt() -> pl.DataFrame:
    return simulated(["Co-60"], hits=400_000)


def true_pairs(hits: pl.DataFrame) -> pl.DataFrame:
    """Pairs of hits of one decay in different detectors, each in both orders."""
    seen = hits.filter(pl.col("decay") > 0).select("hit", "decay", "channel", "deposit_kev", "full_energy")
    pairs = seen.join(seen, on="decay", suffix="_b")
    return pairs.filter(pl.col("channel") != pl.col("channel_b"))


# Sources


@pytest.mark.parametrize("name", LINES)
def test_intensities_agree_with_the_evaluation(name: str) -> None:
    emitted = photons_per_decay(NUCLIDES[name])
    for energy, (intensity, uncertainty) in LINES[name].items():
        found = 100 * sum(value for line, value in emitted.items() if abs(line - energy) < 0.8)
        assert abs(found - intensity) <= uncertainty, (energy, found)


@pytest.mark.parametrize("name", NUCLIDES)
def test_cascades_conserve_what_the_scheme_states(name: str) -> None:
    nuclide = NUCLIDES[name]
    paths = cascades(nuclide)
    assert all(path.probability > 0 for path in paths)
    assert 0 < sum(path.probability for path in paths) <= 1 + 1e-12
    emitted = photons_per_decay(nuclide)
    for transition in nuclide.transitions:  # no level is fed by less than nothing
        assert emitted[transition.energy_kev] == pytest.approx(transition.photons / 100, rel=1e-6)
        drop = transition.upper - transition.lower
        assert drop == pytest.approx(transition.energy_kev, abs=0.6)


@pytest.mark.parametrize(
    ("name", "before", "after", "half_life_ps"),
    [  # typed once more from ENSDF
        ("Ba-133", 356.0129, 80.9979, 6283.0),
        ("Co-57", 122.06065, 14.41295, 98_300.0),
        ("Hf-181", 133.021, 482.18, 10_800.0),
        ("In-111", 171.28, 245.35, 84_500.0),
    ],
)
def test_levels_for_fast_timing_live_as_long_as_they_should(
    name: str, before: float, after: float, half_life_ps: float
) -> None:
    paths = [path for path in cascades(NUCLIDES[name]) if {before, after} <= set(path.energies_kev)]

    assert paths
    for path in paths:
        (lived,) = path.waits_ps[path.energies_kev.index(after)]  # a mean lifetime, not a half-life
        assert lived * math.log(2) == pytest.approx(half_life_ps)


def test_positrons_of_sodium() -> None:
    emitted = photons_per_decay(NUCLIDES["Na-22"])
    assert emitted[ANNIHILATION_KEV] == pytest.approx(1.807, abs=0.002)
    by_energies = {path.energies_kev: path.probability for path in cascades(NUCLIDES["Na-22"])}
    assert by_energies[1274.537,] == pytest.approx(0.0964, abs=0.001)  # electron capture


@pytest.mark.parametrize(
    "pair",
    [(1408.013, 121.7817), (778.9045, 344.2785), (244.6974, 121.7817), (964.079, 121.7817), (1299.142, 344.2785)],
)
def test_cascades_of_europium(pair: tuple[float, float]) -> None:
    """A photon is followed by the next one as often as that transition does not convert."""
    paths = cascades(NUCLIDES["Eu-152"])
    both = sum(path.probability for path in paths if set(pair) <= set(path.energies_kev))
    first = sum(path.probability for path in paths if pair[0] in path.energies_kev)
    conversion = next(item.conversion for item in NUCLIDES["Eu-152"].transitions if item.energy_kev == pair[1])
    assert both / first == pytest.approx(1 / (1 + conversion), rel=1e-6)
    assert not any({1408.013, 344.2785} <= set(path.energies_kev) for path in paths)


def test_sources_are_parsed() -> None:
    assert parse_sources(["Co-60", "cs137 = 2.5kBq", "EU-152=1e3Bq"]) == (
        Source("Co-60", 50_000.0),
        Source("Cs-137", 2500.0),
        Source("Eu-152", 1000.0),
    )


@pytest.mark.parametrize(
    "text", ["Co-61", "", "Co-60=", "Co-60=5", "Co-60=-1Bq", "Co-60=0Bq", "Co-60=1GBq", "Co-60=nanBq"]
)
def test_a_wrong_source_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"Co-60, Cs-137, Eu-152, Hf-181, In-111, K-40, Na-22|has no activity"):
        parse_sources([text])


def test_sources_are_given_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_sources(["Co-60", "co60=1Bq"])
    with pytest.raises(UsageError, match="no source"):
        parse_sources([])


# Response


def klein_nishina(electron_kev: npt.NDArray[np.float64], photon_kev: float) -> npt.NDArray[np.float64]:
    """dσ/dT in arbitrary units, from the cross-section's textbook form in cos θ."""
    alpha = photon_kev / ANNIHILATION_KEV
    ratio = 1 - electron_kev / photon_kev
    cosine = 1 - (1 / ratio - 1) / alpha
    return np.asarray(ratio + 1 / ratio - 1 + cosine**2)


@pytest.mark.parametrize("photon_kev", [60.0, 661.657, 1332.492, 5000.0])
def test_compton_scattering_follows_klein_and_nishina(photon_kev: float) -> None:
    count = 200_000
    electrons = compton_electron_kev(np.full(count, photon_kev), np.random.default_rng(11))
    alpha = photon_kev / ANNIHILATION_KEV
    edge = photon_kev * 2 * alpha / (1 + 2 * alpha)
    assert electrons.min() >= 0
    assert edge * 0.999 < electrons.max() <= edge * (1 + 1e-12)
    bins = np.linspace(0, edge, 51)
    fine = np.linspace(0, edge, 50 * 40 + 1)
    middle = (fine[:-1] + fine[1:]) / 2
    expected = klein_nishina(middle, photon_kev).reshape(50, 40).sum(axis=1)
    expected *= count / expected.sum()
    chi2 = float(((np.histogram(electrons, bins)[0] - expected) ** 2 / expected).sum())
    assert chi2 < 49 + 4 * math.sqrt(2 * 49)


def test_two_scatterings_fill_the_gap_above_the_edge() -> None:
    rng = np.random.default_rng(1)
    photons = np.full(20_000, 661.657)
    edge = 477.3
    once = partial_deposit_kev(photons, np.zeros(len(photons), np.bool_), rng)
    twice = partial_deposit_kev(photons, np.ones(len(photons), np.bool_), rng)
    assert once.max() < edge + 0.1
    assert 0.1 < (twice > edge).mean() < 0.8
    assert twice.max() < 661.657


@examples(60)
@given(
    offset=st.floats(-20, 20),
    gain=st.floats(0.05, 1),
    bend=st.floats(-0.1, 0.1),
    adc=st.lists(st.floats(0, 16_383), min_size=1, max_size=20),
)
def test_the_calibration_gives_back_the_energy(offset: float, gain: float, bend: float, adc: list[float]) -> None:
    detector = SimulatedDetector(0, 1, "d", (offset, gain, bend * gain / 2**14), (1.0,))
    energy = detector.energy_of(adc)
    np.testing.assert_allclose(detector.adc_of(energy), adc, atol=1e-6)
    assert detector.adc_of(np.array([-1e6, 1e6])).tolist() == [0, 2**14]


def full_energy_efficiency(detector: SimulatedDetector, energy_kev: float | np.ndarray) -> np.ndarray:
    """Probability that a photon emitted anywhere is counted with its full energy."""
    return detector.solid_angle * detector.total_efficiency(energy_kev) * detector.peak_to_total(energy_kev)


def test_efficiencies_are_probabilities_that_fall() -> None:
    energy = np.geomspace(100, 3000, 50)
    for kind in ("HPGe", "NaI", "LaBr3"):
        detector = SimulatedDetector.from_detector(Detector(0, 1, kind=kind))
        total, peak = detector.total_efficiency(energy), full_energy_efficiency(detector, energy)
        assert ((total > 0) & (total <= 1) & (peak > 0) & (peak < detector.solid_angle)).all()
        assert (np.diff(peak) <= 0).all()
        assert peak[-1] < 0.5 * peak[0]


def test_a_detector_of_the_file_keeps_its_numbers() -> None:
    given_ = Detector(2, 9, "mine", (1.0, 0.2), (4.0, 0.1), time_offset_ps=-500, kind="NaI")
    made = SimulatedDetector.from_detector(given_, adc_bits=15)
    assert (made.board, made.channel, made.name, made.energy, made.fwhm) == (2, 9, "mine", (1.0, 0.2), (4.0, 0.1))
    assert (made.time_offset_ps, made.material, made.adc_bits) == (-500, "NaI", 15)


@pytest.mark.parametrize(
    "change",
    [
        {"solid_angle": 0.7},
        {"tick_ps": 0},
        {"adc_bits": 20},
        {"material": "Si"},
        {"energy": (0.0, 1.0, -1.0)},
        {"energy": (1.0,)},
        {"threshold_kev": math.nan},
        {"dead_time_ps": -1},
    ],
)
def test_a_detector_that_cannot_be_is_a_usage_error(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="detector HPGe-1"):
        replace(HPGE[0], **change)  # type: ignore[arg-type]


# Physics of whole runs


def test_peaks_stand_where_the_calibration_says_and_are_as_wide_as_told(cobalt: pl.DataFrame) -> None:
    calibrated = calibrate(cobalt.lazy(), DEFAULT_DETECTORS).collect()
    clean = calibrated.filter("full_energy", (pl.col("flags") & 0x8480) == 0)
    for detector in HPGE:
        for line in (1173.228, 1332.492):
            energy = clean.filter(pl.col("channel") == detector.channel, pl.col("deposit_kev") == line)["energy_kev"]
            assert len(energy) > 5000
            assert float(energy.mean()) == pytest.approx(line, abs=0.05)  # type: ignore[arg-type]
            fwhm = float(energy.std()) * math.sqrt(8 * math.log(2))  # type: ignore[arg-type]
            assert fwhm == pytest.approx(math.sqrt(0.55 + 0.00216 * line), rel=0.04)


def test_full_energy_counts_follow_efficiency_and_intensity() -> None:
    """Counts of europium's lines against activity × intensity × full-energy efficiency, without summing."""
    far = [replace(detector, solid_angle=1e-4, background_cps=0) for detector in HPGE]
    duration = 500.0
    hits = collected(list(simulate([Source("Eu-152", 1e6)], far, duration_s=duration, seed=5)))
    full = hits.filter("full_energy")
    for energy, (intensity, _) in LINES["Eu-152"].items():
        counted = full.filter((pl.col("deposit_kev") - energy).abs() < 0.8).height
        expected = sum(float(full_energy_efficiency(item, energy)) for item in far) * 1e6 * duration * intensity / 100
        assert abs(counted - expected) < 4 * math.sqrt(expected) + 0.01 * expected, energy


def test_the_rate_is_what_the_emitter_expects() -> None:
    detectors = [replace(item, threshold_kev=0, dead_time_ps=0, pile_up_ps=0, trigger_ps=0) for item in HPGE]
    sources = parse_sources(["Na-22=3kBq", "K-40=20kBq", "Co-60=1kBq"])
    hits = collected(list(simulate(sources, detectors, duration_s=100, seed=3)))
    expected = 100 * Emitter(sources, detectors, 3).rates_cps()
    counted = [hits.filter(pl.col("channel") == detector.channel).height for detector in detectors]
    np.testing.assert_allclose(counted, expected, rtol=0.01, atol=0)
    assert set(hits["nuclide"].unique()) == {"Na-22", "K-40", "Co-60", "background"}
    assert (hits["decay"] == 0).sum() == (hits["nuclide"] == "background").sum()


def test_cobalt_pairs_are_the_cascade_in_both_orders(cobalt: pl.DataFrame) -> None:
    pairs = true_pairs(cobalt.filter("full_energy"))
    counts = pairs.group_by("deposit_kev", "deposit_kev_b").len()
    both = {(row[0], row[1]): row[2] for row in counts.iter_rows()}
    assert set(both) == {(1173.228, 1332.492), (1332.492, 1173.228)}
    assert both[1173.228, 1332.492] == both[1332.492, 1173.228] > 300
    second = 3 * HPGE[0].solid_angle * float(HPGE[0].total_efficiency(1332.492))
    seen = cobalt.filter((pl.col("deposit_kev") == 1173.228) & pl.col("full_energy"))
    partners = true_pairs(cobalt).filter((pl.col("deposit_kev") == 1173.228) & pl.col("full_energy"))
    assert partners.height / seen.height == pytest.approx(second, rel=0.06)


@pytest.mark.slow
def test_the_part_of_hits_in_coincidence_grows_with_the_solid_angle() -> None:
    for solid_angle in (0.005, 0.05):
        detectors = around_source(DEFAULT_DETECTORS, solid_angle=solid_angle, background_cps=0.0)
        hits = simulated(["Co-60=10kBq"], detectors, hits=60_000)
        part = true_pairs(hits)["hit"].n_unique() / len(hits)
        assert part == pytest.approx(3 * solid_angle * float(detectors[0].total_efficiency(1250)), rel=0.1)


def test_annihilation_photons_fly_apart() -> None:
    crystals = Detectors(tuple(Detector(0, channel, kind="NaI") for channel in (1, 2, 3, 4)))
    hits = simulated(["Na-22=10kBq"], around_source(crystals), hits=100_000)
    pairs = true_pairs(hits.filter("full_energy"))
    annihilation = pairs.filter(pl.col("deposit_kev") == ANNIHILATION_KEV, pl.col("deposit_kev_b") == ANNIHILATION_KEV)
    assert len(annihilation) > 1000
    assert ((annihilation["channel"].cast(pl.Int32) - annihilation["channel_b"].cast(pl.Int32)).abs() == 2).all()
    with_gamma = pairs.filter(pl.col("deposit_kev") == ANNIHILATION_KEV, pl.col("deposit_kev_b") == 1274.537)
    assert with_gamma.group_by("channel", "channel_b").len().height == 12
    one = hits.filter(pl.col("full_energy"), pl.col("deposit_kev") == ANNIHILATION_KEV)
    detector = SimulatedDetector.from_detector(Detector(0, 1, kind="NaI"))
    other = float(detector.total_efficiency(ANNIHILATION_KEV))
    seen = true_pairs(hits.filter(pl.col("deposit_kev") <= ANNIHILATION_KEV)).filter(
        pl.col("full_energy"), (pl.col("channel").cast(pl.Int32) - pl.col("channel_b").cast(pl.Int32)).abs() == 2
    )
    assert seen.filter(pl.col("deposit_kev") == ANNIHILATION_KEV).height / one.height == pytest.approx(other, rel=0.06)


def test_background_alone_makes_only_chance_coincidences() -> None:
    detectors = [replace(detector, background_cps=5000) for detector in HPGE[:2]]
    hits = collected(list(simulate([], detectors, hits=300_000, seed=4)))
    a = hits.filter(pl.col("channel") == 1)["timestamp_ps"].to_numpy()
    b = hits.filter(pl.col("channel") == 2)["timestamp_ps"].to_numpy()
    window = 2_000_000
    low, high = np.searchsorted(b, a - window, "left"), np.searchsorted(b, a + window, "right")
    real_s = (hits["timestamp_ps"][-1] - START_PS) * 1e-12
    expected = len(a) * len(b) / real_s * 2 * window * 1e-12
    assert abs((high - low).sum() - expected) < 4 * math.sqrt(expected)
    assert (hits["decay"] == 0).all()
    assert not hits["full_energy"].any()


def test_times_have_the_resolution_and_the_offsets() -> None:
    detectors = [
        replace(item, tick_ps=1, time_offset_ps=offset, solid_angle=0.1)
        for item, offset in zip(HPGE[:2], (-50_000, 1_000_000), strict=True)
    ]
    hits = simulated(["Co-60=5kBq"], detectors, hits=60_000)
    late = hits.with_columns(late=pl.col("timestamp_ps") - pl.col("true_time_ps")).filter(pl.col("deposits") == 1)
    for detector in detectors:
        one = late.filter(pl.col("channel") == detector.channel)["late"]
        assert float(one.mean()) == pytest.approx(detector.time_offset_ps, abs=300)  # type: ignore[arg-type]
        assert float(one.std()) == pytest.approx(8000, rel=0.02)  # type: ignore[arg-type]


# The digitizer


def test_hits_are_a_table_of_hits_in_order_on_ticks(cobalt: pl.DataFrame) -> None:
    require(cobalt.lazy(), HITS)
    assert cobalt["timestamp_ps"].is_sorted()
    assert (cobalt["timestamp_ps"] % 10_000 == 0).all()
    assert (cobalt["timestamp_ps"] >= 0).all()
    assert cobalt["hit"].to_list() == list(range(len(cobalt)))
    assert ((cobalt["flags"] & 0x4000) != 0).all()
    assert cobalt.filter(pl.col("decay") > 0)["nuclide"].unique().to_list() == ["Co-60"]


def test_saturated_and_piled_up_hits_are_marked(cobalt: pl.DataFrame) -> None:
    saturated = cobalt.filter((pl.col("flags") & 0x480) != 0)
    assert len(saturated) > 100
    assert ((saturated["flags"] & 0x480) == 0x480).all()
    assert (saturated.filter((pl.col("flags") & 0x8000) == 0)["adc"] == 16_383).all()
    assert (saturated["deposit_kev"] > 1500).all()
    piled = cobalt.filter((pl.col("flags") & 0x8000) != 0)
    assert (piled["adc"] == 0).all()
    expected = 1586 * 2.8e-6  # the chance of a further deposit between the trigger and the pile-up time
    assert len(piled) / len(cobalt) == pytest.approx(expected, rel=0.15)
    summed = cobalt.filter(pl.col("deposits") > 1)
    assert len(summed) > 1000
    assert not summed["full_energy"].any()
    assert ((summed["deposit_kev"] - (1173.228 + 1332.492)).abs() < 1e-6).sum() > 50  # the sum peak


@examples(200)
@given(
    times=st.lists(st.lists(st.integers(0, 400), max_size=60), min_size=1, max_size=3),
    dead=st.lists(st.integers(0, 60), min_size=3, max_size=3),
)
def test_dead_time_agrees_with_a_plain_loop(times: list[list[int]], dead: list[int]) -> None:
    flat: list[int] = []
    chain: list[bool] = []
    each: list[int] = []
    expected: list[int] = []
    for number, part in enumerate(times):
        owner = -1
        for place, moment in enumerate(sorted(part)):
            row = len(flat)
            chain.append(place == 0 or moment - flat[-1] >= dead[number])
            if place == 0 or moment - flat[owner] >= dead[number]:
                owner = row
            expected.append(owner)
            flat.append(moment)
            each.append(dead[number])
    found = hit_of_deposit(np.array(flat, np.int64), np.array(chain, np.bool_), np.array(each, np.int64))
    assert found.tolist() == expected


def test_no_hit_follows_another_within_the_dead_time() -> None:
    busy = [replace(item, dead_time_ps=50_000_000, background_cps=8000, pile_up_ps=60_000_000) for item in HPGE]
    hits = simulated(["Co-60=200kBq"], busy, hits=100_000)
    for detector in busy:
        times = hits.filter(pl.col("channel") == detector.channel)["timestamp_ps"].to_numpy()
        assert np.diff(times).min() >= 50_000_000
    rate = len(hits) / ((hits["timestamp_ps"][-1] - START_PS) * 1e-12) / 4
    above = 200e3 * 0.02 * 1.99 * 0.79 * 0.98 + 8000 * math.exp(-20 / 300)  # deposits over the threshold, roughly
    assert rate == pytest.approx(above / (1 + above * 50e-6), rel=0.03)  # a dead time that is not prolonged


def made_deposits(rng: np.random.Generator, count: int, spread: int) -> Deposits:
    time_ps = np.sort(rng.integers(0, spread, count))
    return Deposits(
        time_ps,
        time_ps - 5,
        rng.integers(0, 3, count).astype(np.uint16),
        rng.uniform(20, 3000, count),
        rng.random(count) < 0.3,
        rng.integers(0, 50, count),
        np.zeros(count, np.uint8),
        rng.standard_normal(count).astype(np.float32),
    )


@examples(60)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 200), cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_where_the_stream_is_cut_changes_nothing(seed: int, count: int, cuts: list[int]) -> None:
    detectors = [
        replace(item, trigger_ps=4, pile_up_ps=25, dead_time_ps=dead)
        for item, dead in zip(HPGE[:3], (20, 20, 40), strict=True)
    ]
    deposits = made_deposits(np.random.default_rng(seed), count, 3000)
    whole = Digitizer(detectors, [Source("Co-60")]).push(deposits, 2**60)
    digitizer = Digitizer(detectors, [Source("Co-60")])
    pieces = []
    begin = 0
    for cut in sorted(cuts):
        end = max(begin, int(np.searchsorted(deposits.time_ps, cut)))
        pieces.append(digitizer.push(deposits.take(slice(begin, end)), cut))
        begin = end
    pieces.append(digitizer.push(deposits.take(slice(begin, None)), 2**60))
    found = collected(pieces)
    assert found["timestamp_ps"].is_sorted()
    keys = ["timestamp_ps", "channel"]
    assert found.drop("hit").sort(keys).equals(collected([whole]).drop("hit").sort(keys))


# Runs


@pytest.mark.slow
def test_a_run_is_reproducible_and_chunks_change_nothing() -> None:
    sources = parse_sources(["Eu-152", "Na-22=5kBq"])
    whole = collected(list(simulate(sources, HPGE, hits=30_000, seed=9)))
    pieces = list(simulate(sources, HPGE, hits=30_000, seed=9, chunk_hits=7_000))
    assert [len(piece.hits) for piece in pieces] == [7_000] * 4 + [2_000]
    assert [len(piece.truth) for piece in pieces] == [7_000] * 4 + [2_000]
    assert collected(pieces).equals(whole)
    shorter = collected(list(simulate(sources, HPGE, hits=1000, seed=9)))
    assert shorter.equals(whole[:1000])
    assert not collected(list(simulate(sources, HPGE, hits=1000, seed=10))).equals(shorter)
    assert whole.filter(pl.col("decay") > 0)["decay"].n_unique() > 20_000
    first_times = whole.filter(pl.col("decay") > 0).group_by("decay").agg(pl.col("true_time_ps").n_unique())
    assert (first_times["true_time_ps"] == 1).all()  # a decay number is one decay, in every block


def test_a_duration_ends_the_run() -> None:
    sources = [Source("Cs-137", 20_000)]
    hits = collected(list(simulate(sources, HPGE, duration_s=120, seed=2)))
    assert hits["true_time_ps"].min() >= START_PS  # type: ignore[operator]
    assert 119.9e12 < hits["true_time_ps"].max() - START_PS < 120e12  # type: ignore[operator]
    longer = collected(list(simulate(sources, HPGE, duration_s=130, seed=2)))
    assert longer[: len(hits) - 2].equals(hits[:-2])
    assert sum(len(chunk.hits) for chunk in simulate(sources, HPGE, duration_s=120, hits=500, seed=2)) == 500
    assert list(simulate(sources, HPGE, hits=0)) == []


@pytest.mark.parametrize(
    "wrong", [{}, {"hits": -1}, {"duration_s": 0.0}, {"duration_s": math.nan}, {"hits": 5, "seed": -1}]
)
def test_a_run_without_a_sensible_end_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        simulate([Source("Co-60")], HPGE, **wrong)


def test_what_no_detector_can_take_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="HPGe-1 would see"):
        simulate([Source("Co-60", 1e9)], HPGE, hits=10)
    with pytest.raises(UsageError, match="more than 4π"):
        simulate([Source("Co-60")], [replace(item, solid_angle=0.4) for item in HPGE], hits=10)
    with pytest.raises(UsageError, match="nothing to simulate"):
        simulate([], [replace(item, background_cps=0) for item in HPGE], hits=10)
    with pytest.raises(UsageError, match="no detector"):
        around_source(Detectors())


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"hits": 10**60}, "a run of 1e\\+60 hits is too large"),
        ({"hits": 10**600}, "a run of 1e\\+300 hits is too large"),
        ({"duration_s": 4e6, "background_cps": 1e5}, "a run of 1.61e\\+12 hits is too large"),
        ({"hits": 10**9, "sources": ["Co-60=1Bq"]}, "take longer than 53 days, the limit of a run"),
    ],
)
def test_a_run_that_would_never_end_is_a_usage_error(tmp_path: Path, wanted: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        run(tmp_path / "run.root", **{"sources": ["Co-60=20kBq"], **wanted})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_run() -> None:
    chunks = simulate([Source("Co-60")], HPGE, hits=1_000_000, chunk_hits=100_000)
    for _ in islice(chunks, 3):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in chunks:
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB


def test_a_run_is_written_with_its_truth(tmp_path: Path) -> None:
    output, truth = tmp_path / "co60.root", tmp_path / "truth.parquet"
    told: list[int] = []
    summary = run(output, ["Co-60"], hits=50_000, seed=3, truth=truth, progress=told.append)
    expected = simulated(["Co-60"], hits=50_000, seed=3)
    with uproot.open(output) as file:
        arrays = file["Data_R"].arrays(library="np")
    for branch, column in {
        "Channel": "channel",
        "Timestamp": "timestamp_ps",
        "Energy": "adc",
        "Flags": "flags",
    }.items():
        np.testing.assert_array_equal(arrays[branch], expected[column].to_numpy())
    written = pl.read_parquet(truth)
    assert written.columns == ["hit", "decay", "nuclide", "true_time_ps", "deposit_kev", "full_energy", "deposits"]
    assert written.equals(expected.select(written.columns).with_columns(pl.col("nuclide").cast(pl.String)))
    assert told[-1] == summary["hits"] == sum(summary["hits_by_detector"].values()) == 50_000
    assert summary["flags"]["fine_timestamp"] == 50_000
    origin = provenance.of_file(output)
    assert origin is not None
    assert origin["simulation"]["sources"] == {"Co-60": 50_000.0}
    assert origin["simulation"]["seed"] == 3
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.slow
def test_equal_parameters_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(tmp_path / f"{name}.root", ["Na-22"], hits=5_000, seed=1, truth=tmp_path / f"{name}.parquet")
    assert (tmp_path / "a.root").read_bytes() == (tmp_path / "b.root").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_options_of_a_run_reach_the_detectors(tmp_path: Path) -> None:
    numbers = {"tick_ps": 4000, "dead_time_ps": 20_000_000, "adc_bits": 16, "background_cps": 100.0}
    mine = Detectors((Detector(1, 5, "A", (0.0, 0.05)), Detector(2, 6, "B", (0.0, 0.05))))
    summary = run(
        tmp_path / "x.root", ["K-40"], duration_s=20, detectors=mine, layout="1000", solid_angle=0.1, **numbers  # type: ignore[arg-type]
    )  # fmt: skip
    assert list(summary["hits_by_detector"]) == ["1/5", "2/6"]
    with uproot.open(tmp_path / "x.root") as file:
        tree = file["Data_R"]
        assert tree["Channel"].entry_offsets[1] == 1000
        assert (tree["Timestamp"].array(library="np") % 4000 == 0).all()
        assert tree["Energy"].array(library="np").max() > 2**14


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"sources": ["U-235"]}, "unknown source 'U-235'"),
        ({"layout": "odd"}, "unknown layout"),
        ({"hits": None}, "no end"),
        ({"detectors": Detectors()}, "no detector"),
        ({"truth": "no/such/truth.parquet"}, "there is no folder"),
        ({"output": "no/such/run.root"}, "there is no folder"),
        ({"output": "run.parquet"}, "end in .root"),
        ({"truth": "run.root"}, "end in .parquet"),
    ],
)
def test_a_wrong_run_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object], error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments: dict[str, object] = {"output": Path("run.root"), "sources": ["Co-60"], "hits": 10} | wrong
    with pytest.raises(GammapolarsError, match=error):
        run(**arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_files_that_exist_stay(tmp_path: Path) -> None:
    output, truth = tmp_path / "run.root", tmp_path / "truth.parquet"
    truth.write_text("mine")
    with pytest.raises(OutputError, match=r"truth\.parquet: already exists"):
        run(output, ["Co-60"], hits=10, truth=truth)
    assert truth.read_text() == "mine"
    assert not output.exists()
    run(output, ["Co-60"], hits=10, truth=truth, overwrite=True)
    assert pl.read_parquet(truth).height == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sources", "detectors", "hits", "seed"),
    [
        pytest.param("co60-four-hpge", ["Co-60=50kBq", "K-40=5kBq"], "detectors", 400_000, 60, marks=pytest.mark.slow),
        ("na22-two-nai", ["Na-22=100kBq"], "detectors-nai", 100_000, 22),
    ],
)
def test_the_data_folder_is_what_its_readme_says(
    tmp_path: Path, name: str, sources: list[str], detectors: str, hits: int, seed: int
) -> None:
    folder = Path(__file__).parents[2] / "data"
    known = load_detectors(folder / f"{detectors}.toml")
    run(tmp_path / "again.root", sources, hits=hits, seed=seed, detectors=known)
    with uproot.open(tmp_path / "again.root") as again, uproot.open(folder / f"{name}.root") as kept:
        found, expected = again["Data_R"].arrays(library="np"), kept["Data_R"].arrays(library="np")
    for branch, values in expected.items():  # other processors round a few logarithms and sines differently
        assert (found[branch] == values).mean() > 0.999
    readme = (folder / "README.md").read_text(encoding="utf-8")
    given_sources = " ".join(f"--source {source}" for source in sources)
    assert f"simulate {given_sources} --hits {hits} --seed {seed} --detectors data/{detectors}.toml" in readme
    assert hashlib.sha256((folder / f"{name}.root").read_bytes()).hexdigest() in readme


@pytest.mark.slow
def test_walk_moves_hits_by_what_their_adc_tells() -> None:
    walk = (60_000.0, -200_000.0)
    late = around_source(Detectors((Detector(0, 1, kind="LaBr3", time_walk_ps=walk, time_walk_range=(40, 900)),)))
    plain = tuple(replace(detector, time_walk_ps=None, time_walk_range=None) for detector in late)
    sources = parse_sources(["Co-60=1kBq"])

    moved, still = (next(simulate(sources, detectors, seed=3, hits=2000)) for detectors in (late, plain))

    root = 1 / np.sqrt(np.clip(still.hits["adc"].to_numpy().astype(np.float64), 40, 900))
    # Where deposits come close, another one of them can be the first, and neighbours change places.
    single = (still.truth["deposits"] == 1).to_numpy() & (still.hits["adc"] == moved.hits["adc"]).to_numpy()
    single &= (still.hits["adc"] > 0).to_numpy() & (still.truth["decay"] == moved.truth["decay"]).to_numpy()
    by = (moved.hits["timestamp_ps"] - still.hits["timestamp_ps"]).to_numpy()
    np.testing.assert_array_equal(by[single], np.rint(walk[0] * root + walk[1] * root**2)[single])
    assert single.sum() > 1900


def test_a_deposit_at_the_very_end_of_a_dead_time_is_a_hit_of_its_own() -> None:
    times = np.array([0, 600, 1000, 1999, 2000, 2500], np.int64)
    chain = np.array([True, False, False, False, False, False])

    owner = hit_of_deposit(times, chain, np.full(6, 1000, np.int64))

    assert owner.tolist() == [0, 0, 2, 2, 4, 4]


def test_neutrons_have_another_pulse_shape_and_the_truth_says_which_hits_are_some(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"sources": ["Co-60=50kBq"], "seed": 4}
    run(tmp_path / "run.root", hits=3000, neutrons=0.25, truth=tmp_path / "truth.parquet", **settings)
    run(tmp_path / "fewer.root", hits=1000, neutrons=0.25, **settings)
    run(tmp_path / "plain.root", hits=3000, **settings)

    hits, neutron = gp.scan(tmp_path / "run.root").collect(), pl.read_parquet(tmp_path / "truth.parquet")["neutron"]
    assert hits.drop("adc_short").equals(gp.scan(tmp_path / "plain.root").collect())
    assert gp.scan(tmp_path / "fewer.root").collect().equals(hits[:1000])
    assert neutron.mean() == pytest.approx(0.25, abs=0.03)
    high = pl.col("adc") > 2000
    shapes = (
        hits.select(high, psd=gp.psd(), neutron=neutron).filter("adc").group_by("neutron").agg(pl.col("psd").mean())
    )
    assert dict(shapes.iter_rows()) == {True: pytest.approx(0.3, abs=0.004), False: pytest.approx(0.15, abs=0.002)}
    assert provenance.of_file(tmp_path / "run.root")["simulation"]["neutrons"] == 0.25  # type: ignore[index]
    with pytest.raises(UsageError, match="fraction of neutrons must be 0 to 1, not 2"):
        run(tmp_path / "none.root", hits=1, neutrons=2.0, **settings)
