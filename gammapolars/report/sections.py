"""The sections of a report: of one run, or of several together, each with its text, figure and tables."""

from collections.abc import Mapping
from typing import NamedTuple

from gammapolars.report import estimates, pair_text, tables, text
from gammapolars.report.analyse import Analysis
from gammapolars.report.lines import Lines, lines_of
from gammapolars.report.page import Image, Section
from gammapolars.report.spots import Spot, spots_of

RATES, SPECTRA, TIME_DIFFERENCES, MATRIX = FIGURES = ("rates", "spectra", "time_differences", "matrix")
"""The figures of a report."""

OF_PAIRS = (TIME_DIFFERENCES, MATRIX)
"""Those that need two detectors."""


class Findings(NamedTuple):
    """An analysis with the lines that its spectra show, and those that its matrix shows in coincidence."""

    analysis: Analysis
    lines: list[Lines]
    spots: list[Spot]


def findings(analysis: Analysis) -> Findings:
    """The lines seen in an analysis."""
    lines = lines_of(analysis.spectra, analysis.peaks)
    return Findings(analysis, lines, spots_of(analysis, lines))


def singles(found: Findings, images: Mapping[str, Image], group: str = "") -> list[Section]:
    """The sections about single hits: detectors, rejected hits, rates and spectra."""
    analysis = found.analysis
    if not analysis.hits_read:
        images = {}
    steadiness, peaks = estimates.steadiness(analysis.rates), tables.peaks(analysis)
    sections = [
        Section("Hits and detectors", text.run(analysis), tables=[tables.detectors(analysis)], group=group),
        Section("Rejected hits", text.rejected(analysis), tables=[tables.rejected(analysis)], group=group),
        Section("Rates", text.rates(analysis, steadiness), images.get(RATES), group=group),
        Section("Spectra", text.spectra(analysis, found.lines), images.get(SPECTRA), [peaks], group=group),
    ]
    return [one for one in sections if one.paragraphs or one.image]


def coincidences(
    found: Findings, images: Mapping[str, Image], group: str = "", *, matrix: bool = True
) -> list[Section]:
    """The sections about pairs: how many, when, and, with the matrix, of which energies."""
    analysis = found.analysis
    if analysis.detectors.height < 2:
        images = {}
    sections = [
        Section("Coincidences", pair_text.coincidences(analysis), tables=[tables.pairs(analysis)], group=group),
        Section("Time differences", pair_text.prompt(analysis), images.get(TIME_DIFFERENCES), group=group),
    ]
    if matrix:
        seen = pair_text.matrix(analysis, found.lines, found.spots)
        sections.append(Section("Coincidence matrix", seen, images.get(MATRIX), group=group))
    return [one for one in sections if one.paragraphs or one.image]
