"""Whether the workers of a cluster and this process share a folder."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

from gammapolars.cluster.packages import answers
from gammapolars.core.errors import OutputError, first_line, writable

PATIENCE_S, PAUSE_S = 20.0, 0.05
"""Network file systems remember for some seconds that a file was not there."""

SHARED = "outputs of a cluster need a folder that all its computers share"


def check_folder(client: Any, folder: Path) -> None:
    """Raise where a file that is written by this process, or by a worker, is not seen by the other.

    Args:
        client: connected to the scheduler.
        folder: exists.

    Raises:
        OutputError: this process or a worker cannot write there, or a worker writes elsewhere.
    """
    folder = folder.absolute()
    mark = folder / f".gammapolars-{uuid.uuid4().hex}"
    try:
        with writable(folder):
            mark.write_text(mark.name, encoding="utf-8")
        said_by = answers(client, answer, str(mark), PATIENCE_S)
        for worker, said in said_by.items():
            if isinstance(said, BaseException):
                raise OutputError(f"worker {worker} cannot use the folder {folder}: {first_line(said)}: {SHARED}")
        end = time.monotonic() + PATIENCE_S
        for worker, name in said_by.items():
            while not (folder / name).exists():
                if time.monotonic() > end:
                    raise OutputError(f"worker {worker} writes to another folder {folder} than this process: {SHARED}")
                time.sleep(PAUSE_S)
    finally:
        for file in folder.glob(f"{mark.name}*"):
            file.unlink(missing_ok=True)


async def answer(mark: str, patience_s: float) -> str:
    """On a worker: wait for a file, and write another one next to it.

    Returns:
        Its name.

    Raises:
        FileNotFoundError: the file does not appear.
        OSError: none can be written.
    """
    end = time.monotonic() + patience_s
    while not Path(mark).exists():
        if time.monotonic() > end:
            raise FileNotFoundError("it does not contain a file that this process wrote")
        await asyncio.sleep(PAUSE_S)
    mine = Path(f"{mark}-{uuid.uuid4().hex}")
    mine.write_text("", encoding="utf-8")
    return mine.name
