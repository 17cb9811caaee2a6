"""Folders of outputs: complete, or not there at all."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gammapolars.core.errors import OutputError, writable
from gammapolars.core.wording import setting
from gammapolars.io.dataset import check_outside, is_dataset
from gammapolars.io.file_names import check_name
from gammapolars.io.hidden import hidden_folder, remove_abandoned
from gammapolars.io.output import check_output
from gammapolars.io.protection import protection
from gammapolars.io.transaction import current_transaction, outputs_at_once


@contextmanager
def folder_complete_or_nothing(
    folder: Path, *, overwrite: bool, names: Sequence[str] = (), last: str = ""
) -> Iterator[Path]:
    """A hidden folder to write files into; they move into place when the block ends without an error.

    In a folder that exists, files of the same names are replaced and nothing else is touched. Within
    `outputs_together` they move when all outputs do.

    Args:
        folder: the folder to be written; the one that holds it must exist.
        overwrite: whether the folder may exist already.
        names: of files that will be in it, as far as they are known: refused at once where they cannot be replaced.
        last: the file that is moved last, and so is there only when all others are.

    Raises:
        OutputError: the folder exists and `overwrite` is False, it is that of a run, or it cannot be written.
    """
    check_folder(folder, overwrite=overwrite, names=(*names, *([last] if last else [])))
    remove_abandoned(folder)
    exists = folder.is_dir()
    with ExitStack() as own:
        outputs = current_transaction(own)
        outputs.begin(folder)
        partial = hidden_folder(folder, "partial", outputs.cleaning, inside=exists)
        with writable(folder), outputs_at_once():
            yield partial
        if not exists:
            outputs.add(partial, folder, overwrite=False)
            return
        for file in sorted(partial.iterdir(), key=lambda file: file.name == last):
            check_output(folder / file.name, overwrite=True)
            outputs.begin(folder / file.name)
            outputs.add(file, folder / file.name, overwrite=True)


def check_folder(folder: Path, *, overwrite: bool, names: Sequence[str] = ()) -> None:
    """Refuse outputs that should not be written, before any work is done."""
    with writable(folder):
        protection().check_folder(folder)
        check_outside(folder)
        if is_dataset(folder):
            raise OutputError(f"{folder}: is a dataset of pairs, which holds nothing else: choose another folder")
        if folder.is_dir():
            if not overwrite:
                advice = f"choose another folder, or add {setting('--overwrite', 'overwrite=True')}"
                raise OutputError(f"{folder}: already exists: {advice}")
            for name in names:
                check_output(folder / name, overwrite=True)
            return
        check_name(folder)
        if folder.exists() or folder.is_symlink():
            raise OutputError(f"{folder}: is not a folder: choose another name")
        if not folder.parent.is_dir():
            raise OutputError(f"{folder}: there is no folder {folder.parent} to write it into: create it first")
