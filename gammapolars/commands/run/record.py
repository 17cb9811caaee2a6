"""The record of an experiment: of each step that was done, with what options, from which input, to which output.

It is a file of its own, in the folder of outputs, since most outputs (detectors.toml, tables in CSV, pages, figures)
have no place for it. That of a step is written when its outputs are complete and before they take their names: whenever
a process ends, the record shows which of the two contents a file has, and whether the step is to be done again.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gammapolars.commands.run.stamps import Stamp
from gammapolars.core.errors import InputError, OutputError
from gammapolars.core.small_files import read_small

FORM = 1
"""The number of the form of the file, to be counted up where it changes."""

MANY = 20
"""Fingerprints of up to this many files take no time that matters."""


@dataclass(frozen=True)
class Entry:
    """A step that was done.

    Attributes:
        parameters: all options.
        versions: of the packages that results depend on.
        names: of files, folders and patterns, which may mean other files later.
        inputs: the files that it read, and those that were looked for and missing.
        outputs: the fingerprints of the files that it wrote, by their names.
        before: those of the files that they took the place of; None: there was none.
        warnings: of the command.
    """

    parameters: dict[str, Any]
    versions: dict[str, str]
    names: tuple[str, ...]
    inputs: dict[str, Stamp]
    outputs: dict[str, str]
    before: dict[str, str | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Record:
    """The steps of an experiment that were done.

    Args:
        path: of its file.
        file: the experiment.toml; the names of other files start from its folder.

    Raises:
        InputError: it is damaged, or that of another experiment.
    """

    def __init__(self, path: Path, file: Path) -> None:
        self.path, self.folder = path, file.parent
        self._file = _way(path.parent, file)
        self.entries = _entries(path, self._file) if path.exists() else {}
        self._renewed = 0

    def place(self, path: Path) -> str:
        """The name of a file in the record: in the folder it stays the same where the folder is moved."""
        full, folder = path.absolute(), self.folder.absolute()
        if path.is_absolute() and folder not in full.parents:
            return path.as_posix()
        return _way(folder, full)

    def path_of(self, place: str) -> Path:
        """The file that has a name in the record."""
        return self.folder / place

    def keep(self, name: str, entry: Entry) -> None:
        """Write an entry down at once, even within the outputs of a step.

        Raises:
            OutputError: the file cannot be written.
        """
        self.entries[name] = entry
        self._write()

    def renew(self, name: str, inputs: dict[str, Stamp]) -> None:
        """Note the present times of files that did not change, so that they need not be read the next time."""
        entry = self.entries[name]
        self._renewed += sum(one != entry.inputs.get(place) for place, one in inputs.items())
        self.entries[name] = replace(entry, inputs=inputs)

    def keep_renewed(self) -> None:
        """Write them down where they are many; where the file cannot be written, they are read again."""
        if self._renewed > MANY:
            with suppress(OutputError):
                self._write()

    def _write(self) -> None:
        from gammapolars.io.output import write_bytes
        from gammapolars.io.transaction import outputs_at_once

        steps = {name: asdict(entry) for name, entry in self.entries.items()}
        text = json.dumps({"gammapolars": FORM, "from": self._file, "steps": steps}, indent=1, ensure_ascii=False)
        with outputs_at_once():
            write_bytes(f"{text}\n".encode(), self.path, overwrite=True)


def _way(folder: Path, path: Path) -> str:
    """How a file is found from a folder: the same where both are moved."""
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # on another drive of Windows
        return path.absolute().as_posix()


def _entries(path: Path, file: str) -> dict[str, Entry]:
    """The entries of a file.

    Raises:
        InputError: it is no record of this form.
    """
    try:
        document = json.loads(read_small(path))
        if document["gammapolars"] != FORM:
            raise ValueError("it is of another version")
        entries = {name: _entry(**one) for name, one in document["steps"].items()}
        of = document["from"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"{path}: is no record of an experiment: remove it; all steps are then done again, and their outputs must "
            "be removed as well, or replaced with --overwrite"
        ) from None
    if of != file:
        raise InputError(f"{path}: is the record of another experiment ({of}): give another folder as 'output'")
    return entries


def _entry(inputs: dict[str, Any], names: list[str], warnings: list[str], **others: Any) -> Entry:
    stamps = {place: Stamp(**one) for place, one in inputs.items()}
    return Entry(inputs=stamps, names=tuple(names), warnings=tuple(warnings), **others)
