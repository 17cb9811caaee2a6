"""The report in words: every sentence is computed from the run's own numbers."""

import math
import shlex

import polars as pl

from gammapolars.core.digits import percent
from gammapolars.figures.time_difference import window_ranges_ns
from gammapolars.report.analyse import Analysis
from gammapolars.report.estimates import PromptPeak, Steadiness, level_beside, with_net
from gammapolars.report.lines import Lines, Peak, Spot
from gammapolars.report.numbers import (
    about,
    amount,
    count,
    duration,
    enumeration,
    nanoseconds,
    with_uncertainty,
)

MOST_NAMED = 6


def run(analysis: Analysis) -> list[str]:
    """How many hits, for how long, and how many of them were used."""
    files = amount(len(analysis.inputs), "file")
    if analysis.hits_read == 0:
        return [f"There are no hits in {files}."]
    text = (
        f"{amount(analysis.hits_read, 'hit')} in {files}, of {amount(analysis.detectors.height, 'detector')} "
        f"in {duration(analysis.real_time_s)}."
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
    if analysis.hits_used == 0 or analysis.real_time_s <= 0:
        return []
    detectors = analysis.detectors.sort("board", "channel")
    rate = [
        f"{name} {with_uncertainty(cps, math.sqrt(max(hits, 1)) / analysis.real_time_s)} counts/s"
        for name, hits, cps in detectors.select("name", "hits_used", "rate_cps").iter_rows()
    ]
    if len(rate) > MOST_NAMED:
        lowest, highest = (detectors["rate_cps"].arg_min() or 0, detectors["rate_cps"].arg_max() or 0)
        text = f"The rates of used hits reach from {rate[lowest]} to {rate[highest]}."
    else:
        text = f"Rates of used hits: {enumeration(rate)}."
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
    steady = f" The other {len(drifts) - len(unsteady)} were." if len(drifts) > len(unsteady) else ""
    return [text, f"Not steady within counting statistics: {'; '.join(texts)}{more}.{steady}"]


def coincidences(analysis: Analysis) -> list[str]:
    """How many pairs, how many of them by chance, and between which detectors most."""
    if analysis.pairs == 0:
        return [
            f"No two hits of different detectors lie within the window of {analysis.window} "
            f"({about(analysis.chance_pairs_expected)} random ones are expected)."
        ]
    table = with_net(analysis.pairs_by_detectors)
    net, unc = float(table["net"].sum()), math.sqrt(float((table["net_unc"] ** 2).sum()))
    text = f"{amount(analysis.pairs, 'pair')} within {analysis.window}. {_random(analysis, table)}; "
    if abs(net) < 3 * unc:
        return [text + f"the difference, {with_uncertainty(net, unc)}, is no evidence of true coincidences."]
    if net < 0:
        return [
            text + f"there are {with_uncertainty(-net, unc)} fewer. The rates may have been far from constant, or "
            "the detectors were not recorded at the same times."
        ]
    text += f"{with_uncertainty(net, unc)} are left as true coincidences."
    if table.height < 2:
        return [text]
    best = table.sort("net", descending=True).row(0, named=True)
    return [
        text,
        f"Of {count(table.height)} detector pairs, {best['name_a']} – {best['name_b']} has the most: "
        f"{with_uncertainty(best['net'], best['net_unc'])} true coincidences.",
    ]


def _random(analysis: Analysis, table: pl.DataFrame) -> str:
    """How many pairs are random, as the beginning of a sentence: measured, where random windows were asked for."""
    expected = analysis.chance_pairs_expected
    if "chance_pairs" not in table.columns:
        return f"Of these {about(expected)} ({percent(expected, analysis.pairs)}) are expected to be random"
    number, unc = float(table["chance_pairs"].sum()), math.sqrt(float((table["chance_pairs_unc"] ** 2).sum()))
    measured = f"{with_uncertainty(number, unc)} ({percent(number, analysis.pairs)})"
    return f"Of these {measured} are random as measured, where {about(expected)} are expected"


def prompt(analysis: Analysis) -> list[str]:
    """Where the prompt peaks stand, how wide they are, and whether the window holds them."""
    peaks = [PromptPeak(**row) for row in analysis.prompt_peaks.iter_rows(named=True)]
    if not peaks:
        seen = not analysis.time_differences.is_empty() and analysis.time_differences["counts"].sum()
        return ["No prompt peak stands out of the level beside it in the time differences."] if seen else []
    best = peaks[0]
    if not best.name_b:
        return [
            f"No single detector pair shows a prompt peak; all together have one: it {_standing(best)}.",
            *_window_notes(analysis, peaks),
        ]
    texts = [f"The prompt peak of {_pair(best)} {_standing(best)}."]
    if len(peaks) > 1:
        positions = [peak.position_ns for peak in peaks]
        texts.append(
            f"{count(len(peaks))} detector pairs show a prompt peak; their positions reach from "
            f"{nanoseconds(min(positions))} to {nanoseconds(max(positions))}."
        )
    return texts + _level_note(analysis, best) + _window_notes(analysis, peaks)


def _standing(peak: PromptPeak) -> str:
    """Place and width of a prompt peak, as it continues `The prompt peak …`."""
    return (
        f"stands at {with_uncertainty(peak.position_ns, peak.position_ns_unc)} ns and is "
        f"{with_uncertainty(peak.fwhm_ns, peak.fwhm_ns_unc)} ns wide (FWHM)"
    )


def _pair(peak: PromptPeak) -> str:
    return f"{peak.name_a} – {peak.name_b}" if peak.name_b else peak.name_a


def _level_note(analysis: Analysis, peak: PromptPeak) -> list[str]:
    """Whether the level beside a prompt peak is the one that the rates let expect (5 sigma and 15 %)."""
    rows = analysis.pairs_by_detectors.filter(name_a=peak.name_a, name_b=peak.name_b)
    width_ns = sum(high - low for low, high in window_ranges_ns(analysis.window))
    beside = level_beside(analysis.time_differences, peak)
    if rows.is_empty() or not width_ns or not beside:
        return []
    expected = float(rows["chance_pairs_expected"][0])
    level, unc = (value * width_ns for value in beside)
    if abs(level - expected) < max(5 * unc, 0.15 * expected):
        return []
    return [
        f"Beside this peak the histogram's level is that of {with_uncertainty(level, unc)} pairs per window, where "
        f"{about(expected)} random ones are expected in it: dead time, or a tail of the peak, makes "
        "such a difference."
    ]


def _window_notes(analysis: Analysis, peaks: list[PromptPeak]) -> list[str]:
    """Which prompt peaks the window misses or cuts, and the command for one that it misses."""
    outside, cut = [], []
    for peak in peaks:
        holding = [(low, high) for low, high in window_ranges_ns(analysis.window) if low <= peak.position_ns <= high]
        if not holding:
            outside.append(peak)
        elif min(peak.position_ns - holding[0][0], holding[0][1] - peak.position_ns) < peak.fwhm_ns:
            cut.append(peak)
    texts = []
    for these, what in ((outside, "lies outside the coincidence window"), (cut, "is cut by the window's edge")):
        if these:
            places = [f"{_pair(peak)} at {nanoseconds(peak.position_ns, signed=True)}" for peak in these]
            more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
            texts.append(
                f"The prompt peak {what} of {analysis.window}: {', '.join(places[:MOST_NAMED])}{more}. "
                f"{_remedy(these[0])}"
            )
    return texts


def _remedy(peak: PromptPeak) -> str:
    """What to do about a peak that a window does not hold."""
    align = "`gammapolars align` measures the detectors' time offsets"
    if not peak.name_b:
        return f"Widen the window, or correct the offsets: {align}."
    half_ns = math.ceil(max(2 * peak.fwhm_ns, 1.0))
    low, high = (math.floor(peak.position_ns) - half_ns, math.ceil(peak.position_ns) + half_ns)
    ends = " ".join(f"--{end} {shlex.quote(name)}" for end, name in (("start", peak.name_a), ("stop", peak.name_b)))
    return (
        f"If it is late by the detectors' offsets, {align}; if it is physics, "
        f"`gammapolars coincidences … {ends} --window {low}ns:{high}ns` counts it."
    )


def spectra(analysis: Analysis, lines: list[Lines]) -> list[str]:
    """Which gamma lines the calibrated spectra show."""
    if analysis.hits_used == 0:
        return []
    calibrated = int(analysis.detectors["calibrated"].sum())
    missing = analysis.detectors.height - calibrated
    note = (
        [f"{amount(missing, 'detector')} of {analysis.detectors.height} without an energy calibration."]
        if missing
        else []
    )
    if not lines:
        return note
    by_line: dict[tuple[str, float], list[Peak]] = {}
    for detector in lines:
        for line in detector.seen:
            by_line.setdefault((line.nuclide, line.energy_kev), []).append(line.peak)
    texts = []
    for nuclide in sorted({name for name, _ in by_line}):
        rows = [
            _line(energy, peaks, len(lines)) for (name, energy), peaks in sorted(by_line.items()) if name == nuclide
        ]
        texts.append(f"{nuclide[0].upper() + nuclide[1:]}: {'; '.join(rows)}.")
    if not texts:
        texts = ["No line of the common calibration sources was found in the calibrated spectra."]
    return note + texts + _unexplained(lines)


def _line(energy_kev: float, peaks: list[Peak], detectors: int) -> str:
    widths = sorted(peak.fwhm_kev for peak in peaks)
    area, unc = sum(peak.area for peak in peaks), math.hypot(*(peak.area_unc for peak in peaks))
    narrow, wide = f"{widths[0]:#.3g}", f"{widths[-1]:#.3g}"
    width = narrow if narrow == wide else f"{narrow} to {wide}"
    where = "" if detectors == 1 else f" in {len(peaks)} of {detectors} detectors"
    return f"{energy_kev:,.1f} keV{where}, {with_uncertainty(area, unc)} counts, FWHM {width} keV"


def _unexplained(lines: list[Lines]) -> list[str]:
    """The clearest peaks that the table of lines does not explain, one clause a detector."""
    texts = []
    for detector in lines:
        clear = [peak for peak in detector.unexplained if peak.area > 10 * peak.area_unc]
        clear = sorted(sorted(clear, key=lambda peak: peak.area / peak.area_unc)[-MOST_NAMED:])
        if clear:
            places = enumeration([f"{peak.centroid_kev:,.1f}" for peak in clear])
            texts.append(f"{detector.name} at {places} keV")
    if not texts:
        return []
    more = f"; and in {len(texts) - MOST_NAMED} more detectors" if len(texts) > MOST_NAMED else ""
    return [f"Further peaks, which the short table of lines does not explain: {'; '.join(texts[:MOST_NAMED])}{more}."]


def matrix(analysis: Analysis, lines: list[Lines], spots: list[Spot]) -> list[str]:
    """Which lines are in coincidence."""
    if analysis.matrix.is_empty():
        return []
    if "energy_kev_x" not in analysis.matrix.columns:
        return ["No detector is calibrated, so that the axes are pulse heights and no lines can be named."]
    if not any(detector.seen for detector in lines):
        return ["No line was identified, so that no spot of the matrix can be named."]
    if not spots:
        return ["No two of the lines seen stand out as a spot in the matrix."]
    texts = [
        f"{spot.energy_x_kev:,.0f}–{spot.energy_y_kev:,.0f} keV: {with_uncertainty(spot.net, spot.net_unc)} pairs "
        f"above the background beside the spot, of which about {about(spot.chance)} by chance."
        for spot in spots[: 2 * MOST_NAMED]
    ]
    more = [f"{len(spots) - len(texts)} weaker spots are not listed."] if len(spots) > len(texts) else []
    return texts + more
