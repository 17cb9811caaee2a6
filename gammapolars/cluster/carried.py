"""A job on its worker: carried out, and its result or error sent back."""

import os
import pickle
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from gammapolars.core.errors import ClusterError, GammapolarsError, first_line
from gammapolars.core.memory import reuse_freed_memory
from gammapolars.core.wording import on_command_line

SAME = ("gammapolars", "polars")
"""Packages whose versions must be the same everywhere: results depend on the first, and expressions are sent in a form
that only the same version of the other is sure to read."""


@dataclass(frozen=True)
class Order:
    """What a worker is told.

    Attributes:
        number: of the job.
        job: pickled.
        topic: under which the start of each attempt is reported to the driver.
        versions: of the packages that must be the same here.
        own: whether the worker is a process of ours.
        shell: whether messages name the options of the command line.
    """

    number: int
    job: bytes
    topic: str
    versions: Mapping[str, str]
    own: bool
    shell: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        value: its result.
        error: the error that it raised on purpose.
        failure: what else went wrong, where that did.
        is_lost: whether its workers were lost.
    """

    value: Any = None
    error: GammapolarsError | None = None
    failure: str = ""
    is_lost: bool = False


def same_versions() -> dict[str, str]:
    """The versions here of the packages that must be the same everywhere."""
    return {name: version(name) for name in SAME}


def check_versions(worker: str, theirs: Mapping[str, str | Exception], ours: Mapping[str, str]) -> None:
    """Raise where a worker has other versions.

    Raises:
        ClusterError: it has, or lacks one of the packages.
    """
    for name, own in ours.items():
        other = theirs[name]
        if isinstance(other, PackageNotFoundError):
            raise ClusterError(f"worker {worker} does not have {name}: install {name} {own} there")
        if isinstance(other, Exception):
            raise ClusterError(f"worker {worker} does not say which {name} it has: {first_line(other)}")
        if other != own:
            raise ClusterError(f"worker {worker} has {name} {other}, this process {own}: install the same version")


def carry_out(order: Order) -> Outcome:
    """Do a job in the process of a worker.

    Errors that gammapolars raises on purpose come back as values: Dask would raise them here already.
    """
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(order.topic, order.number)
    if order.own:
        reuse_freed_memory()
    try:
        check_versions(worker.address, same_versions(), order.versions)
        with on_command_line() if order.shell else nullcontext():
            return Outcome(value=pickle.loads(order.job)())
    except GammapolarsError as error:
        return Outcome(error=error)
    except MemoryError:
        return Outcome(failure=f"out of memory on worker {worker.address}")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        if os.environ.get("GAMMAPOLARS_TRACEBACK"):
            traceback.print_exc()
        return Outcome(failure=f"{_unexpected(error)} on worker {worker.address}")


def _unexpected(error: BaseException) -> str:
    if type(error).__name__ == "PanicException":  # polars' own kind, which is no Exception
        return "polars stopped with an internal error (is an input file damaged?)"
    return f"unexpected {type(error).__name__}: {first_line(error)}"
