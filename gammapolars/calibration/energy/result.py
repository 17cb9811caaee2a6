"""One detector calibrated, by peaks that are matched with lines or given by hand: as a table and as a `Detector`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl

from gammapolars.calibration.energy.disturbances import disturbances
from gammapolars.calibration.energy.hints import NO_HINTS, Hints
from gammapolars.calibration.energy.matching import match_lines
from gammapolars.calibration.energy.polynomial import EnergyFit, fit_energy, fit_gain
from gammapolars.calibration.energy.resolution import ResolutionFit, fit_resolution
from gammapolars.calibration.energy.trial import Match, match_table
from gammapolars.core.errors import CalibrationError, GammapolarsError, UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.overview import Overview
from gammapolars.detectors import AnyDetector, Detector, detector_of
from gammapolars.gamma_lines import AnyLines, lines_of

SAME_LINE_KEV = 1.0
"""A pair's energy is that of a known line if it is no further away, and takes its exact energy."""

DOUBLET, BY_HAND, OFF = "overlaps another line", "excluded by hand", "outlier"
"""Why a matched line is not used; or its disturbance."""

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
                f"'{text.strip()}' does not give pairs of ADC channel and keV: write ADC=KEV,ADC=KEV, such "
                "as 692=511,1725=1274.5, with a detector in front if they hold only for it, such as "
                "0/4:692=511"
            )
        pairs = tuple(Pair(float(match[1]), float(match[2])) for match in matches if match)
        by_detector[detector.strip()] = by_detector.get(detector.strip(), ()) + pairs
    for detector, pairs in by_detector.items():
        rising = sorted(pairs)
        if any(b.adc <= a.adc or b.energy_kev <= a.energy_kev for a, b in pairwise(rising)):
            whose = f" of {detector}" if detector else ""
            raise UsageError(f"the pairs{whose} do not rise together: a higher ADC channel must have a higher energy")
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
                f"{where}no peak at ADC channel {pair.adc:g} for {pair.energy_kev:g} keV ({near}): correct the position"
            )
        if nearest in rows:
            raise CalibrationError(f"{where}two pairs belong to the peak at ADC channel {adc[nearest]:.5g}: keep one")
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


@dataclass(frozen=True, repr=False)
class Calibration(Overview):
    """A detector's calibration.

    Attributes:
        detector: the detector with `energy`, `energy_covariance`, `energy_range` and `fwhm` set; the rest as it was.
        match: which peak is which line.
        energy: the fit of the polynomial to the lines that are fit for it.
        resolution: the fit of FWHM(E); None where no line determines it.
        residuals: one row per matched line, see `residual_table`.
        adc_range: first and last adc of the data.
    """

    TABLES: ClassVar = ("residuals",)

    detector: Detector
    match: Match
    energy: EnergyFit
    resolution: ResolutionFit | None
    residuals: pl.DataFrame
    adc_range: tuple[float, float]


def calibrate_peaks(
    peaks: AnyFrame,
    lines: AnyLines,
    detector: AnyDetector,
    *,
    order: int | None = None,
    start: Sequence[float] | None = None,
    pairs: Iterable[Pair] | None = None,
    adc_range: tuple[float, float] | None = None,
    without: Sequence[float] = (),
    hints: Hints = NO_HINTS,
) -> Calibration:
    """Calibrate a detector from the peaks of its spectra.

    Args:
        peaks: as for `match_lines`.
        lines: of the named sources, or the names of nuclides.
        detector: its properties so far; (board, channel) or `0/3` where there are none.
        order: of the polynomial, 1 to 3; chosen if it is not given.
        start: a calibration to start from; where only one line is matched, only its gain is adjusted.
        pairs: given by hand, instead of matching.
        adc_range: the range that was searched for peaks.
        without: energies of lines to leave out of the fit, keV; a line within 1 keV is meant.
        hints: the approximate gain and resolution of the detector.

    Raises:
        CalibrationError: no match is reliable, or too few lines are left for the fit.
    """
    peaks, lines = eager(peaks, "table"), lines_of(lines)
    detector = detector_of(detector)
    if pairs is not None:
        match = match_pairs(peaks, pairs, lines, detector=detector.name)
    else:
        match = match_lines(peaks, lines, start=start, adc_range=adc_range, hints=hints, detector=detector.name)
    reasons = _reasons(match, without, by_hand=pairs is not None)
    fit = match.table.filter(reasons == "")
    if fit.is_empty() and start is not None and not without:
        reasons = reasons.clear(match.table.height).fill_null("")
        fit = match.table
    points = [fit[name].cast(pl.Float64).to_numpy() for name in ("adc", "adc_unc", "energy_kev", "energy_kev_unc")]
    try:
        if start is not None and order is None and fit["energy_kev"].n_unique() == 1:
            energy = fit_gain(start, *points)
        else:
            energy = fit_energy(*points, order=order)
    except GammapolarsError as error:
        raise type(error)(f"detector {detector.name}: {error}") from None
    residuals = residual_table(match, energy, detector, reasons)
    resolution = _resolution(residuals)
    updated = replace(
        detector,
        energy=energy.coefficients,
        energy_covariance=energy.covariance,
        energy_range=energy.adc_range,
        fwhm=resolution.coefficients if resolution else detector.fwhm,
    )
    return Calibration(updated, match, energy, resolution, residuals, adc_range or energy.adc_range)


def _reasons(match: Match, without: Sequence[float], *, by_hand: bool) -> pl.Series:
    """Why each matched line is not for the fit; empty for those that are. Pairs by hand are taken as they are given."""
    left_out = pl.any_horizontal(
        pl.lit(value=False), *((pl.col("energy_kev") - energy).abs() <= SAME_LINE_KEV for energy in without)
    )
    disturbed = pl.Series([""] * match.table.height if by_hand else disturbances(match.table), dtype=pl.String)
    reason = pl.when(left_out).then(pl.lit(BY_HAND)).when(~pl.col("calibrate")).then(pl.lit(DOUBLET))
    return match.table.select(reason=reason.otherwise(disturbed))["reason"]


def _resolution(residuals: pl.DataFrame) -> ResolutionFit | None:
    sharp = residuals.filter("calibrate", pl.col("reason").is_in(["", OFF]))
    try:
        return fit_resolution(sharp["energy_kev"], sharp["fwhm_kev"], sharp["fwhm_kev_unc"].fill_null(float("nan")))
    except CalibrationError:
        return None


def residual_table(match: Match, energy: EnergyFit, detector: Detector, reasons: pl.Series) -> pl.DataFrame:
    """The matched lines with the fit, in order of energy; `reasons` says why lines were not for it.

    Returns:
        `board`, `channel`, `name`, `run`, `nuclide`, `energy_kev`, `energy_kev_unc`, `adc`, `adc_unc`, `fitted_kev`,
        `residual_kev` (line less fit) and `residual_sigma` (null where the fit has no degree of freedom: they are 0 by
        construction), `fwhm_kev`, `fwhm_kev_unc`, `area`, `area_unc`, `calibrate` (false: no line to calibrate by, see
        `Match`), `used`, and the `reason` where it was not used.
    """
    table = match.table
    adc, adc_unc = table["adc"].cast(pl.Float64).to_numpy(), table["adc_unc"].cast(pl.Float64).to_numpy()
    slope = pl.Series(energy.slope_at(adc))
    curve = pl.Series(energy.energy_at(adc)[0])
    sigma = pl.Series((adc_unc * slope.to_numpy()) ** 2) + table["energy_kev_unc"] ** 2 + energy.extra_kev**2
    used = (reasons == "").to_numpy().copy()
    used[used] = energy.used
    residual = table["energy_kev"] - curve
    if energy.ndf < 1:
        residual = residual.set(pl.Series(used), None)
    return table.with_columns(
        board=pl.lit(detector.board, pl.UInt16),
        channel=pl.lit(detector.channel, pl.UInt16),
        name=pl.lit(detector.name),
        fitted_kev=curve,
        residual_kev=residual,
        residual_sigma=residual / sigma.sqrt(),
        fwhm_kev=table["fwhm_adc"] * slope,
        fwhm_kev_unc=table["fwhm_adc_unc"] * slope,
        used=pl.Series(used),
        reason=pl.when(pl.Series(used)).then(pl.lit("")).when(reasons == "").then(pl.lit(OFF)).otherwise(reasons),
    ).select(
        "board", "channel", "name", "run", "nuclide", "energy_kev", "energy_kev_unc", "adc", "adc_unc", "fitted_kev",
        "residual_kev", "residual_sigma", "fwhm_kev", "fwhm_kev_unc", "area", "area_unc", "calibrate", "used", "reason",
    )  # fmt: skip
