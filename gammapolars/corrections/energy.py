"""From adc to keV, as expressions."""

import math
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from gammapolars.core.errors import DetectorsError, TableError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.corrections.dithering import dithered_values
from gammapolars.detectors import AnyDetectors, Detector, Detectors, detectors_of

MAX_TABLE = 2**16

FARTHEST_ADC = 2.0**32
"""Beyond all that occur; an energy polynomial is a finite number there all the same."""


def by_detector(
    detectors: Detectors, value: Callable[[Detector], float | int | None], dtype: type[pl.DataType], suffix: str = ""
) -> pl.Expr:
    """A number that each detector has, as an expression of `board` and `channel`; null where none is known.

    The expression looks the number up by position in a table, so that its cost does not grow with the number of
    detectors, and it runs on the streaming engine. Where numbers of boards or channels are too large for one table, two
    more tables give their ranks among those that occur.

    Args:
        detectors: the detectors that have the number.
        value: the number of one detector, or None.
        dtype: the column's dtype.
        suffix: of the columns `board` and `channel`, such as `_a` in a table of pairs.
    """
    boards = 1 + max((detector.board for detector in detectors), default=0)
    channels = 1 + max((detector.channel for detector in detectors), default=0)
    values = {detector.board * channels + detector.channel: value(detector) for detector in detectors}
    board, channel = pl.col(f"board{suffix}"), pl.col(f"channel{suffix}")
    known = (board < boards) & (channel < channels)
    position = pl.when(known).then(board.cast(pl.UInt32) * channels + channel.cast(pl.UInt32))
    if boards * channels > MAX_TABLE:
        ranks_b, ranks_c = (_ranks(number) for number in zip(*(detector.key for detector in detectors), strict=True))
        ranked = {ranks_b[d.board] * len(ranks_c) + ranks_c[d.channel]: value(d) for d in detectors}
        rank = _looked_up(board, ranks_b, pl.UInt32) * len(ranks_c) + _looked_up(channel, ranks_c, pl.UInt32)
        return _looked_up(rank, ranked, dtype)
    table = pl.Series([values.get(place) for place in range(boards * channels)], dtype=dtype)
    return pl.lit(table).gather(position)


def _ranks(numbers: tuple[int, ...]) -> dict[int, int]:
    return {number: rank for rank, number in enumerate(sorted(set(numbers)))}


def _looked_up(place: pl.Expr, values: Mapping[int, float | None], dtype: type[pl.DataType]) -> pl.Expr:
    """The value at a place in a table; null beyond the table's end and where there is no value."""
    table = pl.Series([values.get(number) for number in range(1 + max(values))], dtype=dtype)
    return pl.lit(table).gather(pl.when(place < table.len()).then(place))


def energy_kev(detectors: AnyDetectors, suffix: str = "", *, adc: pl.Expr | None = None) -> pl.Expr:
    """The energy in keV as an expression of `board`, `channel` and `adc`; null for a detector without calibration.

    E = c0 + c1 adc + c2 adc² + …, evaluated by Horner's rule in double precision.

    Args:
        detectors: their `energy` coefficients, of any order.
        suffix: of the columns read and written: `_a` gives `energy_kev_a` from `adc_a`.
        adc: an expression to calibrate instead of the column `adc`.

    Raises:
        DetectorsError: a polynomial becomes infinite.
    """
    detectors = detectors_of(detectors)
    _check_finite(detectors)
    terms = max((len(detector.energy) for detector in detectors if detector.energy), default=0)
    if terms == 0:
        return pl.lit(None, pl.Float64).alias(f"energy_kev{suffix}")
    x = (pl.col(f"adc{suffix}") if adc is None else adc).cast(pl.Float64)

    def coefficient(order: int) -> pl.Expr:
        def of(detector: Detector) -> float | None:
            if detector.energy is None:
                return None
            return detector.energy[order] if order < len(detector.energy) else 0.0

        return by_detector(detectors, of, pl.Float64, suffix)

    energy = coefficient(terms - 1)
    for order in reversed(range(terms - 1)):
        energy = energy * x + coefficient(order)
    return energy.alias(f"energy_kev{suffix}")


def _check_finite(detectors: Detectors) -> None:
    for detector in detectors:
        if not math.isfinite(sum(abs(c) * FARTHEST_ADC**order for order, c in enumerate(detector.energy or ()))):
            raise DetectorsError(
                f"detector '{detector.name}': its energy polynomial becomes infinite: correct the coefficients "
                f"{', '.join(f'{c:g}' for c in detector.energy or ())}"
            )


def calibrate(frame: AnyFrame, detectors: AnyDetectors, *, dither: bool = False) -> pl.LazyFrame:
    """Hits with `energy_kev`, or pairs with `energy_kev_a` and `energy_kev_b`.

    Where the frame has `gain_factor` (`gain_factor_a`, `gain_factor_b`), the adc is multiplied by it first.

    Args:
        frame: a table of hits or of pairs; an existing energy is kept where a detector has no polynomial.
        detectors: from `load_detectors`.
        dither: whether each adc value is first dithered over its width, by noise in [-½, ½): bins of energy then
            show no comb. The noise comes only from the hit's time, board and channel, so that it is the same every
            time, however a run is cut and in pairs as in hits; it changes where times do, as by `align`.

    Raises:
        TableError: the frame has neither adc values nor energies, or lacks the columns for the noise.
    """
    frame = lazy(frame, "hits")
    detectors = detectors_of(detectors)
    columns = frame.collect_schema()
    suffixes = [suffix for suffix in ("", "_a", "_b") if f"adc{suffix}" in columns]
    if not suffixes and not any(f"energy_kev{suffix}" in columns for suffix in ("", "_a", "_b")):
        raise TableError("this frame has nothing to calibrate: no column 'adc', 'adc_a' or 'adc_b'")
    if not dither:
        return frame.with_columns(
            hit_energy(columns, detectors, suffix, adc=gain_corrected_adc(columns, suffix)) for suffix in suffixes
        )
    for name in (
        "timestamp_ps",
        *(["dt_ps"] if "_b" in suffixes else ()),
        *(f"channel{suffix}" for suffix in suffixes),
    ):
        if name not in columns:
            raise TableError(f"this frame has no column '{name}', from which the noise of dithering is made")
    return frame.with_columns(hit_energy(columns, detectors, s, adc=dithered_adc(columns, s)) for s in suffixes)


def hit_energy(columns: Iterable[str], detectors: Detectors, suffix: str = "", *, adc: pl.Expr) -> pl.Expr:
    """The energy of hits, or of one side of pairs: by the detector's polynomial, else as it was recorded, else null.

    Args:
        columns: of the frame, with adc values or energies.
        detectors: energy calibrations.
        suffix: of the columns: none, `_a` or `_b`.
        adc: the column to calibrate, such as an adc with noise.
    """
    name, names = f"energy_kev{suffix}", set(columns)
    if f"adc{suffix}" not in names:
        return pl.col(name)
    own = energy_kev(detectors, suffix, adc=adc)
    return pl.coalesce(own, name).alias(name) if name in names else own


def gain_corrected_adc(columns: Iterable[str], suffix: str = "", *, adc: pl.Expr | None = None) -> pl.Expr:
    """The adc at a steady gain: times `gain_factor` where a frame has it, otherwise as it is.

    Args:
        columns: of the frame.
        suffix: of the columns `adc` and `gain_factor`.
        adc: an expression to use instead of the column `adc`.
    """
    adc = pl.col(f"adc{suffix}") if adc is None else adc
    if f"gain_factor{suffix}" not in columns:
        return adc
    return adc.cast(pl.Float64) * pl.col(f"gain_factor{suffix}").fill_null(1.0)


def dithered_adc(columns: Iterable[str], suffix: str = "") -> pl.Expr:
    """The adc of hits, or of one side of pairs, with noise over its own width, and at a steady gain.

    Args:
        columns: of the frame; without a board, hits are taken to be of one.
        suffix: of the columns: none, `_a` or `_b`.
    """
    names = set(columns)
    return gain_corrected_adc(names, suffix, adc=dithered_values(names, "adc", suffix))


def dithered_energy(columns: Iterable[str], detectors: Detectors, suffix: str = "") -> pl.Expr:
    """An energy that may be a sum of several hits', and does not follow from its adc, with only that adc's noise.

    Args:
        columns: of hits or pairs, with the energy; as for `dithered_adc`.
        detectors: energy calibrations.
        suffix: of the columns: none, `_a` or `_b`.
    """
    names = set(columns)
    noisy, own = dithered_adc(names, suffix), gain_corrected_adc(names, suffix)
    noise = energy_kev(detectors, suffix, adc=noisy) - energy_kev(detectors, suffix, adc=own)
    return pl.col(f"energy_kev{suffix}") + noise


def dithered_pairs(pairs: pl.LazyFrame, detectors: Detectors) -> pl.LazyFrame:
    """Pairs with energies that are dithered over the width of their adc values.

    A gate then holds counts in proportion to its width, and so does its background. For whole adc values a gate of n
    channels holds n ± 1, and the background is subtracted too often or too rarely by as much. Energies that pairs have
    are kept, as they may be sums of hits that were added back: they only get the noise.
    """
    columns = pairs.collect_schema()
    if not {"adc_a", "adc_b", "dt_ps"} <= set(columns) or not any(detector.energy for detector in detectors):
        return pairs
    energies = {}
    for suffix in ("_a", "_b"):
        name, from_adc = f"energy_kev{suffix}", energy_kev(detectors, suffix, adc=dithered_adc(columns, suffix))
        own = [dithered_energy(columns, detectors, suffix), from_adc, pl.col(name)]
        energies[name] = pl.coalesce(own) if name in columns else from_adc
    return pairs.with_columns(**energies)
