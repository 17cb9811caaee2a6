"""Metadata of a spectrum file besides its counts."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.overview import Overview, html_of

KEY = "measurements"
"""The metadata entry, one JSON object by spectrum name, in Parquet and ROOT files."""

MAX_TERMS = 32

CLOCK_S, ROUNDING = 0.02, 1e-6
"""How far a live time may exceed the real one by rounding: the step of the clock of CHN, and 32-bit floating point."""

NEXT_CHANNELS, LIKE_NEXT = 8, 5.0
"""Counts in a channel are like those in so many next ones within this many standard deviations."""

MOST_NAMES = 8
"""So many spectra of a file are named in a message."""

UNKNOWN_START = datetime(1970, 1, 1)
"""Stands in formats that need a date where none is known, and is read as none."""


@dataclass(frozen=True, repr=False)
class Measurement(Overview):
    """How a spectrum was recorded. Formats have a place for some of it, and leave out the rest.

    Attributes:
        title: the subject of the measurement, in one line.
        detector: the instrument, in one line.
        live_time_s: how long the detector was ready to record, seconds; None: not known.
        real_time_s: how long it was recorded, seconds; None: not known.
        started: when that began, to the second, on the clock of the laboratory; None: not known.
        energy: coefficients of the energy polynomial in keV, lowest order first: E = Σ c_i adc^i, where a whole adc is
            the middle of its channel. None: uncalibrated, or the table has its energies anyway.
        underflow: counts below the first bin, in histograms that keep them.
        overflow: counts above the last bin.
        warnings: doubtful content of the file, and how it was read; not written to other files, nor compared.
    """

    title: str = ""
    detector: str = ""
    live_time_s: float | None = None
    real_time_s: float | None = None
    started: datetime | None = None
    energy: tuple[float, ...] | None = None
    underflow: float = 0.0
    overflow: float = 0.0
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in ("live_time_s", "real_time_s"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 <= seconds < math.inf:
                raise UsageError(f"{name} must be 0 or more seconds, not {seconds}")
        terms = self.energy
        if terms is not None and not (1 <= len(terms) <= MAX_TERMS and all(math.isfinite(term) for term in terms)):
            raise UsageError(f"an energy polynomial has 1 to {MAX_TERMS} finite coefficients, not {list(terms)}")


class RecordedSpectrum(NamedTuple):
    """One spectrum from a file.

    Attributes:
        table: `adc` and/or `energy_kev` (bin centres, Float64), `counts`, `variance`; every bin that the file has.
        measurement: the metadata of the file.
    """

    table: pl.DataFrame
    measurement: Measurement

    def _repr_html_(self) -> str:
        return f"<div>{html_of(self.measurement)}{self.table._repr_html_()}</div>"


Spectra = dict[str, Callable[[], RecordedSpectrum]]
"""Readers of the spectra of a file, by their names."""


def recorded(
    counts: npt.NDArray[Any], measurement: Measurement, *, first: int = 0, variance: npt.NDArray[Any] | None = None
) -> RecordedSpectrum:
    """A spectrum of counts by channel, with variances as `with_variance` gives them by default; calibrated, if the
    measurement is, with energies that rise and are no channels. Times that cannot be are warned of.
    """
    measurement = _with_possible_times(measurement)
    adc = first + np.arange(len(counts), dtype=np.float64)
    columns = {"adc": adc}
    if not _is_calibration(measurement.energy, adc[: int(np.max(np.flatnonzero(counts), initial=0)) + 1]):
        measurement = replace(measurement, energy=None)
    if measurement.energy is not None:
        columns["energy_kev"] = polynomial(measurement.energy, adc)
    columns["counts"] = np.asarray(counts, np.float64)
    if variance is not None:
        columns["variance"] = np.asarray(variance, np.float64)
    return RecordedSpectrum(with_variance(pl.DataFrame(columns)), measurement)


def _with_possible_times(measurement: Measurement) -> Measurement:
    """A live time of 0 is unknown, as nothing happens per 0 s; one above the real time stays, with a warning."""
    live, real = measurement.live_time_s, measurement.real_time_s
    if live == 0:
        doubts = (f"live time is 0 s in {real:g} s of real time: it is taken as unknown",) if real else ()
        return replace(measurement, live_time_s=None, warnings=(*measurement.warnings, *doubts))
    if live and real and live > real * (1 + ROUNDING) + CLOCK_S:
        doubt = f"live time, {live:g} s, exceeds the real time of {real:g} s: rates and activities use the live time"
        return replace(measurement, warnings=(*measurement.warnings, doubt))
    return measurement


def _is_calibration(energy: tuple[float, ...] | None, adc: npt.NDArray[np.float64]) -> bool:
    """Whether a polynomial gives energies that rise up to the last count; programs write 0 1 where there is none."""
    if energy is None or (energy[:2] == (0.0, 1.0) and not any(energy[2:])):
        return False
    with np.errstate(invalid="ignore"):  # of infinite energies, which damaged files have
        return len(adc) < 2 or bool((np.diff(polynomial(energy, adc)) > 0).all())


def one_of(spectra: Spectra, name: str | None) -> RecordedSpectrum:
    """The spectrum of this name, or the only one.

    Raises:
        InputError: there is none of this name.
        UsageError: there are several, and none is named.
    """
    names = [*spectra][:MOST_NAMES] + ["…"] * (len(spectra) > MOST_NAMES)
    if name is None and len(spectra) > 1:
        raise UsageError(f"contains several spectra: choose one of {', '.join(names)}")
    if name is not None and name not in spectra:
        raise InputError(f"has no spectrum '{name}' (it has {', '.join(names) or 'none'})")
    return (spectra[name] if name is not None else next(iter(spectra.values())))()


def without_times(
    counts: npt.NDArray[Any], live_time_s: float | None, real_time_s: float | None
) -> npt.NDArray[np.float64]:
    """Counts by channel from 0 on, with 0 in channels 0 and 1 where some analysers keep the times of a measurement.

    These are the live and real time (in either order) that the file also gives, in whole seconds: then they are no
    counts. That both agree by chance is rare, unless they are small; where both are like the counts of the next
    channels, they are taken for counts.
    """
    values = np.asarray(counts, np.float64)
    live, real = ({math.floor(time), round(time)} - {0} for time in (live_time_s or 0.0, real_time_s or 0.0))
    pair = values[:2].tolist()
    are_times = len(pair) == 2 and any(
        pair[0] in first and pair[1] in second for first, second in ((live, real), (real, live))
    )
    following = float(values[2 : 2 + NEXT_CHANNELS].mean()) if len(values) > 2 else 0.0
    if are_times and any(abs(value - following) > LIKE_NEXT * math.sqrt(max(following, 0.0) + 1) for value in pair):
        return np.concatenate([np.zeros(2), values[2:]])
    return values


def with_bounds(spectrum: RecordedSpectrum, bounds: npt.NDArray[np.float64]) -> RecordedSpectrum:
    """A spectrum by channel with the energies (keV) in the middle between the bounds of channels.

    Args:
        spectrum: without energies.
        bounds: lower ones, and the upper one of the last channel, which may be missing.

    Raises:
        InputError: there are fewer or more of them, or some are not finite.
    """
    channels = spectrum.table.height
    if len(bounds) == channels > 1:
        bounds = np.append(bounds, 2 * bounds[-1] - bounds[-2])
    if len(bounds) != channels + 1 or not np.isfinite(bounds).all():
        raise InputError(f"its {channels:,} channels have {len(bounds):,} bounds of energy, or some are not numbers")
    if not (np.diff(bounds) > 0).all():
        raise InputError("its bounds of energy do not rise from channel to channel")
    return with_middles(spectrum, (bounds[:-1] + bounds[1:]) / 2)


def with_middles(spectrum: RecordedSpectrum, energies: npt.NDArray[np.float64]) -> RecordedSpectrum:
    """A spectrum by channel with the energies (keV) of the middles of its channels."""
    return spectrum._replace(table=spectrum.table.insert_column(1, pl.Series("energy_kev", energies)))


def with_variance(table: pl.DataFrame) -> pl.DataFrame:
    """One spectrum with its variances: of counts they are the counts themselves, if none are given.

    Where counts are negative they are no plain counts, and their scatter is not known: variances are null.

    Raises:
        InputError: a variance is negative.
    """
    if "variance" in table.columns:
        if (negative := table.filter(pl.col("variance") < 0)).height:
            raise InputError(f"has a negative variance, {negative['variance'][0]:g}")
        return table
    plain = (pl.col("counts") >= 0).all()
    return table.with_columns(variance=pl.when(plain).then(pl.col("counts")))


def has_variance(table: pl.DataFrame) -> bool:
    """Whether the scatter of a spectrum's counts is known."""
    return table.height == 0 or table["variance"].null_count() < table.height


def require_variance(table: pl.DataFrame, path: Path) -> None:
    """Raise unless the scatter of a spectrum's counts is known.

    Raises:
        InputError: counts are negative, and no variances are given.
    """
    if not has_variance(table):
        raise InputError(
            f"{path}: has negative counts but no variances, so their uncertainties are unknown, as in a spectrum minus "
            f"its background: give them in a column 'variance' (.csv or .parquet: channel, counts, variance), "
            f"or take the spectrum as it was counted"
        )


def polynomial(coefficients: Sequence[float], x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Σ c_i x^i."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.polynomial.polynomial.polyval(x, np.asarray(coefficients, np.float64)), np.float64)


def one_line(text: str) -> str:
    """Text without line breaks or control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def to_json(measurements: Mapping[str, Measurement]) -> str:
    """The metadata entry: the metadata of each spectrum, by its name in the file."""

    def described(measurement: Measurement) -> dict[str, Any]:
        started = measurement.started
        values = asdict(measurement) | {"started": started.isoformat(sep=" ") if started else None}
        return {name: value for name, value in values.items() if value not in (None, "", 0.0) and name != "warnings"}

    return json.dumps({name: described(measurement) for name, measurement in measurements.items()}, ensure_ascii=False)


def from_json(text: str | None, name: str) -> Measurement:
    """The metadata of one spectrum from the entry; nothing, where it is missing or somebody else's."""
    try:
        entry = json.loads(text or "{}").get(name, {})
        names = {field.name for field in fields(Measurement)} - {"warnings"}
        values = {name: entry[name] for name in names if name in entry}
        if "started" in values:
            values["started"] = datetime.fromisoformat(values["started"])
        if "energy" in values:
            values["energy"] = tuple(float(term) for term in values["energy"])
        return Measurement(**values)
    except (AttributeError, TypeError, ValueError, RecursionError, UsageError):
        return Measurement()
