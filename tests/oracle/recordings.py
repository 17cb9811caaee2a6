"""Hostile runs: which hits there are, in which files they lie, and what detectors.toml says."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from gammapolars.core.units import MAX_OFFSET_PS, TIMES_PS
from gammapolars.detectors import Detector
from tests.brute import Row
from tests.hits import Key, key_of

Clockwork = Literal["dense", "usual", "holes", "ends", "ticks"]

Layout = Literal["files", "apart", "folders", "column"]

TABLES = ("parquet", "arrow", "csv")
"""Formats with our own columns: any time, any detector, recorded energies."""

OF_COMPASS = ("root", "CSV", "BIN")
"""Formats of CoMPASS: no times before 0."""

FLAGS = (0, 0, 0, 0x4000, 0x4000, 0x4000, 0x80, 0x400, 0x8000, 0xC000, 0x8, 0x1, 0x4480, 0x20000000)
"""Those that say nothing of the clock: normal, saturated, piled up, fake, after dead time, and a run without a name."""

OFFSETS = (0, 0, 0, 1, -1, 250_000, -40_000, 3_880_000, -(10**9), MAX_OFFSET_PS, -MAX_OFFSET_PS)

REORDER_PS = 10**9
"""What commands put in order unasked."""


class File(NamedTuple):
    """One file: its name, the number of its run, and its hits as they lie in it."""

    name: str
    run: int
    hits: Sequence[Row]


@dataclass(frozen=True)
class Recording:
    """What was recorded, and how.

    Attributes:
        files: in the order in which they are given.
        suffix: of the files, without a point.
        layout: one run of all files; each file, or folder, or number in a column `run` one of its own.
        detectors: as detectors.toml has them; empty: there is none.
        clockwork: what the times are like.
        disorder_ps: how far back hits lie, at most.
        batch: how many hits a basket, row group or batch has.
    """

    files: tuple[File, ...]
    suffix: str
    layout: Layout
    detectors: dict[Key, Detector]
    clockwork: Clockwork
    disorder_ps: int
    batch: int

    @property
    def has_runs(self) -> bool:
        """Whether a column `run` tells hits apart."""
        return self.layout == "column" or (self.layout != "files" and len({file.run for file in self.files}) > 1)

    @property
    def recorded(self) -> list[Row]:
        """All hits, run after run, each in time order; of equal times those of the file whose first hit is of the lower
        detector come first, then as files are given and as they lie in one."""
        rows = []
        for place, file in enumerate(self.files):
            rank = (key_of(file.hits[0]) if file.hits else (0, 0), place)
            rows += [(hit["run"], hit["timestamp_ps"], rank, row, hit) for row, hit in enumerate(file.hits)]
        rows.sort(key=lambda row: row[:4])
        return [hit if self.has_runs else {**hit, "run": None} for *_, hit in rows]

    @property
    def aligned(self) -> list[Row]:
        """The same by the times that offsets leave."""
        rows = []
        for hit in self.recorded:
            known = self.detectors.get(key_of(hit))
            offset = known.time_offset_ps if known else 0
            rows.append({**hit, "timestamp_ps": hit["timestamp_ps"] - offset})
        return sorted(rows, key=lambda hit: (hit["run"] or 0, hit["timestamp_ps"]))

    @property
    def has_energies(self) -> bool:
        """Whether energies were recorded."""
        return any("energy_kev" in hit for file in self.files for hit in file.hits)

    @property
    def keys(self) -> list[Key]:
        """The detectors that have hits."""
        return sorted({key_of(hit) for file in self.files for hit in file.hits})


def drawn(rng: random.Random) -> Recording:
    """A recording."""
    clockwork: Clockwork = rng.choices(("dense", "usual", "holes", "ends", "ticks"), (2, 4, 2, 2, 2))[0]
    suffix = rng.choice((*TABLES, *OF_COMPASS))
    layout = _layout(rng, suffix)
    keys = _keys(rng, 255 if suffix == "BIN" else 2**16 - 1)
    several = layout != "files" and rng.random() < 0.9
    recorded_energies = suffix in TABLES and rng.random() < 0.25
    numbers = sorted(rng.sample(range(1, 9), rng.randint(2, 3))) if several else [1]
    if layout != "column":
        numbers = list(range(1, len(numbers) + 1))
    disorder = rng.choice((0, 0, 0, 3, 2000, 10**6, REORDER_PS))
    unlike = layout in ("apart", "folders") or rng.random() < 0.7
    runs: list[list[dict[str, Any]]] = []
    for number in numbers:
        hits = _hits(rng, clockwork, keys, negative=suffix in TABLES, disorder=disorder)
        while not hits and [] in runs:  # two files without hits would be copies of each other
            hits = _hits(rng, clockwork, keys, negative=suffix in TABLES, disorder=disorder)
        for place, hit in enumerate(hits):
            hit["run"] = number
            hit["adc"] = (len(runs) * 5000 + place) if unlike else rng.randint(0, 5)
            if recorded_energies:
                hit["energy_kev"] = rng.choice((None, hit["adc"] * 0.375 + 3, hit["adc"] * 0.375 + 3))
        runs.append(hits)
    if recorded_energies and not any(hit["energy_kev"] for hits in runs for hit in hits):
        runs = [[{**hit, "energy_kev": 0.5 * hit["adc"]} for hit in hits] for hits in runs]
    if unlike and rng.random() < 0.15:
        runs = [_doubled(rng, hits) for hits in runs]
    detectors = _detectors(rng, keys) if rng.random() < 0.7 else {}
    return Recording(
        tuple(_files(rng, runs, suffix, layout, disorder)),
        suffix,
        layout,
        detectors,
        clockwork,
        disorder,
        rng.choice((1, 3, 7, 50, 10**6)),
    )


def in_one_file(recording: Recording, hits: Sequence[Row], name: str) -> Recording:
    """A recording whose hits lie in one Parquet file now, in this order."""
    layout: Layout = "column" if recording.has_runs else "files"
    numbered = [{**hit, "run": hit.get("run") or 1} for hit in hits]
    file = File(name, 1, numbered)
    return replace(recording, files=(file,), suffix="parquet", layout=layout, disorder_ps=0)


def _layout(rng: random.Random, suffix: str) -> Layout:
    kinds: list[Layout] = ["files", "files", "apart"]
    kinds += ["folders"] if suffix in OF_COMPASS else ["column"]
    return rng.choice(kinds)


def _keys(rng: random.Random, most: int) -> list[Key]:
    if rng.random() < 0.8:
        everything = [(board, channel) for board in range(2) for channel in range(4)]
    else:
        everything = [(board, channel) for board in (0, 7, most) for channel in (0, 15, most)]
    return rng.sample(everything, rng.choice((1, 2, 2, 3, 4, 6)))


GAPS = {
    "dense": ((0, 0), (0, 3), (0, 3), (1, 8)),
    "usual": ((0, 0), (0, 3), (0, 40_000), (100_000, 2_000_000), (10**8, 10**10)),
    "holes": ((0, 0), (0, 40_000), (100_000, 2_000_000), (10**12, 10**14), (10**15, 10**17)),
    "ends": ((0, 0), (0, 3), (0, 40_000), (100_000, 2_000_000)),
}


def _hits(
    rng: random.Random, clockwork: Clockwork, keys: list[Key], *, negative: bool, disorder: int
) -> list[dict[str, Any]]:
    """Hits of one run as they are recorded, up to `disorder` out of order."""
    count = rng.choice((0, 1, 2, rng.randint(3, 12), rng.randint(10, 60), rng.randint(10, 60), rng.randint(60, 200)))
    if clockwork == "ticks":
        count, step = rng.randint(100, 250), rng.choice((2000, 4000, 8000, 10_000, 15_625))
        gaps = [rng.choice((0, 1, 1, 2, 5, 20, 200)) * step for _ in range(count)]
        disorder = 0
    else:
        gaps = [rng.randint(*rng.choice(GAPS[clockwork])) for _ in range(count)]
    times = [sum(gaps[: place + 1]) for place in range(count)]
    start = rng.choice((0, 1, 5_000_000, 10**12))
    if clockwork == "ticks":
        start = rng.choice((0, 3)) * step + rng.choice((0, 0, 7))
    if clockwork == "ends" and times:
        lowest = TIMES_PS[0] if negative else 0
        start = rng.choice((TIMES_PS[1] - times[-1], lowest, TIMES_PS[1] - times[-1] - 10**6))
    elif negative and clockwork == "usual" and rng.random() < 0.3:
        start = -rng.choice((1, 10**6, 10**9))
    late = [rng.choice((0, 0, rng.randint(0, disorder))) for _ in times]
    order = sorted(range(count), key=lambda place: times[place] + late[place])
    share = rng.random()
    hits = []
    for place in order:
        board, channel = keys[0] if rng.random() < share / 2 else rng.choice(keys)
        hits.append(
            {"board": board, "channel": channel, "timestamp_ps": start + times[place], "flags": rng.choice(FLAGS)}
        )
    return hits


def _doubled(rng: random.Random, hits: list[Row]) -> list[Row]:
    """Some hits twice, as they are."""
    return [again for hit in hits for again in [hit] * rng.choice((1, 1, 1, 2))]


def _detectors(rng: random.Random, keys: list[Key]) -> dict[Key, Detector]:
    """What is known of some of the detectors, and of one that has no hit."""
    known = {}
    absent = (3, 3)
    for place, key in enumerate([*keys, absent]):
        if rng.random() < 0.15:
            continue
        kind, group = rng.choice((("", ""), ("HPGe", "A"), ("HPGe", "A"), ("HPGe", "B"), ("BGO", "A"), ("BGO", "")))
        # Powers of 2: sums of energies are exact in any order.
        terms = (rng.randint(-8, 8) / 4, rng.choice((0.25, 0.5, 1.0, 2.0)), rng.choice((0.0, 2.0**-14)))
        energy = terms[: rng.choice((2, 3))]
        known[key] = Detector(
            *key,
            name=f"D{place}",
            energy=energy if kind == "HPGe" or rng.random() < 0.7 else None,
            time_offset_ps=rng.choice(OFFSETS) if rng.random() < 0.5 else 0,
            kind=kind,
            group=group,
        )
    return known


def _files(rng: random.Random, runs: list[list[Row]], suffix: str, layout: Layout, disorder: int) -> list[File]:
    if layout == "column":
        return [File(f"all.{suffix}", 1, [hit for hits in runs for hit in hits])]
    if layout == "apart":
        return [File(f"{'abc'[place]}.{suffix}", place + 1, hits) for place, hits in enumerate(runs)]
    if layout == "files":
        parts = _split(rng, runs[0], rng.choice(("whole", "whole", "detectors", "time", "anyhow")), disorder)
        return [File(f"{'abcdefgh'[place]}.{suffix}", 1, part) for place, part in enumerate(parts)]
    found = []
    for number, hits in enumerate(runs, 1):
        how = rng.choice(("whole", "detectors", "time"))
        parts = _split(rng, hits, how, 0)
        for place, part in enumerate(parts):
            file = f"DataR_CH{place}@DT5725_1701_r{number}" if how == "detectors" else f"SDataR_r{number}"
            segment = f"_{place}" if how == "time" and place else ""
            found.append(File(f"r{number}/RAW/{file}{segment}.{suffix}", number, part))
    return found


def _split(rng: random.Random, hits: list[Row], how: str, disorder: int) -> list[list[Row]]:
    """The hits of a run in files, none of which is another's copy."""
    if how == "detectors":
        return [[hit for hit in hits if key_of(hit) == key] for key in sorted({key_of(hit) for hit in hits})] or [[]]
    if how == "anyhow":
        number = rng.randint(2, 4)
        of = [rng.randrange(number) for _ in hits]
        parts = [[hit for hit, part in zip(hits, of, strict=True) if part == place] for place in range(number)]
    elif how == "time" and hits:
        ends = sorted(rng.sample(range(len(hits)), min(len(hits), rng.randint(1, 3))))
        ends = [0, *ends, len(hits)]
        parts = [hits[begin:end] for begin, end in pairwise(ends)]
    else:
        parts = [hits]
    filled = [part for place, part in enumerate(parts) if part and part not in parts[:place]]
    return filled + ([[]] if disorder and rng.random() < 0.3 and filled else []) or [[]]
