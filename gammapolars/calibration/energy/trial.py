"""A match of peaks with lines on trial: reasons to refuse it, their words, and the result of the rest."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gammapolars.calibration.energy.arrays import Indices, Lines, Peaks
from gammapolars.calibration.energy.evidence import Candidate, positions
from gammapolars.core.errors import CalibrationError
from gammapolars.core.wording import setting

LEAST_EVIDENCE = {2: -0.8, 3: -0.3}
MANY_EVIDENCE = 5.5
"""ln of the likelihood ratio against chance that a match must reach; where the sources have three lines at most.

Two peaks by themselves cannot prove a source with two lines: any two fit with some offset. That they are these lines
rests on whoever names the source, and on the checks here: small offset, fitting areas, no other strong peak."""

LEAST_MARGIN, LEAST_MARGIN_FEW = 5.0, 3.0
"""ln of the likelihood ratio against the next best match that a match must reach; the same distinction."""

CURVE, EXACT = 2, 0.15
"""Parameters that pairs determine (bends are small); and to what part of the tolerance pairs can be exact."""

MOST_UNEXPLAINED = 0.3
"""Where the sources have three lines at most: another peak may have at most this part of the strongest line's area."""

LEAST_SIGNIFICANCE = 25.0
"""Area over uncertainty of such lines: of weak peaks nobody can say that others of the same source would be seen."""


@dataclass(frozen=True)
class Match:
    """Peaks and the lines that they are.

    Attributes:
        table: one row per matched peak, in order of energy: `run`, `nuclide`, `energy_kev`, `energy_kev_unc`,
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


def _exactness(best: Candidate) -> float:
    """Gain in evidence of a match whose pairs lie nearer to the curve than peaks usually do.

    The evidence takes lines to be off by a tenth of their width. Where four pairs or more are off by much less, that
    much less is what is likely: the logarithm of the likelihood with it, less the one without.
    """
    free = len(np.unique(best.line)) - CURVE
    if free < 2:
        return 0.0
    scale = float(np.clip(np.sqrt(np.square(best.pull).sum() / free), EXACT, 1.0))
    return free * (-math.log(scale) - 0.5 * (1 - scale**2))


@dataclass(frozen=True)
class Trial:
    """The input, to say in a refusal what was tried, and to build the result from."""

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
            + f"the peaks cannot be assigned to the lines of {names or 'no source'}: {why}; "
            + f"tried {len(self.peaks.adc)} peaks"
            + (f" (ADC channels {places})" if places else "")
            + f" and {len(self.lines.energy)} lines"
            + (f" (keV {energies})" if energies else "")
            + setting(
                ": give the correct --source, or assign lines by hand with --lines ADC=KEV,ADC=KEV",
                ": give the lines of the correct source, or assign peaks to lines by hand with pairs",
            )
        )

    def check(self, best: Candidate, margin: float, *, at_least: int) -> None:
        """Refuse a match that is not far more likely than a random one and than any other."""
        text = self._description(best)
        lines, matches = len(self.lines.energy), len(np.unique(best.line))
        few = lines <= 3
        needed_lines = min(at_least, lines) if at_least == 1 else min(3, lines)
        if matches < needed_lines:
            raise self.refusal(f"only {matches} of {lines} lines would have a peak ({text})")
        exact = 0.0 if self.peaks.are_broad else _exactness(best)
        if best.evidence + exact < LEAST_EVIDENCE.get(max(lines, 2), MANY_EVIDENCE):
            raise self.refusal(
                f"the best match is hardly better than random, perhaps the source is a different one ({text})"
            )
        if len(best.unseen) > max(1, 0.34 * (best.expected - len(best.unseen))):
            raise self.refusal(
                f"{len(best.unseen)} strong lines would have no peak, perhaps the source is a different one ({text})"
            )
        for source in np.setdiff1d(self.lines.source, self.lines.source[best.line]).tolist():
            strongest = max(np.flatnonzero(self.lines.source == source), key=lambda at: self.lines.log_intensity[at])
            x = float(positions(best.b, self.lines.energy[[strongest]])[0][0]) * self.peaks.high
            if self.peaks.low <= x <= self.peaks.high:
                name = self.line_table["nuclide"][int(self.lines.row[strongest])]
                raise self.refusal(f"no peak matches a line of {name}, which should be left out ({text})")
        if few and at_least > 1:
            if best.strongest_unexplained > math.log(MOST_UNEXPLAINED):
                raise self.refusal(
                    f"another strong peak does not belong to it, perhaps the source is a different one ({text})"
                )
            clear = self.peaks.log_area_unc[best.peak] * LEAST_SIGNIFICANCE <= 1
            if int(clear.sum()) < min(2, matches):  # two clear ones are enough where they are all that there is
                raise self.refusal(f"the peaks are too weak for a reliable match with so few lines ({text})")
        if margin < (LEAST_MARGIN_FEW if few else LEAST_MARGIN):
            raise self.refusal(f"two matches are about equally good ({text})")

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
        named = ~self.lines.may_lack
        names = self.line_table[self.lines.row[named]]["nuclide"]
        nuclides = dict(zip(self.lines.nuclide[named].tolist(), names, strict=True))
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
