"""Outputs that appear under their name only when they are complete."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gammapolars.core.errors import OutputError, UsageError, writable
from gammapolars.core.file_identity import repeated_name, replacing
from gammapolars.core.wording import setting
from gammapolars.io.dataset import check_outside
from gammapolars.io.file_names import check_name
from gammapolars.io.hidden import hidden_file, is_part, remove_abandoned
from gammapolars.io.protection import protection
from gammapolars.io.transaction import current_transaction


@contextmanager
def complete_or_nothing(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A hidden file next to `path` to write to; it takes the name `path` when the block ends without an error.

    Within `outputs_together` it takes that name when all outputs do. Leftovers of killed processes for the
    same output are removed.

    Args:
        path: the output's final name.
        overwrite: whether a file of this name is replaced.

    Raises:
        OutputError: the output exists already, is protected, or its folder is missing or cannot be written to.
    """
    path = Path(path)
    if is_part(path):  # whoever made this name will publish the file
        yield path
        return
    check_output(path, overwrite=overwrite)
    remove_abandoned(path)
    with ExitStack() as own:
        outputs = current_transaction(own)
        outputs.begin(path)
        hidden = hidden_file(path, outputs.cleaning)
        with writable(path), replacing(path):
            yield hidden
        outputs.add(hidden, path, overwrite=overwrite)


def write_bytes(data: bytes, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a small output at once.

    Raises:
        OutputError: as for `complete_or_nothing`.
    """
    with complete_or_nothing(path, overwrite=overwrite) as hidden:
        hidden.write_bytes(data)


def check_suffix(path: Path, what: str, suffixes: Iterable[str]) -> None:
    """Raise where an output's suffix does not give its format.

    Args:
        path: the output.
        what: such as `matrices are`.
        suffixes: those that are known, in small letters.

    Raises:
        UsageError: it is none of them.
    """
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: unknown suffix '{path.suffix}': {what} written to {', '.join(suffixes)}")


def check_apart(*paths: Path | None) -> None:
    """Raise before any work is done if two outputs are the same file.

    Raises:
        UsageError: they are; the message names it.
    """
    if twice := repeated_name([path for path in paths if path is not None]):
        raise UsageError(f"{twice.name}: two outputs have this name: give them different names")


def check_output(path: Path, *, overwrite: bool) -> None:
    """Raise before any work is done if an output cannot be written at the end of it.

    Raises:
        OutputError: as for `complete_or_nothing`.
    """
    check_name(path)
    with writable(path):
        protection().check(path)
        check_outside(path)
        if path.is_dir():
            raise OutputError(f"{path}: is a folder: give a file name")
        if path.is_symlink() and not path.exists():
            raise OutputError(f"{path}: is a link to {path.readlink()}, which does not exist: choose another output")
        if path.exists() and not overwrite:
            raise OutputError(
                f"{path}: already exists: choose another output, or add {setting('--overwrite', 'overwrite=True')}"
            )
        if not path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}: create it first")
