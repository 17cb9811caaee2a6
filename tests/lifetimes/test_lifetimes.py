"""Lifetimes: the model's integrals, fits of spectra of known lifetimes, and the command from hits to a half-life."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars import figures, simulate
from gammapolars.detectors import Detector, Detectors, format_detectors
from gammapolars.lifetimes.model import decay_share, part_in_bins
from gammapolars.lifetimes.spectrum import chance_warning, expected_chance
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Nuclide, Source, Transition
from tests.commandline import REPOSITORY, files_in, gammapolars
from tests.drawing import examples, repetitions
from tests.plots import built

SIGMA_PAIR = math.sqrt(2) * 50.0
"""Of the time difference of two detectors of 50 ps."""


def spectrum_of(
    seed: int,
    *,
    tau: float,
    sigma: float = SIGMA_PAIR,
    decays: int = 20_000,
    prompt: int = 0,
    chance: int = 2_000,
    window: tuple[int, int],
    bin_ps: int,
) -> pl.DataFrame:
    """A time spectrum drawn time by time."""
    rng = np.random.default_rng(seed)
    lived = rng.exponential(tau, decays) + rng.normal(0, sigma, decays)
    times = np.rint(np.concatenate([lived, rng.normal(0, sigma, prompt), rng.uniform(*window, chance)]))
    inside = times[(times >= window[0]) & (times <= window[1])].astype(np.int64)
    return gp.time_spectrum(pl.LazyFrame({"dt_ps": inside}), bin_ps=bin_ps).collect()


@given(
    st.floats(1, 1e4), st.floats(1, 1e6), st.floats(-1e4, 1e4), st.lists(st.floats(-3e4, 3e6), min_size=2, max_size=9)
)
def test_shares_are_parts_of_a_whole(sigma: float, tau: float, t0: float, edges: list[float]) -> None:
    every = np.array([-1e9, *sorted(edges), 1e12])

    for share in (decay_share(every, t0, sigma, tau), part_in_bins(every, t0, sigma)):
        assert np.isfinite(share).all()
        assert share.min() > -1e-9
        assert share.sum() == pytest.approx(1, abs=1e-9)


@examples(20)
@given(st.floats(20, 2000), st.floats(20, 20_000))
def test_decays_are_smeared_exponentials(sigma: float, tau: float) -> None:
    from scipy.integrate import quad

    edges = np.array([-2.0, -0.5, 0.3, 2.0]) * sigma + np.array([0.0, 0.0, 0.0, tau])

    def smeared(time: float) -> float:
        within = max(0.0, time) + 9 * sigma
        inside = quad(
            lambda lived: math.exp(-lived / tau) / tau * math.exp(-(((time - lived) / sigma) ** 2) / 2),
            0,
            within,
            points=sorted({max(0.0, time), min(within, tau)}),
            limit=200,
        )
        return float(inside[0]) / math.sqrt(2 * math.pi) / sigma

    for share, low, high in zip(decay_share(edges, 0.0, sigma, tau), edges[:-1], edges[1:], strict=True):
        assert share == pytest.approx(quad(smeared, low, high, limit=200)[0], rel=2e-5, abs=1e-8)


CASES = {"1 ns": (1e3, 50), "10 ns": (1e4, 500), "100 ns": (1e5, 5000), "1 us": (1e6, 50_000)}


def fit_of(seed: int, tau: float, bin_ps: int, **others: Any) -> gp.LifetimeFit:
    window = (-(-(-10_000 if tau < 1e5 else -100_000) // bin_ps) * bin_ps, round(8 * tau) // bin_ps * bin_ps - 1)
    return gp.fit_lifetime(spectrum_of(seed, tau=tau, bin_ps=bin_ps, window=window, **others), window_ps=window)


@pytest.mark.parametrize(
    "case", ["1 ns", *(pytest.param(case, marks=pytest.mark.slow) for case in ("10 ns", "100 ns")), "1 us"]
)
def test_lifetimes_from_1_ns_to_1_us_are_found(case: str) -> None:
    tau, bin_ps = CASES[case]

    (found,) = fit_of(1, tau, bin_ps, prompt=1000).components

    assert abs(found.lifetime_ps - tau) < 3 * found.lifetime_ps_unc
    assert found.lifetime_ps_unc < 0.02 * tau
    assert found.lifetime_ps_low < found.lifetime_ps < found.lifetime_ps_high
    assert abs(found.counts - 20_000) < 4 * found.counts_unc


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [0, 2000])
def test_pulls_of_lifetimes_are_normal(prompt: int) -> None:
    pulls = []
    for seed in range(repetitions(8)):
        for number, (tau, bin_ps) in enumerate(CASES.values()):
            (found,) = fit_of(100 * seed + number, tau, bin_ps, prompt=prompt).components
            pulls.append((found.lifetime_ps - tau) / found.lifetime_ps_unc)

    assert abs(np.mean(pulls)) < 4 / math.sqrt(len(pulls))
    assert 0.7 < np.std(pulls) < 1.3
    assert np.abs(pulls).max() < 4


def test_a_prompt_peak_beside_the_decay_is_told_apart() -> None:
    found = fit_of(2, 1e3, 20, prompt=8000)

    assert abs(found.prompt - 8000) < 4 * found.prompt_unc
    assert abs(found.fwhm_ps - 2.3548 * SIGMA_PAIR) < 4 * found.fwhm_ps_unc
    assert 0.6 < found.chi2 / found.ndf < 1.4
    assert found.warnings == ()


def test_a_spectrum_that_the_model_does_not_describe_is_told() -> None:
    window = (-10_000, 79_999)
    made = spectrum_of(9, tau=1e4, window=window, bin_ps=500)

    poor = gp.fit_lifetime(
        made.with_columns(counts=pl.col("counts") * (1 + 2 * (pl.col("dt_ps") > 40_000))), window_ps=window
    )

    assert any("does not describe" in warning for warning in poor.warnings)


def test_chance_is_told_from_the_decay() -> None:
    found = fit_of(3, 1e4, 500, chance=40_000)

    assert abs(found.components[0].lifetime_ps - 1e4) < 4 * found.components[0].lifetime_ps_unc
    assert abs(found.chance_per_ns - 40_000 / 90) < 4 * found.chance_per_ns_unc


@pytest.mark.slow
def test_decays_before_the_start_are_found_too() -> None:
    window = (-80_000, 9_999)
    made = spectrum_of(4, tau=1e4, window=(-10_000, 79_999), bin_ps=200)
    turned = made.with_columns(dt_ps=-pl.col("dt_ps") - 200)

    found = gp.fit_lifetime(turned, window_ps=window)
    later = gp.fit_lifetime(turned.with_columns(pl.col("dt_ps") + 3000), window_ps=(-77_000, 12_999))

    assert found.direction == "start after stop"
    assert abs(found.components[0].lifetime_ps - 1e4) < 3 * found.components[0].lifetime_ps_unc
    assert abs(found.t0_ps) < 5 * found.t0_ps_unc
    assert abs(later.t0_ps - 3000) < 5 * later.t0_ps_unc
    assert found.curves["counts"].sum() == turned["counts"].sum()
    assert found.curves["dt_ps"].is_sorted()


def test_chance_that_rates_expect_has_the_uncertainty_of_both_counts() -> None:
    one, two = expected_chance([(1.0, 100, 400)]), expected_chance([(1.0, 100, 400), (2.0, 100, 400), (0.0, 5, 5)])

    assert one == pytest.approx((4e-5, 4e-5 * math.sqrt(1 / 100 + 1 / 400)))
    assert two == pytest.approx((6e-5, math.hypot(4e-5, 2e-5) * math.sqrt(1 / 100 + 1 / 400)))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_amplitudes_of_nothing_have_upper_limits(seed: int) -> None:
    """Without chance and prompt peak, limits hold both at 95 %: three standard deviations hold them nearly always."""
    found = fit_of(seed + 20, 1e4, 500, chance=0)

    assert found.prompt_limit is not None
    assert 0 <= found.prompt < found.prompt + found.prompt_unc < found.prompt_limit < 1500
    if found.chance_per_ns_limit is not None:
        assert 0 <= found.chance_per_ns < found.chance_per_ns + found.chance_per_ns_unc < found.chance_per_ns_limit
        assert found.chance_per_ns_limit < 2
    else:
        assert found.chance_per_ns < 4 * found.chance_per_ns_unc


@pytest.mark.slow
def test_a_second_lifetime_that_is_not_there_is_not_told() -> None:
    made = spectrum_of(5, tau=5e3, decays=30_000, window=(-10_000, 99_999), bin_ps=1000)

    found = gp.fit_lifetime(made, components=2, window_ps=(-10_000, 99_999))

    assert len(found.components) == 1
    assert any("1 of 2 lifetimes" in warning for warning in found.warnings)


@pytest.mark.figures
@pytest.mark.slow
@pytest.mark.parametrize("decays", [0, 3000])
def test_figures_show_spectrum_and_residuals(decays: int) -> None:
    window = (-10_000, 99_999)
    made = spectrum_of(5, tau=5e3, decays=decays, window=window, bin_ps=1000)

    assert built(figures.lifetime(gp.fit_lifetime(made, window_ps=window))).startswith(b"\x89PNG")


def test_chance_alone_excludes_no_lifetime() -> None:
    made = spectrum_of(5, tau=5e3, decays=0, window=(-10_000, 99_999), bin_ps=250)

    found = gp.fit_lifetime(made, window_ps=(-10_000, 99_999))

    assert (found.components, found.upper_limit_ps) == ((), None)
    assert any("none can be excluded" in warning for warning in found.warnings)


@pytest.mark.slow
def test_two_lifetimes() -> None:
    window = (-10_000, 249_999)
    both = pl.concat(
        spectrum_of(seed, tau=tau, decays=30_000, chance=500, window=window, bin_ps=1000)
        for seed, tau in ((5, 5e3), (6, 6e4))
    )
    made = both.group_by("dt_ps", "width_ps").agg(pl.col("counts", "variance").sum())

    found = gp.fit_lifetime(made, components=2, window_ps=window)

    long, short = found.components
    assert abs(long.lifetime_ps - 6e4) < 4 * long.lifetime_ps_unc
    assert abs(short.lifetime_ps - 5e3) < 4 * short.lifetime_ps_unc


def test_figures_tell_the_unit_of_a_limit() -> None:
    from gammapolars.figures.lifetime import _time

    assert [_time(885.756), _time(5838.2), _time(1234.5, 67.8), _time(2.5e6, 1.2e4)] == [
        "886 ps",
        "5.84 ns",
        "1.234 ± 0.068 ns",
        "2.500 ± 0.012 µs",
    ]


def test_a_prompt_peak_alone_has_an_upper_limit() -> None:
    window = (-5_000, 4_999)
    made = spectrum_of(7, tau=1.0, decays=0, prompt=20_000, window=window, bin_ps=20)

    found = gp.fit_lifetime(made, window_ps=window)

    assert found.components == ()
    assert found.upper_limit_ps is not None
    assert 0 < found.upper_limit_ps < SIGMA_PAIR
    assert "no lifetime is resolved" in found.warnings[-1]


@pytest.mark.slow
def test_a_known_width_resolves_what_is_shorter() -> None:
    window = (-3_000, 2_999)
    made = spectrum_of(8, tau=30.0, decays=200_000, window=window, bin_ps=10)

    (found,) = gp.fit_lifetime(made, sigma_ps=SIGMA_PAIR, window_ps=window).components

    assert abs(found.lifetime_ps - 30) < 4 * found.lifetime_ps_unc
    assert found.lifetime_ps_unc < 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.head(3), "too few"),
        (lambda table: table.with_columns(counts=pl.lit(-1.0)), "too few"),
        (lambda table: table.with_columns(counts=pl.col("counts") - 2), "not of net counts"),
        (lambda table: table.drop("width_ps"), "no column 'width_ps'"),
    ],
)
def test_what_is_no_time_spectrum_is_refused(change: Any, message: str) -> None:
    made = spectrum_of(1, tau=1e4, window=(-10_000, 79_999), bin_ps=200)

    with pytest.raises(gp.GammapolarsError, match=message):
        gp.fit_lifetime(change(made))


def run_of(
    folder: Path, source: Source, *, time_resolution_ps: float = 50.0, fwhm_ps: float | None = None, hits: int = 200_000
) -> Path:
    """A simulated run of two fast scintillators, and detectors.toml beside it."""
    detectors = Detectors(tuple(Detector(0, channel, f"La-{channel}", kind="LaBr3") for channel in range(2)))
    simulated = [
        SimulatedDetector.from_detector(
            one, time_resolution_ps=time_resolution_ps, solid_angle=0.2, background_cps=100.0
        )
        for one in detectors
    ]
    chunks = simulate.simulate([source], simulated, seed=5, hits=hits)
    gp.save(pl.concat([chunk.hits for chunk in chunks]).lazy(), folder / "run.parquet")
    calibrated = (
        Detector(one.board, one.channel, one.name, one.energy, kind="LaBr3", time_fwhm_ps=fwhm_ps) for one in simulated
    )
    (folder / "detectors.toml").write_text(format_detectors(calibrated), encoding="utf-8")
    return folder / "run.parquet"


@pytest.fixture(scope="module")
def delayed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a source whose second photon leaves a level with a half-life of 20 ns."""
    scheme = Nuclide("X-1", (Transition(900, 300, 600.0, 100.0), Transition(300, 0, 300.0, 100.0)), {}, {300: 20_000.0})
    return run_of(tmp_path_factory.mktemp("delayed"), Source("X-1", 3000.0, scheme))


TIMED = {
    "Hf-181": (50.0, 10_800, ["--start-gate", "120:148", "--stop-gate", "460:500", "--window", "-500ps:150ns"]),
    "In-111": (1000.0, 84_500, ["--start-gate", "155:187", "--stop-gate", "228:262", "--window", "-100ns:1us"]),
    "Ba-133": (50.0, 6_283, ["--start-gate", "340:372", "--stop-gate", "72:90", "--window", "-10ns:80ns"]),
}
"""Resolution of one detector (σ), half-life, and how it is measured.

Of Hf-181, little is taken before the peak: 133 and 346 keV in one detector look like 482 keV there, and 136 keV, after
them, like the start, so that some pairs have the opposite sign.
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("nuclide", "ways"), [("Hf-181", [[]]), ("In-111", [[], ["--nearest"]]), ("Ba-133", [[]])], ids=list(TIMED)
)
def test_half_lives_of_simulated_nuclides_are_found(tmp_path: Path, nuclide: str, ways: list[list[str]]) -> None:
    resolution_ps, half_life_ps, words = TIMED[nuclide]
    run = run_of(tmp_path, Source(nuclide, 20_000.0), time_resolution_ps=resolution_ps)
    ends: list[str | Path] = ["--detectors", tmp_path / "detectors.toml", "--start", "La-0", "--stop", "La-1"]
    ends += ["-o", tmp_path / "times.csv", "--overwrite", "--json"]

    for way in ways:
        done = gammapolars("lifetime", run, *ends, *words, *way)

        assert done.code == 0, done.err
        is_half_life(json.loads(done.out), half_life_ps)


def is_half_life(summary: dict[str, Any], half_life_ps: float) -> None:
    """A known half-life, measured well, and rates and direction as they are."""
    (part,) = summary["components"]
    assert abs(part["half_life_ps"] - half_life_ps) < 3 * part["half_life_ps_unc"]
    assert part["half_life_ps_unc"] < 0.06 * half_life_ps
    assert summary["direction"] == "stop after start"
    assert not [warning for warning in summary["warnings"] if "but the rates give" in warning]
    for row in summary["ends"]:
        assert 0 < row["rate_in_gate_cps"] < row["rate_cps"]
        assert row["rate_cps"] < row["true_rate_cps"] + 4 * row["true_rate_cps_unc"]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float, int]:
    """A run with 0.6 chance stops in a window of 1 us, its lifetime in ps and how many true stops it has."""
    folder = tmp_path_factory.mktemp("crowded")
    rng = np.random.default_rng(3)
    duration_ps, tau = 5 * 10**11, 200_000.0
    starts = np.sort(rng.uniform(0, duration_ps, 50_000)) + 10**7
    true = starts[rng.random(len(starts)) < 0.3]
    true = true + rng.exponential(tau, len(true)) + rng.normal(0, 100, len(true))
    stops = np.concatenate([true, rng.uniform(0, duration_ps + 2 * 10**7, 300_000)])
    channel = np.repeat([0, 1], [len(starts), len(stops)])
    hits = pl.DataFrame({"channel": channel, "time": np.concatenate([starts, stops])}).select(
        board=pl.lit(0, pl.UInt16),
        channel=pl.col("channel").cast(pl.UInt16),
        timestamp_ps=pl.col("time").round().cast(pl.Int64),
        adc=pl.lit(100, pl.UInt16),
        flags=pl.lit(0, pl.UInt32),
    )
    gp.save(hits.sort("timestamp_ps").lazy(), folder / "run.parquet")
    return folder / "run.parquet", tau, len(true)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("window", "way"),
    [
        ("0ns:1us", ["--nearest"]),
        pytest.param("0ns:1us", [], marks=pytest.mark.slow),
        pytest.param("-20ns:1us", ["--nearest"], marks=pytest.mark.slow),
        pytest.param("-20ns:1us", [], marks=pytest.mark.slow),
    ],
)
def test_nearest_stops_at_high_rates_tell_the_same(
    crowded: tuple[Path, float, int], tmp_path: Path, window: str, way: list[str]
) -> None:
    """Nearest ones fall off by themselves, faster than the level decays."""
    run, tau, true = crowded
    words = ["--start", "0/0", "--stop", "0/1", "--window", window, "--bin", "2ns", *way]

    done = gammapolars("lifetime", run, *words, "-o", tmp_path / "times.csv", "--json")

    assert done.code == 0, done.err
    summary = json.loads(done.out)
    (part,) = summary["components"]
    assert abs(part["lifetime_ps"] - tau) < 3.5 * part["lifetime_ps_unc"]
    assert abs(part["counts"] - true) < 4 * part["counts_unc"]
    assert not [warning for warning in summary["warnings"] if "but the rates give" in warning]
    assert summary["chi2"] < summary["ndf"] + 5 * math.sqrt(2 * summary["ndf"])


@pytest.mark.slow
def test_a_time_without_a_source_is_no_time_of_random_pairs(delayed_run: Path, tmp_path: Path) -> None:
    """Most of the run without source: rates of the whole run would let expect few random pairs."""
    hits = pl.read_parquet(delayed_run)
    late = hits["timestamp_ps"].max() + 10**9  # type: ignore[operator]
    twice = pl.concat([hits, hits.head(1000).with_columns(pl.col("timestamp_ps") + 3 * late)])
    gp.save(twice.lazy(), tmp_path / "twice.parquet")
    known = delayed_run.parent / "detectors.toml"
    words: list[str | Path] = ["--detectors", known, "--start", "La-0", "--stop", "La-1"]
    words += ["--start-gate", "560:640", "--stop-gate", "270:330", "--window", "-10us:10us"]

    done = gammapolars("lifetime", tmp_path / "twice.parquet", *words, "-o", tmp_path / "times.csv", "--json")

    summary = json.loads(done.out)
    assert not any("but the rates give" in warning for warning in summary["warnings"])
    assert any("no detector has hits for" in warning for warning in summary["warnings"])
    unc = math.hypot(summary["chance_per_ns_unc"], summary["chance_per_ns_expected_unc"])
    assert abs(summary["chance_per_ns"] - summary["chance_per_ns_expected"]) < 4 * unc


def test_chance_that_rates_do_not_explain_is_told() -> None:
    (more,) = chance_warning(2.0, 0.01, 1.0, 0.01)
    (fewer,) = chance_warning(0.5, 0.01, 1.0, 0.01)

    assert "but the rates give 1 " in more
    assert "a lifetime longer than the window" in more
    assert "detectors are dead after true coincidences" in fewer
    assert list(chance_warning(1.02, 0.01, 1.0, 0.01)) == []


@pytest.mark.slow
def test_the_width_of_the_prompt_peak_comes_from_the_detectors(tmp_path: Path) -> None:
    fwhm_ps = 2.3548 * 50.0
    scheme = Nuclide("X-1", (Transition(900, 300, 600.0, 100.0), Transition(300, 0, 300.0, 100.0)), {}, {300: 30.0})
    run = run_of(tmp_path, Source("X-1", 3000.0, scheme), fwhm_ps=fwhm_ps, hits=100_000)
    words: list[str | Path] = ["--detectors", tmp_path / "detectors.toml", "--start", "La-0", "--stop", "La-1"]
    words += ["--start-gate", "560:640", "--stop-gate", "270:330", "--window", "-3ns:3ns", "--bin", "10ps"]
    words += ["-o", tmp_path / "times.csv", "--overwrite", "--json"]

    free = json.loads(gammapolars("lifetime", run, *words).out)
    fixed = json.loads(gammapolars("lifetime", run, *words, "--sigma", "detectors").out)

    assert [one["sigma_from"] for one in (free, fixed)] == ["the fit", "detectors.toml"]
    assert fixed["fwhm_ps"] == pytest.approx(math.sqrt(2) * fwhm_ps)
    assert free["fwhm_ps_of_detectors"] == pytest.approx(math.sqrt(2) * fwhm_ps)
    (part,) = fixed["components"]
    assert abs(part["half_life_ps"] - 30.0) < 4 * part["half_life_ps_unc"]

    plain = gammapolars(
        "lifetime",
        REPOSITORY / "data" / "co60-four-hpge.root",
        "--start",
        "0/1",
        "--stop",
        "0/2",
        "--window",
        "-1us:1us",
        "-o",
        tmp_path / "t.csv",
        "--sigma",
        "detectors",
    )
    assert plain.code == 2
    assert "needs time_fwhm_ps" in plain.error


@pytest.mark.slow
@pytest.mark.usefixtures("built_figures")
def test_the_command_finds_the_half_life_of_a_simulated_level(delayed_run: Path, tmp_path: Path) -> None:
    run = delayed_run
    known: list[str | Path] = ["--detectors", run.parent / "detectors.toml"]
    ends = ["--start", "La-0", "--stop", "La-1", "--start-gate", "560:640", "--stop-gate", "270:330"]
    outputs: list[str | Path] = ["-o", tmp_path / "times.parquet", "--figure", tmp_path / "times.png"]

    done = gammapolars("lifetime", run, *known, *ends, "--window", "-50ns:400ns", *outputs, "--json")

    assert done.code == 0, done.err
    summary = json.loads(done.out)
    (part,) = summary["components"]
    assert abs(part["half_life_ps"] - 20_000) < 4 * part["half_life_ps_unc"]
    assert part["half_life_ps_unc"] < 800
    assert summary["direction"] == "stop after start"
    saved = pl.read_parquet(tmp_path / "times.parquet")
    assert saved["counts"].sum() == summary["pairs_in_gates"]
    assert {"dt_ps", "width_ps", "counts", "fit", "prompt", "decay_1", "chance"} == set(saved.columns)
    assert (tmp_path / "times.png").read_bytes().startswith(b"\x89PNG")

    text = gammapolars(
        "lifetime", run, *known, *ends, "--window", "-50ns:400ns", *outputs, "--overwrite", "--sigma", "75ps"
    )
    assert "half-life" in text.out
    assert "as given" in text.out
    assert "χ²/ndf" in text.out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--start", "0/1", "--stop", "0/1"], 2, "same detector"),
        (["--start", "0/1", "--stop", "0/2", "--start-gate", "5:a", "--unit", "adc"], 2, "--start-gate takes LOW:HIGH"),
        (["--start", "0/1", "--stop", "0/9"], 2, "too few"),
        (["--start", "0/1", "--stop", "0/2", "--components", "3"], 2, "one or two lifetimes"),
        (["--start", "0/1", "--stop", "0/2", "--bin", "0ns"], 2, "at least 1 ps wide, not 0"),
        (["--start", "0/1", "--stop", "0/2", "--nearest", "--bin", "-5ns"], 2, "at least 1 ps wide, not -5000"),
        (["--start", "0/1", "--stop", "0/2", "--nearest", "--bin", "1ps"], 2, "of 2,000,001 bins cannot be fitted"),
        (["--start", "0/1", "--stop", "0/2", "--bin", "1us"], 2, "of 2 bins cannot be fitted"),
        (["--start", "0/1", "--stop", "0/2", "--figure", "times.jpg"], 2, "figures are written to .png, .pdf, .svg"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, options: list[str], code: int, message: str) -> None:
    run = Path(__file__).parents[2] / "data" / "co60-four-hpge.root"

    done = gammapolars("lifetime", run, *options, "--window", "-1us:1us", "-o", tmp_path / "times.csv")

    assert done.code == code
    assert message in done.error
    assert files_in(tmp_path) == []
