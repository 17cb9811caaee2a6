"""The activity of a nuclide from all of its lines."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from gammapolars.activities.activity import K_95, Activity, DecayCorrection, budget, decay_correction
from gammapolars.activities.curve import EfficiencyCurve
from gammapolars.activities.decay import half_life
from gammapolars.activities.few_counts import CountingLimits, counting_limits
from gammapolars.activities.fit import expected_variance, summing_warning
from gammapolars.activities.limits import counts_per_bq
from gammapolars.activities.line_counts import ROOM_FWHM, SIDES_FWHM, line_counts
from gammapolars.activities.points import UNRESOLVED_FWHM, check_times, emission_lines, match_peaks, unmatched_lines
from gammapolars.core.errors import UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.types import Floats
from gammapolars.detectors import AnyMoment
from gammapolars.gamma_lines import AnyLines, lines_of

ROUNDS = 10

Fwhm = tuple[float, ...]


@dataclass(frozen=True, repr=False)
class NuclideActivity(Activity):
    """The activity of a nuclide: the weighted mean of its lines.

    Attributes:
        nuclide: whose it is; for a chain its parent.
        chi2: of the lines about their mean, with the full covariance.
        ndf: number of lines minus 1.
        lines: one row per line: `energy_kev`, `nuclide`, `intensity`, `area`, `area_unc`, `efficiency`,
            `efficiency_unc`, `activity_bq`, `counting_bq_unc`, `weight` (they add up to 1), `extrapolated`, and `peak`:
            whether a peak was found there, or counts were summed.
        warnings: cautions for its use.
    """

    TABLES: ClassVar = ("lines",)

    nuclide: str = ""
    chi2: float = 0.0
    ndf: int = 0
    lines: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False)
    warnings: tuple[str, ...] = ()


def activity_of(
    nuclide: str,
    peaks: AnyFrame,
    lines: AnyLines,
    efficiency: EfficiencyCurve,
    *,
    live_time_s: float,
    real_time_s: float | None = None,
    started: AnyMoment | None = None,
    at: AnyMoment | None = None,
    half_life_s: float | None = None,
    half_life_s_unc: float = 0.0,
    spectrum: AnyFrame | None = None,
    fwhm: Fwhm | None = None,
    within_fwhm: float = 0.5,
    least_intensity: float = 1.0,
) -> NuclideActivity:
    """The activity of a nuclide from its peaks in one detector.

    The lines' mean is weighted by generalised least squares: areas and intensities are independent, while errors of
    the efficiency curve are shared by lines through its covariance, so that many lines cannot average away what they
    share. Variances are those that the mean itself expects, found by iteration: with those observed, lines that happen
    to be low would weigh more (R. W. Peelle's puzzle). Where most lines are hardly above their background, the mean is
    still high by some 0.15 of its uncertainty: where a background happens to be low, the area is high and its variance
    low.

    A peak search finds a weak line only where it happens to be high. With `spectrum` and `fwhm`, lines without a peak
    contribute with the counts at their position (`line_counts`), also next to other peaks, and a nuclide without any
    peak gets an upper limit. Threshold and limit of such counts hold at few of them, too.
    Other nuclides' lines within the same peak are not separated. True coincidence summing is not corrected.

    Args:
        nuclide: such as `Cs-137`; for a chain in equilibrium its parent.
        peaks: a table of PEAKS of one detector, in keV.
        lines: its lines, per 100 of its decays, as `gp.lines(nuclide)` gives them, or the names of nuclides.
        efficiency: from `fit_efficiency`, or `EfficiencyCurve.of(detector)`.
        live_time_s: live time, seconds.
        real_time_s: real time, over which the activity decays; the live time, if it is not given.
        started: when counting began, such as `2024-05-01T14:30`; a date without a time means its noon.
        at: the time for which the activity is asked for; without it and without `half_life_s`, it is the mean while
            counting.
        half_life_s: instead of the one that is looked up for `at`, seconds.
        half_life_s_unc: its uncertainty.
        spectrum: that the peaks were found in, a table of SPECTRUM with `energy_kev`.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²), as detectors.toml has them.
        within_fwhm: how far a peak may lie from its lines, in FWHM.
        least_intensity: photons per 100 decays that a line must have.

    Raises:
        TableError: a table lacks a column.
        UsageError: no line can be seen, or an impossible value.
    """
    peaks, lines = eager(peaks, "table"), lines_of(lines)
    counting = check_times(live_time_s, real_time_s)
    needs_life = at is not None or half_life_s is not None
    life = half_life(nuclide, half_life_s, half_life_s_unc) if needs_life else None
    correction = decay_correction(life, started=started, at=at, counting_s=counting)
    table = match_peaks(peaks, lines, within_fwhm=within_fwhm, least_intensity=least_intensity)
    table = table.with_columns(peak=pl.lit(True))
    if spectrum is not None and fwhm is not None:
        line_sums = _line_sums(eager(spectrum, "spectrum"), fwhm, peaks, table, lines, least_intensity)
        table = pl.concat([table, line_sums], how="diagonal_relaxed").sort("energy_kev")
    if table.is_empty():
        raise UsageError(f"no line of {nuclide} has a peak: an upper limit needs the spectrum and its FWHM")
    mean = _mean(nuclide, table, efficiency, live_time_s, correction)
    if unseen := [energy for energy in unmatched_lines(table, peaks, lines) if energy not in table["energy_kev"]]:
        energies = ", ".join(f"{energy:.1f}" for energy in unseen)
        warning = f"strong lines at {energies} keV have no usable peak and are not included: the mean may be too high"
        return replace(mean, warnings=(warning, *mean.warnings))
    return mean


def _line_sums(
    spectrum: pl.DataFrame,
    fwhm: Fwhm,
    peaks: pl.DataFrame,
    matched: pl.DataFrame,
    lines: pl.DataFrame,
    least_intensity: float,
) -> pl.DataFrame:
    """Counts where lines have no peak, next to other peaks as well; not where a stronger line would disturb them."""
    strong = emission_lines(lines).filter(pl.col("intensity") >= least_intensity)
    shapes = peaks.select("centroid_kev", "fwhm_kev").drop_nulls().cast(pl.Float64).rows()
    rows: list[dict[str, Any]] = []
    for line in strong.sort("intensity", descending=True).iter_rows(named=True):
        energy = line["energy_kev"]
        width = float(np.sqrt(max(np.polynomial.polynomial.polyval(energy, fwhm), 0.0)))
        own = [(at, UNRESOLVED_FWHM * wide) for at, wide in matched.select("centroid_kev", "fwhm_kev").rows()]
        stronger = [(row["energy_kev"], (SIDES_FWHM[1] + ROOM_FWHM) * width) for row in rows]
        if not width > 0 or any(abs(at - energy) < reach for at, reach in (*own, *stronger)):
            continue
        try:
            counts = line_counts(spectrum, energy, width, shapes)
        except UsageError:  # at an end of the spectrum, or where another peak is
            continue
        columns = {name: line[name] for name in ("nuclide", "energy_kev", "intensity", "intensity_unc")}
        # Without a single count the variance would be 0 and the weight without end: one count is the least.
        unc = max(counts.area_unc, 1.0)
        null = {"null_variance": counts.null_variance, "unit": counts.unit, "ratio": counts.ratio}
        rows.append(columns | {"area": counts.area, "area_unc": unc, "peak": False} | null)
    return pl.DataFrame(rows)


def _mean(
    nuclide: str, lines: pl.DataFrame, curve: EfficiencyCurve, live_time_s: float, correction: DecayCorrection
) -> NuclideActivity:
    energies = lines["energy_kev"].to_list()
    efficiencies, common = curve.values(energies), curve.relative_covariance(energies)
    intensity, intensity_unc = (lines[name].to_numpy() for name in ("intensity", "intensity_unc"))
    per_bq = correction.factor * np.array(
        [
            counts_per_bq(intensity=i, efficiency=e, live_time_s=live_time_s)
            for i, e in zip(intensity, efficiencies, strict=True)
        ]
    )
    area, area_unc = lines["area"].to_numpy(), lines["area_unc"].to_numpy()
    # Sums know their background from as many counts as they have: less where they are low would be weights by luck.
    summed = ~lines["peak"].to_numpy()
    values, relative = area / per_bq, (intensity_unc / intensity) ** 2
    value = float(np.average(values, weights=(per_bq / area_unc) ** 2))
    for _ in range(ROUNDS):
        # Where the mean is negative, nothing is there, and the efficiency has no part in the scatter.
        present = max(value, 0.0)
        expected = np.where(summed, area_unc**2, expected_variance(area_unc**2, area, present * per_bq))
        counts = np.maximum(expected, 0.25) / per_bq**2
        covariance = np.diag(counts + present**2 * relative) + present**2 * common
        solution = np.linalg.solve(covariance, np.ones(len(values)))
        weight = solution / solution.sum()
        last, value = value, float(weight @ values)
        if abs(value - last) <= 1e-9 * abs(value):
            break
    whole = budget(
        value,
        counting=float(np.sqrt(weight**2 @ counts)),
        intensity=float(abs(value) * np.sqrt(weight**2 @ relative)),
        efficiency=float(abs(value) * np.sqrt(weight @ common @ weight)),
        correction=correction,
        limits=_limits(lines, value, weight, per_bq),
        limit_unc=math.sqrt(float(weight**2 @ relative + weight @ common @ weight) + correction.relative_unc**2),
    )
    residuals = values - value
    table = lines.select("energy_kev", "nuclide", "intensity", "area", "area_unc").with_columns(
        efficiency=efficiencies,
        efficiency_unc=efficiencies * np.sqrt(np.diag(common)),
        activity_bq=values,
        counting_bq_unc=area_unc / per_bq,
        weight=weight,
        extrapolated=pl.Series([curve.extrapolates(energy) for energy in energies], dtype=pl.Boolean),
        peak=lines["peak"],
    )
    return NuclideActivity(
        **vars(whole),
        nuclide=nuclide,
        chi2=float(residuals @ np.linalg.solve(covariance, residuals)),
        ndf=len(values) - 1,
        lines=table,
        warnings=_warnings(nuclide, table, intensity, efficiencies),
    )


def _limits(lines: pl.DataFrame, value: float, weight: Floats, per_bq: Floats) -> CountingLimits:
    """Counting limits in Bq, for lines with weights that add up to 1.

    For fitted peaks these are Currie's, from their variances. With sums the mean is treated as one line with as much
    background, and as many counts of its own per Bq, as the mean has variance from either: exact for a single line.
    """
    area, area_unc = lines["area"].to_numpy(), lines["area_unc"].to_numpy()
    defaults = {"null_variance": np.maximum(area_unc**2 - np.maximum(area, 0.0), 0.0), "unit": 1.0, "ratio": 1.0}
    null_variance, unit, ratio = (
        np.where(np.isnan(values := _column(lines, name)), default, values) for name, default in defaults.items()
    )
    variances = weight**2 * null_variance / per_bq**2
    if lines["peak"].all():
        sigma = float(variances.sum()) ** 0.5
        return CountingLimits(K_95 * sigma, float(K_95**2 * (weight**2 @ (1 / per_bq)) + 2 * K_95 * sigma), None)
    counts_per_unit = 1 / float(weight**2 @ (unit / per_bq))
    null, share = float(variances.sum()), np.abs(weight) + variances / max(float(variances.sum()), 1e-300)
    return counting_limits(value, null, per_bq=counts_per_unit, ratio=float(np.average(ratio, weights=share)))


def _column(lines: pl.DataFrame, name: str) -> Floats:
    """A column of sums, without a value where a peak was fitted."""
    if name not in lines.columns:
        return np.full(lines.height, math.nan)
    return lines[name].cast(pl.Float64).fill_null(math.nan).to_numpy()


def _warnings(nuclide: str, table: pl.DataFrame, intensity: Floats, efficiencies: Floats) -> tuple[str, ...]:
    warnings = []
    if beyond := table.filter("extrapolated")["energy_kev"].to_list():
        energies = ", ".join(f"{energy:.1f}" for energy in beyond)
        warnings.append(f"the efficiency is extrapolated to {energies} keV: its uncertainty there is only an estimate")
    return (*warnings, *summing_warning(nuclide, intensity, efficiencies))
