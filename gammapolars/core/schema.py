"""The tables that stages hand to each other: columns, dtypes and units."""

from dataclasses import dataclass, field

import polars as pl
from polars.datatypes import DataTypeClass

from gammapolars.core.errors import TableError
from gammapolars.core.frames import AnyFrame, lazy

DType = pl.DataType | DataTypeClass


REGION = pl.Enum(("prompt", "random"))
"""In which windows of time difference a pair lies."""

TRIPLE_REGION = pl.Enum(("prompt", "one_random", "random"))
"""In which windows three hits lie: all prompt to each other, two prompt and one random to both, or all random."""


@dataclass(frozen=True)
class Table:
    """A table's name, the columns that it always has and those that it may have."""

    name: str
    columns: dict[str, DType]
    optional: dict[str, DType] = field(default_factory=dict)


def floats(*names: str) -> dict[str, DType]:
    """Columns of real numbers."""
    return dict.fromkeys(names, pl.Float64)


ADC_COLUMNS = tuple(f"{name}{suffix}" for name in ("adc", "adc_short") for suffix in ("", "_a", "_b", "_c"))
"""Columns of raw energies."""

ADC_TYPES: tuple[DType, ...] = (pl.UInt16(), pl.Int64(), pl.Float64())
"""Types of adc values: 16-bit channels, as digitizers have them; where a recording needs them, 32-bit integers
with or without a sign, kept in 64, or real numbers."""

HITS = Table(
    "hits",
    {
        "board": pl.UInt16,
        "channel": pl.UInt16,
        "timestamp_ps": pl.Int64,
        "adc": pl.UInt16,
        "flags": pl.UInt32,
    },
    {"adc_short": pl.UInt16, "energy_kev": pl.Float64, "gain_factor": pl.Float64, "run": pl.UInt16},
)
"""One row per detection, in order of `timestamp_ps` (picoseconds since the digitizer's start); `run`, where there are
several, numbers them from 1: they follow one another, each in time order. Where `gain_factor` is there, the adc times
it is what a steady gain would have given."""

PAIRS = Table(
    "pairs",
    {
        "board_a": pl.UInt16,
        "channel_a": pl.UInt16,
        "adc_a": pl.UInt16,
        "board_b": pl.UInt16,
        "channel_b": pl.UInt16,
        "adc_b": pl.UInt16,
        "timestamp_ps": pl.Int64,
        "dt_ps": pl.Int64,
    },
    {
        "energy_kev_a": pl.Float64,
        "energy_kev_b": pl.Float64,
        "adc_short_a": pl.UInt16,
        "adc_short_b": pl.UInt16,
        "gain_factor_a": pl.Float64,
        "gain_factor_b": pl.Float64,
        "run": pl.UInt16,
        "region": REGION,
        "weight": pl.Float64,
    },
)
"""One row per coincidence of two detectors: `timestamp_ps` is that of a, `dt_ps` = t_b - t_a. Where random windows were
asked for, `region` says in which a pair lies, and `weight` is 1 or negative, so that sums of weights have random
coincidences subtracted, and sums of their squares are the variances."""

EVENTS = Table(
    "events",
    HITS.columns | {"event": pl.UInt64, "multiplicity": pl.UInt16, "time_in_event_ps": pl.Int64},
    HITS.optional,
)
"""One row per hit, with its event: `event` numbers events from 0 in order of time, `multiplicity` is how
many detectors fired, `time_in_event_ps` is the time since the event's first hit."""

_SIDES = ("a", "b", "c")

TRIPLES = Table(
    "triples",
    {
        **{f"{name}_{side}": pl.UInt16 for side in _SIDES for name in ("board", "channel", "adc")},
        "timestamp_ps": pl.Int64,
        "dt_ab_ps": pl.Int64,
        "dt_ac_ps": pl.Int64,
    },
    {
        **{f"energy_kev_{side}": pl.Float64 for side in _SIDES},
        "run": pl.UInt16,
        "event": pl.UInt64,
        "region": TRIPLE_REGION,
        "weight": pl.Float64,
    },
)
"""One row three hits of three detectors, a the earliest: `timestamp_ps` is its time, `dt_ab_ps` = t_b - t_a and
`dt_ac_ps` = t_c - t_a. Where they were found in events, `event` is the number of theirs. Where random windows were
asked for, `region` and `weight` are as for pairs: sums of weights subtract random coincidences."""

SPECTRUM = Table(
    "spectrum",
    {"counts": pl.Float64, "variance": pl.Float64},
    {"board": pl.UInt16, "channel": pl.UInt16, "energy_kev": pl.Float64, "adc": pl.Float64},
)
"""One row per bin; `energy_kev` or `adc` is the bin's centre. Empty bins may be left out."""

MATRIX = Table(
    "matrix",
    {"energy_kev_x": pl.Float64, "energy_kev_y": pl.Float64, "counts": pl.Float64, "variance": pl.Float64},
)
"""One row per filled bin of two energies (bin centres): long and sparse."""

PEAKS = Table(
    "peaks",
    {
        "area": pl.Float64,
        "area_unc": pl.Float64,
        "background": pl.Float64,
        "background_unc": pl.Float64,
        "chi2_ndf": pl.Float64,
        "status": pl.String,
    },
    {
        "board": pl.UInt16,
        "channel": pl.UInt16,
        "centroid_kev": pl.Float64,
        "centroid_kev_unc": pl.Float64,
        "fwhm_kev": pl.Float64,
        "fwhm_kev_unc": pl.Float64,
        "centroid_adc": pl.Float64,
        "centroid_adc_unc": pl.Float64,
        "fwhm_adc": pl.Float64,
        "fwhm_adc_unc": pl.Float64,
        "significance": pl.Float64,
        "region": pl.UInt32,
        "area_unc_low": pl.Float64,
        "area_unc_high": pl.Float64,
        "p_value": pl.Float64,
        "kind": pl.String,
        "reason": pl.String,
        "nuclide": pl.String,
        "line_kev": pl.Float64,
    },
)
"""One row per fitted peak: centroid and FWHM in keV where the spectrum is calibrated and in adc where it has channels,
`area` in counts above `background`, which is the counts below the peak within its FWHM on both sides of the centroid.
`area_unc` is the area's own, `area_unc_low` and `area_unc_high` are how far it reaches down and up: different below 25
counts, where the likelihood is lopsided. `significance` tests another thing, whether there is a peak at all, in
standard deviations, at its own place; `p_value` is the probability that background gives such a peak anywhere in
the spectrum. Peaks of one `region` were fitted together; `status` is `ok`, or says why the fit is not to be trusted.
`kind` is the peak's kind, with the `reason`, and `nuclide` and `line_kev` of a full-energy peak (see `peak_kinds`)."""


SUBTRACTED = "background"
"""The column of a matrix that is net of its background in two dimensions: its cells are correlated."""


LINES = Table(
    "lines",
    {
        "nuclide": pl.String,
        "parent": pl.String,
        "energy_kev": pl.Float64,
        "energy_kev_unc": pl.Float64,
        "intensity": pl.Float64,
        "intensity_unc": pl.Float64,
        "doublet": pl.Boolean,
        "normalisation": pl.String,
        "calibrate": pl.Boolean,
        "calibrate_fwhm": pl.Boolean,
        "spread_kev": pl.Float64,
        "source": pl.String,
    },
    {"distance_kev": pl.Float64},
)
"""One row per gamma line: `intensity` is photons per 100 decays of what `normalisation` says, or, where that is
`annihilation`, photons of positrons per 100 decays of the nuclide. `parent` heads the chain of the nuclide.
A `doublet` is one peak with another line. `calibrate` and `calibrate_fwhm` say whether a line is fit to calibrate
energy and resolution; `spread_kev` is how far its position is open beyond `energy_kev_unc`, to be added in quadrature.
`distance_kev` is how far the line lies above an energy that was asked for."""


DRIFT = Table(
    "drift",
    {
        "run": pl.UInt16,
        "board": pl.UInt16,
        "channel": pl.UInt16,
        "timestamp_ps": pl.Int64,
        "gain_factor": pl.Float64,
        "gain_factor_unc": pl.Float64,
    },
)
"""One row per knot of a detector's gain over time: the adc times `gain_factor` is what a steady gain would have given.
Between two knots of a run it is interpolated linearly, before the first and after the last it is constant."""


def require(frame: AnyFrame, table: Table, *, columns: tuple[str, ...] | None = None) -> pl.Schema:
    """Check that a frame has a table's columns, and return its schema.

    Args:
        frame: any lazy frame; only its schema is resolved.
        table: the table that it should be.
        columns: the columns that are needed, if not all that the table always has.

    Raises:
        TableError: a column is missing or has another dtype.
    """
    frame = lazy(frame, "table")
    found = frame.collect_schema()
    needed = table.columns | table.optional
    for name in columns if columns is not None else table.columns:
        if name not in found:
            raise TableError(
                f"this frame is not a table of {table.name}: it has no column '{name}' (it has {', '.join(found)})"
            )
    for name, dtype in found.items():
        if name in needed and dtype != needed[name] and not (name in ADC_COLUMNS and dtype in ADC_TYPES):
            raise TableError(
                f"column '{name}' of a table of {table.name} should be {needed[name]}, not {dtype}: cast it first"
            )
    return found
