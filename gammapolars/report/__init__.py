"""The report of a run: one HTML page that explains itself, and its figures."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gammapolars.analysis.passes import with_random
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.saved_pairs import SavedPairs, SavedPairsSummary
from gammapolars.analysis.summaries import PairSummary
from gammapolars.coincidences import PairRule
from gammapolars.io import save
from gammapolars.io.output_folder import folder_complete_or_nothing
from gammapolars.io.provenance import describe
from gammapolars.report.analyse import Analysis, analyse
from gammapolars.report.content import PAGE, contents
from gammapolars.report.numbers import amount
from gammapolars.report.page import File
from gammapolars.report.runs import recordings
from gammapolars.report.saved_pairs import analyse_pairs, contents_of_pairs
from gammapolars.spectra.matrices import axes_of

__all__ = ["make_report", "make_report_of_pairs", "write_page"]

TABLES = ("pairs", "spectra", "matrix")
"""Tables next to the page."""


def make_report(
    recording: Recording,
    rule: PairRule,
    folder: str | Path,
    *,
    random: Sequence[str] = (),
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    is_live: bool = True,
) -> PairSummary:
    """Analyse a run in one pass and write its report, with its pairs, spectra and matrix as Parquet next to the page.

    The folder is as for `write_page`, and refused before the run is read. With `random` windows, such as `1us:3us`,
    or `auto`, random coincidences are measured there and subtracted. Several runs are read together, and then each by
    itself. `tell` is called with the present step when the runs have been read. `is_live` is whether gates can be
    drawn on the page.

    Raises:
        OutputError: the folder exists and `overwrite` is False, or it cannot be written.
    """
    folder = Path(folder)
    tables = [f"{name}.parquet" for name in TABLES]
    with folder_complete_or_nothing(folder, overwrite=overwrite, names=tables, last=PAGE) as partial:
        rule = with_random(recording, rule, random)
        analysis = analyse(recording, rule, pairs_output=partial / tables[0])
        assert analysis.summary
        origin = analysis.summary.provenance(recording)
        save(analysis.spectra.lazy(), partial / tables[1], metadata=origin)
        save(analysis.matrix.lazy(), partial / tables[2], metadata=_of_matrix(analysis, recording))
        by_run = _by_run(recording, rule, tell)
        now, files = datetime.now().astimezone(), _listed(analysis)
        _write(contents(analysis, now, by_run=by_run, files=files, tell=tell, is_live=is_live), partial)
    return analysis.summary.saved(folder / PAGE)


def make_report_of_pairs(
    saved: SavedPairs, folder: str | Path, *, overwrite: bool = False, is_live: bool = True
) -> SavedPairsSummary:
    """Write the report of saved pairs, with their matrix and the spectra of their hits next to the page.

    Raises:
        InputError: the pairs have neither energies nor adc values.
        OutputError: the folder exists and `overwrite` is False, or it cannot be written.
    """
    folder = Path(folder)
    names = [f"{name}.parquet" for name in TABLES[1:]]
    with folder_complete_or_nothing(folder, overwrite=overwrite, names=names, last=PAGE) as partial:
        analysis, tally = analyse_pairs(saved)
        summary = SavedPairsSummary(**saved.summary(tally, energies=saved.is_calibrated))
        save(analysis.spectra.lazy(), partial / names[0], metadata=saved.provenance(summary))
        save(analysis.matrix.lazy(), partial / names[1], metadata=saved.origin(summary.to_json() | _bins(analysis)))
        now, files = datetime.now().astimezone(), [one for one in _listed(analysis) if one.name in names]
        _write(contents_of_pairs(analysis, saved, now, files=files, is_live=is_live), partial)
    return summary.saved(folder / PAGE)


def _by_run(recording: Recording, rule: PairRule, tell: Callable[[str], None]) -> list[Analysis]:
    """The analysis of each of several runs."""
    number = len(recording.runs.all)
    if number < 2:
        return []
    found = []
    for place, one in enumerate(recordings(recording), 1):
        tell(f"reading run {place} of {number} separately")
        found.append(analyse(one, rule))
    return found


def _listed(analysis: Analysis) -> list[File]:
    """The tables next to the page, and their content."""
    detectors = amount(analysis.detectors.height, "detector")
    what = {
        "pairs": f"The coincidences: {amount(analysis.pairs, 'pair')} within {analysis.window}",
        "spectra": f"The spectra of {detectors}",
        "matrix": f"The coincidence matrix: {amount(analysis.matrix.height, 'filled bin')}",
    }
    return [File(f"{name}.parquet", text) for name, text in what.items()]


def write_page(analysis: Analysis, folder: str | Path, *, overwrite: bool = False, now: datetime | None = None) -> Path:
    """Write a run's report: `index.html`, complete in itself, and its figures as PNG files next to it; its page's path.

    The folder, in one that exists, appears under its name only when it is complete. Where it exists already, and may by
    `overwrite`, the report's own files are replaced, the page last, and nothing else is touched. The page bears the
    date `now`, the present by default.

    Raises:
        OutputError: the folder exists and `overwrite` is False, or it cannot be written.
    """
    folder = Path(folder)
    with folder_complete_or_nothing(folder, overwrite=overwrite, last=PAGE) as partial:
        _write(contents(analysis, now or datetime.now().astimezone()), partial)
    return folder / PAGE


def _of_matrix(analysis: Analysis, recording: Recording) -> dict[str, str]:
    """The metadata in the file of the matrix."""
    assert analysis.summary
    return describe(recording.runs, analysis.summary.to_json() | _bins(analysis), recording.detectors)


def _bins(analysis: Analysis) -> dict[str, Any]:
    """The width of the matrix's bins, which cannot be inferred from few filled ones: page and commands use the same."""
    return {"bins": [{"column": name, "width": analysis.matrix_bin} for name in axes_of(analysis.matrix.schema)]}


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
