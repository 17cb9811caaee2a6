"""Shared by commands that subtract the background of a matrix in two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from gammapolars.core.errors import InputError, TableError, UsageError
from gammapolars.core.records import Part
from gammapolars.core.types import Range
from gammapolars.core.units import parse_range

if TYPE_CHECKING:
    from gammapolars.spectra.net_matrix import NetMatrix


@dataclass(frozen=True)
class MatrixBackground(Part):
    """The background subtracted in two dimensions, after Palameta and Waddington.

    Attributes:
        peak_regions_x: where the projection on x has peaks, [low, high] each.
        peak_regions_y: the same on y.
        background_counts: how much was subtracted, in all of the result.
    """

    peak_regions_x: tuple[Range, ...]
    peak_regions_y: tuple[Range, ...]
    background_counts: float


def peak_regions(texts: Sequence[str] | None) -> tuple[Range, ...] | None:
    """The stretches of `--peak-region`, of which one option can name several, divided by commas; None: none are given.

    Raises:
        UsageError: one is no LOW:HIGH.
    """
    if not texts:
        return None
    return tuple(parse_range(part, "--peak-region", example="1165:1180") for text in texts for part in text.split(","))


def net_matrix(
    table: pl.DataFrame, texts: Sequence[str] | None, widths: tuple[float, float], name: object
) -> "NetMatrix":
    """A matrix net of its background.

    Args:
        table: as counted.
        texts: of `--peak-region`.
        widths: of the bins on x and on y.
        name: of its source, for errors.

    Raises:
        InputError: it has too few counts, or too many bins for all of them to be filled.
        UsageError: no peaks are found, or the regions leave no background.
    """
    from gammapolars.spectra.net_matrix import NetMatrix

    try:
        return NetMatrix(table, regions=peak_regions(texts), width=widths)
    except TableError as error:
        raise InputError(f"{name}: the background cannot be subtracted: {error}") from None
    except UsageError as error:
        raise UsageError(f"{name}: the background cannot be subtracted: {error}") from None
