"""Compares what a command line left behind on both sides: its exit code, what it printed, and its files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.outputs import binary_files
from tests.outputs.changes import Changes
from tests.outputs.command_line import CommandLine
from tests.outputs.masks import without_clock, without_times, without_versions
from tests.outputs.running import Outcome
from tests.outputs.values import Differences, both, few, json_differences, text_differences

TEXT_BYTES = 50_000_000
"""Larger files are compared as bytes alone."""


@dataclass(frozen=True)
class Comparison:
    """Of one command line; `here` is this checkout and `there` the other, which is older.

    Attributes:
        line: the command line.
        changes: what differs on purpose.
    """

    line: CommandLine
    changes: Changes

    def differences(self, here: Outcome, there: Outcome, files_here: Path, files_there: Path) -> list[str]:
        """All that differs, a line each."""
        return [
            *self.of_codes(here, there),
            *few(self.of_stdout(here.out, there.out), "stdout"),
            *few(self.of_texts(here.err, there.err), "stderr"),
            *self.of_folders(files_here, files_there),
        ]

    def of_codes(self, here: Outcome, there: Outcome) -> Differences:
        """Other exit codes, and a command line that does not do there what it is meant to do."""
        if here.code != there.code:
            yield f"exit code: {here.code} here, {there.code} there"
        if bool(there.code) != self.line.fails:
            lines = there.err.strip().splitlines() or ["nothing on stderr"]
            yield f"exit code there: {there.code}, which this command line is not meant to have: {lines[-1]}"

    def of_stdout(self, here: str, there: str) -> Differences:
        """Differences of what is printed: as JSON where it is JSON."""
        if not self.line.prints_json:
            yield from self.of_texts(here, there)
            return
        try:
            values = json.loads(here), json.loads(there)
        except ValueError:
            yield from self.of_texts(here, there)
            return
        yield from self.of_json(*values)

    def of_json(self, here: Any, there: Any, command: str | None = None) -> Differences:
        """Differences of two summaries, apart from what is changed on purpose."""
        name = command or self.line.command
        here, there = without_clock(here), self.changes.new_form(name, without_clock(there))
        yield from json_differences(self.changes.without_additions(name, here, there), there)

    def of_texts(self, here: str, there: str) -> Differences:
        """Differences of two texts, apart from what is changed on purpose."""
        yield from text_differences(without_times(here), self.changes.new_text(self.line.command, without_times(there)))

    def of_provenance(self, here: dict[str, str], there: dict[str, str]) -> Differences:
        """Differences of the texts that files carry beside their data; of which most are one JSON object."""
        for name in sorted(here.keys() | there.keys()):
            if name not in here or name not in there:
                yield f", metadata '{name}': only {'here' if name in here else 'there'}"
                continue
            try:
                entries = [json.loads(text) for text in (here[name], there[name])]
            except ValueError:
                yield from text_differences(here[name], there[name])
                continue
            yield from few(self._of_entries(*entries), f", metadata '{name}'")

    def _of_entries(self, here: Any, there: Any) -> Differences:
        if not (isinstance(here, dict) and isinstance(there, dict)):
            yield from json_differences(here, there)
            return
        own_inputs = bool(self.line.sources)
        here, there = (without_versions(entry, own_inputs=own_inputs) for entry in (here, there))
        summaries = [entry.pop("summary", None) for entry in (here, there)]
        yield from (f" summary{difference}" for difference in self.of_json(*summaries))
        yield from self.of_json(here, there, "provenance")

    def of_folders(self, here: Path, there: Path) -> Differences:
        """Files that one side lacks, and differences of the others."""
        names = [_files_in(folder) for folder in (here, there)]
        for name in sorted(names[0] | names[1]):
            if name not in names[0] or name not in names[1]:
                yield f"{name}: only {'here' if name in names[0] else 'there'}"
            else:
                yield from few(self.of_files(here / name, there / name), name)

    def of_files(self, here: Path, there: Path) -> Differences:
        """Differences of two files of the same name, as their kind of file has them."""
        kind = here.suffix.lower()
        try:
            if kind in binary_files.TABLES:
                yield from binary_files.table_differences(here, there, self.of_provenance)
            elif kind == ".root":
                yield from binary_files.root_differences(here, there, self.of_provenance)
            elif here.read_bytes() != there.read_bytes():
                yield from self._of_bytes(here, there)
        except Exception as error:  # of whatever library reads it
            yield f": cannot be read here or there: {type(error).__name__}: {error}"

    def _of_bytes(self, here: Path, there: Path) -> Differences:
        """Differences of two files whose bytes differ: as pictures or as texts, where they are such."""
        if here.suffix.lower() == ".png":
            yield from binary_files.picture_differences(here, there)
            return
        data = [path.read_bytes() for path in (here, there)]
        if max(map(len, data)) <= TEXT_BYTES:
            try:
                yield from self.of_texts(*(part.decode("utf-8") for part in data))
            except UnicodeDecodeError:
                pass
            else:
                return
        yield from byte_differences(*data)


def byte_differences(here: bytes, there: bytes) -> Differences:
    """The first byte at which two files differ."""
    place = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there)))
    parts = (data[place : place + 8].hex(" ") or "the end" for data in (here, there))
    yield f", from byte {place} on: {both(*parts)} ({len(here)} and {len(there)} bytes)"


def _files_in(folder: Path) -> set[str]:
    """The names of all files below a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
