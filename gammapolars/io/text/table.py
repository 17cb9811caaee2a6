"""Tables of numbers in separated text: fast where every line is as it should be, exact about each line that is not.

polars' own CSV parser reads a block of lines with strict types. Its blind spots (a short line, an empty one, a
blank before a number) show in a few sums over the block. A block in which anything is wrong is taken apart until the
wrong lines are isolated in small pieces, and there each field is compared with the form of a number.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import compress, groupby, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from gammapolars.core.schema import DType
from gammapolars.detectors.conversion import within_times
from gammapolars.io.reading import Kind, Losses
from gammapolars.io.text.blocks import Block, TextFile
from gammapolars.io.text.dialect import Dialect

INTEGER = r"-?[0-9]+"
HEXADECIMAL = r"0x[0-9a-fA-F]+"
FLOAT = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|-?(?i:nan|inf|infinity)"
BOOLEAN = "true|false"
TEXT = "[^\ufffd]*"


@dataclass(frozen=True)
class Field:
    """A field of each line, and the column that it becomes.

    Attributes:
        hexadecimal: whether the text is `0x4000`; the column is u32.
        natural: whether a negative number is out of range, though the dtype could hold it.
        required: whether it is never empty.
    """

    column: str
    dtype: DType
    hexadecimal: bool = False
    natural: bool = False
    required: bool = True

    @property
    def parsed(self) -> DType:
        """The type in which the parser reads the text."""
        if self.hexadecimal:
            return pl.String
        return pl.UInt64 if self.natural else self.dtype

    @property
    def pattern(self) -> str:
        if self.hexadecimal:
            return HEXADECIMAL
        if self.dtype.is_integer():
            return INTEGER
        return FLOAT if self.dtype.is_float() else BOOLEAN if self.dtype == pl.Boolean else TEXT

    def value(self, parsed: pl.Expr, *, strict: bool) -> pl.Expr:
        """The column, from the parser's result."""
        if self.hexadecimal:
            return parsed.str.strip_prefix("0x").str.to_integer(base=16, dtype=pl.UInt32, strict=strict)
        value = parsed.cast(self.dtype, strict=strict)
        return within_times(value) if self.column == "timestamp_ps" else value

    def is_damaged(self, text: pl.Expr) -> pl.Expr:
        """Whether a text is not of the field's form; always for null, which means a field that is missing."""
        empty = self.required and self.dtype != pl.String
        fits = text.str.contains(f"^(?:{self.pattern})$")
        return pl.when(text.is_null()).then(pl.lit(value=True)).when(text == "").then(pl.lit(empty)).otherwise(~fits)

    def exact_value(self, text: pl.Expr) -> pl.Expr:
        """The column, from a text of the field's form: null for an empty text, and for a number that does not fit."""
        filled = pl.when(text != "").then(text)
        if self.dtype == pl.Boolean:
            return filled == "true"
        return self.value(filled.cast(self.parsed, strict=False), strict=False)

    def is_outside(self, text: pl.Expr) -> pl.Expr:
        """Whether a text of the field's form is a number that does not fit the column."""
        return (text != "") & self.exact_value(text).is_null()


Octets = npt.NDArray[np.uint8]

NEWLINE = ord("\n")

LEAST_MARK = ord(",")
"""Only the line end, of characters below it, occurs in a line of numbers: not blanks, quotes, NULs, or the sign +."""

NO_ROW = re.compile(rb"(?:^|\n)\s*(?:\n|[#%])")

HEAD_BYTES = 128
"""In a line with waveform samples, the fields before them are no longer than this."""

PIECE_BYTES = 2**15
"""A piece of a block that is no longer is looked at line by line."""

PIECES = 8
"""Into how many pieces a block is cut that something is wrong with."""

SHOWN_CHARACTERS = 60


class BadLines(NamedTuple):
    """How many lines from a first to a last, by number in the file, cannot be read, and why the first cannot."""

    kind: Kind
    first: int
    last: int
    lines: int
    reason: str

    def after(self, lines: int) -> "BadLines":
        """The same, where lines are counted from those before the first one."""
        return self._replace(first=self.first + lines, last=self.last + lines)

    @property
    def text(self) -> str:
        if self.lines == 1:
            return f"line {self.first} {self.reason}"
        return f"{self.lines} of the lines {self.first} to {self.last} cannot be read: line {self.first} {self.reason}"


@dataclass(frozen=True)
class TextTable:
    """The layout of a text file's lines.

    Attributes:
        fields: by the name that messages call them, in their order.
        separator: one character.
        tail: whether further fields follow, of numbers that are not read.
        quotes: whether fields may be quoted; line ends may not.
        whole_lines: whether each line has an end, so that one without is incomplete.
        dialect: of other programs, whose lines may be padded, and among which empty lines and remarks are passed over.
    """

    fields: Mapping[str, Field]
    separator: str = ","
    tail: bool = False
    quotes: bool = False
    whole_lines: bool = False
    dialect: Dialect | None = None

    @property
    def schema(self) -> dict[str, DType]:
        return {field.column: field.dtype for field in self.fields.values()}

    def read(
        self, file: TextFile, losses: Losses, *, header: bool, rows: tuple[int, int] | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of all lines that can be read; of all fields, so that the rows do not depend on the columns wanted.

        All others but the `header` are reported to `losses`; an InputError, where none may be left out. `rows` are the
        bytes between which lines are read, as in `Reading.rows`.
        """
        before = cache(lambda: file.lines_before(rows[0]) if rows else 0)
        for block in file.blocks(header=header, rows=rows):
            text, line, lines, growing = block
            if lines or not self.whole_lines:
                whole = block if lines else Block(text + b"\n", line, 1)
                frames, bad = self._read_block(whole)
                for lost in bad:
                    losses.leave_out(file.path, lost.after(before()).text, lost.lines, lost.kind)
                yield from frames
            elif growing:
                losses.note(file.path, f"is still being written: read up to line {before() + line - 1}")
            else:
                shown = _shown(text.decode(errors="replace"))
                losses.leave_out(file.path, f"line {before() + line} is cut short: '{shown}'", 1)

    def _read_block(self, block: Block) -> tuple[list[pl.DataFrame], list[BadLines]]:
        """The rows of a block in one frame, if there are any, and the lines that cannot be read."""
        text, line, lines, _ = block
        text = text.replace(b"\r\n", b"\n") if b"\r" in text else text
        frames, bad = self._plain_pieces(text, line, lines) if self.dialect else self._pieces(text, line, lines)
        return [pl.concat(frames, rechunk=False)] if frames else [], merged(bad)

    def _plain_pieces(self, text: bytes, line: int, lines: int) -> tuple[list[pl.DataFrame], list[BadLines]]:
        """The same as `_pieces` of lines in a dialect, without those that hold no row."""
        assert self.dialect
        plain = self.dialect.plain(text)
        every = plain.split(b"\n")[:-1] if NO_ROW.search(plain) else []
        has_row = [bool(one) and not one.lstrip().startswith((b"#", b"%")) for one in every]
        if all(has_row):
            return self._pieces(plain, line, lines)
        rows = list(compress(every, has_row))
        if not rows:
            return [], []
        frame = self._parsed(b"\n".join([*rows, b""]), len(rows))
        if frame is not None:
            return [frame], []
        frames, bad = [], []
        for rows_here, group in groupby(enumerate(every), key=lambda one: has_row[one[0]]):
            if rows_here:
                places, parts = zip(*group, strict=True)
                more_frames, more_bad = self._pieces(b"\n".join([*parts, b""]), line + places[0], len(parts))
                frames += more_frames
                bad += more_bad
        return frames, bad

    def _pieces(self, text: bytes, line: int, lines: int) -> tuple[list[pl.DataFrame], list[BadLines]]:
        """The rows of some lines, and the lines that cannot be read."""
        frame = self._parsed(text, lines)
        if frame is not None:
            return [frame], []
        if len(text) <= PIECE_BYTES or lines == 1:
            exact, bad = self._exact(text, line)
            return [exact], bad
        frames = []
        bad = []
        for first, end in pairwise(_borders(text)):
            piece = text[first:end]
            count = piece.count(b"\n")
            more_frames, more_bad = self._pieces(piece, line, count)
            frames += more_frames
            bad += more_bad
            line += count
        return frames, bad

    def _parsed(self, text: bytes, lines: int) -> pl.DataFrame | None:
        """The rows of some lines; None if anything may be wrong with one of them."""
        octets = np.frombuffer(text, np.uint8)
        if self.tail:
            heads = _heads(octets, self.separator, len(self.fields))
            # Anything but samples after them may be a line whose predecessor's end is missing: a hidden hit.
            if heads is None or _others(heads) != _others(octets):
                return None
            octets = heads
            text = heads.tobytes()
        separators = np.count_nonzero(octets == ord(self.separator))
        low = lines + separators if ord(self.separator) < LEAST_MARK else lines
        if separators != lines * (len(self.fields) - 1) or np.count_nonzero(octets < LEAST_MARK) != low:
            return None
        try:
            parsed = pl.read_csv(
                text,
                has_header=False,
                separator=self.separator,
                quote_char=None,
                schema={name: field.parsed for name, field in self.fields.items()},
            )
            frame = parsed.select(
                field.value(pl.col(name), strict=True).alias(field.column) for name, field in self.fields.items()
            )
        except (pl.exceptions.PolarsError, OSError):
            return None
        unprefixed = [
            not parsed[name].str.starts_with("0x").all() for name, field in self.fields.items() if field.hexadecimal
        ]
        empty = [frame[field.column].null_count() for field in self.fields.values() if field.required]
        return None if frame.height != lines or any(unprefixed) or any(empty) else frame

    def _exact(self, text: bytes, line: int) -> tuple[pl.DataFrame, list[BadLines]]:
        """The rows of those lines that can be read, and the other lines, each looked at."""
        lines = pl.Series("line", text.decode(errors="replace").removesuffix("\n").split("\n"))
        groups = lines.str.extract_groups(self._line_pattern).struct.unnest()
        groups.columns = list(self.fields)
        if self.quotes:
            quoted = pl.all().str.starts_with('"')
            groups = groups.with_columns(
                pl.when(quoted).then(pl.all().str.slice(1).str.head(-1).str.replace_all('""', '"')).otherwise(pl.all())
            )
        checked = groups.select(
            place=pl.int_range(pl.len()),
            text=lines,
            damaged=pl.any_horizontal(field.is_damaged(pl.col(name)) for name, field in self.fields.items()),
            values=pl.struct(field.exact_value(pl.col(name)).alias(name) for name, field in self.fields.items()),
            outside=pl.coalesce(
                pl.when(field.is_outside(pl.col(name))).then(pl.lit(name)) for name, field in self.fields.items()
            ),
        )
        good = checked.filter(~pl.col("damaged"), pl.col("outside").is_null())["values"].struct.unnest()
        good.columns = [field.column for field in self.fields.values()]
        return good, [
            *self._bad(checked.filter("damaged"), line, "damaged"),
            *self._bad(checked.filter(~pl.col("damaged"), pl.col("outside").is_not_null()), line, "out_of_range"),
        ]

    def _bad(self, rows: pl.DataFrame, line: int, kind: Kind) -> Iterator[BadLines]:
        if rows.is_empty():
            return
        shown = f"'{_shown(rows['text'][0])}'"
        if kind == "damaged":
            reason = f"is not {self.separator.join(self.fields)}: {shown}"
        else:
            reason = f"has a value in {rows['outside'][0]} that is impossible for a hit: {shown}"
        yield BadLines(kind, line + rows["place"][0], line + rows["place"][-1], rows.height, reason)

    @cached_property
    def _line_pattern(self) -> str:
        """Matches a line, with one group per field."""
        separator = re.escape(self.separator)
        field = f"[^{separator}]*"
        if self.quotes:
            field = f'"(?:[^"]|"")*"|[^{separator}"]*'
        tail = f"(?:{separator}[-./0-9:;]*)?" if self.tail else ""
        return f"^{separator.join([f'({field})'] * len(self.fields))}{tail}$"


def merged(bad: list[BadLines]) -> list[BadLines]:
    """Bad lines of all pieces of a block in one item per kind, that with the first line first."""
    of_kind: dict[Kind, BadLines] = {}
    for more in bad:
        so_far = of_kind.get(more.kind)
        of_kind[more.kind] = so_far._replace(last=more.last, lines=so_far.lines + more.lines) if so_far else more
    return sorted(of_kind.values(), key=lambda lost: lost.first)


def _borders(text: bytes) -> list[int]:
    """Where a text of several lines is cut into pieces of whole lines, from its beginning to its end."""
    places = [len(text) * piece // PIECES for piece in range(1, PIECES)]
    # Before and after the line at each place, so that one very long line comes apart from the others.
    before = {text.rfind(b"\n", 0, place) + 1 for place in places}
    behind = {text.find(b"\n", place) + 1 for place in places}
    return sorted({0, len(text)} | before | behind)


def _heads(octets: Octets, separator: str, fields: int) -> Octets | None:
    """The lines with only their first fields; None if one of these is longer than any can be."""
    ends = np.flatnonzero(octets == NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    window = sliding_window_view(np.concatenate((octets, np.zeros(HEAD_BYTES, np.uint8))), HEAD_BYTES)[starts]
    behind = np.cumsum(window == ord(separator), axis=1, dtype=np.uint8) >= fields
    width = np.where(behind[:, -1], behind.argmax(axis=1), HEAD_BYTES)
    width = np.minimum(width, ends - starts)
    if (width == HEAD_BYTES).any():
        return None
    window[np.arange(len(starts)), width] = NEWLINE
    heads: Octets = window[np.arange(HEAD_BYTES) <= width[:, np.newaxis]]
    return heads


def _others(octets: Octets) -> int:
    """How many characters belong neither to numbers of samples nor between them."""
    return int(np.count_nonzero(octets - np.uint8(ord("-")) > ord(";") - ord("-")))


def _shown(text: str) -> str:
    """The beginning of a line, for a message."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
