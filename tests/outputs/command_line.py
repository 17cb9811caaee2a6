"""One command line, as the lists of them write it."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

INPUTS = "../../inputs"
"""Where the inputs lie, seen from the folder in which a command line runs."""

GROUPS = ("detectors",)
"""Commands that have commands of their own."""


@dataclass(frozen=True)
class CommandLine:
    """One call of gammapolars, in a folder of its own.

    Attributes:
        name: what it is called, and its folder; others reach the files that it writes by `../NAME/FILE`.
        text: what stands behind `gammapolars`; `@` before a word stands for the folder of the inputs.
        copies: inputs that lie in the folder itself before it starts.
        fails: whether it is meant to end with an error.
    """

    name: str
    text: str
    copies: tuple[str, ...] = ()
    fails: bool = False

    @property
    def words(self) -> list[str]:
        """Its words, with the folder of the inputs in place of `@`."""
        return [re.sub(r"(^|=)@", rf"\1{INPUTS}/", word) for word in shlex.split(self.text)]

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs that it reads."""
        return [*re.findall(r"(?:^|[\s='])@([^\s']+)", self.text), *self.copies]

    @property
    def command(self) -> str:
        """The command's name, such as `coincidences` or `detectors import`."""
        first, *others = shlex.split(self.text)
        return f"{first} {others[0]}" if first in GROUPS else first

    @property
    def prints_json(self) -> bool:
        """Whether it prints its summary as JSON."""
        return "--json" in self.words

    @property
    def sources(self) -> list[str]:
        """Names of the command lines whose files it reads."""
        return re.findall(r"\.\./([\w-]+)/", self.text)


def both(name: str, text: str) -> list[CommandLine]:
    """A command line whose summary is compared as text, and as JSON too."""
    return [CommandLine(name, text), CommandLine(f"{name}-json", f"{text} --json")]


def selection(lines: Iterable[CommandLine], word: str) -> list[CommandLine]:
    """The lines whose name or text has a word, and those whose files they read."""
    by_name = {line.name: line for line in lines}
    names = [line.name for line in by_name.values() if word in line.name or word in line.text]
    for name in names:  # grows
        names += [source for source in by_name[name].sources if source not in names]
    return [line for line in by_name.values() if line.name in names]
