"""What comes of reading a mutated file, by the functions that the commands use."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl

from gammapolars.core.errors import GammapolarsError
from gammapolars.io import Losses, Reading, open_runs
from gammapolars.streaming.slices import batches_of
from tests.commandline import Outcome as Command
from tests.commandline import gammapolars, gammapolars_process

T = TypeVar("T")


class Wrong(Exception):
    """An outcome is neither a correct result nor one clear error."""


class Refused(NamedTuple):
    """One clear error."""

    message: str


@dataclass
class Read:
    """Hits that were read.

    Attributes:
        hits: all of them.
        losses: what was left out, and noted.
        told: how many hits the file's metadata tell, where they do.
    """

    hits: pl.DataFrame
    losses: Losses = field(default_factory=Losses)
    told: int | None = None

    @property
    def lost(self) -> int:
        """How many hits were left out."""
        return self.losses.count("damaged") + self.losses.count("out_of_range")


def attempt(path: Path, read: Callable[[], T]) -> T | Refused:
    """What a function gives, or the error that it raises, if that is one clear line.

    Raises:
        Wrong: it raises something else.
    """
    try:
        return read()
    except GammapolarsError as error:
        message = str(error)
        if not message.strip() or "\n" in message or "\r" in message:
            raise Wrong(f"an error of no line, or of several: {message!r}") from None
        if path.name not in message:
            raise Wrong(f"an error that does not name the file: {message}") from None
        return Refused(message)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # polars' panics are no Exception
        first = (str(error).splitlines() or [""])[0]
        raise Wrong(f"{type(error).__name__}: {first[:300]}") from error


def read_hits(path: Path, *, keep_going: bool, streaming: bool) -> Read | Refused:
    """The hits of a file, collected in full: by the streaming engine as in commands, or as users collect them."""

    def read() -> Read:
        losses = Losses(keep_going=keep_going)
        runs = open_runs(path, reading=Reading(losses=losses))
        told = runs.count()
        with runs.naming_errors():
            # Where there are no hits, there is no batch.
            hits = (
                pl.concat([runs.hits.clear().collect(), *batches_of(runs.hits)]) if streaming else runs.hits.collect()
            )
        return Read(hits, losses, told)

    return attempt(path, read)


def run_command(path: Path, rng: random.Random, strict: Read | Refused, *, process: bool) -> None:
    """Give a file to a command, in this process or one of its own, and look at what it leaves behind.

    Raises:
        Wrong: it crashed, printed more than it should, left an output of a run that failed, or found other hits.
    """
    run = gammapolars_process if process else gammapolars
    command = rng.choice(("info", "info", "convert", "coincidences"))
    output = path.with_name("output.parquet")
    more = ["--keep-going"] if rng.random() < 0.3 else []
    words: list[str | Path] = [command, path, "--json", *more]
    outcome = run(*words) if command == "info" else run(*words, "-o", output)
    told = " ".join(map(str, words[2:]))
    if outcome.code not in (0, 1):
        raise Wrong(f"{command} {told}: exit code {outcome.code}: {outcome.err[-500:]}")
    if outcome.code == 1:
        _check_refusal(f"{command} {told}", outcome, process=process)
        if output.exists():
            raise Wrong(f"{command} {told}: an output of a run that failed")
    if command != "info" or "--keep-going" in words:
        return
    if (outcome.code == 0) != isinstance(strict, Read):
        raise Wrong(f"{command}: exit code {outcome.code}, though {_outcome(strict)}: {outcome.err.strip()}")
    if isinstance(strict, Read):
        hits = json.loads(outcome.out)["hits"]
        if hits != strict.hits.height:
            raise Wrong(f"{command}: found {hits} hits of {strict.hits.height}")


def _check_refusal(command: str, outcome: Command, *, process: bool) -> None:
    """One line, and nothing else; but where threads of polars panicked, which print that themselves."""
    lines = outcome.err.splitlines()
    errors = [line for line in lines if line.startswith("Error: ")]
    alone = len(lines) == 1 or not process or "panicked at" in outcome.err
    if len(errors) != 1 or errors[0].startswith("Error: unexpected") or not alone or "Traceback" in outcome.err:
        raise Wrong(f"{command}: {outcome.err[-500:]!r}")


def _outcome(strict: Read | Refused) -> str:
    return f"it was refused: {strict.message}" if isinstance(strict, Refused) else "it was read"


def same(found: pl.DataFrame, expected: pl.DataFrame) -> bool:
    """Whether two tables have the same columns, types and values, NaN being equal to itself."""
    return found.schema == expected.schema and found.equals(expected, null_equal=True)


def differing_columns(found: pl.DataFrame, expected: pl.DataFrame) -> list[str]:
    """The columns in which tables of the same height and schema differ."""
    return [name for name in expected.columns if not found[name].equals(expected[name], null_equal=True)]


def described(value: Any) -> str:
    """A value of any length, shortened for a message."""
    text = repr(value)
    return text if len(text) < 300 else text[:300] + "…"
