"""Angular correlations: Co-60 simulated photon by photon in detectors of true size, and the fit by itself."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.analysis.accumulators.cascades import CascadeCounts
from gammapolars.angular.directions import groups_of
from gammapolars.angular.normalise import arrays, mixed_events
from gammapolars.angular.theory import f_coefficient
from gammapolars.detectors import format_detectors
from gammapolars.simulate import Correlation, SimulatedDetector, Source, parse_correlations, simulate
from gammapolars.simulate.decays import Emitter
from tests.commandline import files_in, gammapolars
from tests.drawing import repetitions

A2, A4 = 0.1020, 0.0091
"""Of the cascade 4(2)2(2)0 of Co-60."""

HALF_ANGLE_DEG = 18.0

DETECTORS = gp.Detectors(
    tuple(
        gp.Detector(0, channel, f"Ge-{channel}", (0.0, 0.1), theta_deg=theta, phi_deg=phi)
        for channel, (theta, phi) in enumerate(
            [(90, 0), (90, 45), (90, 90), (90, 150), (90, 180), (90, 260), (35, 20), (40, 200), (145, 100)]
        )
    )
)

Floats = npt.NDArray[np.float64]


def directions(rng: np.random.Generator, count: int) -> Floats:
    drawn = rng.standard_normal((count, 3))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1)[:, None], np.float64)


def correlated(rng: np.random.Generator, first: Floats, a2: float, a4: float) -> Floats:
    """Directions of second photons, W(θ) from the first, by rejection."""
    found = np.empty_like(first)
    open_ = np.arange(len(first))
    while len(open_):
        tried = directions(rng, len(open_))
        cosine = (tried * first[open_]).sum(axis=1)
        p2, p4 = (3 * cosine**2 - 1) / 2, (35 * cosine**4 - 30 * cosine**2 + 3) / 8
        kept = rng.random(len(open_)) * (1 + abs(a2) + abs(a4)) < 1 + a2 * p2 + a4 * p4
        found[open_[kept]] = tried[kept]
        open_ = open_[~kept]
    return found


def run_of(seed: int, decays: int, *, a2: float, a4: float) -> pl.DataFrame:
    """Hits of Co-60 decays, 2 µs apart: a detector sees what flies into its cone, some of it in part only."""
    rng = np.random.default_rng(seed)
    axes = np.array(
        [
            (math.sin(t) * math.cos(f), math.sin(t) * math.sin(f), math.cos(t))
            for t, f in ((math.radians(d.theta_deg or 0), math.radians(d.phi_deg or 0)) for d in DETECTORS)
        ]
    )
    first = directions(rng, decays)
    parts = []
    for energy, flown in ((1173.2, first), (1332.5, correlated(rng, first, a2, a4))):
        inside = flown @ axes.T > math.cos(math.radians(HALF_ANGLE_DEG))
        decay, detector = np.nonzero(inside)
        seen = rng.random(len(decay)) < 0.6 + 0.04 * detector  # efficiencies differ
        decay, detector = decay[seen], detector[seen]
        full = rng.random(len(decay)) < 0.8
        measured = np.where(full, rng.normal(energy, 0.8, len(decay)), rng.uniform(50, energy - 150, len(decay)))
        times = decay * 2_000_000 + rng.integers(0, 20_000, len(decay)) + 10**9
        parts.append(
            pl.DataFrame({"channel": detector.astype(np.uint16), "timestamp_ps": times, "adc": np.rint(measured * 10)})
        )
    rest = {"board": pl.lit(0, pl.UInt16), "flags": pl.lit(0, pl.UInt32), "adc": pl.col("adc").cast(pl.UInt16)}
    return pl.concat(parts).sort("timestamp_ps").with_columns(**rest).select(*gp.HITS.columns)


def measured(folder: Path, hits: pl.DataFrame, *options: str) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    gp.save(hits.lazy(), folder / "run.parquet", overwrite=True)
    (folder / "detectors.toml").write_text(format_detectors(DETECTORS), encoding="utf-8")
    lines = ["--on", "1173.2", "--and", "1332.5", "--width", "8", "--half-angle", str(HALF_ANGLE_DEG)]
    outputs: list[str | Path] = ["-o", folder / "w.csv", "--figure", folder / "w.png", "--overwrite"]
    words = [*lines, "--background", "1180:1200", "--and-background", "1340:1360", *outputs, *options]
    done = gammapolars("angular", folder / "run.parquet", "--detectors", folder / "detectors.toml", *words, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.usefixtures("built_figures")
def test_the_correlation_of_cobalt_is_recovered(tmp_path: Path) -> None:
    summary = measured(tmp_path, run_of(1, 700_000, a2=A2, a4=A4))

    assert abs(summary["a2_point"] - A2) < 3 * summary["a2_point_unc"]
    assert abs(summary["a4_point"] - A4) < 3 * summary["a4_point_unc"]
    assert summary["a2_point_unc"] < 0.037
    assert summary["a2"] < summary["a2_point"]
    table = pl.read_csv(tmp_path / "w.csv")
    assert table["detector_pairs"].sum() == 9 * 8
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.usefixtures("built_figures")
def test_without_correlation_there_is_none(tmp_path: Path) -> None:
    summary = measured(tmp_path, run_of(2, 1_000_000, a2=0.0, a4=0.0))

    assert abs(summary["a2"]) < 3 * summary["a2_unc"]
    assert abs(summary["a4"]) < 3 * summary["a4_unc"]


@pytest.mark.slow
def test_pulls_of_a2_and_a4_are_normal(tmp_path: Path) -> None:
    pulls = []
    for seed in range(7):
        found = measured(tmp_path, run_of(100 + seed, 800_000, a2=A2, a4=A4))
        pulls.append(
            [(found["a2_point"] - A2) / found["a2_point_unc"], (found["a4_point"] - A4) / found["a4_point_unc"]]
        )

    assert np.abs(np.mean(pulls, axis=0)).max() < 4 / math.sqrt(7)
    assert 0.5 < np.std(pulls) < 1.6


@pytest.mark.slow
@pytest.mark.usefixtures("built_figures")
def test_uncorrelated_pairs_normalise_too(tmp_path: Path) -> None:
    hits = run_of(3, 400_000, a2=A2, a4=A4)
    # Random windows reach the next decays, which know nothing of this one.
    summary = measured(tmp_path, hits, "--window", "100ns", "--random", "1500ns:10500ns", "--normalise", "uncorrelated")

    assert abs(summary["a2_point"] - A2) < 3.5 * summary["a2_point_unc"]


def test_the_fit_is_least_squares() -> None:
    angles = np.array([30.0, 60, 90, 120, 150, 180])
    cosine = np.cos(np.radians(angles))
    w = 7 * (1 + 0.3 * (3 * cosine**2 - 1) / 2 - 0.1 * (35 * cosine**4 - 30 * cosine**2 + 3) / 8)

    fit = gp.fit_legendre(angles, w, 0.01 * w)

    assert fit.a2 == pytest.approx(0.3)
    assert fit.a4 == pytest.approx(-0.1)
    assert fit.chi2 == pytest.approx(0, abs=1e-9)
    assert fit.ndf == 3


def test_attenuation_is_the_mean_over_a_cone() -> None:
    beta = np.linspace(0, math.radians(20), 20_001)
    x, weight = np.cos(beta), np.sin(beta)

    found = gp.attenuation(20)

    for value, legendre in zip(found, ((3 * x**2 - 1) / 2, (35 * x**4 - 30 * x**2 + 3) / 8), strict=True):
        assert value == pytest.approx(np.trapezoid(legendre * weight, beta) / np.trapezoid(weight, beta), abs=1e-6)


def test_few_angles_do_not_tell_four_terms() -> None:
    with pytest.raises(gp.UsageError, match="2 different angles"):
        gp.fit_legendre([60, 90, 120], [1, 1, 1], [0.1, 0.1, 0.1])


def test_detectors_without_direction_are_named(tmp_path: Path) -> None:
    data = Path(__file__).parents[2] / "data"
    words = ["--on", "1173.2", "--and", "1332.5", "-o", str(tmp_path / "w.csv")]

    done = gammapolars("angular", data / "co60-four-hpge.root", "--detectors", data / "detectors.toml", *words)

    assert done.code == 1
    assert "no direction is given for HPGe-1" in done.error
    assert files_in(tmp_path) == []


# Theory


@pytest.mark.parametrize(
    ("spins", "a2", "a4"),
    [
        ("4,2,0", 5 / 49, 4 / 441),
        ("0-2-0", 5 / 14, 8 / 7),
        ("0,1,0", 1 / 2, 0.0),
        ("1,1,0", -1 / 4, 0.0),
        ("2,1,0", 1 / 20, 0.0),
        ("6,4,2", 5 / 49, 4 / 441),  # all stretched quadrupole cascades have this one
        ("1/2,3/2,1/2", 1 / 4, 0.0),
        ("3/2,1/2,1/2", 0.0, 0.0),  # a level of spin 1/2 cannot be aligned
    ],
)
def test_coefficients_of_known_cascades(spins: str, a2: float, a4: float) -> None:
    assert gp.angular_coefficients(spins) == pytest.approx((a2, a4), abs=1e-12)


@pytest.mark.parametrize("delta", [-3.0, -0.2, 0.0, 0.5, 40.0])
def test_a_mixed_transition_has_the_sign_of_krane_steffen_and_wheeler(delta: float) -> None:
    a2 = (0.25 - 0.731925 * delta - 0.0765306 * delta**2) / (1 + delta**2)
    a4 = 0.3265306 * delta**2 / (1 + delta**2)

    assert gp.angular_coefficients((2, 2, 0), mixing=(delta, 0)) == pytest.approx((a2, a4), abs=1e-5)
    # Seen from the other end the same cascade has its mixing in the second gamma ray, with the other sign.
    assert gp.angular_coefficients((0, 2, 2), mixing=(0, -delta)) == pytest.approx((a2, a4), abs=1e-5)


@pytest.mark.parametrize(
    ("numbers", "value"),
    [((2, 1, 1, 0, 1), 0.7071), ((2, 2, 2, 0, 2), -0.5976), ((4, 2, 2, 0, 2), -1.0690), ((2, 1, 2, 2, 2), -0.6124),
     ((2, 2, 2, 4, 2), -0.1707), ((4, 2, 2, 4, 2), -0.0085)],
)  # fmt: skip
def test_f_coefficients_are_those_of_the_table(numbers: tuple[int, ...], value: float) -> None:
    k, first, second, end, middle = numbers

    assert f_coefficient(k, first, second, Fraction(end), Fraction(middle)) == pytest.approx(value, abs=6e-5)


@pytest.mark.parametrize(
    ("spins", "more"),
    [("4,2", {}), ("0,0,0", {}), ("4,5/2,0", {}), ("x,2,0", {}), ("4,2,0", {"multipoles": (1, 2)}),
     ("4,2,0", {"mixing": (0, 0.1)}), ("4,2,0", {"multipoles": (2,)}), ("4,2,0", {"mixing": (math.nan, 0)})],
)  # fmt: skip
def test_cascades_that_cannot_be_are_usage_errors(spins: str, more: dict[str, Any]) -> None:
    with pytest.raises(gp.UsageError):
        gp.angular_coefficients(spins, **more)


# Counts, slices and fits


@given(st.lists(st.floats(0, 180), max_size=40), st.floats(0, 5))
def test_angles_group_without_chains(angles: list[float], tolerance: float) -> None:
    groups = groups_of(np.array(angles), tolerance)

    for number in set(groups.tolist()):
        inside = [angle for angle, group in zip(angles, groups, strict=True) if group == number]
        assert max(inside) - min(inside) <= tolerance
        assert not [
            a for a, group in zip(angles, groups, strict=True) if min(inside) < a < max(inside) and group != number
        ]


def tables(
    rng: np.random.Generator, decays: list[float], efficiency: list[Floats], a2: float, a4: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Counts as `angular_counts` and `angular_singles` give them, one slice for each of `decays`, Poisson.

    Singles are the coincidences and what is seen alone.
    """
    number = len(DETECTORS)
    x = np.cos(np.radians([[gp.angle_deg(one, other) for other in DETECTORS] for one in DETECTORS]))
    w = 1 + a2 * (3 * x**2 - 1) / 2 + a4 * (35 * x**4 - 30 * x**2 + 3) / 8
    np.fill_diagonal(w, 0)  # two in one detector are no line
    counts, singles = [], []
    for time_slice, (flux, seen) in enumerate(zip(decays, efficiency, strict=True)):
        expected = flux * np.outer(seen, seen) * w
        found = rng.poisson(expected)
        first = found.sum(axis=1) + rng.poisson(flux * seen - expected.sum(axis=1))
        second = found.sum(axis=0) + rng.poisson(flux * seen - expected.sum(axis=0))
        at: dict[str, int] = {"run": 1, "time_slice": time_slice}
        for i, j in zip(*np.nonzero(~np.eye(number, dtype=bool)), strict=True):
            same = dict.fromkeys(("coincidences", "variance", "covariance_1", "covariance_2"), int(found[i, j]))
            zeros = dict.fromkeys(("random", "random_variance", "covariance_random"), 0)
            ends = {"board_1": 0, "channel_1": int(i), "board_2": 0, "channel_2": int(j)}
            counts.append(at | ends | same | zeros)
        for i in range(number):
            both = {"counts_1": first[i], "variance_1": first[i], "counts_2": second[i], "variance_2": second[i]}
            singles.append(at | {"board": 0, "channel": i, "covariance": 0} | both)
    return typed(counts), typed(singles)


def typed(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows).cast({name: TYPES.get(name, pl.Float64) for name in rows[0]})


TYPES: dict[str, Any] = {"run": pl.UInt16, "time_slice": pl.Int64} | dict.fromkeys(
    ("board", "channel", "board_1", "channel_1", "board_2", "channel_2"), pl.UInt16
)


def test_detectors_that_were_off_while_the_source_was_strong_change_nothing() -> None:
    rng = np.random.default_rng(11)
    steady = np.linspace(0.02, 0.04, len(DETECTORS))
    off = steady.copy()
    off[[0, 4]] = 0.0  # two that face each other
    counts, singles = tables(rng, [1e6, 5e6], [steady, off], A2, A4)

    sliced = gp.angular_correlation(counts, singles, DETECTORS)
    whole = gp.angular_correlation(counts.drop("run", "time_slice"), singles.drop("run", "time_slice"), DETECTORS)

    assert abs(sliced.a2 - A2) < 4 * sliced.a2_unc
    assert abs(sliced.a4 - A4) < 4 * sliced.a4_unc
    assert sliced.chi2 < sliced.ndf + 4 * math.sqrt(2 * sliced.ndf)
    assert whole.chi2 > 3 * sliced.chi2


def test_true_coincidences_are_taken_from_the_products_of_singles() -> None:
    """E[S1 S2] = E[S1] E[S2] + E[N]: what is expected without correlation is the product less the coincidences."""
    ends = [{"board_1": 0, "channel_1": i, "board_2": 0, "channel_2": 1 - i} for i in (0, 1)]
    zeros = dict.fromkeys(("random", "random_variance", "covariance_random", "covariance_1", "covariance_2"), 0.0)
    pairs = [end | {"coincidences": n, "variance": n} | zeros for end, n in zip(ends, (2.0, 1.0), strict=True)]
    lines = [
        {"board": 0, "channel": i, "counts_1": one, "variance_1": one, "counts_2": two, "variance_2": two}
        | {"covariance": 0.0}
        for i, (one, two) in enumerate([(4.0, 3.0), (5.0, 6.0)])
    ]

    found = mixed_events(arrays(typed(pairs), typed(lines), [(0, 0), (0, 1)]), np.array([0, 1]))

    assert found.of_groups[0] / found.of_groups[1] == pytest.approx((4 * 6 - 2) / (5 * 3 - 1))


def test_an_angle_without_counts_is_fitted() -> None:
    rng = np.random.default_rng(3)
    counts, singles = tables(rng, [1e5], [np.full(len(DETECTORS), 0.01)], 0.0, 0.0)
    opposite = ((pl.col("channel_1") == 0) & (pl.col("channel_2") == 4)) | (
        (pl.col("channel_1") == 4) & (pl.col("channel_2") == 0)
    )
    found = ("coincidences", "variance", "covariance_1", "covariance_2")
    counts = counts.with_columns(pl.when(opposite).then(0.0).otherwise(pl.col(name)).alias(name) for name in found)

    fit = gp.angular_correlation(counts, singles, DETECTORS)

    last = fit.table.row(-1, named=True)
    assert last["angle_deg"] == pytest.approx(180)
    assert last["w"] == 0
    assert last["w_unc"] > 0.1
    assert math.isfinite(fit.a2)
    assert fit.a2_unc > 0


@pytest.mark.slow
def test_pulls_of_few_and_of_many_counts_are_normal() -> None:
    rng = np.random.default_rng(5)
    seen = np.linspace(0.02, 0.04, len(DETECTORS))
    for decays in (1.5e4, 1e6):  # about 10 and 700 coincidences of two detectors
        pulls, chi2 = [], []
        for _ in range(150):
            fit = gp.angular_correlation(*tables(rng, [decays], [seen], 0.3, -0.1), DETECTORS)
            pulls.append([(fit.a2 - 0.3) / fit.a2_unc, (fit.a4 + 0.1) / fit.a4_unc])
            chi2.append(fit.chi2 / fit.ndf)
        assert np.abs(np.mean(pulls, axis=0)).max() < 4.5 / math.sqrt(150)
        assert (np.abs(np.std(pulls, axis=0) - 1) < 4.5 / math.sqrt(300)).all()
        assert abs(np.mean(chi2) - 1) < 0.1


def test_gates_that_overlap_are_refused() -> None:
    pairs = pl.LazyFrame(schema=gp.PAIRS.columns | gp.PAIRS.optional)

    with pytest.raises(gp.UsageError, match="overlap"):
        gp.angular_counts(pairs, gp.Gate(500, 520), gp.Gate(510, 530))


@pytest.mark.parametrize("unc", [[0.0, 0.1, 0.1], [0.1, 0.1], [math.nan, 0.1, 0.1]])
def test_uncertainties_that_cannot_be_are_refused(unc: list[float]) -> None:
    with pytest.raises(gp.UsageError, match="standard deviation"):
        gp.fit_legendre([0, 45, 90], [1, 1, 1], unc)


# The simulator


CONES = tuple(
    SimulatedDetector.from_detector(
        one, fwhm=(0.55, 0.00216), direction=(one.theta_deg, one.phi_deg), solid_angle=0.03, peak_to_total_662=0.95,
        peak_to_total_power=0.0, background_cps=0.0, thickness_g_cm2=60.0,
    )
    for one in DETECTORS
)  # fmt: skip

HALF_ANGLE_OF_CONES = math.degrees(math.acos(1 - 2 * 0.03))


def test_weights_are_means_over_two_cones() -> None:
    rng = np.random.default_rng(2)
    correlation = Correlation(1173.2, 1332.5, 0.3, 0.2)
    weights = correlation.weights(CONES)
    axes = np.array([one.axis for one in CONES])
    flown = directions(rng, 1_500_000)
    for i, j in ((0, 0), (0, 1), (0, 4), (2, 7)):
        first, second = (flown[flown @ axes[k] > 1 - 2 * 0.03] for k in (i, j))
        second = rng.permutation(second)
        size = min(len(first), len(second))
        x = (first[:size] * second[:size]).sum(axis=1)
        drawn = 1 + 0.3 * (3 * x**2 - 1) / 2 + 0.2 * (35 * x**4 - 30 * x**2 + 3) / 8
        assert weights[i, j] == pytest.approx(drawn.mean(), abs=0.006)


@pytest.mark.slow
def test_correlated_photons_are_seen_by_themselves_as_before() -> None:
    sources = [Source("Co-60", 2e4)]
    emitters = [Emitter(sources, CONES, 1, one) for one in ((), (Correlation(1332.5, 1173.2, 0.35, 1.1),))]

    rates = []
    for emitter in emitters:
        deposits = [emitter.block(number)[0] for number in range(3)]
        seen = np.sum([np.bincount(block.detector, minlength=len(CONES)) for block in deposits], axis=0)
        rates.append(seen / (3 * emitter.block_ps * 1e-12))

    expected = emitters[0].rates_cps()
    unc = np.sqrt(expected / (3 * emitters[0].block_ps * 1e-12)) * 1.3  # some hits come in pairs
    assert (np.abs(rates[0] - expected) < 4.5 * unc).all()
    assert (np.abs(rates[1] - expected) < 4.5 * unc).all()


@pytest.mark.slow
def test_simulated_correlations_come_out_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "detectors.toml").write_text(format_detectors(DETECTORS), encoding="utf-8")
    run, toml = tmp_path / "run.root", tmp_path / "detectors.toml"
    words = ["--source", "Co-60=20kBq", "--hits", "1500000", "--solid-angle", "0.04", "--background", "0"]
    words += [
        "--correlation",
        "1332.5,1173.2=0.3571,0.5",
        "--detectors",
        str(toml),
        "--truth",
        str(tmp_path / "t.parquet"),
    ]
    made = gammapolars("simulate", *words, "-o", run, "--json")
    assert made.code == 0, made.err
    told = {"first_kev": 1332.5, "second_kev": 1173.2, "a2": 0.3571, "a4": 0.5}
    assert json.loads(made.out)["correlations"] == [told]
    carried = json.loads(pl.read_parquet_metadata(tmp_path / "t.parquet")["gammapolars"])
    assert carried["simulation"]["correlations"] == [told]

    half_angle = str(math.degrees(math.acos(1 - 2 * 0.04)))
    lines = ["--on", "1173.2", "--and", "1332.5", "--width", "8", "--half-angle", half_angle, "--spins", "0,2,0"]
    lines += [
        "--background",
        "1190:1230",
        "--and-background",
        "1350:1390",
        "--random",
        "1us:3us",
        "-o",
        str(tmp_path / "w.csv"),
    ]
    done = gammapolars("angular", run, "--detectors", toml, *lines, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)

    assert abs(found["a2_point"] - 0.3571) < 3.5 * found["a2_point_unc"]
    assert abs(found["a4_point"] - 0.5) < 3.5 * found["a4_point_unc"]
    assert found["expected"]["a4"] == pytest.approx(8 / 7)
    assert found["expected"]["chi2"] > 20  # these are not the spins that were simulated
    text = gammapolars("angular", run, "--detectors", toml, *lines, "--overwrite").out
    assert "expected for 0,2,0" in text
    assert "corrected for solid angle" in text


@pytest.mark.slow
def test_pulls_of_simulated_cobalt_are_normal() -> None:
    """From hits of the simulator through pairs, counts and fit."""
    gates = gp.Gate(1169, 1177, ((1190, 1230),)), gp.Gate(1328, 1337, ((1350, 1390),))
    truth = gp.angular_coefficients("4,2,0")
    size = tuple(q**2 for q in gp.attenuation(HALF_ANGLE_OF_CONES))
    pulls = []
    for seed in range(repetitions(40)):
        made = simulate(
            [Source("Co-60", 5e3)], CONES, seed=seed, hits=200_000, correlations=[Correlation(1173.2, 1332.5, *truth)]
        )
        detectors = gp.Detectors(tuple(gp.Detector(**{**vars(one), "energy": CONES[0].energy}) for one in DETECTORS))
        hits = (
            pl.concat([chunk.hits for chunk in made]).lazy().filter(~gp.has_any(0x8000)).pipe(gp.calibrate, detectors)
        )
        counts = gp.angular_counts(gp.pairs(hits, window="100ns"), *gates)
        fit = gp.angular_correlation(
            counts, gp.angular_singles(hits, *gates), detectors, attenuation=(size[0], size[1])
        )
        pulls.append([(fit.a2_point - truth[0]) / fit.a2_point_unc, (fit.a4_point - truth[1]) / fit.a4_point_unc])

    assert np.abs(np.mean(pulls, axis=0)).max() < 4.5 / math.sqrt(len(pulls))
    assert abs(np.std(pulls) - 1) < 3.2 / math.sqrt(2 * len(pulls))


@pytest.mark.parametrize(
    "text",
    ["1173.2,1332.5", "1173.2=0.1,0.1", "1173.2,1332.5=0.1,0.1,0.1", "1173.2,1332.5=4", "1173.2,1332.5=-1.5,1.5",
     "1173.2,1332.5,511=0.1,0.1"],
)  # fmt: skip
def test_correlations_that_cannot_be_are_usage_errors(text: str) -> None:
    with pytest.raises(gp.UsageError):
        parse_correlations([text])


@pytest.mark.parametrize(
    ("texts", "said"),
    [(["500,600=0.1,0"], "no source emits 500 and 600"), (["1173.2,1332.5=0.1,0", "1332.5,1173.2=0.1,0"], "in two")],
)
def test_lines_that_are_no_cascade_are_usage_errors(texts: list[str], said: str) -> None:
    with pytest.raises(gp.UsageError, match=said):
        simulate([Source("Co-60")], CONES, hits=1, correlations=parse_correlations(texts))


# Slices of time in one pass


@given(st.data())
def test_wider_slices_hold_the_same_counts(data: st.DataObject) -> None:
    """However hits and pairs are cut, and however often slices are made wider, the sums by slice are a plain loop's."""
    gates = gp.Gate(10, 20, ((30, 40),)), gp.Gate(50, 60, ((70, 90),))
    detectors = gp.Detectors(tuple(gp.Detector(0, number, energy=(0.0, 1.0)) for number in range(3)))
    drawn = data.draw(
        st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 2), st.integers(0, 99)), min_size=1, max_size=60)
    )
    hits = pl.DataFrame(sorted(drawn), {"timestamp_ps": pl.Int64, "channel": pl.UInt16, "adc": pl.UInt16}, orient="row")
    rest = {"board": pl.lit(0, pl.UInt16), "flags": pl.lit(0, pl.UInt32)}
    hits = hits.with_columns(**rest).select(*gp.HITS.columns)
    pairs = gp.pairs(hits.lazy(), window=50).collect()
    product = CascadeCounts(*gates, detectors, 0, width_ps=7, most_rows=data.draw(st.integers(1, 20)))
    cut_hits, cut_pairs = data.draw(st.integers(0, hits.height)), data.draw(st.integers(0, pairs.height))
    for part in (hits[:cut_hits], hits[cut_hits:]):
        product.add_hits(part)
    for part in (pairs[:cut_pairs], pairs[cut_pairs:]):
        product.add_pairs(part)

    counts, singles = product.tables()

    width = product.width_ps
    seen = gp.calibrate(hits.lazy(), detectors, dither=True).collect()
    plain: dict[tuple[int, int], float] = {}
    for time, channel, energy in seen.select("timestamp_ps", "channel", "energy_kev").iter_rows():
        key = (time // width, channel)
        plain[key] = plain.get(key, 0.0) + weight_of(gates[0], energy)
    by_hand = {(row["time_slice"], row["channel"]): row["counts_1"] for row in singles.to_dicts()}
    assert {key: value for key, value in plain.items() if abs(value) > 1e-9} == pytest.approx(
        {key: value for key, value in by_hand.items() if abs(value) > 1e-9}
    )
    both = gp.calibrate(pairs.lazy(), detectors, dither=True).collect()
    ordered: dict[tuple[int, int, int], float] = {}
    for row in both.to_dicts():
        for a, b in ("ab", "ba"):
            weight = weight_of(gates[0], row[f"energy_kev_{a}"]) * weight_of(gates[1], row[f"energy_kev_{b}"])
            ends = (row["timestamp_ps"] // width, row[f"channel_{a}"], row[f"channel_{b}"])
            ordered[ends] = ordered.get(ends, 0.0) + weight
    found = {(row["time_slice"], row["channel_1"], row["channel_2"]): row["coincidences"] for row in counts.to_dicts()}
    assert {key: value for key, value in ordered.items() if abs(value) > 1e-9} == pytest.approx(
        {key: value for key, value in found.items() if abs(value) > 1e-9}
    )


def weight_of(gate: gp.Gate, energy: float) -> float:
    if gate.low <= energy <= gate.high:
        return 1.0
    return -gate.scale if any(low <= energy <= high for low, high in gate.background) else 0.0
