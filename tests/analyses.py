"""Analyses of runs that never were: tables as one pass over a run gives them, drawn from known distributions."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from gammapolars.analysis.chance import COUNTS, SIDES
from gammapolars.analysis.live_times import NOTED
from gammapolars.core.units import Window
from gammapolars.detectors import Detector, Detectors
from gammapolars.report.analyse import Analysis
from gammapolars.report.lines import peak_table

Lines = list[tuple[float, float]]
"""(energy in keV, counts) of each full-energy peak."""


def keys(names: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"name": names}).select(
        board=pl.lit(0, pl.UInt16), channel=pl.int_range(pl.len(), dtype=pl.UInt16), name="name"
    )


def spectrum_counts(
    rng: np.random.Generator,
    lines: Lines,
    *,
    width: float = 1.0,
    top: float = 3000.0,
    fwhm_662: float = 1.6,
    continuum: float = 60.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Bin centres and Poisson counts: peaks with Compton edges, and an exponential continuum (counts/keV at 0)."""
    centres = np.arange(width / 2, top, width)
    expected = continuum * width * np.exp(-centres / 900)
    for energy, area in lines:
        sigma = fwhm_662 / 2.355 * np.sqrt(max(energy, 50) / 662)
        edge = energy / (1 + 511 / (2 * energy))
        expected += area * width / (sigma * 2.5066) * np.exp(-0.5 * ((centres - energy) / sigma) ** 2)
        expected += 2.5 * area * width / edge / (1 + np.exp((centres - edge) / (4 + sigma)))
    return centres, rng.poisson(expected).astype(float)


def spectra_table(rng: np.random.Generator, names: list[str], lines: Lines, **shape: float) -> pl.DataFrame:
    tables = []
    for board, channel, name in keys(names).iter_rows():
        centres, counts = spectrum_counts(rng, lines, **shape)
        tables.append(
            pl.DataFrame({"energy_kev": centres, "counts": counts, "variance": counts})
            .filter(pl.col("counts") > 0)
            .select(
                pl.lit(board, pl.UInt16).alias("board"),
                pl.lit(channel, pl.UInt16).alias("channel"),
                pl.lit(name).alias("name"),
                "energy_kev",
                "counts",
                "variance",
            )
        )
    return pl.concat(tables)


def with_adc(spectra: pl.DataFrame) -> pl.DataFrame:
    """Spectra in keV, or in adc, with both columns."""
    missing = [name for name in ("adc", "energy_kev") if name not in spectra.columns]
    return spectra.with_columns(pl.lit(None, pl.Float64).alias(name) for name in missing)


def with_peaks(analysis: Analysis) -> Analysis:
    """An analysis with the peaks of its spectra, whose fits take a second."""
    keys = analysis.detectors.select("board", "channel", "name").rows()
    detectors = Detectors(tuple(Detector(*key) for key in keys))
    return replace(analysis, peaks=peak_table(with_adc(analysis.spectra), detectors))


def true_rates_table(rates: pl.DataFrame) -> pl.DataFrame:
    """Rates as `gammapolars rates` gives them, of detectors that are hardly ever dead."""
    cps = pl.col("rate_cps").mean()
    unc = (pl.col("counts").sum()).sqrt() / pl.col("width_s").sum()
    table = rates.group_by("board", "channel", "name", maintain_order=True).agg(
        hits=pl.col("counts").sum().cast(pl.Int64),
        real_time_s=pl.col("width_s").sum(),
        rate_cps=cps,
        rate_cps_unc=unc,
        true_rate_cps=cps,
        true_rate_cps_unc=unc,
    )
    live = {"live_fraction": 1.0, "live_fraction_unc": 1e-4, "dead_time_ps": 1e6, "dead_time_ps_unc": 1e5}
    return table.with_columns(
        *(pl.lit(value).alias(name) for name, value in live.items()),
        *(pl.lit(None, dtype).alias(name) for name, dtype in NOTED.items()),
    )


def rates_table(
    rng: np.random.Generator, names: list[str], rate: float, *, bins: int = 100, width: float = 6.0, drift: float = 0.0
) -> pl.DataFrame:
    times = (np.arange(bins) + 0.5) * width
    tables = []
    for number, key in enumerate(keys(names).iter_rows(named=True)):
        expected = rate * (1 + 0.15 * number) * width * (1 + drift * times / times[-1])
        counts = rng.poisson(expected)
        tables.append(
            pl.DataFrame({"time_s": times, "width_s": width, "counts": counts.astype(float)}).select(
                *(
                    pl.lit(value, dtype).alias(name)
                    for (name, value), dtype in zip(key.items(), (pl.UInt16, pl.UInt16, pl.String), strict=True)
                ),
                "time_s",
                "width_s",
                "counts",
                rate_cps=pl.col("counts") / pl.col("width_s"),
            )
        )
    return pl.concat(tables)


def time_differences_table(
    rng: np.random.Generator,
    names: list[str],
    *,
    prompt: float,
    chance_per_ns: float,
    window_ns: float = 250.0,
    centre: float = 0.0,
    fwhm: float = 18.0,
    width: float = 2.0,
) -> pl.DataFrame:
    centres = np.arange(-4 * window_ns + width / 2, 4 * window_ns, width)
    sigma = fwhm / 2.355
    shape = prompt * width / (sigma * 2.5066) * np.exp(-0.5 * ((centres - centre) / sigma) ** 2)
    return pl.concat(
        pl.DataFrame(
            {
                "name_a": a,
                "name_b": b,
                "dt_ns": centres,
                "width_ns": width,
                "counts": rng.poisson(shape + chance_per_ns * width).astype(float),
            }
        )
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    )


def matrix_table(
    rng: np.random.Generator,
    spots: list[tuple[float, float, int]],
    *,
    continuum: int = 40_000,
    width: float = 2.0,
    fwhm_662: float = 1.6,
) -> pl.DataFrame:
    """A symmetric matrix: spots (x, y, pairs) on a continuum of pairs; the diagonal counts once."""
    x, y = rng.exponential(450, continuum) + 20, rng.exponential(450, continuum) + 20
    for energy_x, energy_y, pairs in spots:
        sigma_x, sigma_y = (fwhm_662 / 2.355 * np.sqrt(energy / 662) for energy in (energy_x, energy_y))
        x = np.concatenate([x, rng.normal(energy_x, sigma_x, pairs)])
        y = np.concatenate([y, rng.normal(energy_y, sigma_y, pairs)])
    cell_x, cell_y = np.floor(x / width), np.floor(y / width)
    off = cell_x != cell_y
    cells = pl.DataFrame(
        {
            "energy_kev_x": (np.concatenate([cell_x, cell_y[off]]) + 0.5) * width,
            "energy_kev_y": (np.concatenate([cell_y, cell_x[off]]) + 0.5) * width,
        }
    )
    counted = cells.group_by("energy_kev_x", "energy_kev_y").agg(counts=pl.len().cast(pl.Float64))
    return counted.with_columns(variance="counts").sort("energy_kev_x", "energy_kev_y")


def assemble(
    spectra: pl.DataFrame,
    rates: pl.DataFrame,
    differences: pl.DataFrame,
    matrix: pl.DataFrame,
    *,
    window_ns: float = 250.0,
    chance_per_ns: float = 0.0,
    calibrated: bool = True,
    **fields: Any,
) -> Analysis:
    """One record out of its tables: hits from the spectra, pairs from the time differences within the window."""
    real_time = float(rates["width_s"].sum() / max(1, rates["name"].n_unique()))
    hits = spectra.group_by("board", "channel", "name").agg(hits_used=pl.col("counts").sum().cast(pl.Int64))
    hits = hits.sort("board", "channel").with_columns(
        hits=(pl.col("hits_used") * 1.03).cast(pl.Int64),
        rate_cps=pl.col("hits_used") / real_time,
        calibrated=calibrated,
    )
    number = {name: place for place, name in enumerate(hits["name"])}
    inside = differences.filter(pl.col("dt_ns").abs() <= window_ns).group_by("name_a", "name_b", maintain_order=True)
    pairs = inside.agg(pairs=pl.col("counts").sum().cast(pl.Int64)).with_columns(
        chance_pairs_expected=pl.lit(chance_per_ns * 2 * window_ns),
        chance_pairs_expected_unc=pl.lit(0.0),
        board_a=pl.lit(0, pl.UInt16),
        board_b=pl.lit(0, pl.UInt16),
        channel_a=pl.col("name_a").replace_strict(number, return_dtype=pl.UInt16),
        channel_b=pl.col("name_b").replace_strict(number, return_dtype=pl.UInt16),
    )
    used = int(hits["hits_used"].sum())
    read = int(hits["hits"].sum())
    analysis = Analysis(
        inputs=("run7.root",),
        hits_read=read,
        hits_used=used,
        rejected={"saturation": (read - used) // 3, "pile_up": read - used - (read - used) // 3},
        window=Window(-int(window_ns * 1000), int(window_ns * 1000)),
        pairs=int(pairs["pairs"].sum()),
        chance_pairs_expected=float(pairs["chance_pairs_expected"].sum()),
        real_time_s=real_time,
        first_timestamp_ps=1_000_000,
        last_timestamp_ps=1_000_000 + int(real_time * 1e12),
        warnings=(),
        detectors=hits.select("board", "channel", "name", "hits", "hits_used", "rate_cps", "calibrated"),
        pairs_by_detectors=pairs.select([*SIDES, *COUNTS]),
        spectra=spectra,
        rates=rates,
        time_differences=differences,
        matrix=matrix,
        true_rates=true_rates_table(rates),
    )
    return replace(analysis, **fields)


def cobalt(seed: int = 1, names: list[str] | None = None, **fields: Any) -> Analysis:
    """Four germanium detectors and Co-60."""
    rng = np.random.default_rng(seed)
    names = names or [f"HPGe-{number}" for number in range(1, 5)]
    lines = [(1173.228, 30_000.0), (1332.492, 27_000.0)]
    return assemble(
        spectra_table(rng, names, lines),
        rates_table(rng, names, 450.0),
        time_differences_table(rng, names, prompt=2600, chance_per_ns=0.4),
        matrix_table(rng, [(1173.228, 1332.492, 1500)], continuum=14_000),
        chance_per_ns=0.4,
        **fields,
    )


def sodium(seed: int = 2, **fields: Any) -> Analysis:
    """Two sodium iodide detectors and Na-22."""
    rng = np.random.default_rng(seed)
    names = ["NaI left", "NaI right"]
    lines = [(511.0, 200_000.0), (1274.537, 40_000.0)]
    return assemble(
        spectra_table(rng, names, lines, width=5.0, fwhm_662=46.0, top=2000.0),
        rates_table(rng, names, 900.0),
        time_differences_table(rng, names, prompt=50_000, chance_per_ns=3.0, window_ns=100.0, fwhm=6.0, width=1.0),
        matrix_table(
            rng, [(511.0, 511.0, 20_000), (511.0, 1274.537, 6000)], width=10.0, fwhm_662=46.0, continuum=25_000
        ),
        window_ns=100.0,
        chance_per_ns=3.0,
        **fields,
    )


def many(seed: int = 3, detectors: int = 32) -> Analysis:
    """An array of detectors."""
    rng = np.random.default_rng(seed)
    names = [f"det {number:02d}" for number in range(detectors)]
    return assemble(
        spectra_table(rng, names, [(661.657, 8000.0)]),
        rates_table(rng, names, 60.0, bins=40, drift=0.3),
        time_differences_table(rng, names, prompt=20, chance_per_ns=0.2, width=10.0),
        matrix_table(rng, [], continuum=60_000),
        chance_per_ns=0.2,
    )


def uncalibrated(seed: int = 4) -> Analysis:
    """Four channels in adc."""
    full = cobalt(seed, [f"0/{channel}" for channel in range(4)])
    spectra = full.spectra.select(
        "board", "channel", "name", adc=pl.col("energy_kev") * 4, counts="counts", variance="variance"
    )
    matrix = full.matrix.select(
        adc_x=pl.col("energy_kev_x") * 4, adc_y=pl.col("energy_kev_y") * 4, counts="counts", variance="variance"
    )
    return replace(full, spectra=spectra, matrix=matrix, detectors=full.detectors.with_columns(calibrated=False))


def flat(seed: int = 5) -> Analysis:
    """Sources without lines and without coincidences."""
    rng = np.random.default_rng(seed)
    names = ["a", "b", "c"]
    return assemble(
        spectra_table(rng, names, [], continuum=400.0),
        rates_table(rng, names, 300.0),
        time_differences_table(rng, names, prompt=0, chance_per_ns=4.0),
        matrix_table(rng, []),
        chance_per_ns=4.0,
    )


def empty() -> Analysis:
    """A run without a hit."""
    full = cobalt()
    tables = {
        name: getattr(full, name).clear()
        for name in ("detectors", "pairs_by_detectors", "spectra", "rates", "time_differences", "matrix")
    }
    return replace(
        full,
        hits_read=0,
        hits_used=0,
        rejected={},
        pairs=0,
        chance_pairs_expected=0.0,
        real_time_s=0.0,
        first_timestamp_ps=0,
        last_timestamp_ps=0,
        **tables,
    )
