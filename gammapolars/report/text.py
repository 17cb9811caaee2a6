"""What the report says of hits, rates and spectra: every sentence is computed from the run's own numbers."""

import math

from gammapolars.core.digits import percent
from gammapolars.report.analyse import Analysis
from gammapolars.report.estimates import Steadiness
from gammapolars.report.lines import Lines, SeenLine
from gammapolars.report.numbers import MOST_NAMED, amount, count, enumeration, seconds, with_uncertainty

UNCONFIRMED = " It is identified by this line alone."


def run(analysis: Analysis) -> list[str]:
    """How many hits, for how long, and how many of them were used."""
    files = amount(len(analysis.inputs), "file")
    if analysis.hits_read == 0:
        return [f"There are no hits in {files}."]
    text = (
        f"{amount(analysis.hits_read, 'hit')} in {files}, of {amount(analysis.detectors.height, 'detector')} "
        f"in {seconds(analysis.real_time_s)}."
    )
    if analysis.hits_used == analysis.hits_read:
        return [f"{text} All of them were used."]
    used = percent(analysis.hits_used, analysis.hits_read)
    others = "the others were rejected by their flags"
    if lost := analysis.hits_damaged + analysis.hits_out_of_range:
        others += f", but for {amount(lost, 'hit')} that could not be read"
    if repeated := analysis.hits_repeated:
        others += f", but for {amount(repeated, 'hit')} that repeated another one"
    return [f"{text} {count(analysis.hits_used)} of them ({used}) were used, {others}."]


def rejected(analysis: Analysis) -> list[str]:
    """How many hits were rejected, and how the counts by flag add up."""
    left_out = analysis.hits_damaged + analysis.hits_out_of_range + analysis.hits_repeated
    lost = analysis.hits_read - analysis.hits_used - left_out
    if lost == 0:
        return ["No hit was rejected."] if analysis.hits_read else []
    text = f"{amount(lost, 'hit')} of {count(analysis.hits_read)} rejected ({percent(lost, analysis.hits_read)})."
    twice = sum(analysis.rejected.values()) > lost
    return [text + " A hit with two of the flags counts under both." if twice else text]


def rates(analysis: Analysis, drifts: list[Steadiness]) -> list[str]:
    """The detectors' rates, and whether they stayed the same."""
    known = analysis.true_rates.drop_nulls("rate_cps") if analysis.true_rates.height else analysis.true_rates
    if known.is_empty():
        return []
    rate = [
        f"{name} {with_uncertainty(cps, unc)} counts/s"
        for name, cps, unc in known.select("name", "rate_cps", "rate_cps_unc").iter_rows()
    ]
    if len(rate) > MOST_NAMED:
        lowest, highest = (known["rate_cps"].arg_min() or 0, known["rate_cps"].arg_max() or 0)
        text = f"The rates of all hits range from {rate[lowest]} to {rate[highest]}."
    else:
        text = f"Rates of all hits, used or not: {enumeration(rate)}."
    if not drifts:
        return [f"{text} They are too few in time to tell whether the rates were steady."]
    unsteady = sorted((detector for detector in drifts if not detector.is_steady), key=lambda detector: -detector.z)
    if not unsteady:
        ratios = [f"{detector.chi2 / detector.ndf:.2f}" for detector in drifts]
        span = ratios[0] if len(set(ratios)) == 1 else f"{min(ratios, key=float)} to {max(ratios, key=float)}"
        return [
            text,
            f"Every rate was steady: its changes are those of counting statistics (χ²/ndf = {span}).",
        ]
    texts = [
        f"{detector.name} (χ²/ndf = {detector.chi2:,.0f}/{detector.ndf}; {detector.first_cps:,.4g} counts/s in the "
        f"first third of the run, {detector.last_cps:,.4g} in the last)"
        for detector in unsteady[:MOST_NAMED]
    ]
    more = f", and {len(unsteady) - MOST_NAMED} more" if len(unsteady) > MOST_NAMED else ""
    others = len(drifts) - len(unsteady)
    steady = f" The other {'one was' if others == 1 else f'{others} were'}." if others else ""
    return [text, f"Not steady within counting statistics: {'; '.join(texts)}{more}.{steady}"]


def spectra(analysis: Analysis, lines: list[Lines]) -> list[str]:
    """Which gamma lines the calibrated spectra show."""
    if analysis.hits_used == 0:
        return []
    missing = analysis.detectors.height - int(analysis.detectors["calibrated"].sum())
    note = []
    if missing:
        which = "No detector" if missing == analysis.detectors.height else f"{amount(missing, 'detector')} of "
        which += " has" if missing == analysis.detectors.height else f"{analysis.detectors.height} without"
        note = [f"{which} an energy calibration, so that positions are in ADC channels."]
    return note + (_nuclides(lines) + _unexplained(lines) if lines else [])


def _nuclides(lines: list[Lines]) -> list[str]:
    """The lines of each nuclide that is seen, in a sentence each."""
    by_line: dict[tuple[str, float], list[SeenLine]] = {}
    for line in (line for detector in lines for line in detector.seen):
        by_line.setdefault((line.nuclide, line.energy_kev), []).append(line)
    texts = []
    for nuclide in sorted({name for name, _ in by_line}):
        of_nuclide = {energy: seen for (name, energy), seen in sorted(by_line.items()) if name == nuclide}
        rows = [_line(energy, seen, len(lines)) for energy, seen in of_nuclide.items()]
        doubt = "" if any(one.is_confirmed for seen in of_nuclide.values() for one in seen) else UNCONFIRMED
        texts.append(f"{nuclide[0].upper() + nuclide[1:]}: {'; '.join(rows)}.{doubt}")
    return texts or ["No peak of the calibrated spectra could be assigned to a nuclide."]


def _line(energy_kev: float, seen: list[SeenLine], detectors: int) -> str:
    peaks = [line.peak for line in seen]
    widths = sorted(peak.fwhm_kev for peak in peaks)
    area, unc = sum(peak.area for peak in peaks), math.hypot(*(peak.area_unc for peak in peaks))
    narrow, wide = f"{widths[0]:#.3g}", f"{widths[-1]:#.3g}"
    width = narrow if narrow == wide else f"{narrow} to {wide}"
    where = "" if detectors == 1 else f" in {len(peaks)} of {detectors} detectors"
    return f"{energy_kev:,.1f} keV{where}, {with_uncertainty(area, unc)} counts, FWHM {width} keV"


def _unexplained(lines: list[Lines]) -> list[str]:
    """The clearest peaks that nothing explains, one clause a detector."""
    texts = []
    for detector in lines:
        strongest = sorted(detector.unexplained, key=lambda peak: peak.area / peak.area_unc)[-MOST_NAMED:]
        if strongest:
            places = enumeration([f"{peak.centroid_kev:,.1f}" for peak in sorted(strongest)])
            texts.append(f"{detector.name} at {places} keV")
    if not texts:
        return []
    more = f"; and in {len(texts) - MOST_NAMED} more detectors" if len(texts) > MOST_NAMED else ""
    return [f"Peaks that no nuclide of the table explains: {'; '.join(texts[:MOST_NAMED])}{more}."]
