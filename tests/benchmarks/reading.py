"""Reading five branches, beside inflating the same baskets with libdeflate and nothing else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deflate

import gammapolars as gp
from gammapolars.io.root.baskets import read_chunks
from gammapolars.io.root.branches import Tree
from gammapolars.io.root.tree import open_tree
from gammapolars.streaming.slices import batches_of
from tests.benchmarks.files import Plan
from tests.benchmarks.measure import Outcome, in_turn, within
from tests.benchmarks.opponent import BRANCHES

TARGETS = {"native": 1.6, "large": 1.6, "small": 2.5}
THREADS = 2

Frame = tuple[bytes, int]
"""What one zlib stream is, and how long it is uncompressed."""


def reading(plan: Plan) -> list[Outcome]:
    """Each layout of baskets, into native arrays and into frames."""
    return [outcome for layout, most in TARGETS.items() for outcome in _reading(plan, layout, most)]


def _reading(plan: Plan, layout: str, most: float) -> list[Outcome]:
    run = plan.run(layout)
    tree = open_tree(run, ("Data_R",))
    frames = [frame for name in BRANCHES for frame in frames_of(run, tree, name)]
    groups = grouped(frames)
    with ThreadPoolExecutor(THREADS) as pool:
        sides = in_turn(
            plan.repeat,
            {
                f"{layout} baskets → arrays": lambda: read_arrays(run),
                f"{layout} baskets → scan → frames": lambda: read_frames(run),
                f"libdeflate on {THREADS} threads": lambda: list(pool.map(inflate, groups)),
                f"libdeflate on {THREADS} threads, a job each": lambda: list(pool.map(inflate, ([f] for f in frames))),
            },
        )
    *ours, in_groups, one_by_one = sides
    fastest = min(in_groups, one_by_one, key=lambda side: side.median)
    return [within(f"{plan.hits / 1e6:g}M hits", side, fastest, most) for side in ours]


def read_arrays(run: Path) -> int:
    """Decode five branches into native arrays; how many hits there were."""
    tree = open_tree(run, ("Data_R",))
    return sum(len(arrays["Timestamp"]) for _, arrays in read_chunks(tree, BRANCHES))


def read_frames(run: Path) -> int:
    """The same five branches as a lazy frame's batches."""
    return sum(batch.height for batch in batches_of(gp.scan(run)))


def frames_of(run: Path, tree: Tree, name: str) -> Iterator[Frame]:
    """The zlib streams of a branch's baskets, each behind a header of 9 bytes; what is stored plain is left out."""
    branch = tree.branches[name]
    counts = branch.entries[1:] - branch.entries[:-1]
    with run.open("rb") as file:
        for seek, size, count in zip(branch.seeks.tolist(), branch.sizes.tolist(), counts.tolist(), strict=True):
            file.seek(seek)
            basket = file.read(size)
            at = int.from_bytes(basket[14:16], "big")
            if size - at == count * branch.dtype.itemsize:
                continue
            while at < size:
                if basket[at : at + 2] != b"ZL":
                    raise ValueError(f"{run}: a frame of branch {name} is not compressed by zlib")
                packed, unpacked = (int.from_bytes(basket[at + k : at + k + 3], "little") for k in (3, 6))
                yield basket[at + 9 : at + 9 + packed], unpacked
                at += 9 + packed


def grouped(frames: list[Frame]) -> list[list[Frame]]:
    """The frames in as many groups as threads, of about the same number of bytes."""
    groups: list[list[Frame]] = [[] for _ in range(THREADS)]
    sizes = [0] * THREADS
    for frame in sorted(frames, key=lambda frame: -len(frame[0])):
        least = sizes.index(min(sizes))
        groups[least].append(frame)
        sizes[least] += len(frame[0])
    return groups


def inflate(frames: list[Frame]) -> int:
    """Inflate, and keep nothing; how many bytes it gave."""
    return sum(len(deflate.zlib_decompress(packed, size)) for packed, size in frames)
