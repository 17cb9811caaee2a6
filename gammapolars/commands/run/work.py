"""A step of an experiment, done exactly as its command does it, and written down."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gammapolars.commands.command import performed
from gammapolars.commands.declared import Reads, declared, inputs_of
from gammapolars.commands.process import WRONG_USAGE
from gammapolars.commands.run.judgement import Judgement
from gammapolars.commands.run.record import Entry, Record
from gammapolars.commands.run.stamps import Stamp, listed, stamp
from gammapolars.commands.run.steps import Step
from gammapolars.core.errors import GammapolarsError, InputError, OutputError, UsageError, writable
from gammapolars.core.fingerprint import fingerprint
from gammapolars.core.summaries import CommandSummary
from gammapolars.core.versions import versions
from gammapolars.io.transaction import outputs_at_once

HISTOGRAMS = "[Hh]compass*.root"
"""CoMPASS's files of histograms, which lie next to a run and have its live times."""


def perform(step: Step, judgement: Judgement, record: Record, output: Path, *, overwrite: bool) -> CommandSummary:
    """Do a step, and record it.

    The record is written when the outputs are complete, before they take their names; those that do not change keep
    their times.

    Args:
        step: to be done.
        judgement: why.
        record: of all steps.
        output: the folder of outputs.
        overwrite: whether files are replaced that no step wrote, or that were edited since.

    Raises:
        GammapolarsError: of the command, or an output is in the way.
    """
    with naming(step.name):
        if not overwrite:
            _check_edited(judgement)
            _check_free(step, record)
        for path in (record.path, *step.writes):
            with writable(path):
                path.parent.mkdir(parents=True, exist_ok=True)
        options = _options(step, record)
        names, inputs = _inputs(step, options, record, output)
        with outputs_at_once() as outputs:
            summary = performed(step.package, options)
            files = outputs.files()
            if not overwrite:
                _check_strange(step, record, files)
            made = {record.place(path): fingerprint(hidden) for path, hidden in files.items()}
            before = {place: stamp(record.path_of(place)).hash for place in made}
            warnings = (*summary.warnings, *_unseen(options))
            entry = Entry(step.parameters, versions(), names, inputs, made, before, warnings)
            outputs.leave_equal()
            record.keep(step.name, entry)
        record.keep(step.name, replace(entry, before={}))
    return summary


def _options(step: Step, record: Record) -> Any:
    """The options of a step's command."""
    if step.command != "query":
        return step.options
    from gammapolars.commands.run.query import with_parameters

    return with_parameters(step.options, step.of_query, record.folder)


def _inputs(step: Step, options: Any, record: Record, output: Path) -> tuple[tuple[str, ...], dict[str, Stamp]]:
    """What a step reads, before it does: names that may mean other files later, and the stamps of all files."""
    read = inputs_of(options)
    names = [Path(name) for name in _runs(options) if "://" not in name]
    names += [folder.path / HISTOGRAMS for folder in read.folders]
    files = dict.fromkeys((*read.files, *(path for name in names for path in listed(name, output))))
    old = record.entries[step.name].inputs if step.name in record.entries else {}
    places = dict.fromkeys(map(record.place, files))
    stamps = {place: stamp(record.path_of(place), old.get(place)) for place in places}
    return tuple(map(record.place, names)), stamps


def _runs(options: Any) -> Iterator[str]:
    """The names of runs, or of what a command takes in their place."""
    for field, marker in declared(type(options), Reads).items():
        if marker.what == "runs":
            yield from getattr(options, field) or ()


def _unseen(options: Any) -> Iterator[str]:
    """A warning for each file on a server."""
    for name in _runs(options):
        if "://" in name:
            yield f"{name}: is on a server, where changes are not noticed: use --again after one"


def _check_edited(judgement: Judgement) -> None:
    if judgement.edited:
        raise OutputError(
            f"{judgement.edited[0]}: was edited after this step wrote it, and the step is to be done again "
            f"({judgement.reasons[0]}): move the file away to keep it, or add --overwrite to replace it"
        )


def _check_free(step: Step, record: Record) -> None:
    """Raise where an output exists that the step did not write: before it does any work."""
    known = _known(step, record)
    for path in step.writes:
        place = record.place(path)
        if path.exists() and not any(one == place or one.startswith(f"{place}/") for one in known):
            raise OutputError(_in_the_way(path))


def _check_strange(step: Step, record: Record, files: Mapping[Path, Path]) -> None:
    """The same for all files that it did write, those in folders too."""
    known = _known(step, record)
    for path in files:
        if path.exists() and record.place(path) not in known:
            raise OutputError(_in_the_way(path))


def _known(step: Step, record: Record) -> set[str]:
    entry = record.entries.get(step.name)
    return set(entry.outputs) if entry else set()


def _in_the_way(path: Path) -> str:
    return f"{path}: exists, and this step did not write it: move it away, or add --overwrite to replace it"


@contextmanager
def naming(step: str) -> Iterator[None]:
    """Lets errors name the step that they come from."""
    try:
        yield
    except GammapolarsError as error:
        error.args = (f"{step}: {error}",)
        raise
    except WRONG_USAGE as error:
        raise UsageError(f"{step}: {error.format_message()}") from None
    except OSError as error:
        reason = f"{error.filename or 'an output'}: cannot be read or written: {error.strerror or error}"
        raise InputError(f"{step}: {reason}") from None
