"""The pairs of a pass as an output: streamed into it, or put together from the parts that tasks wrote."""

import json
from collections.abc import Callable
from pathlib import Path

from gammapolars.analysis.passes import PairPass
from gammapolars.analysis.resumable import Resumable
from gammapolars.core.versions import versions
from gammapolars.io import save
from gammapolars.io.parts import parts_folder, save_parts


def save_pairs(
    reading: PairPass,
    output: Path,
    *,
    metadata: Callable[[], dict[str, str]],
    overwrite: bool = False,
    layout: str | None = None,
    resume: bool = False,
) -> None:
    """Carry out a pass, and write its pairs.

    Args:
        reading: the pass.
        output: a table of any format, or a dataset.
        metadata: gives the output's provenance, when the pass is over.
        overwrite: whether an output that exists is replaced.
        layout: another form of the table, by its name.
        resume: whether tasks that a run of the same pass had finished are not done again, and are kept for another run
            where this one fails; with workers.

    Raises:
        OutputError: the output exists or cannot be written, or workers do not see its folder.
    """
    if (engine := reading.recording.engine) is None:
        save(reading.pairs(), output, layout=layout, overwrite=overwrite, metadata=metadata)
        return
    plan = json.dumps(versions())
    with parts_folder(output, plan=plan, take_over=resume, keep=resume) as folder:
        engine.check_folder(folder)
        resumable = Resumable(engine, folder)
        parts = reading.carry_out(resumable, folder)
        reading.recording.account.resumed += resumable.resumed
        save_parts(parts, folder, output, layout=layout, overwrite=overwrite, metadata=metadata)
