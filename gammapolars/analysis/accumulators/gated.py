"""Net spectra in coincidence with one line, or with two."""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import add

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.core.types import Key
from gammapolars.corrections import dithered_pairs
from gammapolars.detectors import Detectors
from gammapolars.detectors.hits import is_one_of
from gammapolars.gates import Gate, PolygonGate
from gammapolars.spectra.coincidence_peaks import CoincidencePeakTally
from gammapolars.spectra.selections import weights_of_thirds
from gammapolars.spectra.tallies import Tally
from gammapolars.spectra.weighted_tallies import WeightedTally, count_by_weight

BY = ["board", "channel"]

COUNTED_ROWS = 200_000
"""Pairs wait until there are so many: they are counted by some thirty queries, each of which takes its time."""


class NetSpectra(Accumulator):
    """Spectra of hits in coincidence with gates, by detector and summed, less backgrounds and random coincidences.

    A pair with both hits in the gate, or in its background, gives two rows, and a triple up to three. They are one
    observation: where they fall into one bin, their weights are added before they are squared, and so are all of them
    for the variance of the whole spectrum. Those of one pair are of different detectors, so that no bin of one
    detector's spectrum holds two; but bins of two detectors, or two bins of a sum, are correlated by such pairs.

    Args:
        axis: the binned quantity: `energy_kev`, or `adc`.
        width: of the bins, keV, or whole adc values.
    """

    def __init__(self, axis: str, width: float) -> None:
        self.axis, self.width = axis, width
        self._all = Tally("bin")
        self._partners = WeightedTally(*BY, "bin")
        self._covariance = WeightedTally("bin")
        self._observations = WeightedTally("all")
        self._bare = Tally(*BY)
        self._waiting: list[pl.DataFrame] = []
        self._weights: Mapping[str, pl.Expr] = {}

    def parts(self) -> Mapping[str, Mergeable]:
        self._count_waiting()
        return {
            "all": self._all,
            "partners": self._partners,
            "covariance": self._covariance,
            "observations": self._observations,
            "bare": self._bare,
        }

    def _add(self, table: pl.DataFrame, weights: Mapping[str, pl.Expr]) -> None:
        """Count the hits of pairs or triples.

        Args:
            table: pairs or triples.
            weights: of each side's hit, in coincidence with the others.
        """
        needed = [f"{name}_{side}" for side in weights for name in (*BY, self.axis)]
        self._waiting.append(table.select(*needed, *(["weight"] if "weight" in table.columns else [])))
        self._weights = weights
        if sum(part.height for part in self._waiting) >= COUNTED_ROWS:
            self._count_waiting()

    def _count_waiting(self) -> None:
        if self._waiting:
            table, self._waiting = pl.concat(self._waiting), []
            self._count(table, self._weights)

    def _count(self, table: pl.DataFrame, weights: Mapping[str, pl.Expr]) -> None:
        own = pl.col("weight").cast(pl.Float64) if "weight" in table.columns else pl.lit(1.0)
        for side in weights:
            if table[f"{self.axis}_{side}"].null_count():
                bare = table.lazy().filter(pl.col(f"{self.axis}_{side}").is_null())
                keys = [pl.col(f"{name}_{side}").alias(name) for name in BY]
                self._bare.add(bare.group_by(keys).agg(counts=pl.len()).collect())
        bins = {f"bin_{side}": self._bin(f"{self.axis}_{side}") for side in weights}
        numbered = table.with_columns(**bins)
        for name in bins:
            self._all.add(numbered.select(bin=name).drop_nulls().group_by("bin").agg(counts=pl.len()))
        weigh = {f"w_{side}": pl.when(bins[f"bin_{side}"].is_not_null()).then(weights[side] * own) for side in weights}
        rows = numbered.with_columns(**{name: weight.fill_null(0.0) for name, weight in weigh.items()})
        rows = rows.filter(pl.any_horizontal(pl.col(name) != 0 for name in weigh))
        for side in weights:
            partners = rows.select(pl.col(f"{name}_{side}").alias(name) for name in (*BY, "bin", "w"))
            self._partners.add(count_by_weight(partners.filter(pl.col("w") != 0), (*BY, "bin"), "w"))
        for one, other in combinations(weights, 2):
            both = rows.filter(pl.col(f"bin_{one}") == pl.col(f"bin_{other}"))
            products = both.select(bin=f"bin_{one}", w=2 * pl.col(f"w_{one}") * pl.col(f"w_{other}"))
            self._covariance.add(count_by_weight(products.filter(pl.col("w") != 0), ["bin"], "w"))
        whole = reduce(add, map(pl.col, weigh))
        self._observations.add(count_by_weight(rows.select(all=pl.lit(0), w=whole), ["all"], "w"))

    def _bin(self, column: str) -> pl.Expr:
        value = pl.col(column).cast(pl.Float64) + (0.0 if self.axis == "energy_kev" else 0.5)
        return (value / self.width).floor().cast(pl.Int64)

    def _centres(self) -> pl.Expr:
        centre = (pl.col("bin") + 0.5) * self.width
        return centre if self.axis == "energy_kev" else centre - 0.5

    def without_value(self, detectors: Detectors) -> list[str]:
        """The names of detectors with hits that have nothing to bin: no energy, where that is asked for."""
        self._count_waiting()
        table = self._bare.total()
        keys = sorted(table.select(BY).rows()) if table.height else []
        return [detectors.at(*key).name for key in keys]

    def net(self) -> tuple[float, float]:
        """The net counts of the whole spectrum, and their standard deviation."""
        self._count_waiting()
        (net, variance), *_ = [*self._observations.total().select("counts", "variance").rows(), (0.0, 0.0)]
        return net, math.sqrt(variance)

    def total(self) -> pl.DataFrame:
        """`energy_kev` or `adc` (bin centre), `counts`, `variance`: of all hits there are, without any gate."""
        self._count_waiting()
        table = self._all.total()
        if table.is_empty():
            return pl.DataFrame(schema=dict.fromkeys((self.axis, "counts", "variance"), pl.Float64))
        counts = pl.col("counts").cast(pl.Float64)
        return table.sort("bin").select(self._centres().alias(self.axis), counts, variance=counts)

    def by_detector(self) -> pl.DataFrame:
        """`board`, `channel`, `energy_kev` or `adc` (bin centre), `counts`, `variance`: of each coincident detector."""
        self._count_waiting()
        table = self._partners.total()
        if table.is_empty():
            numbers = {"board": pl.UInt16, "channel": pl.UInt16}
            return pl.DataFrame(schema=numbers | dict.fromkeys((self.axis, "counts", "variance"), pl.Float64))
        return table.select(*BY, self._centres().alias(self.axis), "counts", "variance")

    def summed(self) -> pl.DataFrame:
        """The same of all detectors together, without their numbers."""
        self._count_waiting()
        total = self._partners.total("bin")
        if total.is_empty():
            return self.by_detector().drop(BY)
        both = self._covariance.total()
        if both.height:
            more = pl.col("variance") + pl.col("_more").fill_null(0.0)
            total = total.join(both.select("bin", _more="counts"), on="bin", how="left").with_columns(variance=more)
        return total.sort("bin").select(self._centres().alias(self.axis), "counts", "variance")


class GatedSpectra(NetSpectra):
    """Spectra of the hits in coincidence with a gate, out of pairs.

    Args:
        gate: in the quantity that is gated.
        of: detectors whose hits may lie in the gate; None: all.
        calibrated: whether energies are gated and binned, in keV; else adc values.
        width: of the bins, keV, or whole adc values.
    """

    def __init__(self, gate: Gate, of: Sequence[Key] | None, *, calibrated: bool, width: float) -> None:
        super().__init__("energy_kev" if calibrated else "adc", width)
        self._gate, self._of = gate, of

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        self._add(pairs, {"a": self._weight("b"), "b": self._weight("a")})

    def _weight(self, side: str) -> pl.Expr:
        """The weight of a pair with its hit of one side in the gate."""
        weight = self._gate.weight(f"{self.axis}_{side}")
        return weight if self._of is None else pl.when(is_one_of(self._of, f"_{side}")).then(weight).otherwise(0.0)


class GatedPairs(Accumulator):
    """A gate on the pairs of a pass, with energies dithered over the width of their adc values.

    Args:
        spectra: of the hits in coincidence with the gate.
        peak: the counts of a line's coincidence peak with the gate's, if one is asked for.
        detectors: by whose calibrations energies are dithered.
        polygons: pairs count inside all of these.
    """

    def __init__(
        self,
        spectra: GatedSpectra,
        peak: CoincidencePeakTally | None,
        detectors: Detectors,
        polygons: Sequence[PolygonGate] = (),
    ) -> None:
        self.spectra, self.peak = spectra, peak
        self._detectors, self._polygons = detectors, polygons

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        chosen = dithered_pairs(pairs.lazy(), self._detectors)
        for polygon in self._polygons:
            chosen = polygon.select(chosen)
        table = chosen.collect()
        self.spectra.add_pairs(table)
        if self.peak:
            self.peak.add(table)

    def parts(self) -> Mapping[str, Mergeable]:
        return {"spectra": self.spectra, **({"peak": self.peak} if self.peak else {})}


class CubeSpectra(NetSpectra):
    """Spectra of the third hits of triples whose other two lie in two gates: slices of their cube of energies.

    Args:
        first: a gate.
        second: the other.
        width: of the bins, keV.
    """

    def __init__(self, first: Gate, second: Gate, *, width: float) -> None:
        super().__init__("energy_kev", width)
        self._weights = weights_of_thirds(first, second, self.axis)

    def add_triples(self, triples: pl.DataFrame) -> None:
        """Count a table of calibrated triples, by their weights if they have any."""
        self._add(triples, self._weights)
