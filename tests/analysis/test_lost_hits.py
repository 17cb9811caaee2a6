"""Hits that cannot be read, in passes cut into tasks: lost once, whatever the number of tasks and of passes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import AdcSpectra, HitTally
from gammapolars.analysis.engine import Account, InProcess
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detectors
from gammapolars.io import Losses, Reading, open_runs
from gammapolars.io.root.writer import Layout
from tests import binfiles, compassfiles, rootfiles
from tests.hits import BAD
from tests.ranges import account

HITS = 6000


def damaged_root(path: Path) -> Path:
    path = rootfiles.write_hits(path.with_suffix(".root"), rootfiles.made_hits(HITS), Layout(entries=700))
    places = {
        place + size - 9: 0xFF
        for branch, number in (("Timestamp", 0), ("Energy", 0), ("Energy", 4), ("Flags", 7))
        for place, _, size in rootfiles.baskets_of(path, branch)[number : number + 1]
    }
    return rootfiles.with_bytes(path, path, places)


def damaged_bin(path: Path) -> Path:
    layout = binfiles.LAYOUTS["energy,short,flags"]
    path = binfiles.write_bin(path.with_suffix(".bin"), binfiles.made_hits(HITS), layout)
    octets = bytearray(path.read_bytes())
    for record in (3, 2500, 2501, 5000):
        octets[2 + record * layout.head.itemsize + 3] = 0xFF
    return binfiles.write_bytes(path, bytes(octets[:-3]))


def damaged_csv(path: Path) -> Path:
    path = compassfiles.write_csv(path.with_suffix(".csv"), rootfiles.made_hits(HITS))
    lines = path.read_bytes().splitlines(keepends=True)
    for line in (4, 2600, 5000):
        lines[line] = b"?;" + lines[line]
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize("write", [damaged_root, damaged_bin, damaged_csv])
def test_hits_are_lost_once_in_tasks_and_in_several_passes(
    tmp_path: Path, write: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gammapolars.io.text.blocks.BLOCK_BYTES", 20_000)
    monkeypatch.setattr("gammapolars.io.compass.bin_places.CHUNK_RECORDS", 700)
    path = write(tmp_path / "run")

    def recording(tasks: int) -> Recording:
        runs = open_runs(path, reading=Reading(losses=Losses()))
        return replace(
            Recording(runs, Detectors(())),
            engine=InProcess(hits_per_task=HITS // tasks) if tasks else None,
            account=Account(),
        )

    alone, cut = recording(0), recording(5)
    for one in (alone, cut):
        one.runs.hits.head(100).collect()  # a look at its beginning
        for _ in range(2):
            passes.count_hits(one, [HitTally(), AdcSpectra(BAD)])

    assert cut.account.tasks > 2
    assert account(cut.runs.losses) == account(alone.runs.losses)
    assert cut.runs.losses.count("damaged") > 0
    pairs = passes.PairPass(cut, PairRule(window=(-(10**6), 10**6)), [HitTally()])
    pairs.run()
    assert account(cut.runs.losses) == account(alone.runs.losses)
