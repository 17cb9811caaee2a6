"""The pairs of a pass as an output: streamed into it, or put together from the parts that tasks wrote."""

from collections.abc import Callable
from pathlib import Path

from gammapolars.analysis.passes import PairPass
from gammapolars.io import save
from gammapolars.io.parts import parts_folder, save_parts


def save_pairs(
    reading: PairPass,
    output: Path,
    *,
    metadata: Callable[[], dict[str, str]],
    overwrite: bool = False,
    layout: str | None = None,
) -> None:
    """Carry out a pass, and write its pairs.

    Args:
        reading: the pass.
        output: a table of any format, or a dataset.
        metadata: gives the output's provenance, when the pass is over.
        overwrite: whether an output that exists is replaced.
        layout: another form of the table, by its name.

    Raises:
        OutputError: the output exists or cannot be written, or workers do not see its folder.
    """
    if (engine := reading.recording.engine) is None:
        save(reading.pairs(), output, layout=layout, overwrite=overwrite, metadata=metadata)
        return
    with parts_folder(output) as folder:
        engine.check_folder(folder)
        parts = reading.carry_out(engine, folder)
        save_parts(parts, folder, output, layout=layout, overwrite=overwrite, metadata=metadata)
