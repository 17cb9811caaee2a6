"""Which peak is which line: found from the peaks' pattern, or given by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gammapolars.calibration.energy.arrays import Indices, Lines, Peaks, line_arrays, peak_arrays
from gammapolars.calibration.energy.evidence import MATCHED, Candidate, Prior, positions, refine
from gammapolars.calibration.energy.hypotheses import propose, propose_near
from gammapolars.core.errors import CalibrationError
from gammapolars.core.types import Floats

LEAST_EVIDENCE = {2: -0.8, 3: -0.3}
MANY_EVIDENCE = 5.5
"""ln of the likelihood ratio against chance that a match must reach; where the sources have three lines at most.

Two peaks alone cannot prove a source with two lines: any two fit with some offset. That they are these lines rests on
the word of whoever names the source, and on what is checked here: small offset, fitting areas, no other strong peak."""

LEAST_MARGIN, LEAST_MARGIN_FEW = 5.0, 3.0
"""ln of the likelihood ratio against the next best match that a match must reach; the same distinction."""

LEAST_SUPPORT = 6.0
"""How much evidence a matched line must add that the others alone would put elsewhere, or it is left out."""

MOST_UNEXPLAINED = 0.3
"""Where the sources have three lines at most: another peak may have at most this part of the strongest line's area."""

LEAST_SIGNIFICANCE = 25.0
"""Area over uncertainty of such lines: of weak peaks nobody can say that others of the same source would be seen."""


@dataclass(frozen=True)
class Match:
    """Peaks and the lines that they are.

    Attributes:
        table: one row a matched peak, in order of energy: `run`, `nuclide`, `energy_kev`, `energy_kev_unc`,
            `intensity`, `adc`, `adc_unc`, `fwhm_adc`, `fwhm_adc_unc`, `area`, `area_unc`, `distance` (from the match's
            own curve, in tolerances), `calibrate` (false: a doublet, or so near to another line that its centroid is
            not the line's).
        coefficients: the curve of the match, keV by powers of adc: rough, to be replaced by a fit.
        evidence: natural logarithm of the likelihood ratio against chance.
        margin: the evidence less that of the next best match; infinite where there is no other.
        unseen: strong lines that should have been seen and were not.
        missing: named nuclides without a matched line.
    """

    table: pl.DataFrame
    coefficients: tuple[float, ...]
    evidence: float
    margin: float
    unseen: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def match_lines(
    peaks: pl.DataFrame,
    lines: pl.DataFrame,
    *,
    start: Sequence[float] | None = None,
    start_tolerance: float = 0.03,
    adc_range: tuple[float, float] | None = None,
    detector: str = "",
) -> Match:
    """Find which peak is which line of the named sources, without knowing the gain.

    Peaks of several spectra of the same detector are matched together; which of the nuclides is in which spectrum is
    found. Every curve through prominent peaks and strong lines with an offset up to some 10 % and a bend up to some
    4 % of the range is a hypothesis; the best is accepted if it is far more likely than chance and than the next best
    (see `gammapolars.calibration.energy.evidence`).

    Args:
        peaks: `centroid_adc`, `centroid_adc_unc`, `fwhm_adc`, `area`, `area_unc`; `run` where there are several
            spectra. Peaks without a position, width or positive area are left out.
        lines: of the named sources: `nuclide`, `energy_kev`, `energy_kev_unc`, `intensity`; `calibrate` where some are
            not fit for a calibration.
        start: coefficients of a calibration to start from, keV, lowest order first: lines are looked for near where it
            puts them. One line is enough then.
        start_tolerance: how far the gain may be from that of `start`, one standard deviation, as a share of it; offset
            and bend may differ by a tenth of that share of the range.
        adc_range: where peaks could have been found; from the lowest to the highest peak if it is not given.
        detector: its name, for messages.

    Raises:
        CalibrationError: no match is clearly better than chance and than every other.
    """
    peak_data = peak_arrays(peaks, adc_range)
    line_data = line_arrays(lines)
    trial = _Trial(peaks, lines, peak_data, line_data, detector)
    if len(line_data.energy) == 0 or len(peak_data.adc) == 0:
        raise trial.refusal("there is nothing to match")
    if start is None:
        if len(line_data.energy) < 2 or len(peak_data.adc) < 2:
            raise trial.refusal(
                "one line fixes no calibration: name another source too, or give a calibration to start from"
            )
        prior = Prior(np.zeros(3), np.ones(3), True, float(line_data.energy.max()))
        curves = propose(peak_data, line_data, prior)
    else:
        prior = _near(start, start_tolerance, peak_data.high)
        curves = propose_near(peak_data, line_data, prior)
    best, margin = _best(curves, peak_data, line_data, prior)
    if best is None:
        raise trial.refusal("no curve with a small offset brings two lines onto peaks")
    best = _with_support(best, peak_data, line_data, prior)
    trial.check(best, margin, at_least=2 if start is None else 1)
    return trial.match(best, margin)


def match_table(lines: pl.DataFrame, peaks: pl.DataFrame, **columns: pl.Series | pl.Expr) -> pl.DataFrame:
    """The table of a `Match`, of as many peaks as lines, with its further columns."""
    of_peaks = peaks.select(
        run=pl.col("run") if "run" in peaks.columns else pl.lit(1),
        adc="centroid_adc",
        adc_unc="centroid_adc_unc",
        fwhm_adc="fwhm_adc",
        fwhm_adc_unc=pl.col("fwhm_adc_unc") if "fwhm_adc_unc" in peaks.columns else pl.lit(None, pl.Float64),
        area="area",
        area_unc="area_unc",
    )
    return pl.concat([lines, of_peaks], how="horizontal").with_columns(**columns)


def _best(curves: list[Floats], peaks: Peaks, lines: Lines, prior: Prior) -> tuple[Candidate | None, float]:
    """The hypothesis with the most evidence, and by how much it beats the next that is another."""
    candidates = [item for curve in curves if (item := refine(curve, peaks, lines, prior)) is not None]
    candidates.sort(key=lambda item: (-item.evidence, tuple(item.peak), tuple(item.line)))
    if not candidates:
        return None, math.inf
    best = candidates[0]
    return best, min(
        (best.evidence - item.evidence for item in candidates[1:] if _differ(best, item, peaks, lines)),
        default=math.inf,
    )


def _with_support(best: Candidate, peaks: Peaks, lines: Lines, prior: Prior) -> Candidate:
    """The hypothesis without matches that bend the curve to where no other match puts it, for little evidence."""
    excluded: tuple[int, ...] = ()
    while len(np.unique(best.line)) > 3:
        doubtful = []
        for line in np.unique(best.line).tolist():
            fewer = refine(best.b, peaks, lines, prior, (*excluded, line))
            own = best.peak[best.line == line]
            if fewer is None or best.evidence - fewer.evidence >= LEAST_SUPPORT:
                continue
            x = positions(fewer.b, lines.energy[[line]])[0][0] * peaks.high
            if not (np.abs(x - peaks.adc[own]) <= peaks.fwhm[own]).all():
                doubtful.append((best.evidence - fewer.evidence, line, fewer))
        if not doubtful:
            break
        _, line, best = min(doubtful, key=lambda one: one[:2])
        excluded = (*excluded, line)
    return best


def _near(start: Sequence[float], tolerance: float, high: float) -> Prior:
    """What a calibration to start from says of the curve, over u = adc / high."""
    coefficients: Floats = np.zeros(3)
    for order, value in enumerate(start):
        if order < 3:
            coefficients[order] = value * high**order
    if len(start) > 3:  # a parabola as near to the polynomial as the range asks for
        u = np.linspace(0.05, 1, 64)
        curve = np.polynomial.polynomial.polyval(u * high, np.asarray(start, np.float64))
        coefficients = np.asarray(np.polynomial.polynomial.polyfit(u, curve, 2), np.float64)
    width = np.array([0.1, 1.0, 0.1]) * tolerance * coefficients[1]
    return Prior(coefficients, width, False)


def _differ(best: Candidate, other: Candidate, peaks: Peaks, lines: Lines) -> bool:
    """True if another hypothesis moves a line of the best one by a peak's width, and has other matches for it.

    A hypothesis with some of the same matches and none that contradicts is a poorer version of the same.
    """
    x = positions(other.b, lines.energy[best.line])[0] * peaks.high
    distance = np.abs(x - peaks.adc[best.peak])
    is_elsewhere = ~(distance <= np.maximum(peaks.fwhm[best.peak], MATCHED * peaks.tolerance[best.peak]))
    same = set(zip(best.peak.tolist(), best.line.tolist(), strict=True))
    others = set(zip(other.peak.tolist(), other.line.tolist(), strict=True))
    return bool(is_elsewhere.any()) and not others < same


@dataclass(frozen=True)
class _Trial:
    """What was put in, to say in a refusal what was tried, and to build the result from."""

    peak_table: pl.DataFrame
    line_table: pl.DataFrame
    peaks: Peaks
    lines: Lines
    detector: str

    def refusal(self, why: str) -> CalibrationError:
        places = ", ".join(f"{adc:.5g}" for adc in np.sort(self.peaks.adc)[:24])
        places += ", …" if len(self.peaks.adc) > 24 else ""
        names = ", ".join(self.line_table["nuclide"].unique().sort())
        energies = ", ".join(f"{energy:.1f}" for energy in self.lines.energy[:12])
        energies += ", …" if len(self.lines.energy) > 12 else ""
        return CalibrationError(
            (f"detector {self.detector}: " if self.detector else "")
            + f"cannot tell which peak is which line of {names or 'no source'}: {why}; "
            + f"tried {len(self.peaks.adc)} peaks"
            + (f" (adc {places})" if places else "")
            + f" and {len(self.lines.energy)} lines"
            + (f" (keV {energies})" if energies else "")
            + ": name the right --source, or give pairs by hand with --lines ADC=KEV,ADC=KEV"
        )

    def check(self, best: Candidate, margin: float, *, at_least: int) -> None:
        """Refuse a match that is not far more likely than chance and than any other."""
        text = self._description(best)
        lines, matches = len(self.lines.energy), len(np.unique(best.line))
        few = lines <= 3
        needed_lines = min(at_least, lines) if at_least == 1 else min(3, lines)
        if matches < needed_lines:
            raise self.refusal(f"only {matches} of {lines} lines would have a peak ({text})")
        if best.evidence < LEAST_EVIDENCE.get(max(lines, 2), MANY_EVIDENCE):
            raise self.refusal(f"the best match is hardly better than chance, perhaps the source is another ({text})")
        if len(best.unseen) > max(1, 0.34 * (best.expected - len(best.unseen))):
            raise self.refusal(
                f"{len(best.unseen)} strong lines would have no peak, perhaps the source is another ({text})"
            )
        for source in np.setdiff1d(self.lines.source, self.lines.source[best.line]).tolist():
            strongest = max(np.flatnonzero(self.lines.source == source), key=lambda at: self.lines.log_intensity[at])
            x = float(positions(best.b, self.lines.energy[[strongest]])[0][0]) * self.peaks.high
            if self.peaks.low <= x <= self.peaks.high:
                name = self.line_table["nuclide"][int(self.lines.row[strongest])]
                raise self.refusal(f"no peak is a line of {name}, which should be left out ({text})")
        if few and at_least > 1:
            if best.strongest_unexplained > math.log(MOST_UNEXPLAINED):
                raise self.refusal(f"another strong peak is no line of it, perhaps the source is another ({text})")
            if (self.peaks.log_area_unc[best.peak] * LEAST_SIGNIFICANCE > 1).any():
                raise self.refusal(f"its peaks are too weak to be sure with so few lines ({text})")
        if margin < (LEAST_MARGIN_FEW if few else LEAST_MARGIN):
            raise self.refusal(f"two matches are about as good ({text})")

    def _description(self, best: Candidate) -> str:
        order = np.argsort(self.lines.energy[best.line], kind="stable")
        pairs = ", ".join(
            f"{self.peaks.adc[best.peak[place]]:.5g}={self.lines.energy[best.line[place]]:.1f}" for place in order[:8]
        )
        return f"best: {pairs}{', …' if len(order) > 8 else ''} keV"

    def match(self, best: Candidate, margin: float) -> Match:
        """The table of the accepted match."""
        order = np.lexsort((self.peaks.spectrum[best.peak], self.lines.energy[best.line]))
        peak, line = best.peak[order], best.line[order]
        peaks = self.peak_table[self.peaks.row[peak]]
        lines = self.line_table[self.lines.row[line]]
        calibrate = lines["calibrate"] if "calibrate" in lines.columns else pl.Series([True] * len(line))
        table = match_table(
            lines.select("nuclide", "energy_kev", "energy_kev_unc", "intensity"),
            peaks,
            distance=pl.Series(best.pull[order]),
            calibrate=pl.Series(calibrate.to_numpy() & self._alone(best, peak, line)),
        )
        present = set(self.lines.nuclide[best.line].tolist())
        nuclides = dict(zip(self.lines.nuclide.tolist(), self.line_table[self.lines.row]["nuclide"], strict=True))
        return Match(
            table,
            tuple(float(value) / self.peaks.high**order for order, value in enumerate(best.b)),
            best.evidence,
            margin,
            tuple(f"{self.lines.energy[place]:.1f}" for place in best.unseen),
            tuple(sorted(str(name) for number, name in nuclides.items() if number not in present)),
        )

    def _alone(self, best: Candidate, peak: Indices, line: Indices) -> NDArray[np.bool_]:
        """False where another line of the same spectrum's sources lies in the peak and moves its centroid."""
        energies = self.line_table["energy_kev"].cast(pl.Float64).to_numpy()
        intensities = self.line_table["intensity"].cast(pl.Float64).to_numpy()
        nuclides = self.line_table["nuclide"].cast(pl.String).to_numpy()
        rows, spectra = self.lines.row[line], self.peaks.spectrum[peak]
        slope = (best.b[1] + 2 * best.b[2] * self.peaks.adc[peak] / self.peaks.high) / self.peaks.high
        fwhm = self.peaks.fwhm[peak] * slope
        alone = np.ones(len(line), dtype=bool)
        for place, (own, width) in enumerate(zip(rows.tolist(), fwhm.tolist(), strict=True)):
            there = np.isin(nuclides, nuclides[rows[spectra == spectra[place]]])
            near = (np.abs(energies - energies[own]) < 0.8 * width) & there
            near[own] = True
            mean = float((energies[near] * intensities[near]).sum() / intensities[near].sum())
            alone[place] = abs(mean - energies[own]) < 0.03 * width
        return alone
