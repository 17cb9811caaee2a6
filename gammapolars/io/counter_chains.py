"""Chains of files through which a counter of time goes on, and the relations of the counters of several chains."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from gammapolars.core.errors import UsageError
from gammapolars.core.types import Key
from gammapolars.core.wording import setting
from gammapolars.io.compass.file_names import counts_back
from gammapolars.io.input_file import InputFile, open_file
from gammapolars.io.reading import Reading
from gammapolars.io.rollover import CommonStart

COUNTER_HITS = 1000
"""This many of a file's first hits show whose counter it is that rolls over."""


def open_chain(paths: Iterable[Path], reading: Reading) -> tuple[InputFile, ...]:
    """Files that follow each other: a counter that rolls over goes on from one to the next."""
    files: list[InputFile] = []
    for path in paths:
        files.append(open_file(path, reading, follows=files[-1] if files else None))
    return tuple(files)


def counter_chains(streams: Sequence[tuple[InputFile, ...]], reading: Reading) -> tuple[tuple[InputFile, ...], ...]:
    """Streams as those of counters that roll over: a detector has one, which goes on in the next file with its hits.

    Args:
        streams: of one run, in the order in which they were given.
        reading: how their files are read; is given a note of each file that is taken to follow another one.

    Raises:
        UsageError: a file follows one of a higher number.
    """
    chains: list[tuple[set[Key], list[Path]]] = []
    for stream in streams:
        ends = stream[0].hits.select("board", "channel").head(COUNTER_HITS).collect()
        detectors = set(ends.unique().iter_rows())
        before = next((chain for chain in chains if chain[0] & detectors), None)
        if before is None:
            before = (set(), [])
            chains.append(before)
        else:
            _follow(before[1][-1], stream[0].path, reading)
        before[0].update(detectors)
        before[1].extend(file.path for file in stream)
    opened = tuple(open_chain(paths, reading) for _, paths in chains)
    if len(opened) > 1:
        start = CommonStart(len(opened), reading.losses)
        for *_, last in opened:
            if last.counter:
                last.counter.start = start
    return opened


def _follow(before: Path, path: Path, reading: Reading) -> None:
    """Note that a counter goes on in a file; raise where its name says that it was recorded before."""
    if counts_back(before, path):
        raise UsageError(
            f"{path}: follows {before.name}, which has a higher number, but a counter that rolls over "
            "continues from file to file in the order given: give the files in order of their numbers, or "
            "their folder, or a pattern in quotes"
        )
    reading.losses.note(
        path,
        f"its counter is assumed to continue from {before.name}, which has hits of the same detector: read "
        f"separate recordings with {setting('--apart', 'apart=True')}",
    )
