"""Content of a report: the figures as PNG, and the page that shows and explains them."""

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

from gammapolars.core.units import format_ps
from gammapolars.core.versions import versions
from gammapolars.gamma_lines import nuclides
from gammapolars.report import pair_text, runs, sections
from gammapolars.report.analyse import Analysis
from gammapolars.report.drawing import ALT, Told, drawn, drawn_of_runs
from gammapolars.report.lines import line_labels
from gammapolars.report.live import LiveSection
from gammapolars.report.live.report import live_section
from gammapolars.report.numbers import count, duration
from gammapolars.report.page import File, Image, Section, figure, page
from gammapolars.report.recorded import names_of_channels, recorded_line, renamed
from gammapolars.report.runs import RunPart
from gammapolars.report.sections import Findings, findings

PAGE = "index.html"

CHANCE = (
    "The expected number of random coincidences between two detectors is N = Σ r_a r_b w t, where r_a and r_b are the "
    "rates of their used hits in time slices t in which both were recording, and w is the total width of the "
    "coincidence window. N is reduced at time differences shorter than the dead time, as a true coincidence leaves "
    "both detectors dead. N is summed over detector pairs; true coincidences are the number of pairs minus N."
)
MEASURED_CHANCE = (
    " Here random coincidences were measured instead, in random windows that contain no true coincidences: with P "
    "pairs in the coincidence window and R in the random windows, the net number is P − s R with variance P + s² R, "
    "where s is the width of the coincidence window divided by that of the random windows. This applies to the numbers "
    "in the text, the table and the matrix."
)
PROMPT = (
    "The position and width of a prompt peak come from a maximum-likelihood fit of a Gaussian on a constant background "
    "to the core of the peak, as in 'gammapolars align'. Peaks are searched for within ±{reach}."
)
PEAKS = (
    "Peaks are found and fitted as in 'gammapolars peaks': a Gaussian with a tail and a step on a smooth background, "
    "with a significance above 4σ. A peak is assigned to a nuclide only if the other lines expected of that nuclide in "
    "the same spectrum are present, with about the right ratio of intensities; the lines that are found make up at "
    "least 60 % of the expected counts. {nuclides} nuclides are tried, common sources and natural background first. "
    "Escape and sum peaks, Compton edges, backscatter peaks and X-rays are recognized by their energy and width."
)


def contents(
    analysis: Analysis,
    now: datetime,
    *,
    by_run: Sequence[Analysis] = (),
    files: Sequence[File] = (),
    tell: Told = lambda _: None,
    is_live: bool = True,
) -> dict[str, bytes]:
    """The files of a report, by name, the page last.

    Args:
        analysis: the results, for all runs together.
        now: the date that the page bears.
        by_run: the same of each run, where there are several.
        files: further ones next to the page.
        tell: called with the present step.
        is_live: whether gates can be drawn on the page's matrix.
    """
    found = findings(as_recorded(analysis))
    analysis = found.analysis
    names = [run.name for run in analysis.runs]
    parts = [RunPart(name, findings(as_recorded(one))) for name, one in zip(names, by_run, strict=False)]
    images = drawn(found, tell) if len(parts) < 2 else drawn_of_runs(found, parts, tell)
    has_pairs = analysis.detectors.height > 1
    # Empty figures are written all the same: they replace those of an earlier report.
    listed = [name for name in images if has_pairs or name not in sections.OF_PAIRS]
    live = _live(found, images) if is_live and has_pairs else None
    if live:
        images[sections.MATRIX] = images[sections.MATRIX]._replace(html=live.html)
    shown = [*sections.singles(found, images), *sections.coincidences(found, images)]
    if len(parts) > 1:
        shown = [*runs.comparison(parts, images), *_of_each_run(parts, tell)]
        if analysis.detectors.height > 1:
            shown += sections.coincidences(found, images, "All runs together")
    tell("writing the page")
    html = page(
        title=_title(analysis),
        subtitle=_subtitle(analysis, now),
        tiles=_tiles(analysis),
        warnings=(*pair_text.outside_window(analysis), *analysis.warnings, *_doubts(analysis, parts)),
        sections=shown,
        foot=_provenance(analysis, now),
        files=[*files, *(File(f"{name}.png", ALT[name]) for name in listed)],
        script=live.script if live else "",
        style=live.style if live else "",
    )
    return {f"{name}.png": image.png for name, image in images.items()} | {PAGE: html.encode("utf-8")}


def _live(found: Findings, images: Mapping[str, Image]) -> LiveSection | None:
    """The matrix on which gates are drawn, in place of its figure."""
    return live_section(found.analysis, figure(images[sections.MATRIX]), found.lines, line_labels(found.lines))


def as_recorded(analysis: Analysis) -> Analysis:
    """The same with detectors that nobody named called as CoMPASS calls their channels."""
    names = dict(renamed(analysis.detectors, names_of_channels(analysis.runs)))
    return analysis.named(names) if names else analysis


def _doubts(analysis: Analysis, parts: Sequence[RunPart]) -> list[str]:
    """Doubts about rates and peaks: of a run, or of each; or that several runs are summed up."""
    if len(parts) > 1:
        return [f"{part.name}: {doubt}" for part in parts for doubt in part.found.analysis.doubts]
    number = len(analysis.runs)
    return [*analysis.doubts, *([f"all numbers are sums over {count(number)} runs"] if number > 1 else [])]


def _of_each_run(parts: Sequence[RunPart], tell: Told) -> list[Section]:
    """The sections of each of several runs; the figures of the first few."""
    shown = []
    for number, part in enumerate(parts):
        tell(f"run {number + 1} of {len(parts)}")
        images = drawn(part.found, tell, sections.FIGURES[:3], few_colours=True) if number < runs.MOST_DRAWN else {}
        shown += [*sections.singles(part.found, images, part.name)]
        if part.found.analysis.detectors.height > 1:
            shown += sections.coincidences(part.found, images, part.name, matrix=False)
    return shown


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _title(analysis: Analysis) -> str:
    """The name of the run; of several, how many."""
    names = [run.name for run in analysis.runs] or list(analysis.inputs) or ["no file"]
    if len(names) == 1:
        return names[0]
    return (
        f"{count(len(names))} runs: {names[0]} and {names[1]}"
        if len(names) == 2
        else (f"{count(len(names))} runs: {names[0]} to {names[-1]}")
    )


def _subtitle(analysis: Analysis, now: datetime) -> list[str]:
    """When a run was recorded, from which files, and when the report was made."""
    lines = [recorded_line(analysis.runs[0])] if len(analysis.runs) == 1 else []
    files = [name for name in analysis.inputs if name != _title(analysis)]
    more = f" and {count(len(files) - 3)} more" if len(files) > 4 else ""
    lines.append(", ".join(files[:3] if more else files) + more)
    lines.append(f"Report of {now:%Y-%m-%d %H:%M %Z}".rstrip())
    return [line for line in lines if line]


def _tiles(analysis: Analysis) -> list[tuple[str, str]]:
    tiles = [
        *([(count(len(analysis.runs)), "runs")] if len(analysis.runs) > 1 else []),
        (count(analysis.hits_read), "hits read"),
        (count(analysis.hits_used), "hits used"),
        (count(analysis.detectors.height), "detector" if analysis.detectors.height == 1 else "detectors"),
        (duration(analysis.real_time_s), "from the first to the last hit"),
    ]
    if analysis.detectors.height < 2:
        return tiles
    return [*tiles, (count(analysis.pairs), f"pairs within {analysis.window}"), *pair_text.random_numbers(analysis)]


def _provenance(analysis: Analysis, now: datetime) -> list[tuple[str, str]]:
    """Origin of the page: its input, and how it was made."""
    packages = versions() | {"plotnine": version("plotnine"), "Python": platform.python_version()}
    span = f"{analysis.first_timestamp_ps:,} ps to {analysis.last_timestamp_ps:,} ps"
    return [
        ("Input", ", ".join(analysis.inputs) or "none"),
        *([("Timestamps", span)] if analysis.hits_read else []),
        *((_capital(name), value) for name, value in ({"window": str(analysis.window)} | analysis.parameters).items()),
        ("Random coincidences", CHANCE + (MEASURED_CHANCE if analysis.random_windows else "")),
        ("Prompt peaks", PROMPT.format(reach=format_ps(analysis.search_ps).replace("us", "µs"))),
        ("Peaks and nuclides", PEAKS.format(nuclides=len(nuclides()))),
        ("Versions", ", ".join(f"{name} {number}" for name, number in packages.items())),
        ("Written", now.isoformat(timespec="seconds")),
    ]
