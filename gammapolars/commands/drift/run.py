"""What the command `drift` does: runs in, a table of gain factors, a figure and a summary out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.analysis.gain_correction import RUNS
from gammapolars.calibration.drift import REACH, Reference, track_drift
from gammapolars.commands.figure_files import check_figure, save_figure
from gammapolars.core import defaults
from gammapolars.core.flags import parse_reject
from gammapolars.core.types import Progress
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.output import check_suffix
from gammapolars.io.provenance import describe

TABLE = ".parquet"


def drift(
    runs: Runs,
    output: Path,
    lines_kev: Iterable[float],
    *,
    detectors: Detectors,
    reject: str = defaults.REJECT,
    slice: str | None = None,
    reach: float = REACH,
    reference: Reference = "calibration",
    figure: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Track lines through runs, and write the factors that undo the drift of their gains.

    Args:
        runs: from `open_runs`.
        output: a Parquet file, for `drift` in detectors.toml; it tells which runs it is of.
        lines_kev: as for `track_drift`, and so are the following.
        detectors: with their calibrations.
        reject: names of the flags that reject a hit.
        slice: the shortest slice of time.
        reach: largest relative change of the gain.
        reference: where the factors bring lines to.
        figure: a PNG file; None: no figure.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars drift --json` prints it.
    """
    energies = list(lines_kev)
    check_suffix(output, "a table of drift is", (TABLE,))
    check_writable(output, overwrite=overwrite)
    check_figure(figure, overwrite=overwrite)
    found = track_drift(
        runs, detectors, energies, reject=reject, slice=slice, reach=reach, reference=reference, progress=progress
    )
    summary = {
        **account(found.hits, runs.losses, parse_reject(reject)),
        **times(found.hits, runs),
        "lines_kev": energies,
        "reference": reference,
        RUNS: [run._asdict() for run in found.drift.runs],
        "detectors": found.detectors.to_dicts(),
        "lines": found.lines.to_dicts(),
        "warnings": [*reading_warnings(runs), *time_warnings(found.hits, runs), *found.warnings],
    }
    save(found.drift.table.lazy(), output, overwrite=overwrite, metadata=describe(runs, summary))
    outputs = [str(output)]
    if figure is not None:
        from gammapolars import figures

        plot = figures.drift(found.positions, found.curves, found.spectra)
        save_figure(plot, figure, overwrite=overwrite)
        outputs.append(str(figure))
    return summary | {"outputs": outputs}
