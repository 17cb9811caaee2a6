"""Net coincidences of two lines by their two detectors."""

import polars as pl

from gammapolars.gates import Gate
from gammapolars.tallies import WEIGHTED, Tally

ENDS = ["board_1", "channel_1", "board_2", "channel_2"]


class CascadeCounts:
    """Pairs with one hit in each of two gates, by which detector saw the first line and which the second.

    Both orders count: a in the first gate and b in the second, and the reverse. Weights of both gates multiply, and
    with the pair's own: the sum is net of what lies below the lines and of chance. Pairs in random windows are summed
    up by themselves too, as what uncorrelated photons of the two lines give.

    Args:
        first: the gate on one line.
        second: the gate on the other; must not overlap with the first.
    """

    def __init__(self, first: Gate, second: Gate) -> None:
        self._gates = first, second
        self._net = Tally(*ENDS, sums=WEIGHTED)
        self._random = Tally(*ENDS, sums=WEIGHTED)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        own = pl.col("weight") if "weight" in pairs.columns else pl.lit(1.0)
        region = pl.col("region") == "random" if "region" in pairs.columns else pl.lit(value=False)
        for a, b in ("ab", "ba"):
            weight = self._gates[0].weight(f"energy_kev_{a}") * self._gates[1].weight(f"energy_kev_{b}")
            ends = {"board_1": f"board_{a}", "channel_1": f"channel_{a}", "board_2": f"board_{b}"}
            rows = (
                pairs.lazy()
                .with_columns(_gate=weight, _own=own, _random=region)
                .filter(pl.col("_gate") != 0)
                .select(
                    *(pl.col(column).alias(name) for name, column in ends.items()),
                    pl.col(f"channel_{b}").alias("channel_2"),
                    "_gate",
                    "_own",
                    "_random",
                )
                .collect()
            )
            net, gate = pl.col("_gate") * pl.col("_own"), pl.col("_gate")
            self._net.add(rows.group_by(ENDS).agg(counts=net.sum(), variance=(net**2).sum()))
            beside = rows.filter("_random").group_by(ENDS)
            self._random.add(beside.agg(counts=gate.sum(), variance=(gate**2).sum()))

    def net(self) -> pl.DataFrame:
        """`board_1`, `channel_1`, `board_2`, `channel_2`, `counts`, `variance`."""
        return _typed(self._net.total())

    def random(self) -> pl.DataFrame:
        """The same of pairs in random windows."""
        return _typed(self._random.total())


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    if table.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(ENDS, pl.UInt16) | dict.fromkeys(WEIGHTED, pl.Float64))
    return table
