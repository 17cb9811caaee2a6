"""The report's text on hits, rates and spectra: every sentence is computed from the run's own numbers."""

import math

import polars as pl

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
        f"{amount(analysis.hits_read, 'hit')} from {amount(analysis.detectors.height, 'detector')} in {files}, "
        f"over {seconds(analysis.real_time_s)}."
    )
    if analysis.hits_used == analysis.hits_read:
        return [f"{text} All of them were used."]
    unused = {
        **_removed(analysis),
        "rejected because of their flags": _rejected_hits(analysis),
        "unreadable": analysis.hits_damaged + analysis.hits_out_of_range,
        "duplicates of other hits": analysis.hits_repeated,
    }
    shares = enumeration([f"{count(number)} were {why}" for why, number in unused.items() if number])
    used = percent(analysis.hits_used, analysis.hits_read)
    return [f"{text} Of these, {count(analysis.hits_used)} ({used}) were used; {shares}."]


def _rejected_hits(analysis: Analysis) -> int:
    """How many hits were rejected, each once."""
    left_out = analysis.hits_damaged + analysis.hits_out_of_range + analysis.hits_repeated
    return analysis.hits_read - analysis.hits_used - left_out - sum(_removed(analysis).values())


def _removed(analysis: Analysis) -> dict[str, int]:
    """How many hits a selection removed, by the reason."""
    if analysis.removed is None:
        return {}
    return dict(analysis.removed.group_by("reason", maintain_order=True).agg(pl.col("hits").sum()).iter_rows())


def rejected(analysis: Analysis) -> list[str]:
    """How many hits were rejected, and how the counts by flag add up; and how many were removed before."""
    removed = [
        f"{amount(hits, 'hit')} ({percent(hits, analysis.hits_read)}) {'was' if hits == 1 else 'were'} {reason}."
        for reason, hits in _removed(analysis).items()
    ]
    return [*([" ".join(removed)] if removed else []), *_rejected(analysis)]


def _rejected(analysis: Analysis) -> list[str]:
    lost = _rejected_hits(analysis)
    if lost == 0:
        return ["No hits were rejected."] if analysis.hits_read else []
    were = "was" if lost == 1 else "were"
    share = percent(lost, analysis.hits_read)
    text = f"{count(lost)} of {amount(analysis.hits_read, 'hit')} ({share}) {were} rejected."
    twice = sum(analysis.rejected.values()) > lost
    return [text + " A hit with two of these flags is counted under both." if twice else text]


def rates(analysis: Analysis, drifts: list[Steadiness]) -> list[str]:
    """The detectors' rates, and whether they stayed the same."""
    known = analysis.true_rates.drop_nulls("rate_cps") if analysis.true_rates.height else analysis.true_rates
    if known.is_empty():
        return []
    rate = [
        f"{with_uncertainty(cps, unc)} counts/s in {name}"
        for name, cps, unc in known.select("name", "rate_cps", "rate_cps_unc").iter_rows()
    ]
    which = "Count rates, rejected hits included"
    if analysis.removed is not None:
        which = "Count rates of the hits that thresholds and polygons leave, rejected hits included"
    if len(rate) > MOST_NAMED:
        lowest, highest = (known["rate_cps"].arg_min() or 0, known["rate_cps"].arg_max() or 0)
        text = f"{which}, range from {rate[lowest]} to {rate[highest]}."
    else:
        text = f"{which}: {enumeration(rate)}."
    if not drifts:
        return [f"{text} There are too few hits to test whether the rates were constant."]
    unsteady = sorted((detector for detector in drifts if not detector.is_steady), key=lambda detector: -detector.z)
    return [text, _changes(unsteady, [detector for detector in drifts if detector.is_steady])]


def _changes(unsteady: list[Steadiness], steady: list[Steadiness]) -> str:
    """Which rates changed during a run, from what to what, and which did not."""
    if not unsteady:
        ratios = [f"{detector.chi2 / detector.ndf:.2f}" for detector in steady]
        span = ratios[0] if len(set(ratios)) == 1 else f"{min(ratios, key=float)} to {max(ratios, key=float)}"
        which = "The rate was" if len(steady) == 1 else "All rates were"
        return f"{which} constant within counting statistics (χ²/ndf = {span})."
    texts = [
        f"{detector.name} changed during the run ({detector.first_cps:,.4g} counts/s in the first third, "
        f"{detector.last_cps:,.4g} in the last; χ²/ndf = {detector.chi2:,.0f}/{detector.ndf})"
        for detector in unsteady[:MOST_NAMED]
    ]
    text = f"The rate of {'; that of '.join(texts)}"
    if len(unsteady) > MOST_NAMED:
        text += f"; so did {amount(len(unsteady) - MOST_NAMED, 'other rate')}"
    if not steady:
        return f"{text}."
    names = [detector.name for detector in steady]
    which = enumeration(names) if len(names) <= MOST_NAMED else f"the other {count(len(names))} detectors"
    return (
        f"{text}; {'that' if len(names) == 1 else 'those'} of {which} {'was' if len(names) == 1 else 'were'} constant."
    )


def spectra(analysis: Analysis, lines: list[Lines]) -> list[str]:
    """Which gamma lines the calibrated spectra show."""
    if analysis.hits_used == 0:
        return []
    missing = analysis.detectors.height - int(analysis.detectors["calibrated"].sum())
    note = []
    if missing:
        all_of, have = analysis.detectors.height, "has" if missing == 1 else "have"
        which = f"{missing} of {all_of} detectors {have} no energy calibration; their"
        which = "No detector has an energy calibration;" if missing == all_of else which
        note = [f"{which} peak positions are in ADC channels."]
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
    return texts or ["No peak in the calibrated spectra could be assigned to a nuclide."]


def _line(energy_kev: float, seen: list[SeenLine], detectors: int) -> str:
    peaks = [line.peak for line in seen]
    widths = sorted(peak.fwhm_kev for peak in peaks)
    area, unc = sum(peak.area for peak in peaks), math.hypot(*(peak.area_unc for peak in peaks))
    narrow, wide = f"{widths[0]:#.3g}", f"{widths[-1]:#.3g}"
    width = narrow if narrow == wide else f"{narrow} to {wide}"
    where = "" if detectors == 1 else f" in {len(peaks)} of {detectors} detectors"
    return f"{energy_kev:,.1f} keV{where}, {with_uncertainty(area, unc)} counts, FWHM {width} keV"


def _unexplained(lines: list[Lines]) -> list[str]:
    """The clearest peaks that nothing explains, one clause per detector."""
    texts = []
    for detector in lines:
        strongest = sorted(detector.unexplained, key=lambda peak: peak.area / peak.area_unc)[-MOST_NAMED:]
        if strongest:
            places = enumeration([f"{peak.centroid_kev:,.1f}" for peak in sorted(strongest)])
            texts.append(f"{detector.name} at {places} keV")
    if not texts:
        return []
    more = f"; and in {len(texts) - MOST_NAMED} more detectors" if len(texts) > MOST_NAMED else ""
    return [f"Clear peaks that match no known nuclide: {'; '.join(texts[:MOST_NAMED])}{more}."]
