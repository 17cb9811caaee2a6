"""Cascades in ENSDF of the lines that are in coincidence with a gate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.core.types import Floats
from gammapolars.gamma_lines.coincident_lines import coincident_lines, nuclides_named
from gammapolars.gates import Gate


@dataclass(frozen=True)
class Cascades:
    """The cascades of some nuclides that explain coincident lines.

    Attributes:
        nuclides: whose cascades were looked at.
        lines: of each peak's `centroid_kev` the cascades that explain it, a row each, the most frequent first:
            `nuclide`, `daughter`, `gate_kev` and `energy_kev` of its two photons, `coincidences` per 100 decays,
            `coincidences_unc` and `half_life_s`.
        unexplained_kev: where the peaks lie that no cascade explains.
    """

    nuclides: tuple[str, ...]
    lines: pl.DataFrame
    unexplained_kev: tuple[float, ...]


def cascades_of(peaks: pl.DataFrame, gates: Sequence[Gate], names: Sequence[str]) -> Cascades:
    """Look for the cascades of the peaks of a gated spectrum; with two gates, for such as have a photon in each.

    Args:
        peaks: `centroid_kev` and `fwhm_kev`.
        gates: of energies.
        names: of nuclides, as the command line has them.

    Raises:
        InputError: paceENSDF is not installed.
        UsageError: ENSDF has no such nuclide.
    """
    nuclides = nuclides_named(names)
    centroids, widths = _lines(peaks)
    tables = [coincident_lines((gate.low, gate.high), centroids, widths, nuclides) for gate in gates]
    found = tables[0]
    for other in tables[1:]:
        found = found.join(
            other.select("line", "nuclide", "energy_kev").unique(), on=["line", "nuclide", "energy_kev"], how="semi"
        )
    lines = found.with_columns(pl.Series("centroid_kev", centroids[found["line"].to_numpy()], pl.Float64))
    explained = set(found["line"])
    unexplained = tuple(float(one) for number, one in enumerate(centroids) if number not in explained)
    return Cascades(nuclides, lines.select("centroid_kev", pl.exclude("centroid_kev", "line")), unexplained)


def _lines(peaks: pl.DataFrame) -> tuple[Floats, Floats]:
    """Where peaks lie, and how wide they are; each once, where several detectors have it."""
    table = peaks.sort("area", descending=True).select("centroid_kev", "fwhm_kev").to_numpy()
    kept: list[Floats] = []
    for row in table:
        if all(abs(row[0] - one[0]) > max(row[1], one[1]) / 2 for one in kept):
            kept.append(row)
    ordered = np.array(sorted(kept, key=lambda row: float(row[0]))).reshape(-1, 2)
    return ordered[:, 0], ordered[:, 1]
