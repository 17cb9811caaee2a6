"""Doubts about the widths of peaks, collected where peaks are fitted on the way to something else."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from gammapolars.core.errors import WidthWarning


@contextmanager
def width_doubts() -> Iterator[list[str]]:
    """The doubts of the fits in the block about widths on which peaks do not agree: known when the block is over."""
    doubts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", WidthWarning)
        yield doubts
    for warning in caught:
        if issubclass(warning.category, WidthWarning):
            doubts.append(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
