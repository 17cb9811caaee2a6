"""Pairs in ROOT files as LazyFrames: those that are written here, and those of other programs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.core.schema import ADC_TYPES, PAIRS, REGION
from gammapolars.detectors.columns import Column
from gammapolars.io.adc_width import adc_type
from gammapolars.io.reading import READING, Reading
from gammapolars.io.root.tables import PAIRS_TREE, scan_tree, wide_adc
from gammapolars.io.root.tree import open_tree
from gammapolars.streaming.slices import batches_of, lazy_frame

FOREIGN_PAIRS_TREE = "Data_C"
"""The tree in which other programs keep pairs, each in both orders."""

FOREIGN_PAIR_BRANCHES = {
    "Channel_a": "channel_a",
    "Energy_a": "adc_a",
    "Channel_b": "channel_b",
    "Energy_b": "adc_b",
    "Time_difference": "dt_ps",
}


def scan_root_pairs(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """A ROOT file's pairs, lazily, each once: the tree `pairs` that `save` writes, or `Data_C` of other programs.

    `Data_C` holds each pair in both orders, on board 0 and without the time of a: of the two rows the one is kept in
    which a is the earlier hit, or at equal times the lower channel.

    Raises:
        InputError: the file is missing, damaged or no ROOT file, or has no such tree or branch.
    """
    tree = open_tree(path, (PAIRS_TREE, FOREIGN_PAIRS_TREE))
    reading = replace(reading, rows=None)
    dtypes = PAIRS.columns | PAIRS.optional
    if tree.name == PAIRS_TREE:
        columns = {name: name for name in dtypes if name in tree.branches}
        stored = {name: ADC_TYPES[1 + dtype.is_float()] for name, dtype in wide_adc(tree, columns).items()}
        return _with_regions(scan_tree(tree, columns, dtypes | stored | {"region": pl.UInt8}, reading))
    board, unknown = pl.lit(0, pl.UInt16), pl.lit(None, pl.Int64)
    if stored := wide_adc(tree, FOREIGN_PAIR_BRANCHES):
        as_stored = scan_tree(tree, FOREIGN_PAIR_BRANCHES, dtypes | stored, reading.of_whole_file)
        dtypes = dtypes | {name: adc_type(as_stored, Column(name)) for name in stored}
    both = scan_tree(tree, FOREIGN_PAIR_BRANCHES, dtypes, reading)
    pairs = _once(both, tree.path)
    return pairs.with_columns(board_a=board, board_b=board, timestamp_ps=unknown).select(*PAIRS.columns)


def _once(both: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """From pairs in both orders the rows in which a is the earlier hit, or at equal times of the lower channel.

    When all rows are read, there must have been as many of the other order: pairs listed only once would be lost.
    """
    lower = pl.col("channel_a") < pl.col("channel_b")
    higher = pl.col("channel_a") > pl.col("channel_b")
    first = (pl.col("dt_ps") > 0) | ((pl.col("dt_ps") == 0) & lower)
    second = (pl.col("dt_ps") < 0) | ((pl.col("dt_ps") == 0) & higher)
    needed = {"channel_a", "channel_b", "dt_ps"}

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        read, missing = [name for name in both.collect_schema() if name in names or name in needed], 0
        for batch in batches_of(both.select(read)):
            missing += int(batch.select(first.sum().cast(pl.Int64) - second.sum().cast(pl.Int64)).item())
            yield batch.filter(first).select(names)
        if missing:
            raise InputError(
                f"{path}: the tree '{FOREIGN_PAIRS_TREE}' should contain each pair in both orders, but one "
                f"order has {abs(missing):,} more rows than the other: store both, or each pair once in a "
                "table with the columns of coincidences"
            )

    return lazy_frame(both.collect_schema(), batches, of=path)


def _with_regions(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Pairs whose regions are numbers, as a branch holds them: 0 is the first."""
    if "region" not in pairs.collect_schema():
        return pairs
    named = pl.lit(pl.Series(REGION.categories, dtype=REGION)).gather(pl.col("region"))
    return pairs.with_columns(region=named)
