"""The command `run`: an experiment.toml in, the outputs of all its steps out; only what changed is done again.

Nothing here imports polars before there is a step to be done: that nothing is to be done shall be known at once.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from gammapolars.commands.run.experiment import Experiment, load_experiment
from gammapolars.commands.run.judgement import Judgement, judged
from gammapolars.commands.run.parse import RunOptions
from gammapolars.commands.run.record import Record
from gammapolars.commands.run.steps import Step, chosen
from gammapolars.core.errors import InputError
from gammapolars.core.records import Rows
from gammapolars.core.summaries import CommandSummary

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ExperimentSummary(CommandSummary):
    """The steps of an experiment.

    Attributes:
        steps: of each its `name`, `command`, `status`, which is done, up_to_date, would_run or kept (its output was
            edited by hand), the `reason` for that, all its `outputs`, its `warnings`, also where it was done before,
            and `elapsed_s`, which is null where it was not done now.
        texts: the summaries of the steps that were done, for people, by their names.
    """

    HIDDEN: ClassVar = ("texts",)

    steps: Rows
    texts: dict[str, list[str]]


def run(options: RunOptions) -> ExperimentSummary:
    """Do the steps of an experiment that are due.

    Raises:
        GammapolarsError: of the step that fails; the message begins with its name.
    """
    experiment = load_experiment(options.file)
    steps, named = chosen(experiment.steps, options.steps or ())
    again = frozenset(named if options.again else ())
    record = experiment.record()
    rows = list(_foreseen(experiment, record, steps, again))
    if options.dry_run:
        return _summary(options.file, rows)
    if not any(row["status"] == "would_run" for row in rows):
        record.keep_renewed()
        return _summary(options.file, rows)
    with _locked(options.file):
        return _done(experiment, steps, again, overwrite=options.overwrite)


def _done(
    experiment: Experiment, steps: Sequence[Step], again: frozenset[str], *, overwrite: bool
) -> ExperimentSummary:
    """Do the steps in their order, each judged when those before it are done."""
    from gammapolars.commands.command import lines_of
    from gammapolars.commands.run.work import perform

    record, rows, texts = experiment.record(), list[Row](), dict[str, list[str]]()
    for step in steps:
        judgement = judged(step, record, experiment.output, again=step.name in again)
        if not judgement.reasons:
            rows.append(_not_done(step, judgement, record))
            continue
        if sys.stderr.isatty():
            print(f"{step.name}: {judgement.reasons[0]}", file=sys.stderr)
        summary = perform(step, judgement, record, experiment.output, overwrite=overwrite)
        rows.append(_row(step, "done", "; ".join(judgement.reasons), record, summary.elapsed_s))
        texts[step.name] = lines_of(step.package, summary)
    written = (output for row in rows if row["status"] == "done" for output in row["outputs"])
    return _summary(experiment.file, rows, texts, tuple(written))


def _foreseen(experiment: Experiment, record: Record, steps: Sequence[Step], again: frozenset[str]) -> Iterator[Row]:
    """What would be done: a step whose input an earlier one would write may turn out not to be."""
    pending = dict[str, str]()
    for step in steps:
        judgement = judged(step, record, experiment.output, again=step.name in again, pending=pending)
        before = dict.fromkeys(pending[place] for place in map(record.place, step.reads) if place in pending)
        reasons = judgement.reasons or tuple(f"if step '{name}' changes its input" for name in before)
        if reasons:
            pending |= dict.fromkeys(map(record.place, step.writes), step.name)
            edited = (f"{path} was edited by hand: needs --overwrite" for path in judgement.edited)
            yield _row(step, "would_run", "; ".join((*reasons, *edited)), record) | {"warnings": []}  # they may go
        else:
            record.renew(step.name, judgement.inputs)
            yield _not_done(step, judgement, record)


def _not_done(step: Step, judgement: Judgement, record: Record) -> Row:
    """A step that is not due; one whose output was edited is not either."""
    row = _row(step, "kept" if judgement.edited else "up_to_date", "", record)
    if judgement.edited:
        names = ", ".join(map(str, judgement.edited))
        row["reason"] = f"edited by hand: {names}"
        advice = "it is kept, and later steps read it as it is (remove it to have it made again)"
        row["warnings"] = [*row["warnings"], f"{names}: was edited after step '{step.name}' wrote it; {advice}"]
    return row


def _row(step: Step, status: str, reason: str, record: Record, elapsed_s: float | None = None) -> Row:
    entry = record.entries.get(step.name)
    return {
        "name": step.name,
        "command": step.command,
        "status": status,
        "reason": reason,
        "outputs": [str(record.path_of(place)) for place in entry.outputs] if entry else [],
        "warnings": list(entry.warnings) if entry else [],
        "elapsed_s": elapsed_s,
    }


def _summary(
    file: Path, rows: list[Row], texts: dict[str, list[str]] | None = None, written: tuple[str, ...] = ()
) -> ExperimentSummary:
    """The summary of steps; a warning of several is given once."""
    by_text = dict[str, list[str]]()
    for row in rows:
        for warning in row["warnings"]:
            by_text.setdefault(warning, []).append(row["name"])
    warnings = tuple(f"{', '.join(names)}: {text}" for text, names in by_text.items())
    return ExperimentSummary(inputs=(str(file),), steps=rows, texts=texts or {}, outputs=written, warnings=warnings)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """While the steps of a file are done, no other process does them.

    Raises:
        InputError: one does.
    """
    from gammapolars.core.system import IS_WINDOWS
    from gammapolars.io.locks import try_lock

    try:
        opened = os.open(file, os.O_RDWR if IS_WINDOWS else os.O_RDONLY)
    except PermissionError:  # a file that is only read cannot be locked on Windows
        yield
        return
    try:
        if try_lock(opened) is False:
            raise InputError(f"{file}: another 'gammapolars run' is at work on it: wait until it has ended")
        yield
    finally:
        os.close(opened)
