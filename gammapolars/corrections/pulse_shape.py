"""Pulse shapes for histograms."""

from collections.abc import Iterable

import polars as pl

from gammapolars.core.pulse_shape import LONG, SHORT, charge_ratio
from gammapolars.corrections.dithering import dithered_values


def dithered_psd(columns: Iterable[str], suffix: str = "") -> pl.Expr:
    """The pulse shape of hits, or of one side of pairs, of charges with noise over their own width.

    The ratio of two whole numbers would make a comb. Its noise is below 1/adc, that of the long charge is the one that
    the energy of the hit has. Where the recorded charges have no ratio, it is null.

    Args:
        columns: of the frame; without a board, hits are taken to be of one.
        suffix: of the columns: none, `_a` or `_b`.
    """
    names = set(columns)
    long, short = (dithered_values(names, name, suffix, second=name == SHORT) for name in (LONG, SHORT))
    return pl.when(pl.col(f"{LONG}{suffix}") > 0).then(charge_ratio(long, short))
