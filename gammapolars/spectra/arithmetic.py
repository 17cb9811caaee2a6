"""Sums, differences and quotients of spectra, with their variances."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.types import Floats
from gammapolars.spectra.bins import (
    AXES,
    NUMBER,
    WIDTH_OF,
    Axis,
    computed,
    keys_of,
    numbered,
    parts_by_axis,
    spectra_of,
)

ByDetector = Mapping[tuple[int, int], float]

Efficiency = pl.Expr | Callable[[Floats], Floats | tuple[Floats, Floats]]
"""An expression of `energy_kev`, or a function of an array of energies (keV) that gives efficiencies, or efficiencies
and their uncertainties."""


def add_spectra(
    first: AnyFrame, *others: AnyFrame, by: Sequence[str] | None = None, width: float | None = None
) -> pl.LazyFrame:
    """The sum of spectra: of several runs, or of several detectors of one table.

    Args:
        first: a table of spectra.
        others: further ones, in the same bins.
        by: the keys that stay apart; spectra that differ in other keys are summed. None: all keys that `first` has.
        width: of the bins, where too few are filled to show it.

    Returns:
        A lazy table: `by`, the bins, `counts` and `variance`, both summed.

    Raises:
        TableError: a table lacks a column; when it is collected: different bins, or different energies of a channel.
    """
    opened = [spectra_of(frame) for frame in (first, *others)]
    columns = opened[0][1]
    keys = keys_of(columns) if by is None else list(by)
    for _, columns in opened:
        for name in keys:
            if name not in columns:
                raise TableError(
                    f"a table of spectra to be summed has no column '{name}' (it has {', '.join(columns)})"
                )

    def summed() -> pl.DataFrame:
        tables = pl.collect_all([frame for frame, _ in opened])
        return _in_common_bins(tables, lambda parts: _grouped(pl.concat(parts), keys), schema, width)

    schema = _schema([columns for _, columns in opened], keys)
    return computed(schema, summed)


def subtract(
    spectrum: AnyFrame,
    background: AnyFrame,
    *,
    scale: float | ByDetector = 1.0,
    scale_unc: float | ByDetector = 0.0,
    width: float | None = None,
) -> pl.LazyFrame:
    """Spectra minus a scaled background: counts a - s b, with the variance var_a + s² var_b + b² σ_s².

    Counts may come out negative and stay so: cutting them off would make sums too large. The contribution of the
    scale's uncertainty is common to all bins: for a sum of bins, scale the sum.

    Args:
        spectrum: a table of spectra.
        background: the same, in the same bins; keys that it lacks, such as `time_slice`, have the same background.
        scale: the ratio of live times, spectrum's to background's, one or by (board, channel).
        scale_unc: its uncertainty.
        width: of the bins, where too few are filled to show it.

    Returns:
        A lazy table with the keys of `spectrum` and all bins of both.

    Raises:
        TableError: the background has keys that the spectrum lacks; when it is collected: different bins.
        UsageError: a scale that is not a finite number of 0 or more.
    """
    spectrum = lazy(spectrum, "spectrum")
    background = lazy(background, "spectrum")
    (a, columns), (b, of_b) = spectra_of(spectrum), spectra_of(background)
    keys, shared = keys_of(columns), keys_of(of_b)
    if unknown := [name for name in shared if name not in columns]:
        raise TableError(
            f"the background has a column '{unknown[0]}' that the spectrum does not have: sum over it first"
        )
    _check_factors(scale, "scale", least=0.0)
    _check_factors(scale_unc, "scale_unc", least=0.0)

    def difference() -> pl.DataFrame:
        of_a, of_background = pl.collect_all([a, b])
        if set(keys) != set(shared):
            own = of_a.select(keys).unique()
            of_background = own.join(of_background, on=shared) if shared else own.join(of_background, how="cross")
        scaled = _with_factor(_with_factor(of_background, scale, "_scale"), scale_unc, "_scale_unc")
        s, u, counts = pl.col("_scale"), pl.col("_scale_unc"), pl.col("counts")
        negative = scaled.with_columns(counts=-s * counts, variance=s**2 * pl.col("variance") + counts**2 * u**2).drop(
            "_scale", "_scale_unc"
        )
        return _in_common_bins([of_a, negative], lambda parts: _grouped(pl.concat(parts), keys), schema, width)

    schema = _schema([columns, of_b], keys)
    return computed(schema, difference)


def per_second(
    spectrum: AnyFrame, live_time_s: float | ByDetector, live_time_unc: float | ByDetector = 0.0
) -> pl.LazyFrame:
    """Spectra in counts per second: n / T, with the variance var / T² + (n / T)² (σ_T / T)².

    The contribution of the live time's uncertainty is common to all bins: for a sum of bins, divide the sum.

    Args:
        spectrum: a table of spectra.
        live_time_s: one for all, or by (board, channel).
        live_time_unc: its uncertainty (s).

    Returns:
        The same lazy table, whose `counts` are per second and whose `variance` is theirs.

    Raises:
        UsageError: a live time that is not above 0.
        TableError: no table of spectra; when it is collected: a detector without a live time.
    """
    spectrum = lazy(spectrum, "spectrum")
    frame, columns = spectra_of(spectrum)
    _check_factors(live_time_s, "live_time_s", least=math.ulp(0.0))
    _check_factors(live_time_unc, "live_time_unc", least=0.0)

    def normalised() -> pl.DataFrame:
        table = _with_factor(_with_factor(frame.collect(), live_time_s, "_t"), live_time_unc, "_t_unc")
        t, rate = pl.col("_t"), pl.col("counts") / pl.col("_t")
        return table.with_columns(counts=rate, variance=pl.col("variance") / t**2 + (rate * pl.col("_t_unc") / t) ** 2)

    return computed(columns, normalised)


def divide_by_efficiency(
    spectrum: AnyFrame, efficiency: Efficiency, *, efficiency_unc: pl.Expr | float = 0.0
) -> pl.LazyFrame:
    """Spectra divided by the efficiency at each bin's centre: n / ε, with the variance var / ε² + (n / ε)² (σ_ε / ε)².

    Uncertainties of a fitted efficiency are correlated between bins: for a peak, divide its area.

    Args:
        spectrum: a table of spectra in bins of energy.
        efficiency: an expression of `energy_kev` and of keys such as `channel`, or a function of an array of energies
            (keV) that gives the efficiencies, or a pair: these and their uncertainties.
        efficiency_unc: the uncertainty, as an expression or a number, where `efficiency` does not give it.

    Returns:
        The same lazy table, whose `counts` are those of a detector of efficiency 1.

    Raises:
        TableError: the spectra have no energies; when it is collected: an efficiency that is not above 0.
    """
    spectrum = lazy(spectrum, "spectrum")
    frame, columns = spectra_of(spectrum)
    if "energy_kev" not in columns:
        raise TableError("an efficiency needs energies: this table of spectra has no column 'energy_kev'")

    def corrected() -> pl.DataFrame:
        table = frame.collect()
        energies = table["energy_kev"].to_numpy()
        curve = efficiency if isinstance(efficiency, pl.Expr) else efficiency(energies)
        values, unc = curve if isinstance(curve, tuple) else (curve, efficiency_unc)
        columns_ = {"_e": _column(values, table), "_e_unc": _column(unc, table)}
        table = table.with_columns(**columns_)
        wrong = table.filter(
            ~((pl.col("_e") > 0) & pl.col("_e").is_finite() & pl.col("_e_unc").is_finite()).fill_null(value=False)
        )
        if wrong.height:
            place, value = wrong.select("energy_kev", "_e").row(0)
            raise TableError(
                f"the efficiency at {place} keV is {value}, but must be positive and finite: leave these bins out"
            )
        e, quotient = pl.col("_e"), pl.col("counts") / pl.col("_e")
        return table.with_columns(
            counts=quotient, variance=pl.col("variance") / e**2 + (quotient * pl.col("_e_unc") / e) ** 2
        )

    return computed(columns, corrected)


def _column(values: Any, table: pl.DataFrame) -> pl.Expr:
    """Values of each row, however given, as an expression."""
    if isinstance(values, pl.Expr):
        return values
    return pl.lit(pl.Series(np.broadcast_to(np.asarray(values, np.float64), table.height)))


def _schema(columns: Sequence[pl.Schema], keys: Sequence[str]) -> dict[str, Any]:
    """The columns of tables of spectra that are taken together."""
    dtypes = {name: dtype for schema in reversed(columns) for name, dtype in schema.items()}
    own = [name for name in (*AXES, "counts", "variance", *WIDTH_OF.values()) if name in dtypes]
    order = ("energy_kev", "adc", "counts", "variance", *WIDTH_OF.values())
    return {name: dtypes[name] for name in (*keys, *sorted(own, key=order.index))}


def _in_common_bins(
    tables: Sequence[pl.DataFrame],
    combine: Callable[[list[pl.DataFrame]], pl.DataFrame],
    schema: Mapping[str, Any],
    width: float | None,
) -> pl.DataFrame:
    """Combine the bins of adc of some tables, and those of energy."""
    axes = [parts_by_axis(table) for table in tables]
    kinds = {tuple(parts) for parts in axes if parts}
    if len(kinds) > 1:
        raise TableError("some spectra have bins in adc and others in energy: calibrate or rebin them first")
    tables = []
    for axis in next(iter(kinds), ()):
        parts = [part[axis].select(name for name in schema if name in part[axis].columns) for part in axes if part]
        filled = [
            part.with_columns(pl.lit(None, schema[n]).alias(n) for n in schema if n not in part) for part in parts
        ]
        tables.append(combine(numbered(filled, axis, width)))
        _check_energies(tables[-1], axis)
    empty = pl.DataFrame(schema=dict(schema))
    return pl.concat([empty, *(part.select(list(schema)) for part in tables)])


def _grouped(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    others = [name for name in (*AXES, *WIDTH_OF.values()) if name in table.columns]
    energy = [pl.col("energy_kev").min().alias("_least"), pl.col("energy_kev").max().alias("_most")]
    return (
        table.group_by(*keys, NUMBER)
        .agg(
            *(pl.col(name).drop_nulls().first() for name in others),
            *(energy if "energy_kev" in table.columns else []),
            pl.col("counts", "variance").sum(),
        )
        .sort(*keys, NUMBER)
    )


def _check_energies(table: pl.DataFrame, axis: Axis) -> None:
    """Raise where one channel has several energies."""
    if axis != "adc" or "_least" not in table.columns:
        return
    apart = table.filter(pl.col("_most") - pl.col("_least") > 1e-6 * pl.col("_most").abs() + 1e-9)
    if apart.height:
        adc, least, most = apart.select("adc", "_least", "_most").row(0)
        raise TableError(
            f"ADC channel {adc:g} corresponds to both {least:g} keV and {most:g} keV: rebin the spectra to "
            "bin_kev first"
        )


def _check_factors(value: float | ByDetector, name: str, *, least: float) -> None:
    for factor in value.values() if isinstance(value, Mapping) else [value]:
        if not least <= factor < math.inf:
            raise UsageError(f"{name} must be {'above 0' if least else '0 or more'} and finite, not {factor}")


def _with_factor(table: pl.DataFrame, value: float | ByDetector, name: str) -> pl.DataFrame:
    """A table with a number that is one for all or each detector's own."""
    if not isinstance(value, Mapping):
        return table.with_columns(pl.lit(value, pl.Float64).alias(name))
    if not {"board", "channel"} <= set(table.columns):
        raise TableError("numbers by (board, channel) need spectra with these columns")
    rows = [(*key, factor) for key, factor in value.items()]
    schema = pl.Schema({"board": table.schema["board"], "channel": table.schema["channel"], name: pl.Float64()})
    joined = table.join(
        pl.DataFrame(rows, schema, orient="row"), on=["board", "channel"], how="left", maintain_order="left"
    )
    if joined[name].null_count():
        board, channel = joined.filter(pl.col(name).is_null()).select("board", "channel").row(0)
        raise TableError(f"there is no number for board {board} channel {channel} among those by (board, channel)")
    return joined
