"""What commands share that subtract the background of a matrix in two dimensions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gammapolars.core.records import Part
from gammapolars.core.types import Range
from gammapolars.core.units import parse_range


@dataclass(frozen=True)
class MatrixBackground(Part):
    """What was subtracted in two dimensions, after Palameta and Waddington.

    Attributes:
        peak_regions_x: where the projection on x has peaks, [low, high] each.
        peak_regions_y: the same on y.
        background_counts: how much was subtracted, in all of the result.
    """

    peak_regions_x: tuple[Range, ...]
    peak_regions_y: tuple[Range, ...]
    background_counts: float

    def doubts(self) -> Iterator[str]:
        """What a reader must know of it, one sentence each."""
        if not self.peak_regions_x or not self.peak_regions_y:
            yield (
                "no peaks were found in a projection, so that coincidences of peaks were subtracted like all others: "
                "name where they lie with --peak-region LOW:HIGH"
            )


def peak_regions(texts: Sequence[str] | None) -> tuple[Range, ...] | None:
    """The stretches of `--peak-region`, of which one option can name several, divided by commas; None: none are given.

    Raises:
        UsageError: one is no LOW:HIGH.
    """
    if not texts:
        return None
    return tuple(parse_range(part, "--peak-region", example="1165:1180") for text in texts for part in text.split(","))
