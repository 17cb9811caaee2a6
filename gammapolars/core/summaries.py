"""The summary of a command: the part that all commands have."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from gammapolars.core.records import Part, entries, optional


@dataclass(frozen=True)
class ClusterUse(Part):
    """How the work was shared by the workers of a cluster.

    Attributes:
        tasks: the parts that the hits were read in, each hit in one of them; 0: this process read them.
        workers: how many tasks could run at once.
        retried: how often a task was begun again, because its worker or the connection to a server was lost.
        whole: the names of runs that had to be read in one task, and why.
        resumed: how many tasks a run before had done.
    """

    HIDDEN: ClassVar = ("whole",)

    tasks: int
    workers: int
    retried: int
    whole: Mapping[str, str]
    resumed: int | None = optional()


@dataclass(frozen=True, kw_only=True)
class CommandSummary:
    """The summary of every command.

    Attributes:
        inputs: names of the files that were read.
        outputs: names of the files that were written, the main one first.
        warnings: what a reader must know before trusting the rest, one sentence each.
        elapsed_s: how long the command took (s); not in the provenance of files.
        hits_per_s: hits read in a second of that time, where runs are read.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    elapsed_s: float | None = optional()
    hits_per_s: float | None = optional()

    def to_json(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        return entries(self)

    def saved(self, *outputs: Path | str | None) -> Self:
        """The same with the names of the files written; None: was not."""
        return replace(self, outputs=(*self.outputs, *(str(output) for output in outputs if output is not None)))

    def timed(self, elapsed_s: float) -> Self:
        """The same with how long the command took."""
        account = getattr(self, "account", None)
        hits = account.hits_read if account else None
        return replace(self, elapsed_s=elapsed_s, hits_per_s=None if hits is None else hits / elapsed_s)


@dataclass(frozen=True, kw_only=True)
class SharedSummary(CommandSummary):
    """The summary of a command whose work may be shared.

    Attributes:
        cluster: how workers shared it, where there were any; not in the provenance of files.
    """

    cluster: ClusterUse | None = optional()
