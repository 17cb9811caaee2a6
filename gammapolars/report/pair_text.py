"""The report's text on coincidences: every sentence is computed from the run's own numbers."""

import math
import shlex
from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.chance import total_expected
from gammapolars.core.digits import expected_counts, percent
from gammapolars.figures.time_difference import window_ranges_ns
from gammapolars.report.analyse import Analysis
from gammapolars.report.estimates import PromptPeak, level_beside, total_net, with_net
from gammapolars.report.lines import Lines
from gammapolars.report.numbers import MOST_NAMED, about, amount, count, nanoseconds, with_uncertainty
from gammapolars.report.spots import Spot


def coincidences(analysis: Analysis) -> list[str]:
    """The number of pairs, how many of them are random, and the detector pair with the most."""
    table = with_net(analysis.pairs_by_detectors)
    if analysis.pairs == 0:
        if analysis.detectors.height < 2:
            return ["There are no coincidences: all hits come from one detector."] if analysis.hits_read else []
        return [
            f"No two hits of different detectors lie within the coincidence window of {analysis.window} "
            f"({expected_random(table)} random coincidences are expected)."
        ]
    net, unc = total_net(table)
    text = f"{amount(analysis.pairs, 'pair')} within {analysis.window}, {_random(analysis, table)}. "
    if abs(net) < 3 * unc:
        left = with_uncertainty(net, unc)
        return [text + f"The difference, {left}, is not significant evidence of true coincidences."]
    if net < 0:
        return [
            text
            + f"There are {with_uncertainty(-net, unc)} fewer pairs than that: the rates may have varied strongly, "
            "or the detectors were not recorded at the same times."
        ]
    text += f"Subtracting them leaves {with_uncertainty(net, unc)} true coincidences."
    texts = [f"{text}{_lost(analysis)}"]
    if table.height > 1:
        best = table.sort("net", descending=True).row(0, named=True)
        texts.append(
            f"{best['name_a']} – {best['name_b']} has the most true coincidences of the {count(table.height)} detector "
            f"pairs: {with_uncertainty(best['net'], best['net_unc'])}."
        )
    return texts


def expected_random(table: pl.DataFrame) -> str:
    """How many random coincidences are expected of all detector pairs."""
    expected = total_expected(table)
    return expected_counts(expected.pairs, expected.unc)


def random_numbers(analysis: Analysis) -> list[tuple[str, str]]:
    """The number of random coincidences, with its kind: as measured first, where random windows were asked for."""
    expected = expected_random(analysis.pairs_by_detectors), "random coincidences expected"
    net = analysis.summary.of_pairs.random if analysis.summary else None
    if net is None:
        return [expected]
    return [(with_uncertainty(net.chance_pairs, net.chance_pairs_unc), "random coincidences, measured"), expected]


def _random(analysis: Analysis, table: pl.DataFrame) -> str:
    """How many pairs are random, as it follows their number: measured, where random windows were asked for."""
    expected = analysis.chance_pairs_expected
    if "chance_pairs" not in table.columns:
        return f"of which {expected_random(table)} ({percent(expected, analysis.pairs)}) are expected to be random"
    number, unc = float(table["chance_pairs"].sum()), math.sqrt(float((table["chance_pairs_unc"] ** 2).sum()))
    measured = f"{with_uncertainty(number, unc)} ({percent(number, analysis.pairs)})"
    return f"of which {measured} are random, as measured ({expected_random(table)} expected from the rates)"


def _lost(analysis: Analysis) -> str:
    """How many true pairs dead time costs, where that is one at least."""
    counts = analysis.summary.of_pairs if analysis.summary else None
    lost, unc = (counts.lost_pairs, counts.lost_pairs_unc) if counts else (None, None)
    return "" if lost is None or unc is None or lost < 1 else f" Dead time cost another {with_uncertainty(lost, unc)}."


def prompt(analysis: Analysis) -> list[str]:
    """The positions of the prompt peaks, their widths, and whether the window holds them."""
    peaks = _prompt_peaks(analysis)
    if not peaks:
        seen = not analysis.time_differences.is_empty() and analysis.time_differences["counts"].sum()
        return ["No prompt peak stands out above the background in the time differences."] if seen else []
    best = peaks[0]
    if not best.name_b:
        return [
            f"No single detector pair shows a prompt peak, but their sum does: it {_standing(best)}.",
            *outside_window(analysis),
            *_cut_by_window(analysis),
        ]
    texts = [f"The prompt peak of {_pair(best)} {_standing(best)}."]
    if len(peaks) > 1:
        positions = [peak.position_ns for peak in peaks]
        texts.append(
            f"{count(len(peaks))} detector pairs show a prompt peak, at positions from "
            f"{nanoseconds(min(positions))} to {nanoseconds(max(positions))}."
        )
    return texts + _level_note(analysis, best) + outside_window(analysis) + _cut_by_window(analysis)


def _standing(peak: PromptPeak) -> str:
    """Place and width of a prompt peak, as it continues `The prompt peak …`."""
    return (
        f"is at {with_uncertainty(peak.position_ns, peak.position_ns_unc)} ns, with a FWHM of "
        f"{with_uncertainty(peak.fwhm_ns, peak.fwhm_ns_unc)} ns"
    )


def _pair(peak: PromptPeak) -> str:
    return f"{peak.name_a} – {peak.name_b}" if peak.name_b else peak.name_a


def _level_note(analysis: Analysis, peak: PromptPeak) -> list[str]:
    """Whether the level next to a prompt peak agrees with the one expected from the rates (5 sigma and 15 %)."""
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
        f"The flat background next to this peak corresponds to {with_uncertainty(level, unc)} pairs in the window, "
        f"where {about(expected)} random coincidences are expected from the rates: dead time or a tail of the peak can "
        "explain the difference."
    ]


def outside_window(analysis: Analysis) -> list[str]:
    """Prompt peaks that the window misses, and the command for the first of them: a reader must know that first."""
    return _window_note(
        analysis,
        "lies outside the coincidence window",
        [peak for peak in _prompt_peaks(analysis) if _holding(analysis, peak) is None],
    )


def _cut_by_window(analysis: Analysis) -> list[str]:
    """Prompt peaks that the window cuts."""
    cut = []
    for peak in _prompt_peaks(analysis):
        if (window := _holding(analysis, peak)) and _room(peak, window) < peak.fwhm_ns:
            cut.append(peak)
    return _window_note(analysis, "is cut by the edge of the coincidence window", cut)


def _prompt_peaks(analysis: Analysis) -> list[PromptPeak]:
    return [PromptPeak(**row) for row in analysis.prompt_peaks.iter_rows(named=True)]


def _holding(analysis: Analysis, peak: PromptPeak) -> tuple[float, float] | None:
    """The part of the window that holds a peak."""
    ranges = window_ranges_ns(analysis.window)
    return next(((low, high) for low, high in ranges if low <= peak.position_ns <= high), None)


def _room(peak: PromptPeak, window: tuple[float, float]) -> float:
    """How far a peak is from the nearer end of a window (ns)."""
    return min(peak.position_ns - window[0], window[1] - peak.position_ns)


def _window_note(analysis: Analysis, what: str, peaks: list[PromptPeak]) -> list[str]:
    if not peaks:
        return []
    places = [f"{_pair(peak)} at {nanoseconds(peak.position_ns, signed=True)}" for peak in peaks]
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    listed = f"{', '.join(places[:MOST_NAMED])}{more}"
    return [f"The prompt peak {what} of {analysis.window}: {listed}. {_remedy(peaks[0], analysis.command_names)}"]


def _remedy(peak: PromptPeak, names: Mapping[str, str]) -> str:
    """Advice on a peak that a window does not hold; `names` are those by which commands know detectors."""
    if not peak.name_b:
        return "Widen the window, or measure and correct the time offsets with 'gammapolars align'."
    half_ns = math.ceil(max(2 * peak.fwhm_ns, 1.0))
    low, high = (math.floor(peak.position_ns) - half_ns, math.ceil(peak.position_ns) + half_ns)
    detectors = {"start": peak.name_a, "stop": peak.name_b}
    ends = " ".join(f"--{end} {shlex.quote(names.get(name, name))}" for end, name in detectors.items())
    return (
        "If this delay comes from the electronics, 'gammapolars align' measures and corrects it; if it is physical, "
        f"'gammapolars coincidences … {ends} --window {low}ns:{high}ns' counts these coincidences."
    )


def matrix(analysis: Analysis, lines: list[Lines], spots: list[Spot]) -> list[str]:
    """Which lines are in coincidence."""
    if analysis.matrix.is_empty():
        return []
    if "energy_kev_x" not in analysis.matrix.columns:
        return ["No detector is calibrated: the axes are in ADC channels, and no lines can be identified."]
    if not any(detector.seen for detector in lines):
        return ["No line was identified, so no spot in the matrix can be assigned."]
    if not spots:
        return ["No two of the identified lines stand out as a spot in the matrix."]
    texts = [
        f"{spot.energy_x_kev:,.0f}–{spot.energy_y_kev:,.0f} keV: {with_uncertainty(spot.net, spot.net_unc)} "
        f"{_kind_of_counts(analysis, spot)}."
        for spot in spots[: 2 * MOST_NAMED]
    ]
    hidden = len(spots) - len(texts)
    more = [f"{amount(hidden, 'weaker spot')} {'is' if hidden == 1 else 'are'} not listed."] if hidden else []
    return texts + more


def _kind_of_counts(analysis: Analysis, spot: Spot) -> str:
    """The meaning of a spot's counts, and whether background and random coincidences were subtracted from them."""
    if analysis.random_windows:
        return "coincidences with background and random coincidences subtracted"
    return f"background-subtracted coincidences, about {about(spot.chance)} of them random"
