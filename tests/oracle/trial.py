"""A trial: a recording in a folder, the commands that read it, and what they write beside what is right."""

import json
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tests.brute import Row
from tests.commandline import Outcome, gammapolars
from tests.fuzz.outcomes import Wrong
from tests.oracle.recordings import Recording
from tests.oracle.writing import write_detectors, write_recording

Values = tuple[Any, ...]

SHOWN = 3


class Refusal(Exception):
    """A command refused, in one clear line."""


@dataclass
class Trial:
    """One recording as commands see it.

    Attributes:
        recording: what was recorded.
        folder: where its files and the outputs lie.
        rng: decides on options.
        run: runs a command, in this process or one of its own.
        words: name the run and its detectors.
        commands: those that were run.
    """

    recording: Recording
    folder: Path
    rng: random.Random
    run: Callable[..., Outcome] = gammapolars
    words: list[str | Path] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, recording: Recording, folder: Path, rng: random.Random) -> "Trial":
        """A trial whose files have been written."""
        trial = cls(recording, folder, rng, words=write_recording(recording, folder))
        if recording.detectors:
            toml = write_detectors(list(recording.detectors.values()), folder / "detectors.toml")
            trial.words += ["--detectors", toml]
        return trial

    def output(self, command: str, *options: str | Path, suffixes: Sequence[str] = ("parquet",)) -> pl.DataFrame:
        """What a command writes; its summary agrees with the recording about how many hits there are.

        Raises:
            Refusal: it says in one line that it will not.
            Wrong: it fails in another way.
        """
        path = self.folder / f"{command}.{self.rng.choice(suffixes)}"
        many = ["--many-pairs"] if command in ("coincidences", "matrix") else []
        words = [command, *self.words, *options, *many, "-o", path, "--overwrite", "--json"]
        self.commands.append(" ".join(map(str, words)))
        outcome = self.run(*words)
        if outcome.code:
            self._check_refusal(outcome)
            raise Refusal(outcome.error.removeprefix("Error: "))
        summary = json.loads(outcome.out)
        if summary["hits_read"] != (there := len(self.recording.recorded)):
            raise Wrong(f"{command} read {summary['hits_read']} hits of {there}")
        return read(path)

    def _check_refusal(self, outcome: Outcome) -> None:
        try:
            assert outcome.code in (1, 2)
            assert outcome.error
        except AssertionError:
            raise Wrong(f"exit code {outcome.code}: {outcome.err[-500:]!r}") from None


def read(path: Path) -> pl.DataFrame:
    """A table that a command wrote, by nothing but polars."""
    if path.suffix == ".csv":
        return pl.read_csv(path, infer_schema_length=None)
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ipc(path)


def same_rows(what: str, found: Iterable[Values], expected: Iterable[Values]) -> None:
    """Compare rows, whatever their order; floats to the last digits.

    Raises:
        Wrong: a row is missing, one is too many, or a value is another.
    """
    one, other = sorted(found, key=_place), sorted(expected, key=_place)
    if len(one) == len(other) and all(map(_equal, one, other)):
        return
    missing = [row for row in other if not any(_equal(row, there) for there in one)]
    beyond = [row for row in one if not any(_equal(row, there) for there in other)]
    raise Wrong(
        f"{what}: {len(one)} rows, {len(other)} are right; {len(missing)} missing, such as {missing[:SHOWN]}; "
        f"{len(beyond)} wrong, such as {beyond[:SHOWN]}"
    )


def _place(row: Values) -> tuple[Any, ...]:
    exact = tuple((value is not None, 0 if value is None else value) for value in row if not isinstance(value, float))
    return exact, tuple(value for value in row if isinstance(value, float))


def _equal(one: Values, other: Values) -> bool:
    return len(one) == len(other) and all(map(close, one, other))


def close(one: Any, other: Any) -> bool:
    """Equal; of floats, to the last digits."""
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def same_bins(what: str, found: Mapping[Any, tuple[float, float]], expected: Mapping[Any, tuple[float, float]]) -> None:
    """Compare counts and variances bin by bin; one that is not there has none.

    Raises:
        Wrong: they differ in a bin.
    """
    nothing = (0.0, 0.0)
    wrong = {
        cell: (found.get(cell, nothing), expected.get(cell, nothing))
        for cell in {*found, *expected}
        if not all(map(close, found.get(cell, nothing), expected.get(cell, nothing)))
    }
    if wrong:
        raise Wrong(f"{what}: {len(wrong)} bins (found, right), such as {dict(list(wrong.items())[:SHOWN])}")


def column_rows(table: pl.DataFrame, names: Sequence[str]) -> list[Values]:
    """Some columns of a table as rows; of columns that it has not, None."""
    return table.select(pl.col(name) if name in table.columns else pl.lit(None).alias(name) for name in names).rows()


def in_order(what: str, table: pl.DataFrame, *names: str) -> None:
    """Check that rows ascend."""
    rows = column_rows(table, names)
    if rows != sorted(rows, key=_place):
        raise Wrong(f"{what}: not in order of {', '.join(names)}")


def values_of(hits: Iterable[Row], names: Sequence[str]) -> list[Values]:
    """Some values of hits as rows."""
    return [tuple(hit.get(name) for name in names) for hit in hits]
