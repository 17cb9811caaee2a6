"""The live section of a report."""

from collections.abc import Mapping

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.quantities import BY_COLUMN
from gammapolars.report.analyse import Analysis
from gammapolars.report.lines import Lines
from gammapolars.report.live.packing import live_cells, pack
from gammapolars.report.live.section import Known, LiveSection, section_of
from gammapolars.spectra.matrices import axes_of


def live_section(
    analysis: Analysis, still: str, lines: list[Lines] | None = None, labels: Mapping[float, str] | None = None
) -> LiveSection | None:
    """The live section of a report's matrix; None where there is nothing to gate.

    Args:
        analysis: with its matrix.
        still: HTML of the figure that is shown until the script has run, and in print.
        lines: that the spectra show, for the width of gates.
        labels: of lines, by their energies (keV).
    """
    if analysis.matrix.is_empty() or analysis.detectors.height < 2:
        return None
    fwhm: dict[float, float] = {}
    for line in (line for detector in lines or () for line in detector.seen):
        fwhm[line.energy_kev] = max(fwhm.get(line.energy_kev, 0.0), line.peak.fwhm_kev)
    try:
        cells = live_cells(analysis.matrix, analysis.matrix_bin)
    except TableError:  # bins of several widths, as no report counts them
        return None
    known = Known(lines=labels or {}, fwhm=fwhm)
    return section_of(pack(cells, _singles(analysis)), still, known)


def _singles(analysis: Analysis) -> list[tuple[str, pl.DataFrame]]:
    """Spectra of the detectors that have bins in the unit of the matrix."""
    column = BY_COLUMN[axes_of(analysis.matrix.schema)[0][:-2]].column
    if column not in analysis.spectra.columns:
        return []
    known = analysis.spectra.drop_nulls(column)
    names = known.select("board", "channel", "name").unique().sort("board", "channel")["name"]
    return [(name, known.filter(name=name)) for name in names]
