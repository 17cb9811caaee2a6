"""What one pass over a run counts on its way: each product takes slices, and their sum is the whole run's."""

from typing import Protocol

import numpy as np
import polars as pl

from gammapolars.calibration import energy_kev
from gammapolars.detectors import Detectors
from gammapolars.flags import has_any
from gammapolars.spectra import dithered, mirrored, redistributed
from gammapolars.tallies import Tally, count_by
from gammapolars.units import PS_PER_S, Window

FLAG_KEYS = {"board": 16, "channel": 16, "flags": 32}

FEW_DETECTORS = 16

MAX_TIME_BINS = 4096
SHOWN_TIME_BINS = 200
MAX_NS_STEPS = 200_000


class Product(Protocol):
    """Something that is summed up over slices; hits and pairs come from two threads, each in order of time."""

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take a slice's own hits, rejected ones too."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Take a part of a slice's pairs, calibrated."""


class HitTally:
    """Hits by run, detector and flags, and the times of each run's first and last hit.

    Attributes:
        spans: the times (ps) of the first and last hit by run; a run that has no number is run 1.
    """

    def __init__(self) -> None:
        self._tally = Tally("run", *FLAG_KEYS)
        self._seen: list[tuple[int, int]] = []
        self._usual_flags = 0
        self.spans: dict[int, tuple[int, int]] = {}

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        if hits.is_empty():
            return
        run = int(hits["run"][0]) if "run" in hits.columns else 1
        counted = self._summed(hits)
        counted = self._counted(hits) if counted is None else counted
        self._tally.add(counted.with_columns(run=pl.lit(run, pl.UInt16)))
        time = pl.col("timestamp_ps")
        first, last = hits.select(first=time.min(), last=time.max()).row(0)  # as recorded, hits may be out of order
        before = self.spans.get(run, (first, last))
        self.spans[run] = (min(first, before[0]), max(last, before[1]))

    def _counted(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits by detector and flags, and what is learnt from them of those to come."""
        counted = count_by(hits, FLAG_KEYS)
        self._seen = sorted({*self._seen, *counted.select("board", "channel").unique().iter_rows()})
        self._usual_flags = counted.group_by("flags").agg(pl.col("counts").sum()).sort("counts")["flags"][-1]
        return counted

    def _summed(self, hits: pl.DataFrame) -> pl.DataFrame | None:
        """The same several times faster, where few detectors have been seen and most hits carry the usual flags.

        Then a sum for each detector, and a count of the few other hits alone, tell everything. None where they do not.
        """
        if not 0 < len(self._seen) <= FEW_DETECTORS:
            return None
        rare = hits.lazy().select(*FLAG_KEYS).filter(pl.col("flags") != self._usual_flags).collect()
        if rare.height > hits.height // 4:
            return None
        totals = hits.select(
            ((pl.col("board") == board) & (pl.col("channel") == channel)).sum().alias(f"{board}/{channel}")
            for board, channel in self._seen
        ).row(0)
        if sum(totals) != hits.height:
            return None
        counted = count_by(rare, FLAG_KEYS)
        usual = dict(zip(self._seen, totals, strict=True))
        for board, channel, _, count in counted.iter_rows():
            usual[board, channel] -= count
        rows = [(*key, self._usual_flags, count) for key, count in usual.items() if count]
        return pl.concat([pl.DataFrame(rows, counted.schema, orient="row"), counted])

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

    @property
    def real_time_s(self) -> float:
        """From the first hit to the last, summed over runs."""
        return sum(last - first for first, last in self.spans.values()) / PS_PER_S

    @property
    def first_ps(self) -> int | None:
        """The time of the first hit; of several runs, by their own clocks, the least."""
        return min((first for first, _ in self.spans.values()), default=None)

    @property
    def last_ps(self) -> int | None:
        """The time of the last hit; of several runs, by their own clocks, the largest."""
        return max((last for _, last in self.spans.values()), default=None)

    def by_flags(self) -> pl.DataFrame:
        """`board`, `channel`, `flags`, `counts`, of all runs."""
        return self._total().group_by(*FLAG_KEYS).agg(pl.col("counts").sum()).sort(*FLAG_KEYS)

    def in_runs(self, mask: int = 0) -> list[tuple[float, dict[tuple[int, int], int]]]:
        """For each run its real time (s), and its hits without any bit of the mask by (board, channel)."""
        used = self._total().filter((pl.col("flags") & mask) == 0)
        found = []
        for run, (first, last) in sorted(self.spans.items()):
            counted = used.filter(pl.col("run") == run).group_by("board", "channel").agg(pl.col("counts").sum())
            hits = {(board, channel): count for board, channel, count in counted.iter_rows()}
            found.append(((last - first) / PS_PER_S, hits))
        return found

    def _total(self) -> pl.DataFrame:
        table = self._tally.total()
        if table.is_empty():
            numbers = {"run": pl.UInt16, "board": pl.UInt16, "channel": pl.UInt16, "flags": pl.UInt32}
            return pl.DataFrame(schema=numbers | {"counts": pl.UInt64})
        return table

    def with_flags(self, masks: dict[str, int]) -> dict[str, int]:
        """How many hits carry each of some named flags, if any does; a hit with two counts under both."""
        table = self.by_flags()
        counted = {
            name: int(table.filter((pl.col("flags") & mask) != 0)["counts"].sum()) for name, mask in masks.items()
        }
        return {name: count for name, count in counted.items() if count}

    def by_detector(self, mask: int = 0) -> pl.DataFrame:
        """`board`, `channel`, `hits`, and `hits_used`: those without any bit of the mask."""
        counts = pl.col("counts")
        return (
            self.by_flags()
            .group_by("board", "channel")
            .agg(hits=counts.sum(), hits_used=counts.filter((pl.col("flags") & mask) == 0).sum())
            .sort("board", "channel")
        )


class PairTally:
    """Pairs within a window by their two detectors."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._tally = Tally("board_a", "channel_a", "board_b", "channel_b")

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        within = pairs.filter(pl.col("dt_ps").is_between(*self._window))
        self._tally.add(count_by(within, {"board_a": 16, "channel_a": 16, "board_b": 16, "channel_b": 16}))

    def counts(self) -> dict[tuple[tuple[int, int], tuple[int, int]], int]:
        """Pairs by (detector, detector), the lower (board, channel) first."""
        found: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}
        for row in self._tally.total().iter_rows(named=True):
            ends = sorted([(row["board_a"], row["channel_a"]), (row["board_b"], row["channel_b"])])
            key = (ends[0], ends[1])
            found[key] = found.get(key, 0) + row["counts"]
        return found


class AdcSpectra:
    """Counts of the used hits by detector and adc value."""

    def __init__(self, mask: int) -> None:
        self._mask = mask
        self._tally = Tally("board", "channel", "adc")

    def add_hits(self, hits: pl.DataFrame) -> None:
        used = hits.filter(~has_any(self._mask)) if self._mask else hits
        self._tally.add(count_by(used, {"board": 16, "channel": 16, "adc": 16}))

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

    def spectra(self, detectors: Detectors, bin_kev: float | None) -> pl.DataFrame:
        """Spectra of all detectors: in bins of energy where they are calibrated, else in bins of adc.

        Args:
            detectors: their energy polynomials.
            bin_kev: the width of bins of energy; None: each adc value is a bin of its own, with its energy beside it.

        Returns:
            `board`, `channel`, `energy_kev` (bin centre) or null, `adc` or null, `counts`, `variance`.
        """
        columns = {"board": pl.UInt16, "channel": pl.UInt16, "energy_kev": pl.Float64, "adc": pl.Float64}
        columns |= {"counts": pl.Float64, "variance": pl.Float64}
        table = self._tally.total()
        if table.is_empty():
            return pl.DataFrame(schema=columns)
        table = table.with_columns(pl.col("counts").cast(pl.Float64))
        if bin_kev is None:
            adc = pl.col("adc").cast(pl.Float64)
            return table.with_columns(adc, energy_kev(detectors), variance=pl.col("counts")).select(*columns)
        in_kev = redistributed(table, detectors, bin_kev=bin_kev).with_columns(adc=pl.lit(None, pl.Float64))
        bare = table.filter(table.select(energy_kev(detectors)).to_series().is_null())
        in_adc = bare.with_columns(
            pl.col("adc").cast(pl.Float64), energy_kev=pl.lit(None, pl.Float64), variance=pl.col("counts")
        )
        return pl.concat([in_kev.select(*columns), in_adc.select(*columns)])


class Rates:
    """Counts of all hits by detector and time, in bins that double their width as the run goes on.

    Of several runs, each begins where the one before ended.
    """

    def __init__(self) -> None:
        self._run: int | None = None
        self._origin_ps = 0
        self._elapsed_ps = 0
        self._width_ps = PS_PER_S // 1024
        self._tally = Tally("board", "channel", "bin")
        self._last_bin = 0

    def add_hits(self, hits: pl.DataFrame) -> None:
        if hits.is_empty():
            return
        run = int(hits["run"][0]) if "run" in hits.columns else 1
        if run != self._run:
            self._run, self._origin_ps = run, int(hits["timestamp_ps"][0]) - self._elapsed_ps
        self._elapsed_ps = int(hits["timestamp_ps"][-1]) - self._origin_ps
        self._last_bin = max(self._last_bin, self._elapsed_ps // self._width_ps)
        while self._last_bin >= MAX_TIME_BINS:
            self._widen()
        place = ((pl.col("timestamp_ps") - self._origin_ps) // self._width_ps).cast(pl.UInt32)
        self._tally.add(count_by(hits.with_columns(bin=place), {"board": 16, "channel": 16, "bin": 32}))

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

    def _widen(self) -> None:
        before, self._tally = self._tally.total(), Tally("board", "channel", "bin")
        if before.height:
            self._tally.add(before.with_columns(pl.col("bin") // 2))
        self._width_ps *= 2
        self._last_bin //= 2

    def table(self) -> pl.DataFrame:
        """`board`, `channel`, `time_s` (bin centre since the first hit), `width_s`, `counts`, `rate_cps`: all bins.

        The last bin is left out where the run ends within it, unless it is the only one.
        """
        while self._last_bin >= SHOWN_TIME_BINS:
            self._widen()
        width_s = self._width_ps / PS_PER_S
        counted = self._tally.total()
        schema = {"board": pl.UInt16, "channel": pl.UInt16, "time_s": pl.Float64, "width_s": pl.Float64}
        if counted.is_empty():
            return pl.DataFrame(schema=schema | {"counts": pl.UInt64, "rate_cps": pl.Float64})
        every = pl.DataFrame({"bin": range(max(self._last_bin, 1))}, {"bin": pl.UInt32})
        return (
            counted.select("board", "channel")
            .unique()
            .join(every, how="cross")
            .join(counted, on=["board", "channel", "bin"], how="left")
            .with_columns(pl.col("counts").fill_null(0), time_s=(pl.col("bin") + 0.5) * width_s, width_s=width_s)
            .with_columns(rate_cps=pl.col("counts") / width_s)
            .sort("board", "channel", "bin")
            .select(*schema, "counts", "rate_cps")
        )


class TimeDifferences:
    """Pairs by detectors and time difference, in nanoseconds or coarser."""

    def __init__(self, reach_ps: int, *, bins: int = 1200) -> None:
        self._reach_ps = reach_ps
        self._bins = bins
        # 1 ns lets the clock's own steps be seen later; where that is too fine, steps hold whole numbers of any usual
        # clock's steps (2, 4, 5, 8, 10 or 16 ns), so that they compare.
        self._step_ps = 1000 if reach_ps <= MAX_NS_STEPS * 1000 else -(-reach_ps // MAX_NS_STEPS // 80_000) * 80_000
        self._tally = Tally("board_a", "channel_a", "board_b", "channel_b", "step")
        self._clock_ps = 0

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        if pairs.is_empty():
            return
        self._clock_ps = int(np.gcd(self._clock_ps, np.gcd.reduce(pairs["dt_ps"].to_numpy())))
        later = (pl.col("board_b") < pl.col("board_a")) | (
            (pl.col("board_b") == pl.col("board_a")) & (pl.col("channel_b") < pl.col("channel_a"))
        )
        signed = pl.when(later).then(-pl.col("dt_ps")).otherwise(pl.col("dt_ps"))
        ends = {
            f"{name}_{side}": pl.when(later).then(pl.col(f"{name}_{other}")).otherwise(pl.col(f"{name}_{side}"))
            for name in ("board", "channel")
            for side, other in ("ab", "ba")
        }
        keys = [*ends, "step"]
        counted = pairs.lazy().select(**ends, step=signed // self._step_ps).group_by(keys).agg(counts=pl.len())
        self._tally.add(counted.collect())

    def table(self, detectors: Detectors) -> pl.DataFrame:
        """`name_a`, `name_b`, `dt_ns` (bin centre; time of b minus time of a, a < b), `width_ns`, `counts`: all bins.

        Bins hold a whole number of clock steps each, so that their contents compare.
        """
        schema = {"name_a": pl.String, "name_b": pl.String, "dt_ns": pl.Float64, "width_ns": pl.Float64}
        counted = self._tally.total()
        if counted.is_empty():
            return pl.DataFrame(schema=schema | {"counts": pl.UInt64})
        # Bins of an odd number of units, so that one is centred on 0; the unit is a clock step where those are seen.
        clocked = self._clock_ps >= self._step_ps and self._clock_ps % self._step_ps == 0
        unit = self._clock_ps // self._step_ps if clocked else 1
        per_bin = 2 * (self._reach_ps // self._step_ps // unit // self._bins) + 1
        width_ns = per_bin * unit * self._step_ps / 1000
        centre_ns = (pl.col("bin") + (0.0 if clocked else 0.5 / per_bin)) * width_ns
        place = (pl.col("step") // unit + per_bin // 2) // per_bin
        keys = ["board_a", "channel_a", "board_b", "channel_b"]
        half = int(self._reach_ps / 1000 / width_ns)
        every = pl.DataFrame({"bin": range(-half, half + 1)}, {"bin": pl.Int64})
        binned = counted.with_columns(bin=place).group_by(*keys, "bin").agg(pl.col("counts").sum())
        ends = binned.select(keys).unique().sort(keys)
        named = ends.with_columns(
            pl.Series(
                f"name_{side}",
                [detectors.at(*key).name for key in ends.select(f"board_{side}", f"channel_{side}").iter_rows()],
                pl.String,
            )
            for side in "ab"
        )
        return (
            named.join(every, how="cross")
            .join(binned, on=[*keys, "bin"], how="left")
            .with_columns(pl.col("counts").fill_null(0), dt_ns=centre_ns, width_ns=width_ns)
            .sort(*keys, "bin")
            .select(*schema, "counts")
        )


class EnergyMatrix:
    """Pairs within a window by their two energies, or by their two adc values where nothing is calibrated."""

    def __init__(self, window: Window, detectors: Detectors, *, bin_kev: float, bin_adc: int = 16) -> None:
        self._window = window
        self._calibrated = any(detector.energy for detector in detectors)
        self._detectors = detectors
        self._axes = ("energy_kev_x", "energy_kev_y") if self._calibrated else ("adc_x", "adc_y")
        self._width = bin_kev if self._calibrated else float(bin_adc)
        self._tally = Tally("x", "y")

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        time_a = pl.col("timestamp_ps")
        times = {"a": time_a, "b": time_a + pl.col("dt_ps")}
        adc = {side: dithered(f"adc_{side}", times[side], f"channel_{side}") for side in "ab"}
        values = [energy_kev(self._detectors, f"_{s}", adc=adc[s]) if self._calibrated else adc[s] for s in "ab"]
        places = {axis: (value / self._width).floor().cast(pl.Int32) for axis, value in zip("xy", values, strict=True)}
        counted = (
            pairs.lazy()
            .filter(pl.col("dt_ps").is_between(*self._window))
            .select(**places)
            .drop_nulls()
            .group_by("x", "y")
            .agg(counts=pl.len())
        )
        self._tally.add(counted.collect())

    def table(self) -> pl.DataFrame:
        """The symmetric matrix: bin centres of both axes, `counts`, `variance`; filled bins only."""
        x, y = self._axes
        counted = self._tally.total()
        if counted.is_empty():
            return pl.DataFrame(schema={x: pl.Float64, y: pl.Float64, "counts": pl.Float64, "variance": pl.Float64})
        centres = {axis: (pl.col(place) + 0.5) * self._width for axis, place in ((x, "x"), (y, "y"))}
        return (
            counted.lazy()
            .select(**centres, counts=pl.col("counts").cast(pl.Float64))
            .pipe(mirrored, x, y)
            .with_columns(variance=pl.col("counts"))
            .sort(x, y)
            .collect()
        )
