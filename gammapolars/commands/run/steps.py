"""The steps of an experiment: what each reads and writes, and which it needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gammapolars.commands.declared import Reads, Writes, declared
from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.file_identity import real, repeated_name, same_file


@dataclass(frozen=True)
class Step:
    """One command of an analysis.

    Attributes:
        name: of the step.
        command: its command.
        options: of this command, with paths from the present folder.
        parameters: the same as plain values, with paths from the folder of the file.
        of_query: the parameters of a query.
    """

    name: str
    command: str
    options: Any
    parameters: dict[str, Any]
    of_query: dict[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> str:
        """Where the command lives."""
        return f"gammapolars.commands.{self.command}"

    @cached_property
    def reads(self) -> tuple[Path, ...]:
        """The files, folders and patterns that it reads."""
        return tuple(self._paths(Reads))

    @cached_property
    def writes(self) -> tuple[Path, ...]:
        """The files and folders that it writes."""
        return (*self._paths(Writes), *getattr(self.options, "further_outputs", ()))

    def _paths(self, kind: type) -> Iterable[Path]:
        for name in declared(type(self.options), kind):
            value = getattr(self.options, name)
            yield from (Path(one) for one in (value if isinstance(value, list) else [value]) if one is not None)


def check_steps(file: Path, steps: Sequence[Step]) -> None:
    """Raise where steps are in each other's way.

    Raises:
        InputError: two write the same file, one writes a file that is input of the analysis, or reads one that a later
            step writes.
    """
    if twice := repeated_name([path for step in steps for path in step.writes]):
        raise InputError(f"{file}: two steps write {twice}: give one of them another output")
    writer = {real(path): place for place, step in enumerate(steps) for path in step.writes}
    given = [file, *(path for step in steps for path in step.reads if real(path) not in writer)]
    for place, step in enumerate(steps):
        own = {real(path) for path in step.reads}
        if lost := [path for path in step.writes if real(path) in own or same_file(path, given)]:
            raise InputError(f"{file}: [{step.command}] would replace {lost[0]}, an input: give another output")
        if late := [path for path in step.reads if writer.get(real(path), -1) >= place]:
            raise InputError(f"{file}: [{step.command}] reads {late[0]}, which is written only later")


def chosen(steps: Sequence[Step], words: Sequence[str]) -> tuple[tuple[Step, ...], frozenset[str]]:
    """The steps that words name, with those that they need; and the names of those that are named themselves.

    Args:
        steps: in their order.
        words: names of steps or commands; none means all.

    Raises:
        UsageError: a word names none.
    """
    for word in words:
        if not any(word in (step.name, step.command) for step in steps):
            names = ", ".join(step.name for step in steps)
            raise UsageError(f"there is no step '{word}' in this file: choose from {names}")
    named = {step.name for step in steps if not words or {step.name, step.command} & set(words)}
    needed, files = set(named), set[Path]()
    for step in reversed(steps):
        if step.name in needed or files & {real(path) for path in step.writes}:
            needed.add(step.name)
            files |= {real(path) for path in step.reads}
    return tuple(step for step in steps if step.name in needed), frozenset(named)
