"""The command `drift`: runs in, a table of gain factors, a figure and a summary out."""

from typing import cast

from gammapolars.analysis.recording import Recording
from gammapolars.calibration.drift import Reference
from gammapolars.commands import drifts
from gammapolars.commands.drift.parse import DriftOptions


def drift(options: DriftOptions, recording: Recording) -> drifts.DriftSummary:
    """Track lines through runs, and write the factors that undo the drift of their gains."""
    return drifts.follow(
        recording,
        options.output,
        options.track,
        reject=options.reject,
        slice=options.slice,
        reach=options.reach,
        reference=cast(Reference, options.reference),  # which `track_drift` checks
        figure=options.figure,
        overwrite=options.overwrite,
    )


text = drifts.drift_lines
