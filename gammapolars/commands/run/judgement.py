"""Whether a step is to be done, and why."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gammapolars.commands.run.record import Entry, Record
from gammapolars.commands.run.stamps import Stamp, changes, listed, stamp
from gammapolars.commands.run.steps import Step
from gammapolars.core.versions import versions


@dataclass(frozen=True)
class Judgement:
    """Whether a step is to be done.

    Attributes:
        reasons: why; none where it is not.
        edited: its outputs that were changed by hand.
        inputs: the files that it would read.
    """

    reasons: tuple[str, ...]
    edited: tuple[Path, ...] = ()
    inputs: dict[str, Stamp] = field(default_factory=dict)


def judged(
    step: Step, record: Record, without: Path, *, again: bool = False, pending: Container[str] = ()
) -> Judgement:
    """Compare a step with the record of when it was done.

    Args:
        step: to be judged.
        record: of the steps that were done.
        without: the folder of outputs.
        again: whether it is to be done in any case.
        pending: files that steps before it may still change.
    """
    asked = ("asked for with --again",) if again else ()
    entry = record.entries.get(step.name)
    if entry is None:
        return Judgement(("not done before", *asked))
    now = {place: stamp(record.path_of(place)).hash for place in entry.outputs}
    edited = [place for place, content in now.items() if content not in _contents(entry, place)]
    missing = [place for place, content in now.items() if content is None and entry.before.get(place, "") is not None]
    unfinished = [place for place, content in now.items() if content != entry.outputs[place] and place in entry.before]
    inputs = {place: one for place, one in inputs_now(entry, record, without).items() if place not in pending}
    reasons = [
        *asked,
        *_other_options(entry, step),
        *_other_versions(entry),
        *changes({place: one for place, one in entry.inputs.items() if place not in pending}, inputs),
        *(f"output missing: {place}" for place in missing),
        *(["was interrupted"] if unfinished and not missing else []),
    ]
    return Judgement(tuple(reasons), tuple(record.path_of(place) for place in edited if now[place] is not None), inputs)


def _contents(entry: Entry, place: str) -> tuple[str | None, ...]:
    """The contents that an output may have: that of the step, and while it was written the one before."""
    return (entry.outputs[place], *([entry.before[place]] if place in entry.before else []))


def inputs_now(entry: Entry, record: Record, without: Path) -> dict[str, Stamp]:
    """The files that a step would read now, and those that it looked for."""
    there = (record.place(path) for name in entry.names for path in listed(record.path_of(name), without))
    places = dict.fromkeys((*entry.inputs, *there))
    return {place: stamp(record.path_of(place), entry.inputs.get(place)) for place in places}


def _other_options(entry: Entry, step: Step) -> Iterator[str]:
    """The options that are others now; the input by its name, and where it lies does not matter."""
    for name in {**entry.parameters, **step.parameters}:
        old, new = entry.parameters.get(name), step.parameters.get(name)
        is_new = name not in entry.parameters and new in (None, False)  # an option of a later version, which is not set
        if old != new and not is_new:
            word = "runs" if name in ("names", "inputs") else name
            yield f"option {word} changed: {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    return "not given" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _other_versions(entry: Entry) -> Iterator[str]:
    """The packages whose versions are others now."""
    for package, number in versions().items():
        if entry.versions.get(package) != number:
            yield f"{package} {entry.versions.get(package, 'unknown')} → {number}"
