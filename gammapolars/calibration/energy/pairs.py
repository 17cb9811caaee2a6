"""Pairs of adc and energy that a person gives."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.calibration.energy.matching import Match, match_table
from gammapolars.core.errors import CalibrationError, UsageError

SAME_LINE_KEV = 1.0
"""A pair's energy is that of a known line if it is no further away, and takes its exact energy."""

_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_PAIR = re.compile(rf"({_NUMBER})\s*=\s*({_NUMBER})")


class Pair(NamedTuple):
    """About where the peak is, in adc, and the energy of its line, in keV."""

    adc: float
    energy_kev: float


def parse_pairs(texts: str | Iterable[str]) -> dict[str, tuple[Pair, ...]]:
    """Pairs from `692=511, 1725=1274.5` (ADC=KEV), for one detector `0/4: 692=511, 1725=1274.5`.

    There can be several texts; a semicolon begins another detector too.

    Returns:
        The pairs by detector as it is written (`0/4`, or its name); under an empty name those for every detector.

    Raises:
        UsageError: a text has no such form, or the pairs do not rise together.
    """
    by_detector: dict[str, tuple[Pair, ...]] = {}
    for text in (part for whole in ([texts] if isinstance(texts, str) else texts) for part in whole.split(";")):
        detector, colon, rest = text.rpartition(":")
        matches = [_PAIR.fullmatch(part.strip()) for part in rest.split(",")]
        if (colon and not detector.strip()) or not all(matches):
            raise UsageError(
                f"'{text.strip()}' gives no pairs of adc and keV: write ADC=KEV,ADC=KEV, such as 692=511,1725=1274.5, "
                "and a detector before them if they are for it alone, such as 0/4:692=511"
            )
        pairs = tuple(Pair(float(match[1]), float(match[2])) for match in matches if match)
        by_detector[detector.strip()] = by_detector.get(detector.strip(), ()) + pairs
    for detector, pairs in by_detector.items():
        rising = sorted(pairs)
        if any(b.adc <= a.adc or b.energy_kev <= a.energy_kev for a, b in pairwise(rising)):
            whose = f" of {detector}" if detector else ""
            raise UsageError(f"the pairs{whose} do not rise together: a higher adc has a higher energy")
        by_detector[detector] = tuple(rising)
    return by_detector


def match_pairs(
    peaks: pl.DataFrame, pairs: Iterable[Pair], lines: pl.DataFrame | None = None, *, detector: str = ""
) -> Match:
    """The peaks (as for `match_lines`) that pairs name: of each the nearest one, which must be nearer than its width.

    A pair's energy within 1 keV of a known line becomes its exact energy. Messages name the detector.

    Raises:
        CalibrationError: a pair has no peak, or two have the same one.
    """
    where = f"detector {detector}: " if detector else ""
    usable = peaks.filter(pl.col("centroid_adc").is_finite(), pl.col("fwhm_adc") > 0)
    adc, fwhm = usable["centroid_adc"].to_numpy(), usable["fwhm_adc"].to_numpy()
    rows, energies = [], []
    for pair in pairs:
        distance = np.abs(adc - pair.adc)
        nearest = int(distance.argmin()) if len(distance) else -1
        if nearest < 0 or distance[nearest] > fwhm[nearest]:
            near = (
                f"the nearest is at {adc[nearest]:.5g}, FWHM {fwhm[nearest]:.3g}" if nearest >= 0 else "there is none"
            )
            raise CalibrationError(
                f"{where}no peak at adc {pair.adc:g} for {pair.energy_kev:g} keV ({near}): give its position"
            )
        if nearest in rows:
            raise CalibrationError(f"{where}two pairs name the peak at adc {adc[nearest]:.5g}: keep one")
        rows.append(nearest)
        energies.append(_nearest_line(pair, lines))
    line = pl.DataFrame(
        energies,
        schema={"nuclide": pl.String, "energy_kev": pl.Float64, "energy_kev_unc": pl.Float64, "intensity": pl.Float64},
        orient="row",
    )
    table = match_table(line, usable[rows], distance=pl.lit(0.0), calibrate=pl.lit(value=True))
    return Match(table, (), float("inf"), float("inf"))


def _nearest_line(pair: Pair, lines: pl.DataFrame | None) -> tuple[str, float, float, float | None]:
    if lines is not None and not lines.is_empty():
        place = int((lines["energy_kev"] - pair.energy_kev).abs().arg_min() or 0)
        line = lines.row(place, named=True)
        if abs(line["energy_kev"] - pair.energy_kev) <= SAME_LINE_KEV:
            return line["nuclide"], line["energy_kev"], line["energy_kev_unc"] or 0.0, line["intensity"]
    return "", pair.energy_kev, 0.0, None
