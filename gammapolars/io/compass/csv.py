"""CoMPASS CSV files: hits in lines of fields between semicolons.

The header gives the fields. All segments of a recording but the first lack it: for them the first segment's header
holds, or, if that is not there, the form of the lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.io.reading import READING, Reading
from gammapolars.io.text.blocks import TextFile
from gammapolars.io.text.table import Field, TextTable
from gammapolars.streaming.slices import lazy_frame

FIELDS = {
    "BOARD": Field("board", pl.UInt16),
    "CHANNEL": Field("channel", pl.UInt16),
    "TIMETAG": Field("timestamp_ps", pl.Int64, natural=True),
    "ENERGY": Field("adc", pl.UInt16),
    "ENERGYSHORT": Field("adc_short", pl.UInt16),
    "CALIB_ENERGY": Field("energy_kev", pl.Float64),
    "FLAGS": Field("flags", pl.UInt32, hexadecimal=True),
    "PROBE_CODE": Field("probe_code", pl.UInt32),
}
"""CoMPASS's names of the fields, in the order of our columns."""

SAMPLES = "SAMPLES"
"""After all others: the waveform, in any number of fields, which are not read."""

NEEDED = ("TIMETAG", "FLAGS")

ENERGIES = {
    (False,): ("ENERGY",),
    (True,): ("CALIB_ENERGY",),
    (False, False): ("ENERGY", "ENERGYSHORT"),
    (False, True): ("ENERGY", "CALIB_ENERGY"),
    (True, False): ("CALIB_ENERGY", "ENERGYSHORT"),
    (False, True, False): ("ENERGY", "CALIB_ENERGY", "ENERGYSHORT"),
}
"""The fields between TIMETAG and FLAGS, by which of them hold fractions."""

HEADER = "BOARD;CHANNEL;TIMETAG;ENERGY;ENERGYSHORT;FLAGS"


@dataclass(frozen=True)
class Layout:
    """The fields of a file's lines, by CoMPASS's names, and whether its first line gives them."""

    names: tuple[str, ...]
    header: bool

    @property
    def table(self) -> TextTable:
        fields = {name: FIELDS[name] for name in self.names if name != SAMPLES}
        return TextTable(fields, separator=";", tail=SAMPLES in self.names, whole_lines=True)


def scan_compass_csv(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """The hits of a CSV file that CoMPASS wrote, lazily.

    Each line is checked whole, whichever columns a query needs, so that every query sees the same hits. For waveform
    samples it is only checked that they look like numbers. Flags are hexadecimal with `0x` before them: without it,
    `4000` could be either. A file without fields for board and channel, as old versions wrote, is of board 0 and of the
    channel in its name (`…CH3@…`, `3@…`), or of channel 0.

    Args:
        path: a file, or a segment of one.
        reading: treatment of lines that cannot be read.

    Raises:
        InputError: the file is missing or no such file; when collected, for a line that cannot be read.
    """
    file = TextFile(path)
    layout = _layout(file)
    constants = _missing_detector(file.path, layout.names)
    columns = pl.Schema(
        {
            field.column: field.dtype
            for name, field in FIELDS.items()
            if name != "PROBE_CODE" and (name in layout.names or field.column in constants)
        }
    )
    if constants:
        detector = f"board {constants['board']} and channel {constants['channel']} for all hits"
        reading.losses.note(file.path, f"does not give the board or channel of its hits: read as {detector}")

    added = [pl.lit(value, pl.UInt16).alias(name) for name, value in constants.items()]

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        for frame in layout.table.read(file, reading.losses, header=layout.header, rows=reading.rows):
            yield frame.with_columns(added).select(names)

    return lazy_frame(columns, batches, of=file.path)


def _layout(file: TextFile) -> Layout:
    if is_header(file.first_line):
        return Layout(_names(file), header=True)
    first = _first_segment(file.path)
    if first is not None and is_header(first.first_line):
        return Layout(_names(first), header=False)
    return Layout(_deduced(file), header=False)


def is_header(line: str) -> bool:
    """Whether a file's first line gives CoMPASS's fields."""
    return any(name in FIELDS for name in line.split(";"))


def _names(file: TextFile) -> tuple[str, ...]:
    """The names in a file's header, if they are such as can be read."""
    path = file.path
    names = file.first_line.split(";")
    for place, name in enumerate(names):
        if name not in FIELDS and not (name == SAMPLES and place == len(names) - 1):
            raise InputError(
                f"{path}: unknown field '{name}' in its header: known fields are {', '.join(FIELDS)}, {SAMPLES}"
            )
        if name in names[:place]:
            raise InputError(f"{path}: field {name} appears twice in its header")
    missing = [name for name in NEEDED if name not in names]
    if not {"ENERGY", "CALIB_ENERGY"} & set(names):
        missing.append("ENERGY")
    if ("BOARD" in names) != ("CHANNEL" in names):
        missing.append("CHANNEL" if "BOARD" in names else "BOARD")
    if missing:
        raise InputError(f"{path}: field {missing[0]} is missing from its header ({';'.join(names)[:200]})")
    return tuple(names)


def _first_segment(path: Path) -> TextFile | None:
    """The segment whose header holds for this one too, if it is in the same folder."""
    match = re.fullmatch(r"(.+)_[0-9]{1,4}", path.stem)
    if match is None:
        return None
    names = [match[1] + suffix for suffix in (path.suffix, path.suffix.swapcase())]
    return next((TextFile(first) for name in names if (first := path.with_name(name)).is_file()), None)


def _deduced(file: TextFile) -> tuple[str, ...]:
    """The fields of a file without header, by their number and form in most of its first lines."""
    lines = pl.Series(file.first_lines)
    before_flags = lines.str.extract("^([^x]*;)0x").str.count_matches(";").drop_nulls()
    place = next(iter(before_flags.mode().sort().to_list()), 0)
    # Old files begin with TIMETAG, and had no calibrated energies.
    start = ("BOARD", "CHANNEL", "TIMETAG") if place > 3 else ("TIMETAG",)
    parts = lines.str.splitn(";", place + 2).struct.unnest()
    fractions = tuple(_mostly(parts.to_series(at).str.contains(".", literal=True)) for at in range(len(start), place))
    energies = ENERGIES.get(fractions)
    if energies is None or (len(start) == 1 and "CALIB_ENERGY" in energies):
        raise InputError(
            f"{file.path}: has no header with its fields ({HEADER}), and its lines do not show them either, "
            f"such as '{file.first_line[:60]}': put the first segment of the recording next to it, or add a "
            "header"
        )
    waveforms = _mostly(parts.to_series(-1).is_not_null())
    return (*start, *energies, "FLAGS", *((SAMPLES,) if waveforms else ()))


def _mostly(mask: pl.Series) -> bool:
    """Whether something is found in most lines, of which some may be damaged."""
    return 2 * int(mask.sum() or 0) > mask.len()


def _missing_detector(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    """Board and channel of all hits, where the lines do not give them."""
    if "BOARD" in names:
        return {}
    match = re.search(r"(?:^|[^0-9A-Za-z])(?:CH)?([0-9]{1,4})@", path.name)
    return {"board": 0, "channel": int(match[1]) if match else 0}
