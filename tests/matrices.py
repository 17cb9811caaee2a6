"""Matrices with known coincidences, whose background factorises."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]

BINS = 150


def table_of(matrix: Floats) -> pl.DataFrame:
    """A matrix in bins of 1 keV."""
    x, y = np.nonzero(matrix)
    counts = matrix[x, y]
    return pl.DataFrame({"energy_kev_x": x + 0.5, "energy_kev_y": y + 0.5, "counts": counts, "variance": counts})


def drawn(rng: np.random.Generator, mean: Floats, *, symmetric: bool) -> pl.DataFrame:
    """A matrix with Poisson counts; of a symmetric one `mean` has each pair in both orders, twice on the diagonal."""
    if not symmetric:
        return table_of(rng.poisson(mean).astype(np.float64))
    upper = np.triu(mean)
    upper[np.diag_indices(len(mean))] /= 2
    counts = rng.poisson(upper).astype(np.float64)
    return table_of(counts + np.triu(counts, 1).T)


class Model(NamedTuple):
    """A matrix of some lines, whose background factorises; each pair in both orders."""

    mean: Floats
    lines: tuple[float, ...]
    coincidences: Floats


def model(total: float = 3e5, bins: int = BINS) -> Model:
    """In the background are so many parts of each line as of all counts: the rest is in coincidence with others."""
    e = np.arange(bins) + 0.5
    background = np.exp(-e / 120) + 0.2
    lines, sigma = (40.0, 90.0, 130.0), 1.0
    shapes = np.array([ndtr((e + 0.5 - line) / sigma) - ndtr((e - 0.5 - line) / sigma) for line in lines])
    links = np.array([[0.01, 0.03, 0.02], [0.03, 0.0, 0.04], [0.02, 0.04, 0.0]])
    areas = links.sum(axis=1)
    background *= (1 - areas.sum()) / background.sum()
    peaks = areas @ shapes
    true = areas.sum() * shapes.T @ links @ shapes
    mixed = np.outer(background, background) + np.outer(background, peaks) + np.outer(peaks, background)
    return Model(total * (mixed + true), lines, total * true)
