"""The report's tables, as text."""

import math

from gammapolars.core.digits import percent
from gammapolars.report.analyse import Analysis
from gammapolars.report.estimates import with_net
from gammapolars.report.numbers import about, count, with_uncertainty
from gammapolars.report.page import Table

REASONS = {
    "saturation": "the signal was larger than the digitizer's range, so that its energy is wrong",
    "saturation_gate": "the signal left the range during the integration gate, so that its energy is wrong",
    "saturation_input": "the signal was larger than the input's range, so that its energy is wrong",
    "pile_up": "two signals lay on each other, so that their energies are mixed",
    "fake_event": "the digitizer wrote it to mark a time, and no radiation was detected",
    "dead_time": "it came first after a dead time",
    "trigger_lost": "triggers were lost before it",
    "event_lost": "events were lost before it",
    "memory_full": "the digitizer's memory was full",
}
"""Why a hit with a flag is not to be trusted."""

TIMING = ("position_ns", "fwhm_ns")


def detectors(analysis: Analysis) -> Table:
    """One row a detector."""
    headings = ("detector", "board", "channel", "hits", "hits used", "rate (counts/s)", "energy")
    rows = [
        (
            row["name"],
            str(row["board"]),
            str(row["channel"]),
            count(row["hits"]),
            count(row["hits_used"]),
            with_uncertainty(row["rate_cps"], math.sqrt(max(row["hits_used"], 1)) / analysis.real_time_s)
            if analysis.real_time_s > 0
            else "–",
            "calibrated" if row["calibrated"] else "adc",
        )
        for row in analysis.detectors.sort("board", "channel").iter_rows(named=True)
    ]
    return Table(headings, rows, frozenset(headings[1:6]))


def pairs(analysis: Analysis) -> Table:
    """One row a detector pair, those with the most true coincidences first."""
    headings = ("detectors", "pairs", "by chance", "true", "prompt peak at", "FWHM")
    peaks = {(row["name_a"], row["name_b"]): row for row in analysis.prompt_peaks.iter_rows(named=True)}
    rows = []
    for row in with_net(analysis.pairs_by_detectors).sort("net", descending=True).iter_rows(named=True):
        peak = peaks.get((row["name_a"], row["name_b"]))
        timing = [f"{with_uncertainty(peak[name], peak[f'{name}_unc'])} ns" for name in TIMING] if peak else ["–", "–"]
        rows.append(
            (
                f"{row['name_a']} – {row['name_b']}",
                count(row["pairs"]),
                about(row.get("chance_pairs", row["chance_pairs_expected"])),
                with_uncertainty(row["net"], row["net_unc"]),
                *timing,
            )
        )
    return Table(headings, rows, frozenset(headings[1:]))


def rejected(analysis: Analysis) -> Table:
    """One row a flag that rejected a hit, the most frequent first."""
    rows = [
        (name, count(hits), percent(hits, analysis.hits_read), REASONS.get(name, ""))
        for name, hits in sorted(analysis.rejected.items(), key=lambda item: -item[1])
        if hits
    ]
    return Table(("flag", "hits", "of all hits", "why"), rows, frozenset(("hits", "of all hits")))
