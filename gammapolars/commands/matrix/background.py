"""The background of a matrix in two dimensions, as the command `matrix` subtracts it."""

from typing import NamedTuple

import polars as pl

from gammapolars.analysis.accumulators import Matrix
from gammapolars.commands.matrix.parse import MatrixOptions
from gammapolars.commands.net_matrices import MatrixBackground, net_matrix, peak_regions
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ADC, ENERGY

CUT = ("energy_kev", "adc_a", "adc_b", "adc_x", "adc_y")
"""Columns in which polygons may not be: they would cut parts out of the plane that is projected."""


class NetOfBackground(NamedTuple):
    """A matrix without its background.

    Attributes:
        table: all cells of the grid.
        counts_unc: of all of them together, with what they have in common.
        background: the background subtracted.
    """

    table: pl.DataFrame
    counts_unc: float
    background: MatrixBackground


def check_factorises(options: MatrixOptions, counts: Matrix) -> None:
    """Raise, before any work, where projections cannot give the background.

    Raises:
        UsageError: axes other than two of energy or two of adc, or polygons in these.
    """
    x, y = (axis.quantity for axis in counts.axes)
    if x != y or x not in (ENERGY, ADC):
        raise UsageError("--subtract-background needs a matrix of two energies or of two adc values")
    for polygon in counts.polygons:
        if any(column.startswith(CUT) for column in (polygon.x, polygon.y)):
            raise UsageError(
                f"polygon '{polygon.name}' cuts the plane of the matrix, so the projections do not give a "
                "background: leave out the polygon or --subtract-background"
            )
    peak_regions(options.peak_region)


def net_of_background(table: pl.DataFrame, counts: Matrix, options: MatrixOptions) -> NetOfBackground:
    """A matrix as counted, minus the background given by its projections.

    Raises:
        InputError: there are no counts, or too many bins for all of them to be filled.
        UsageError: no peaks are found, or the regions leave no background.
    """
    widths = counts.axes[0].width, counts.axes[1].width
    net = net_matrix(table, options.peak_region, widths, options.names[0])
    whole = net.sum()
    return NetOfBackground(net.table(), whole.unc, MatrixBackground(*net.regions, whole.background))
