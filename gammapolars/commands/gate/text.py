"""The text that the command `gate` prints."""

from gammapolars.commands.gate.counts import GateSummary, TripleCounts
from gammapolars.commands.layout import bracketed, table
from gammapolars.commands.summaries import gone, hits_read, net_lines, tail
from gammapolars.core.digits import plus_minus
from gammapolars.identification import kind_text
from gammapolars.spectra.line_gates import width_of

NAMED = 6
"""More nuclides than these are only counted in the text."""

LISTED = 12
"""At most this many peaks are in the text; all are in the file."""

RANDOM = "random coincidences"


def text(summary: GateSummary) -> list[str]:
    """The summary for people: the input, the gates, the net counts in coincidence with them, and peaks."""
    counts = "counts of third hits" if summary.and_gate else "coincident counts"
    return [
        *_input(summary),
        *_gates(summary),
        f"{plus_minus(summary.counts, summary.counts_unc)} {counts}{_net_of(summary)}",
        *_coincidence(summary),
        *_peaks(summary),
        *_cascades(summary),
        *tail(summary),
    ]


def _input(summary: GateSummary) -> list[str]:
    """How much there was to be gated."""
    lines = []
    if summary.account and summary.times:
        lines += [*hits_read(summary.account, summary.times), *gone(summary.account)]
    if matrix := summary.matrix:
        lines.append(
            f"matrix of {matrix.counts:,.0f} counts in {matrix.bins:,} bins, its {matrix.gated_axis} axis gated"
        )
    if summary.of_triples:
        lines += _triples(summary.of_triples)
    if pairs := summary.of_pairs:
        lines += [f"{pairs.pairs:,} pairs within {pairs.window_ps}", *net_lines(pairs.random)]
    return lines


def _triples(counts: TripleCounts) -> list[str]:
    lines = [f"{counts.triples:,} triple coincidences within {counts.window_ps}"]
    if random := counts.random:
        lines.append(
            f"{random.one_random_triples:,} triples with one hit and {random.random_triples:,} with all "
            f"three hits in each other's random windows {', '.join(map(str, random.random_ps))}: "
            f"{plus_minus(random.chance_triples, random.chance_triples_unc)} random triples, "
            f"{plus_minus(random.net_triples, random.net_triples_unc)} net"
        )
    return lines


def _gates(summary: GateSummary) -> list[str]:
    """The gates, in the order in which they were given."""
    detectors = f", in {', '.join(summary.gated_detectors)}" if summary.gated_detectors else ""
    lines = [f"gate {summary.gate} {summary.unit}{detectors}"]
    if summary.gate_width_from != "given":
        lines.append(f"  {width_of(summary.gate)} {summary.unit} wide: {summary.gate_width_from}")
    if summary.asked_gate and summary.asked_gate != summary.gate:
        lines.append(f"  moved to bin edges, from {summary.asked_gate} {summary.unit}")
    if summary.and_gate:
        lines.append(f"and a second hit in {summary.and_gate} {summary.unit}")
    if summary.polygons:
        lines.append(f"only pairs inside {', '.join(summary.polygons)}")
    return lines


def _coincidence(summary: GateSummary) -> list[str]:
    """The coincidences of two lines, and the four components that they follow from."""
    if not (one := summary.coincidence):
        return []
    unit = summary.unit
    lines = [
        f"{plus_minus(one.net, one.net_unc)} coincidences with the line in {one.gate} {unit}:",
        f"  peak–peak {one.peak_peak:z,.1f} − peak–background {one.peak_background:z,.1f} − background–peak "
        f"{one.background_peak:z,.1f} + background–background {one.background_background:z,.1f}",
    ]
    if one.net_of_projections is not None:
        number = plus_minus(one.net_of_projections, one.net_of_projections_unc or 0.0)
        lines.append(f"  {number} with the background from the projections subtracted")
    return lines


def _net_of(summary: GateSummary) -> str:
    """What was subtracted, what was not, and what is not known: the files of some matrices do not say it."""
    background = summary.gate.background or (summary.and_gate and summary.and_gate.background)
    parts = {"the background under the line": bool(background), RANDOM: bool(summary.net_of_chance)}
    if summary.background:
        own = {f"a background of {summary.background.background_counts:,.0f} from the projections": True}
        parts = own | {name: done for name, done in parts.items() if done or name != "the background under the line"}
    gone, left = ([name for name, is_gone in parts.items() if is_gone is subtracted] for subtracted in (True, False))
    if summary.net_of_chance is None:
        left.remove(RANDOM)
    net = f", with {' and '.join(gone)} subtracted" if gone else ""
    net += f"; {' and '.join(left)} not subtracted" if left else ""
    return net + (f"; whether {RANDOM} were subtracted is not known" if summary.net_of_chance is None else "")


def _cascades(summary: GateSummary) -> list[str]:
    """The most frequent cascade of each peak, and the peaks without any."""
    if not (cascades := summary.cascades):
        return []
    names = ", ".join(cascades.nuclides) if len(cascades.nuclides) <= NAMED else f"{len(cascades.nuclides)} nuclides"
    rows = []
    for (centroid,), found in cascades.lines.group_by("centroid_kev", maintain_order=True):
        first, more = found.row(0, named=True), found.height - 1
        rows.append(
            [
                f"{centroid:,.2f}",
                f"{first['nuclide']} to {first['daughter']}",
                f"{first['gate_kev']:.2f} – {first['energy_kev']:.2f}",
                bracketed(first["coincidences"], first["coincidences_unc"]),
                f"and {more} more" if more else "",
            ]
        )
    unexplained = ", ".join(f"{energy:,.1f}" for energy in cascades.unexplained_kev)
    return [
        *table(["peak at keV", "cascade in ENSDF", "keV", "per 100 decays", ""], rows),
        *([f"no cascade of {names} in ENSDF explains the peaks at {unexplained} keV"] if unexplained else []),
    ]


def _peaks(summary: GateSummary) -> list[str]:
    """The strongest peaks, by energy."""
    unit = summary.unit
    name = "kev" if unit == "keV" else "adc"
    shown = sorted(
        summary.peaks.to_dicts() if summary.peaks is not None else [], key=lambda peak: -(peak["area"] or 0.0)
    )[:LISTED]
    each = any("name" in peak for peak in shown)
    rows = [
        [
            *([peak["name"]] if each else []),
            plus_minus(peak[f"centroid_{name}"], peak[f"centroid_{name}_unc"]),
            plus_minus(peak[f"fwhm_{name}"], peak[f"fwhm_{name}_unc"]),
            plus_minus(peak["area"], peak["area_unc"]),
            "" if peak["status"] == "ok" else peak["status"],
            *([kind_text(peak)] if unit == "keV" else []),
        ]
        for peak in sorted(shown, key=lambda peak: (peak.get("board"), peak.get("channel"), peak[f"centroid_{name}"]))
    ]
    return table(
        [*(["detector"] if each else []), f"peak at {unit}", "FWHM", "area", "", *(["kind"] if unit == "keV" else [])],
        rows,
    )
