"""The summary of `matrix` for people."""

from gammapolars.commands.matrix.run import MatrixResult, MatrixSummary, SavedPairsMatrixSummary
from gammapolars.commands.summaries import head, pair_lines, saved_head, tasks, timed_tail, warnings
from gammapolars.core.digits import plus_minus


def text(summary: MatrixSummary | SavedPairsMatrixSummary) -> list[str]:
    """The input, the content of the matrix, and the range of its channels."""
    if isinstance(summary, SavedPairsMatrixSummary):
        lines = [*saved_head(summary), *warnings(summary), _bins(summary), *_background(summary)]
        return [*lines, f"{summary.outputs[0]}: written"]
    if summary.of_pairs:
        lines = [*head(summary), *pair_lines(summary.of_pairs), *timed_tail(summary), _bins(summary)]
        return [*lines, *_background(summary)]
    return [*head(summary), *tasks(summary), *warnings(summary), _bins(summary), f"{summary.outputs[0]}: written"]


def _background(summary: MatrixResult) -> list[str]:
    """The background subtracted in two dimensions, and how far the rest may be summed."""
    if not (background := summary.background):
        return []
    regions = len(background.peak_regions_x), len(background.peak_regions_y)
    peaks = f"{regions[0]}" if summary.symmetric else f"{regions[0]} and {regions[1]}"
    return [
        f"a background of {background.background_counts:,.0f} from the projections was subtracted, with "
        f"{peaks} peak regions: {plus_minus(summary.counts, summary.counts_unc or 0.0)} net counts in total",
        "variances hold for single bins, which are correlated: for sums, gate on the original matrix of "
        "counts with gate --subtract-background",
    ]


def _bins(summary: MatrixResult) -> str:
    """A symmetric matrix has the same bins on both axes, which are listed once."""
    places = [f"{one['channel_0']:g} + {one['width']:g} n {one['unit']}" for one in summary.bins]
    widths = [f"{one['width']:g} {one['unit']}" for one in summary.bins]
    if summary.symmetric:
        return f"{summary.counts:,.0f} counts in bins of {widths[0]}; bin n is at {places[0]}"
    counts = f"{summary.counts:,.6g} counts in bins of {' × '.join(widths)}, {summary.axes} on x:y"
    return counts + "".join(f"; bin n on {side} is at {place}" for side, place in zip("xy", places, strict=True))
