"""Runs cases in processes of their own, so that a crash, a hang or too much memory is one failure among others."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from tests.commandline import REPOSITORY

WORKER = (sys.executable, "-m", "tests.fuzz.worker")

LIMIT_S = 20.0
"""A case takes some hundredths of a second; where uproot follows damaged metadata around, a few seconds."""

START_S = 120.0


@dataclass
class Summary:
    """What came of the cases of a format.

    Attributes:
        counts: how many cases were read, refused, read in part with leave to go on, not noticed, or failed.
        failures: what went wrong, by the number of the case.
        slowest: the longest time in s that a case took, and its number.
        printed: what libraries wrote to stderr, by the number of the case.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, 0)
    printed: dict[int, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        return self.counts["read"] + self.counts["refused"] + len(self.failures)

    def add(self, number: int, answer: dict[str, Any]) -> None:
        """Take up what came of one case."""
        self.slowest = max(self.slowest, (answer.get("seconds", 0.0), number))
        if text := answer.get("printed"):
            self.printed[number] = text
        if "failure" in answer:
            steps = ", ".join(answer.get("steps", ()))
            self.failures[number] = f"{answer['failure']} ({answer.get('base', '?')}: {steps})"
            return
        self.counts["read" if answer["read"] else "refused"] += 1
        self.counts.update(name for name in ("partial", "unnoticed") if answer[name])


class Worker:
    """A process that runs cases; a new one takes its place when it dies.

    Args:
        command: what runs it.
        limit_s: how long a case may take.
    """

    def __init__(self, command: Sequence[str] = WORKER, *, limit_s: float = LIMIT_S) -> None:
        self._command = command
        self._limit_s = limit_s
        self._process: subprocess.Popen[str] | None = None
        self._printed: IO[str] | None = None

    def run(self, name: str, seed: int, number: int) -> dict[str, Any]:
        """What a case comes to; a failure where the process does not answer."""
        process = self._process or self._start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended after its last answer
            process.stdin.write(json.dumps({"format": name, "seed": seed, "case": number}) + "\n")
            process.stdin.flush()
        line, is_late = self._answer(process, self._limit_s)
        printed = self._new_output()
        if line:
            return {**json.loads(line), "printed": printed}
        code = process.wait()
        self.close()
        if is_late:
            return {"failure": f"no end within {self._limit_s:g} s"}
        return {"failure": f"the process ended with exit code {code}: {printed[-300:]}"}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._printed is not None:
            self._printed.close()
            self._printed = None

    def _start(self) -> subprocess.Popen[str]:
        self._printed = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed with the process
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            cwd=REPOSITORY,
            text=True,
        )
        if not self._answer(process, START_S)[0]:
            raise RuntimeError(f"a worker does not start: {self._new_output()}")
        self._process = process
        return process

    def _answer(self, process: subprocess.Popen[str], limit_s: float) -> tuple[str, bool]:
        """The process's next line, which is empty if it died; and whether it had to be ended."""
        assert process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limit_s, end)
        timer.start()
        try:
            line = process.stdout.readline()
        finally:
            timer.cancel()
        return line, late.is_set()

    def _new_output(self) -> str:
        """What the process has printed since this was asked last."""
        assert self._printed is not None
        self._printed.seek(0)
        text = self._printed.read()
        self._printed.seek(0)
        self._printed.truncate()
        return text


def run(
    name: str,
    numbers: Iterable[int],
    *,
    seed: int,
    seconds: float | None = None,
    workers: int = 2,
    limit_s: float = LIMIT_S,
    command: Sequence[str] = WORKER,
    log: Callable[[int, dict[str, Any]], object] = lambda number, answer: None,
) -> Summary:
    """Run cases of a format.

    Args:
        name: the format's.
        numbers: of the cases.
        seed: decides, with the number, what each case is.
        seconds: no case is begun after this time.
        workers: so many processes run them.
        limit_s: how long a case may take.
        command: what runs them.
        log: told what came of each case.
    """
    summary, lock = Summary(), threading.Lock()
    left = _until(iter(numbers), None if seconds is None else time.monotonic() + seconds)

    def work() -> None:
        worker = Worker(command, limit_s=limit_s)
        try:
            while True:
                with lock:
                    number = next(left, None)
                if number is None:
                    return
                answer = worker.run(name, seed, number)
                with lock:
                    summary.add(number, answer)
                    log(number, answer)
        finally:
            worker.close()

    with ThreadPoolExecutor(workers) as pool:
        for job in [pool.submit(work) for _ in range(workers)]:
            job.result()
    return summary


def _until(numbers: Iterator[int], end: float | None) -> Iterator[int]:
    for number in numbers:
        if end is not None and time.monotonic() > end:
            return
        yield number
