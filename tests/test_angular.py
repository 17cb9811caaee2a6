"""Angular correlations: Co-60 simulated photon by photon in detectors of true size, and the fit by itself."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.detectors import format_detectors
from tests.commandline import files_in, gammapolars

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


def test_the_correlation_of_cobalt_is_recovered(tmp_path: Path) -> None:
    summary = measured(tmp_path, run_of(1, 1_500_000, a2=A2, a4=A4))

    assert abs(summary["a2_point"] - A2) < 3 * summary["a2_point_unc"]
    assert abs(summary["a4_point"] - A4) < 3 * summary["a4_point_unc"]
    assert summary["a2_point_unc"] < 0.025
    assert summary["a2"] < summary["a2_point"]
    table = pl.read_csv(tmp_path / "w.csv")
    assert table["detector_pairs"].sum() == 9 * 8
    assert (tmp_path / "w.png").stat().st_size > 10_000


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
    data = Path(__file__).parent.parent / "data"
    words = ["--on", "1173.2", "--and", "1332.5", "-o", str(tmp_path / "w.csv")]

    done = gammapolars("angular", data / "co60-four-hpge.root", "--detectors", data / "detectors.toml", *words)

    assert done.code == 1
    assert "no direction of HPGe-1" in done.error
    assert files_in(tmp_path) == []
