"""Jobs that tests send to workers: in a module, so that workers find them."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl

from gammapolars.core.errors import InputError, RemoteError


@dataclass(frozen=True)
class Counted:
    """A job that leaves a file in a folder each time that it begins.

    Attributes:
        folder: of these files.
        number: of the job.
        hits: of its own.
    """

    folder: Path
    number: int
    hits: int = 1000

    @property
    def name(self) -> str:
        return f"run.root, job {self.number}"

    def __call__(self) -> Any:
        (self.folder / f"{self.number}-{uuid4().hex}").write_text(str(os.getpid()), encoding="utf-8")
        return self.work()

    def work(self) -> Any:
        return self.number, os.getpid(), pl.thread_pool_size()

    def starts(self) -> list[Path]:
        return list(self.folder.glob(f"{self.number}-*"))


class Late(Counted):
    """Waits, the first time, until it is killed."""

    def work(self) -> Any:
        if len(self.starts()) == 1:
            time.sleep(60)
        return super().work()


class Deadly(Counted):
    """Ends its worker."""

    def work(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


class Wrong(Counted):
    """Has damaged input, and takes the longer the earlier it is."""

    def work(self) -> Any:
        time.sleep(0.6 - 0.2 * self.number)
        raise InputError(f"file {self.number} is damaged")


class Unreachable(Counted):
    """Reads from a server that does not answer, the first two times."""

    def work(self) -> Any:
        if len(self.starts()) < 3:
            raise RemoteError("the server does not answer")
        return super().work()


class Unexpected(Counted):
    """Has a bug."""

    def work(self) -> Any:
        raise ZeroDivisionError("division by zero\nsecond line")
