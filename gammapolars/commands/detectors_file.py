"""detectors.toml as an output."""

from pathlib import Path

from gammapolars.detectors import Detectors, updated_text
from gammapolars.io.output import write_bytes


def save_detectors(detectors: Detectors, path: Path, *, overwrite: bool) -> None:
    """Write detectors.toml; of the file that the detectors were read from, all that they share stays as it was.

    Args:
        detectors: may have been read from this very file.
        path: where detectors.toml is written; the table of drift is named from there.
        overwrite: whether a file of this name is replaced.

    Raises:
        OutputError: the file exists already or cannot be written.
    """
    write_bytes(updated_text(detectors.in_folder(path.parent)).encode("utf-8"), path, overwrite=overwrite)
