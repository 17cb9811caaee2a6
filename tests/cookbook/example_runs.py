"""The runs that the guide's page of analyses reads: small, of known truth, the same each time."""

from math import log
from pathlib import Path

import numpy as np
import polars as pl

from tests.cookbook.kitchen import hits
from tests.hits import PILE_UP

NS, US, S = 1000, 10**6, 10**12

HALF_LIFE_PS = 6283
GAIN_PER_S = -2e-5
FWHM_KEV = 2.0
FOM = (0.25 - 0.12) / 2.35482 / (0.015 + 0.020)
NEUTRONS = 1500
RATIO = 0.8


def write_runs(folder: Path) -> None:
    """Write all runs into a folder, which is made."""
    folder.mkdir()
    rng = np.random.default_rng(60)
    makers = (cascade, isomer, neutrons, drifting, undershoot)
    runs = {maker.__name__: maker(rng) for maker in makers} | {
        "monday": monday(rng, 1.0),
        "tuesday": monday(rng, RATIO),
    }
    for name, table in runs.items():
        table.sort("timestamp_ps", "channel").write_parquet(folder / f"{name}.parquet")
    (folder / "drifting.toml").write_text('[[detector]]\nboard = 0\nchannel = 0\nenergy = [0.0, 0.25]\nkind = "HPGe"\n')


def cascade(rng: np.random.Generator) -> pl.DataFrame:
    """Three gamma rays of 300, 500 and 1000 keV in three detectors, each of which keeps all of it in one of two."""
    starts = US * np.arange(2000)
    parts = []
    for channel, energy in enumerate((300.0, 500.0, 1000.0)):
        full = rng.random(2000) < 0.5
        kev = np.where(full, energy, rng.uniform(50, energy - 50, 2000))
        parts.append(hits(starts + rng.integers(0, 20 * NS, 2000), channel, energy_kev=kev))
    return pl.concat(parts)


def isomer(rng: np.random.Generator) -> pl.DataFrame:
    """356 keV and, with a half-life of 6.28 ns after it, 81 keV, in any of four detectors with 0.5 ns resolution."""
    fed = np.cumsum(rng.exponential(2 * US, 5000))
    left = fed + rng.exponential(HALF_LIFE_PS / log(2), 5000)
    times = np.concatenate([fed, left]) + rng.normal(0, 500, 10_000)
    kev = np.repeat([356.0, 81.0], 5000) + rng.normal(0, 1, 10_000)
    return hits(times, rng.integers(0, 4, 10_000), energy_kev=kev)


def neutrons(rng: np.random.Generator) -> pl.DataFrame:
    """6000 gamma rays with a pulse shape of 0.12 and 1500 neutrons with one of 0.25."""
    psd = np.concatenate([rng.normal(0.12, 0.015, 6000), rng.normal(0.25, 0.02, NEUTRONS)])
    adc = rng.integers(2000, 12_000, len(psd))
    return hits(rng.uniform(0, S, len(psd)), 0, adc=adc, adc_short=adc * (1 - psd))


def drifting(rng: np.random.Generator) -> pl.DataFrame:
    """A line of 1460.8 keV on a continuum, measured for 1000 s while the gain falls by 2 %."""
    kev = np.concatenate([rng.normal(1460.8, FWHM_KEV / 2.35482, 10_000), rng.uniform(200, 2500, 10_000)])
    time = rng.uniform(0, 1000 * S, len(kev))
    return hits(time, 0, adc=kev / 0.25 * (1 + GAIN_PER_S * time / S))


def undershoot(rng: np.random.Generator) -> pl.DataFrame:
    """A line of 662 keV that is measured 2 % too low right after a hit, which is over within some 20 us."""
    time = np.cumsum(rng.exponential(30 * US, 10_000))
    since = np.diff(time, prepend=-S)
    kev = rng.normal(662, FWHM_KEV / 2.35482, 10_000) * (1 - 0.02 * np.exp(-since / (20 * US)))
    return hits(time, 0, energy_kev=kev)


def monday(rng: np.random.Generator, efficiency: float) -> pl.DataFrame:
    """A line of 662 keV in two detectors for 100 s, of which the second sees less with a lower efficiency."""
    parts = []
    for channel, share in ((0, 1.0), (1, efficiency)):
        number = rng.poisson(5000 * share)
        kev = np.concatenate([rng.normal(662, 1, number), rng.uniform(500, 800, 6000)])
        flags = PILE_UP * (rng.random(len(kev)) < 0.02)
        parts.append(hits(rng.uniform(0, 100 * S, len(kev)), channel, energy_kev=kev, flags=flags))
    return pl.concat(parts)
