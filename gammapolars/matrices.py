"""What `matrix` does beyond the symmetric matrix of all energies: chosen detectors on each axis, and other axes."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars import analysis
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detectors
from gammapolars.errors import UsageError
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.matrix_files import SUFFIXES, save_matrix
from gammapolars.io.output import check_output
from gammapolars.products import HitTally, PairTally
from gammapolars.provenance import describe
from gammapolars.spectra import matrix
from gammapolars.spectra.selections import is_one_of

DEFAULTS = {"energy_kev": 2.0, "adc": 16.0, "dt_ps": 1000.0}
"""Widths of bins: keV, adc values, ps."""

AXES = ("energy:energy", "adc:adc", "dt:energy", "dt:adc")

Key = tuple[int, int]


def asymmetric(
    runs: Runs,
    rule: PairRule,
    output: Path,
    *,
    x: Sequence[str] = (),
    y: Sequence[str] = (),
    axes: str = "energy:energy",
    bin_x: float | None = None,
    bin_y: float | None = None,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """Write a matrix with some detectors on x and others on y, or with time differences on x.

    A pair stands where one of its hits is of an x detector and the other of a y detector: once, or, if both are of
    both, in both orders. Time differences are those of y minus x.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        output: as for `save_matrix`; for axes of time .parquet, .arrow or .csv.
        x: names of detectors, or of groups; none: all.
        y: the same.
        axes: `energy:energy`, `adc:adc`, `dt:energy` or `dt:adc`: what lies along x, and along y.
        bin_x: width of the bins on x, in keV, adc values or ps; None: 2 keV, 16 adc, 1 ns.
        bin_y: the same on y.
        random: windows that hold chance pairs alone, or `auto`.
        detectors: names, groups, time offsets and calibrations.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars matrix --json` prints it.
    """
    started = time.perf_counter()
    known = detectors or Detectors()
    if axes not in AXES:
        raise UsageError(f"unknown axes '{axes}': there are {', '.join(AXES)}")
    along = ["dt_ps" if one == "dt" else "energy_kev" if one == "energy" else "adc" for one in axes.split(":")]
    widths = [width or DEFAULTS[column] for width, column in zip((bin_x, bin_y), along, strict=True)]
    of_time = "dt_ps" in along
    if not of_time and output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output}: unknown suffix '{output.suffix}': matrices are written to {', '.join(SUFFIXES)}")
    check_writable(output, overwrite=overwrite) if of_time else check_output(output, overwrite=overwrite)
    if "energy_kev" in along and not any(detector.energy for detector in known):
        raise UsageError("axes of energy need a calibration: name a detectors.toml that has one, or take axes of adc")
    ready = analysis.with_random(runs, rule, random, known)
    hits, pairs = HitTally(), PairTally(ready.window)
    reading = analysis.Pass(runs, ready, known, progress, [hits, pairs])
    turned = _oriented(reading.pairs(), [_keys(names, known) for names in (x, y)])
    names = ["dt_ps" if column == "dt_ps" else f"{column}_{side}" for column, side in zip(along, "ab", strict=True)]
    made = turned.pipe(matrix, x=names[0], y=names[1], bin_x=widths[0], bin_y=widths[1], symmetric=False)
    table = made.collect()
    summary = analysis.summarise(reading, hits, pairs) | {
        "axes": axes,
        "x": list(x),
        "y": list(y),
        "bin_x": widths[0],
        "bin_y": widths[1],
        "counts": float(table["counts"].sum()),
    }
    texts = describe(runs, summary)
    if of_time:
        save(table.lazy(), output, overwrite=overwrite, metadata=texts)
    else:
        unit = {"bin_kev": widths[0]} if along[0] == "energy_kev" else {"bin_adc": widths[0]}
        save_matrix(table, output, overwrite=overwrite, metadata=texts, **unit)
    elapsed = time.perf_counter() - started
    return summary | {"elapsed_s": elapsed, "hits_per_s": summary["hits_read"] / elapsed, "output": str(output)}


def _keys(names: Sequence[str], detectors: Detectors) -> list[Key] | None:
    """The detectors that some names, or groups, stand for; None: all."""
    found: list[Key] = []
    for name in names:
        group = [detector.key for detector in detectors if detector.group == name]
        found += group or [detectors.named(name).key]
    return found or None


def _oriented(pairs: pl.LazyFrame, chosen: list[list[Key] | None]) -> pl.LazyFrame:
    """Pairs with the hit of an x detector as a, and the other as b; in both orders, where both would do."""
    columns = pairs.collect_schema()
    stems = [name[:-2] for name in columns if name.endswith("_a")]
    both = []
    for sides, sign in (("ab", 1), ("ba", -1)):
        ends = list(zip("ab", sides, strict=True))
        mine = [
            pl.lit(value=True) if keys is None else is_one_of(keys, f"_{side}")
            for keys, side in zip(chosen, sides, strict=True)
        ]
        values = {f"{stem}_{end}": pl.col(f"{stem}_{side}") for stem in stems for end, side in ends}
        both.append((mine[0] & mine[1], values | {"dt_ps": sign * pl.col("dt_ps")}))
    (first, values), (second, mirrored) = both
    lists = {
        name: pl.concat_list(pl.when(first).then(values[name]), pl.when(second).then(mirrored[name])) for name in values
    }
    others = [name for name in ("weight", "region", "timestamp_ps") if name in columns]
    kept = pl.concat_list(first, second)
    rows = pairs.filter(first | second).select(*others, **lists, _kept=kept)
    return rows.explode(*lists, "_kept").filter("_kept").drop("_kept")
