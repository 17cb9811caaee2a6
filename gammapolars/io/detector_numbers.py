"""Detectors whose names are numbers, where a table of another program has numbers for channels."""

from pathlib import Path

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.detectors.columns import Column
from gammapolars.io.reading import Losses

PEEKED_ROWS = 10_000
"""This many of a file's first hits show which numbers it has."""


def check_channel_numbers(table: pl.LazyFrame, channel: Column | None, path: Path, losses: Losses) -> None:
    """Raise, or note, where the numbers of a column of channels may be the names of detectors.

    Names are looked up only in columns of text. Numbers all of which are names and not all of which are channels of
    detectors are meant as names; if all of them are both, they are taken as channels.

    Args:
        table: of another program.
        channel: the column that channels are taken from, with the detectors' names.
        path: of the file.
        losses: is given a note where the numbers are both.

    Raises:
        TableError: they are names.
    """
    if channel is None or channel.value is not None or not table.collect_schema()[channel.name].is_integer():
        return
    named = {int(name): key[1] for name, key in channel.names.items() if name.isascii() and name.isdecimal()}
    if all(number == of_detector for number, of_detector in named.items()):
        return
    numbers = set(table.select(channel.name).head(PEEKED_ROWS).collect()[channel.name].drop_nulls())
    others = numbers - {of_detector for _, of_detector in channel.names.values()}
    if not numbers or not numbers <= named.keys() or all(named[number] == number for number in numbers):
        return
    if others:
        number = min(others)
        raise TableError(
            f"column '{channel.name}' contains the number {number}, which is the name of a detector but not "
            f"the channel of any; names are looked up only in text columns: give the detector '{number}' "
            f"channel = {number}, or write the column as text"
        )
    losses.note(
        path,
        f"the numbers in column '{channel.name}' are channels of some detectors and names of others: they "
        "are read as channels",
    )
