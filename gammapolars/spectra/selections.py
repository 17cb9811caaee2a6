"""What spectra are made of: hits by slices of time, and the partners of hits in a gate."""

import polars as pl

from gammapolars.errors import TableError, UsageError
from gammapolars.units import parse_ps

PARTNER = ("board", "channel", "adc", "energy_kev")


def slice_width_ps(width: str | int) -> int:
    """The picoseconds of a slice's width.

    Raises:
        UsageError: it is no time, or none above 0.
    """
    width_ps = parse_ps(width) if isinstance(width, str) else width
    if width_ps <= 0:
        raise UsageError(f"a slice of time must be longer than 0, not {width}")
    return width_ps


def time_slices(frame: pl.LazyFrame, width: str | int) -> pl.LazyFrame:
    """Hits or pairs with the slice of time that they fall into.

    Slices begin at timestamp 0, the digitizer's start, whatever the first hit's time: slice k holds the times from k
    to k + 1 widths. Of several runs each has its own clock: put `run` beside `time_slice` into `by`.

    Args:
        frame: any table with `timestamp_ps`.
        width: such as `10min`, or in picoseconds.

    Returns:
        The same with `time_slice` (Int64) and `slice_start_ps` (Int64), the slice's first picosecond.
    """
    width_ps = slice_width_ps(width)
    if "timestamp_ps" not in frame.collect_schema():
        raise TableError("this frame has no column 'timestamp_ps' to be sliced by")
    number = pl.col("timestamp_ps") // width_ps
    return frame.with_columns(time_slice=number, slice_start_ps=number * width_ps)


def gate(pairs: pl.LazyFrame, centre_kev: float, *, width_kev: float = 6.0) -> pl.LazyFrame:
    """The partners of all hits in a gate: what a gated spectrum is made of.

    A pair of which both hits lie in the gate gives two rows, one for each. Nothing is subtracted for the Compton
    background below the gate.

    Args:
        pairs: a calibrated table of pairs.
        centre_kev: the gate's middle.
        width_kev: from one end of the gate to the other; the ends belong to it.

    Returns:
        One row a partner, as of hits: `board`, `channel`, `adc` and `energy_kev`, as far as pairs have them;
        `timestamp_ps`, its time; `dt_ps`, its time minus that of the hit in the gate.

    Raises:
        TableError: the pairs are not calibrated.
        UsageError: a gate without a width.
    """
    if not 0 < width_kev < float("inf"):
        raise UsageError(f"a gate must be wider than 0 keV, not {width_kev}")
    columns = pairs.collect_schema()
    for name in ("energy_kev_a", "energy_kev_b"):
        if name not in columns:
            raise TableError(f"these pairs have no column '{name}' to gate on: calibrate them first")
    in_gate = {side: (pl.col(f"energy_kev_{side}") - centre_kev).abs() <= width_kev / 2 for side in "ab"}
    sides = {
        name: (pl.col(f"{name}_b"), pl.col(f"{name}_a"))
        for name in PARTNER
        if f"{name}_a" in columns and f"{name}_b" in columns
    }
    if {"timestamp_ps", "dt_ps"} <= set(columns):
        time, dt = pl.col("timestamp_ps"), pl.col("dt_ps")
        sides |= {"timestamp_ps": (time + dt, time), "dt_ps": (dt, -dt)}
    other = {
        name: pl.concat_list(pl.when(in_gate["a"]).then(of_b), pl.when(in_gate["b"]).then(of_a))
        for name, (of_b, of_a) in sides.items()
    }
    # Energies may be null, so that which rows count is told apart from them.
    counts = pl.concat_list(in_gate["a"].fill_null(value=False), in_gate["b"].fill_null(value=False))
    keys = ["run"] if "run" in columns else []
    return (
        pairs.filter(in_gate["a"] | in_gate["b"])
        .select(*keys, **other, _counts=counts)
        .explode(*other, "_counts")
        .filter("_counts")
        .drop("_counts")
    )
