"""The lines of a text that holds numbers: its words before them, and the numbers, whatever bytes mark its beginning."""

import codecs
import re
from typing import NamedTuple

import polars as pl

from gammapolars.core.errors import InputError

REMARK = r"^\s*#"
"""Beginning of a line that is passed over wherever it is."""

REMARK_BEHIND = r"\s+#\s*[^0-9\s.,+-].*$"
"""Text that may follow the numbers of a line."""

MARKED = re.compile(r"^\s*(?:#|%|!|//)+")
"""How titles may begin, too."""

NUMBER = r"^[\s\"']*[+-]?[.,]?[0-9]"
"""How a line of numbers begins."""

WORDS = re.compile(r"[^\W\d_]{2}|^[^0-9]*[A-Za-z][^0-9]*$")
"""Letters of a title or the names of columns, which numbers with a damaged digit have not."""

NUMBER_AS_REMARK = r"^\s*#[0-9.,]+\s*$"
"""A number that somebody left out, or whose first digit is damaged: the channels after it are not certain."""

NO_NUMBER = re.compile(r"\W*(?:nan|inf|infinity|null|none|n/?a)\b", re.IGNORECASE)
"""Signs for a missing number, and no title."""

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

INVISIBLE = "[\u200b-\u200f\u2060\ufeff]+"

UNSEEN = re.compile(rf"(?:^|(?<=[\s,;\"'])){INVISIBLE}|{INVISIBLE}(?=$|[\s,;\"'])", re.MULTILINE)
"""Characters without width before and after words; within a number they would be damage."""

LOOK_ALIKE = {**dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f"), " "), 0x2212: "-"}
"""Blanks of other widths and the minus of typographers are the plain ones."""

CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")
"""Letters that no text holds; one that DOS put at the end is passed over."""

SHOWN_CHARACTERS = 40


class Lines(NamedTuple):
    """The lines of a text.

    Attributes:
        head: titles, names of columns and remarks before the first number, in their order.
        rows: `line`, its number from 1, and `text` of each line of numbers.
    """

    head: list[str]
    rows: pl.DataFrame


def lines_of(data: bytes, *, strict: bool = True) -> Lines:
    """The lines of a text in UTF-8, UTF-16 or Latin-1; empty ones and remarks among numbers are passed over.

    Args:
        data: the text's bytes.
        strict: whether lines are refused that hold no number after the first that does; otherwise they are left out.

    Raises:
        InputError: it is no text, has no line of numbers, or a line that is neither numbers nor words where there
            should be one of them.
    """
    text = text_of(data).replace("\r\n", "\n").replace("\r", "\n")
    lines = pl.DataFrame({"text": text.split("\n")}).with_row_index("line", offset=1)
    lines = lines.filter(pl.col("text").str.contains(r"[^\s;,\"]"))
    is_number = pl.col("text").str.contains(NUMBER)
    numbers = lines.filter(is_number)
    if numbers.is_empty():
        raise InputError("is not a spectrum: no line contains numbers")
    first = numbers["line"][0]
    head = lines.filter(pl.col("line") < first)
    for line, words in head.filter(~pl.col("text").str.contains(REMARK)).rows():
        if NO_NUMBER.match(words) or not WORDS.search(words):
            raise InputError(f"line {line} contains neither a number nor words: {shown(words)}")
    rest = lines.filter(pl.col("line") >= first, ~pl.col("text").str.contains(REMARK))
    if strict and (others := rest.filter(~is_number)).height:
        line, words = others.row(0)
        raise InputError(f"line {line} contains no number, although the numbers began in line {first}: {shown(words)}")
    left_out = lines.filter(pl.col("text").str.contains(NUMBER_AS_REMARK))
    if strict and left_out.height:
        line, words = left_out.row(0)
        raise InputError(f"line {line} may be a remark or a channel's number: {shown(words)}: put a blank behind #")
    rows = rest.filter(is_number).with_columns(pl.col("text").str.replace(REMARK_BEHIND, "").str.strip_chars(" "))
    return Lines([MARKED.sub("", line).strip() for line in head["text"]], rows)


def text_of(data: bytes) -> str:
    """A text in the encoding given by its first bytes; an InputError if it is not one."""
    mark, encoding = next(((mark, name) for mark, name in MARKS if data.startswith(mark)), (b"", ""))
    if not mark and b"\0" in data[:256]:
        opening = data[:256]
        encoding = "utf-16-be" if opening[::2].count(0) > opening[1::2].count(0) else "utf-16-le"
    try:
        text = data[len(mark) :].decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding:
            raise InputError(f"is not text in {encoding.upper()}, as its first bytes say: is it damaged?") from None
        text = data.decode("latin-1").replace("\xa0", "\ufffd")  # in a number, the damaged byte of a digit
    if control := CONTROL.search(text.rstrip("\x1a")):
        raise InputError(f"is not text, or is damaged: it contains the byte {ord(control[0])}")
    return UNSEEN.sub("", text.rstrip("\x1a").removeprefix("ï»¿")).translate(LOOK_ALIKE)


def shown(text: str) -> str:
    """The beginning of a line, for a message."""
    line = text.strip()
    return f"'{line}'" if len(line) <= SHOWN_CHARACTERS else f"'{line[:SHOWN_CHARACTERS]}…'"
