"""CoMPASS's CSV and BIN files, and our own CSV: compared with readers of one line, or one record, after the other."""

import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.schema import HITS
from gammapolars.io import save
from gammapolars.io.compass.bin_layout import Layout, layouts_of_header
from tests import binfiles
from tests.compassfiles import MOST, NAMES, read_line, write_csv
from tests.fuzz.cases import Base, Case
from tests.fuzz.outcomes import Read, Refused, Wrong, same
from tests.rootfiles import made_hits

COLUMNS = {name: column for column, name in NAMES.items()}
"""Our columns by CoMPASS's names."""

DTYPES = HITS.columns | HITS.optional

ORDER = ("board", "channel", "timestamp_ps", "adc", "adc_short", "energy_kev", "flags")
"""In which columns come out."""

TAILS = ("PROBE_CODE", "SAMPLES")


# CSV


def csv_bases(folder: Path) -> list[Base]:
    """All forms of CoMPASS's files, segments without a header, and a file of our own."""
    hits = made_hits(400).with_columns(
        adc_short=pl.col("adc") // 2, energy_kev=(pl.col("adc") * 0.3671).round(3).cast(pl.Float64)
    )
    hits = hits.select(ORDER)
    plain, calibrated = hits.drop("energy_kev"), hits.drop("adc_short")
    made = [
        _csv(folder, "plain", plain),
        _csv(folder, "windows", plain, end="\r\n"),
        _csv(folder, "calibrated", calibrated),
        _csv(folder, "all", hits),
        _csv(folder, "waveforms", plain.head(80), samples=30),
        _csv(folder, "old", plain, old=True),
        _csv(folder, "headless", plain, header=False),
    ]
    first = _csv(folder, "first", hits.head(3)).data
    segment = _csv(folder, "segment", hits, header=False)
    made.append(Base("segment", "run_1.csv", segment.data, hits, neighbours={"run.csv": first}))
    save(hits.lazy(), folder / "own.csv")
    made.append(Base("own", "own.csv", (folder / "own.csv").read_bytes(), hits))
    return made


def _csv(folder: Path, name: str, hits: pl.DataFrame, **form: Any) -> Base:
    data = write_csv(folder / "run.csv", hits, **form).read_bytes()
    if form.get("old"):
        hits = hits.with_columns(board=pl.lit(0, pl.UInt16), channel=pl.lit(0, pl.UInt16))
    return Base(name, "run.csv", data, hits)


def csv_oracle(case: Case, read: Read | Refused, keep_going: bool) -> bool:
    """The hits are those of the lines that can be read, each by itself; all others are counted."""
    first, _, rest = case.data.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    fields = first.removesuffix(b"\r").decode(errors="replace").split(";")
    if case.base.name == "own":
        return _check_own(case, read)
    if any(name in MOST or name in COLUMNS for name in fields):
        names, body = fields, rest
        if not _is_header(fields):
            if isinstance(read, Read):
                raise Wrong(f"read, though its header is {fields}")
            return False
    else:
        if isinstance(read, Refused) or not case.data:
            return False  # it may not tell what it holds
        names, body = _names_without_header(case, read), case.data.removeprefix(b"\xef\xbb\xbf")
        if not case.base.neighbours:  # whether there are waveforms is what most lines look like
            with suppress(Wrong):
                _check_lines(body, [*names, "SAMPLES"], read, keep_going)
                return False
    _check_lines(body, names, read, keep_going)
    return False


def _is_header(fields: list[str]) -> bool:
    """Whether CoMPASS could have written this first line."""
    known = all(name in COLUMNS or name in TAILS for name in fields) and len(set(fields)) == len(fields)
    detector = ("BOARD" in fields) == ("CHANNEL" in fields)
    needed = {"TIMETAG", "FLAGS"} <= set(fields) and bool({"ENERGY", "CALIB_ENERGY"} & set(fields))
    return known and detector and needed and "SAMPLES" not in fields[:-1]


def _names_without_header(case: Case, read: Read) -> list[str]:
    """The fields of a file without a header: those of the valid file, or those that the columns stand for."""
    if case.base.neighbours:
        first = next(iter(case.base.neighbours.values())).partition(b"\n")[0]
        return first.decode().split(";")
    told = any("does not give the board" in note for note in read.losses.notes)
    columns = [name for name in read.hits.columns if not (told and name in ("board", "channel"))]
    return [name for name, column in COLUMNS.items() if column in columns]


def _check_lines(body: bytes, names: list[str], read: Read | Refused, keep_going: bool) -> None:
    *lines, last = body.split(b"\n")
    expected = [read_line(line, names) for line in lines] + (["damaged"] if last else [])
    rows = [line for line in expected if isinstance(line, dict)]
    damaged, outside = expected.count("damaged"), expected.count("out_of_range")
    if isinstance(read, Refused):
        if keep_going or damaged + outside == 0:
            raise Wrong(f"refused, though {len(rows)} lines can be read: {read.message}")
        return
    counted = (read.losses.count("damaged"), read.losses.count("out_of_range"))
    if counted != (damaged, outside):
        raise Wrong(f"{counted} lines are left out, not {damaged} damaged and {outside} out of range")
    called = {column: name for name, column in COLUMNS.items() if rows and name in rows[0]}
    found = read.hits.select(list(called))
    table = {column: [row[name] for row in rows] for column, name in called.items()}
    if read.hits.height != len(rows) or not same(found, pl.DataFrame(table, {name: DTYPES[name] for name in called})):
        raise Wrong("other hits than in the lines that can be read")


def _check_own(case: Case, read: Read | Refused) -> bool:
    """Of our own files with an undamaged header, one line after the other."""
    header, _, body = case.data.partition(b"\n")
    if header != case.base.data.partition(b"\n")[0]:
        return isinstance(read, Read)
    names = header.decode().split(",")
    lines = body.removesuffix(b"\n").split(b"\n") if body else []
    rows: list[dict[str, Any]] = []
    for line in lines:
        row = _own_line(line.removesuffix(b"\r").decode(errors="replace"), names)
        rows += [row] if row else []
    bad = len(lines) - len(rows)
    if isinstance(read, Refused):
        if not bad:
            raise Wrong(f"refused, though all lines can be read: {read.message}")
        return False
    if read.lost != bad:
        raise Wrong(f"{read.lost} lines are left out, not {bad}")
    if not same(read.hits, pl.DataFrame(rows, {name: DTYPES[name] for name in names})):
        raise Wrong("other hits than in the lines that can be read")
    return False


LIMITS = {column: (0, MOST[name] - 1) for name, column in COLUMNS.items() if name in MOST} | {
    "timestamp_ps": (-(2**63), 2**63 - 1),
    "flags": (0, 2**32 - 1),
}
NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|-?(?i:nan|inf|infinity)", re.ASCII)


def _own_line(line: str, names: list[str]) -> dict[str, Any] | None:
    """What a line holds; None if it cannot be read. Fields may stand in quotes."""
    fields = re.findall(r'(?:^|,)((?:"(?:[^"]|"")*")|[^,"]*)', line)
    if ",".join(fields) != line or len(fields) != len(names):
        return None
    values: dict[str, Any] = {}
    for name, field in zip(names, fields, strict=True):
        text = field[1:-1].replace('""', '"') if field.startswith('"') else field
        if name == "energy_kev":
            if text and not NUMBER.fullmatch(text):
                return None
            values[name] = float(text) if text else None
        elif not re.fullmatch("-?[0-9]+", text, re.ASCII):
            return None
        else:
            values[name] = int(text)
            low, high = LIMITS[name]
            if not low <= values[name] <= high:
                return None
    return values


# BIN

HEADLESS = ", no header"

RECORDS = 300

FACTOR = 4
"""How many records a damaged stretch with waveforms held is estimated, this far off at the most."""

STRANGE = 3
"""So many hits, for each thing that is wrong with waveforms, may be read out of what has been changed."""


def bin_bases(folder: Path) -> list[Base]:
    """All layouts, waveforms of equal and of changing length, and segments without a header."""
    hits = binfiles.made_hits(RECORDS)
    path = folder / "run.bin"
    made: list[Base] = []
    for name, layout in binfiles.LAYOUTS.items():
        lengths: Any = ([20] * RECORDS, [10, 30, 17] * (RECORDS // 3))[len(made) % 2] if layout.has_waveform else 0
        data = binfiles.write_bin(path, hits, layout, lengths).read_bytes()
        made.append(Base(name, "run.bin", data, hits.select(binfiles.columns_of(layout)), hot=[(0, 60)]))
    for name in ("energy,short,flags", "calibrated,flags", "energy,flags,waveform"):
        layout = binfiles.LAYOUTS[name]
        data = binfiles.write_bin(path, hits, layout, 25, header=None).read_bytes()
        made.append(Base(f"{name}{HEADLESS}", "run.bin", data, hits.select(binfiles.columns_of(layout))))
    return made


def bin_oracle(case: Case, read: Read | Refused, keep_going: bool) -> bool:
    """Without damage the hits are those of a plain loop; in records of one size, all other hits are counted."""
    if isinstance(read, Refused):
        return False
    layouts = _layouts(case, read)
    problems = []
    for layout, begin in layouts:
        problem = _compare(case, begin, layout, read, keep_going)
        if problem is None:
            return False
        problems.append(f"as {layout.name}: {problem}")
    raise Wrong("; ".join(problems) or "read, though no layout has these columns")


def _layouts(case: Case, read: Read) -> list[tuple[Layout, int]]:
    """The layouts that the file may have, and where its records begin."""
    head = int.from_bytes(case.data[:2], "little")
    if head & 0xFFF0 == 0xCAE0:
        return [(layout, 2) for layout in layouts_of_header(head) if _has_columns(layout, read)]
    return [(layout, 0) for layout in binfiles.LAYOUTS.values() if _has_columns(layout, read)]


def _has_columns(layout: Layout, read: Read) -> bool:
    return binfiles.columns_of(layout) == read.hits.columns


def _compare(case: Case, begin: int, layout: Layout, read: Read, keep_going: bool) -> str | None:
    """What is wrong with hits that were read in a layout."""
    data = case.data[begin:]
    schema = read.hits.schema
    if not keep_going or not read.losses.all:
        try:
            expected = pl.DataFrame(binfiles.read_plainly(data, layout), schema)
        except binfiles.Damaged:
            return "read, though a plain loop finds damage"
        return None if same(read.hits, expected) else "other hits than a plain loop finds"
    if not layout.has_waveform:
        return _compare_each(data, layout, read)
    return _compare_times(case, layout, read)


def _compare_times(case: Case, layout: Layout, read: Read) -> str | None:
    """Hits between damaged waveforms: hardly any have times of which the valid file knows nothing.

    All valid files have the same hits, so that this is true of splices as well.
    """
    known = pl.Series(binfiles.made_hits(RECORDS)["timestamp_ps"])
    strange = int((~read.hits["timestamp_ps"].is_in(known.implode())).sum())
    if strange > STRANGE * len(case.steps):
        return f"{strange} of {read.hits.height} hits have times that the file never held"
    told = layout.name == case.base.name.removesuffix(HEADLESS)  # unless its header is what has changed
    if told and len(case.data) == len(case.base.data) and len(case.steps) == 1:
        missing = RECORDS - read.hits.height
        if not missing / FACTOR - STRANGE <= read.lost <= missing * FACTOR + STRANGE:
            return f"{missing} hits are missing, and {read.lost} are said to be left out"
    return None


def _compare_each(data: bytes, layout: Layout, read: Read) -> str | None:
    """Records of one size, each by itself."""
    width = layout.head.itemsize
    damaged = outside = 0
    rows: list[dict[str, Any]] = []
    for at in range(0, len(data), width):
        record = data[at : at + width]
        if len(record) < width or max(struct.unpack_from("<HH", record)) > 255 or (at and not any(record)):
            damaged += 1
        elif struct.unpack_from("<Q", record, 4)[0] > 2**62:
            outside += 1
        else:
            rows += binfiles.read_plainly(record, layout)
    counted = (read.losses.count("damaged"), read.losses.count("out_of_range"))
    if counted != (damaged, outside):
        return f"{counted} records are left out, not {damaged} damaged and {outside} out of range"
    return None if same(read.hits, pl.DataFrame(rows, read.hits.schema)) else "other hits than each record holds"
