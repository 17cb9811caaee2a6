"""What the command `align` does: runs in, a detectors.toml with offsets and walk, a figure and a summary out."""

import math
from pathlib import Path
from typing import Any

from gammapolars.analysis.accounting import account, reading_warnings, time_warnings, times
from gammapolars.calibration.timing import Timing, measure_timing
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.commands.figure_files import check_figure
from gammapolars.core import defaults
from gammapolars.core.flags import parse_reject
from gammapolars.core.types import Progress
from gammapolars.core.units import parse_range
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.output import check_output, complete_or_nothing


def align(
    runs: Runs,
    output: Path,
    *,
    detectors: Detectors,
    search: str = defaults.SEARCH,
    reject: str = defaults.REJECT,
    walk: bool | None = None,
    reference: str | None = None,
    energy: str | None = None,
    most_hits: int | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure time offsets, walk and resolutions, and write detectors.toml: all else stays as it was.

    Args:
        runs: from `open_runs`.
        output: the detectors.toml.
        detectors: the old one; its offsets are where the search begins.
        search: as for `measure_timing`, and so are the following.
        reject: names of the flags that reject a hit.
        walk: whether walk is fitted; None: where it helps.
        reference: name of the detector whose offset stays.
        energy: only hits of these energies, `LOW:HIGH` in keV; None: all.
        most_hits: how many hits are read at most.
        figure: a PNG file of time differences before and after; None: no figure.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars align --json` prints it.

    Raises:
        CalibrationError: no detector pair shows a prompt peak.
        UsageError: an option that cannot be, or a figure that is no .png.
        OutputError: an output exists already.
    """
    check_output(output, overwrite=overwrite)
    check_figure(figure, overwrite=overwrite)
    found = measure_timing(
        runs,
        detectors,
        search=search,
        reject=reject,
        walk=walk,
        reference=reference,
        energy_kev=parse_range(energy, "--energy") if energy is not None else None,
        most_hits=most_hits,
        progress=progress,
    )
    data = _drawn(found) if figure is not None else b""
    save_detectors(found.aligned, output, overwrite=overwrite)
    outputs = [str(output)]
    if figure is not None:
        with complete_or_nothing(figure, overwrite=overwrite) as hidden:
            hidden.write_bytes(data)
        outputs.append(str(figure))
    return _summary(runs, found, reject) | {"outputs": outputs}


def _summary(runs: Runs, found: Timing, reject: str) -> dict[str, Any]:
    covered = time_warnings(found.hits, runs) if found.complete else ()
    return {
        **account(found.hits, runs.losses, parse_reject(reject)),
        **times(found.hits, runs),
        "detectors": found.detectors.to_dicts(),
        "detector_pairs": found.pairs.to_dicts(),
        "covariance_ps2": [[None if math.isnan(one) else one for one in row] for row in found.covariance_ps2],
        "chi2": found.chi2,
        "ndf": found.ndf,
        "clock_ps": found.clock_ps,
        "walk": found.walk,
        "notes": list(found.notes),
        "warnings": [*reading_warnings(runs), *covered, *found.warnings],
    }


def _drawn(found: Timing) -> bytes:
    from gammapolars import figures
    from gammapolars.figures import png

    return png(figures.timing(found.differences, found.pairs))
