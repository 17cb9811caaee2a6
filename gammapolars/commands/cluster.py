"""Options for processes that share the work of a command, and what they did."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from gammapolars.commands.help_pages import CLUSTER
from gammapolars.commands.notes import option

if TYPE_CHECKING:
    from gammapolars.analysis.engine import Account
    from gammapolars.cluster import DaskEngine
    from gammapolars.commands.progress import Progress
    from gammapolars.core.summaries import ClusterUse

Options = TypeVar("Options")

OF_CLUSTER = {"--workers": "workers", "--scheduler": "scheduler", "--hits-per-task": "hits_per_task"}
"""Which processes share the work, by option: saved pairs are read by one."""

ENGINE = "_engine"
"""Where options keep the workers that Python gives: they are no option."""

USED = "_used"
"""Where options keep how workers shared the work, when it is done: it is no option."""


@dataclass(frozen=True, kw_only=True)
class OnCluster:
    """Processes that share the work."""

    HEADING = CLUSTER

    workers: Annotated[int | None, "Share the work among this many processes on this computer."] = None
    scheduler: Annotated[
        str | None,
        option("ADDRESS", "Share it among the workers of this Dask scheduler: tcp://, tls:// or its .json file."),
    ] = None
    hits_per_task: Annotated[
        int | None, option("N", "About this many hits in each task, in place of a number that suits the workers.")
    ] = None


@contextmanager
def engine_of(options: Any, progress: "Progress") -> Iterator["DaskEngine | None"]:
    """The workers that options ask for; None: this process does the work.

    Raises:
        UsageError: options that exclude each other.
    """
    if (given := options.__dict__.get(ENGINE)) is not None:
        yield given
        return
    if not isinstance(options, OnCluster) or not check_cluster(options):
        yield None
        return
    from gammapolars.cluster import connected, local

    if options.workers is not None:
        progress.tell(f"starting {options.workers} workers")
        started = local(options.workers, hits_per_task=options.hits_per_task)
    else:
        started = connected(options.scheduler or "", hits_per_task=options.hits_per_task, say=_shown_now_and_then())
    with started as engine:
        yield engine


def check_cluster(options: OnCluster) -> bool:
    """Whether workers share the work.

    Raises:
        UsageError: options that exclude each other, or a number below 1.
    """
    from gammapolars.core.errors import UsageError

    if options.workers is not None and options.scheduler is not None:
        raise UsageError("--workers starts processes on this computer: leave --workers or --scheduler out")
    is_shared = options.workers is not None or options.scheduler is not None
    if options.hits_per_task is not None and not is_shared:
        raise UsageError("--hits-per-task needs workers: give --workers or --scheduler, too")
    if options.hits_per_task is not None and options.hits_per_task < 1:
        raise UsageError(f"--hits-per-task {options.hits_per_task}: must be at least 1")
    return is_shared


def _shown_now_and_then() -> "Callable[[str], None]":
    """Shows what is waited for, on a terminal at once, in a file of messages every ten seconds."""
    from gammapolars.core.status_line import StatusLine

    line = StatusLine()
    return lambda text: line.show(text) if line.is_due() else None


def with_engine(options: Options, engine: "DaskEngine") -> Options:
    """The same options of a command that reads runs, with workers that share the work."""
    options.__dict__[ENGINE] = engine  # not one of the fields: it is no option
    return options


def note_use(options: Any, engine: "DaskEngine", account: "Account") -> None:
    """Remember how workers shared the work of a command."""
    from gammapolars.core.summaries import ClusterUse

    use = ClusterUse(account.tasks, max(engine.workers, 1), engine.retried, account.whole, account.resumed or None)
    options.__dict__[USED] = use  # not one of the fields: it is no option


def cluster_of(options: Any) -> "ClusterUse | None":
    """How workers shared the work of a command, when it is done; None: this process did it."""
    use: ClusterUse | None = options.__dict__.get(USED)
    return use
