"""Tables of peaks and of gamma lines from files, and how the peaks were counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from gammapolars.activities import LINE_COLUMNS, PEAK_COLUMNS
from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.schema import PEAKS
from gammapolars.core.types import Key
from gammapolars.detectors import CalibrationSource, Detectors, parse_moment
from gammapolars.gamma_lines import lines
from gammapolars.io.columnar import read_table

Lines = Callable[[str], pl.DataFrame]
"""Gives the lines of a nuclide or of the chain that it heads."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class PeakList:
    """A table of peaks and how it was counted.

    Attributes:
        peaks: a table of PEAKS in keV, of one or several detectors.
        live_time_s: live time, seconds.
        started: when counting began.
        real_time_s: real time; None: the live time.
    """

    peaks: pl.DataFrame
    live_time_s: float
    started: date | None = None
    real_time_s: float | None = None


def read_peak_lists(
    paths: Sequence[Path], live_times: Sequence[float], started: Sequence[str], real_times: Sequence[float]
) -> list[PeakList]:
    """Files of peaks with how each was counted; a value given once holds for all.

    Raises:
        InputError: a file is not a table of peaks.
        UsageError: a date is none, or values are given neither once nor for each file.
    """
    lives = _for_each(live_times, paths, "--live-time")
    starts = [None if text is None else parse_moment(text) for text in _for_each(started, paths, "--started")]
    reals = _for_each(real_times, paths, "--real-time")
    return [
        PeakList(read_peaks(path), live if live is not None else 0.0, start, real)
        for path, live, start, real in zip(paths, lives, starts, reals, strict=True)
    ]


def _for_each(values: Sequence[Value], paths: Sequence[Path], option: str) -> list[Value | None]:
    if len(values) > 1 and len(values) != len(paths):
        raise UsageError(
            f"{option} is given {len(values)} times for {len(paths)} files: give it once, or once per file"
        )
    return list(values) if len(values) > 1 else [*values, None][:1] * len(paths)


def with_sources(
    peak_lists: Sequence[PeakList], names: Sequence[str], detectors: Detectors
) -> list[tuple[PeakList, CalibrationSource]]:
    """Each table of peaks with its source of detectors.toml; the only one there is, if none is named.

    Raises:
        UsageError: a source is unknown, or it is not clear which one it is.
    """
    if not names:
        if len(detectors.sources) != 1:
            described = ", ".join(source.name for source in detectors.sources) or "none"
            raise UsageError(f"give the source of each file with --source (detectors.toml describes {described})")
        names = [detectors.sources[0].name] * len(peak_lists)
    if len(names) != len(peak_lists):
        raise UsageError(
            f"--source is given {len(names)} times for {len(peak_lists)} files: give it once per file, in "
            "the same order"
        )
    return [(one, detectors.source(name)) for one, name in zip(peak_lists, names, strict=True)]


def read_peaks(path: Path) -> pl.DataFrame:
    """A table of PEAKS from a .csv or .parquet file.

    Raises:
        InputError: it is none, or not of a spectrum in keV.
    """
    return _read(path, PEAKS.columns | PEAKS.optional, PEAK_COLUMNS, "peaks in keV")


def read_lines(path: Path) -> pl.DataFrame:
    """A table of gamma lines from a .csv or .parquet file, for use instead of the one of the package.

    Raises:
        InputError: it is none.
    """
    numbers = {name: pl.Float64 for name in LINE_COLUMNS if name != "nuclide"}
    return _read(path, {"nuclide": pl.String} | numbers, LINE_COLUMNS, "gamma lines")


def _read(path: Path, types: dict[str, Any], needed: Sequence[str], what: str) -> pl.DataFrame:
    table = read_table(path, what)
    if missing := [name for name in needed if name not in table.columns]:
        raise InputError(f"{path}: is not a table of {what}: it has no column '{missing[0]}'")
    try:
        table = table.cast({name: dtype for name, dtype in types.items() if name in table.columns})
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a table of {what}: {reason}") from None
    numbers = [name for name in needed if table[name].dtype.is_float()]
    wrong = [name for name in numbers if not table[name].drop_nulls().is_finite().all()]
    if wrong:
        raise InputError(f"{path}: column '{wrong[0]}' contains values that are not finite")
    return table.drop_nulls(numbers)


def lines_from(path: Path | None) -> Lines:
    """The lines of a nuclide from a file of the user's, or from the package's table."""
    if path is None:
        return lines
    table = read_lines(path)

    def of(nuclide: str) -> pl.DataFrame:
        mine = "parent" if "parent" in table.columns else "nuclide"
        own = table.filter((pl.col("nuclide") == nuclide) | (pl.col(mine) == nuclide))
        if own.is_empty():
            raise UsageError(f"{path}: contains no line of {nuclide}")
        return own

    return of


def by_detector(peaks: pl.DataFrame, detectors: Detectors) -> dict[Key, pl.DataFrame]:
    """A table of peaks by (board, channel); without these columns it is that of the only detector there is.

    A table without any peak is that of every detector.

    Raises:
        UsageError: it does not say, and there is not exactly one detector.
    """
    if peaks.is_empty():
        return {detector.key: peaks for detector in detectors}
    if "channel" not in peaks.columns or peaks["channel"].null_count():
        if len(detectors) > 1:
            raise UsageError("these peaks do not give their detector: there is no column 'channel'")
        return {next((detector.key for detector in detectors), (0, 0)): peaks}
    with_board = peaks if "board" in peaks.columns else peaks.with_columns(board=pl.lit(0, pl.UInt16))
    parts = with_board.partition_by("board", "channel", as_dict=True)
    return {(int(board), int(channel)): part for (board, channel), part in parts.items()}
