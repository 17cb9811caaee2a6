"""The runs that the benchmarks read: simulated once, and kept."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

import gammapolars as gp
from gammapolars import simulate

WINDOW_PS = 250_000

_SOLID_ANGLE = 0.021  # of each of four detectors: 5 % of the hits then have a partner within the window


class Plan(NamedTuple):
    """What to run on.

    Attributes:
        folder: where files are kept.
        hits: of the runs that all comparisons are made on.
        repeat: how often each contestant is timed.
        large: numbers of hits for what is also done on large runs.
        progress: whether to tell on stderr how the writing of files goes.
        baseline: a checkout of another version, to compare with; None: none.
    """

    folder: Path
    hits: int
    repeat: int = 3
    large: tuple[int, ...] = ()
    progress: bool = False
    baseline: Path | None = None

    def run(self, layout: str = "native", hits: int | None = None) -> Path:
        """A simulated run of four HPGe detectors around a Co-60 source, in the page cache.

        Args:
            layout: of the baskets: `native` (32 kB for 30 MB, then one a cluster), `small` or `large` throughout.
            hits: how many, if not as many as the plan says.
        """
        hits = hits or self.hits
        path = self.folder / f"{layout}-{hits}.root"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            progress = _progress(path, hits) if self.progress else None
            simulate.run(path, ["Co-60"], hits=hits, seed=2, solid_angle=_SOLID_ANGLE, layout=layout, progress=progress)
        with path.open("rb") as file:
            while file.read(2**24):
                pass
        return path


def _progress(path: Path, hits: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        end = "\n" if done >= hits else ""
        print(f"\rwriting {path.name}: {done / hits:.0%}", end=end, file=sys.stderr, flush=True)

    return tell


def describe(path: Path) -> str:
    """A run's size, and how many of its hits are in coincidence."""
    hits = gp.scan(path)
    total = hits.select(pl.len()).collect().item()
    pairs = hits.pipe(gp.pairs, WINDOW_PS, reject="none").collect()
    partners = pl.concat(
        [
            pairs.select(pl.col("^.*_a$").name.map(lambda name: name[:-2]), "timestamp_ps"),
            pairs.select(
                pl.col("^.*_b$").name.map(lambda name: name[:-2]), timestamp_ps=pl.col("timestamp_ps") + pl.col("dt_ps")
            ),
        ]
    )
    part = partners.select("board", "channel", "timestamp_ps").unique().height / total
    return (
        f"{path.name}: {total:,} hits, {path.stat().st_size / 1e6:.0f} MB, {part:.2%} of the hits with a partner "
        f"within 250 ns, {len(pairs):,} pairs before flags reject hits"
    )
