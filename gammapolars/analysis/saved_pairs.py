"""Measurements on saved pairs: with energies, in a window, counted by their detectors, and their doubts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import polars as pl

from gammapolars.analysis.summaries import Summary
from gammapolars.core.errors import InputError, TableError, UsageError
from gammapolars.core.pulse_shape import without
from gammapolars.core.quantities import ADC, ENERGY, Quantity, are_of_pairs
from gammapolars.core.records import optional
from gammapolars.core.types import Progress
from gammapolars.core.units import Window, parse_window
from gammapolars.core.wording import setting
from gammapolars.corrections import dithered_pairs
from gammapolars.detectors import Detectors, limits_of
from gammapolars.io.pair_files import PairFiles
from gammapolars.io.pairs import ADVICE
from gammapolars.io.provenance import describe_files
from gammapolars.spectra.tallies import Tally
from gammapolars.streaming.slices import batches_of

ENDS = ("board_a", "channel_a", "board_b", "channel_b")


@dataclass(frozen=True, kw_only=True)
class SavedPairsSummary(Summary):
    """The summary of commands that read saved pairs.

    Attributes:
        pairs: that were read, of the prompt windows.
        random_pairs: of random windows, if there are any.
        net_of_chance: whether pairs of random windows are subtracted, by their weights.
        window_ps: in which the pairs lie, [low, high] (ps): where no narrower one is asked for, that in which they were
            looked for; null: their files do not say.
    """

    pairs: int
    random_pairs: int | None = optional()
    net_of_chance: bool
    window_ps: Window | None


class SavedPairTally:
    """Saved pairs by their detectors and region, with those whose hits have no energy."""

    def __init__(self) -> None:
        self._counts, self._bare = Tally(*ENDS, "random"), Tally("board", "channel")

    def add(self, pairs: pl.DataFrame) -> None:
        """Count some of them."""
        random = pl.col("region") == "random" if "region" in pairs.columns else pl.lit(value=False)
        self._counts.add(pairs.lazy().group_by(*ENDS, random=random).agg(counts=pl.len()).collect())
        for side in "ab":
            if f"energy_kev_{side}" in pairs.columns and pairs[f"energy_kev_{side}"].null_count():
                bare = pairs.lazy().filter(pl.col(f"energy_kev_{side}").is_null())
                keys = [pl.col(f"{name}_{side}").alias(name) for name in ("board", "channel")]
                self._bare.add(bare.group_by(keys).agg(counts=pl.len()).collect())

    def number(self, *, random: bool) -> int:
        """How many pairs there are in prompt, or in random windows."""
        table = self._counts.total()
        return int(table.filter(random=random)["counts"].sum()) if table.height else 0

    def without_energy(self, detectors: Detectors) -> list[str]:
        """The names of detectors of which hits have no energy."""
        table = self._bare.total()
        keys = sorted(table.select("board", "channel").rows()) if table.height else []
        return [detectors.at(*key).name for key in keys]


@dataclass
class SavedPairs:
    """Files of pairs as they are measured on.

    Attributes:
        files: of the pairs.
        known: detectors as detectors.toml describes them; none: as the files were made with.
        progress: called with how many pairs have been read.
    """

    files: PairFiles
    known: Detectors
    progress: Progress | None = None

    @property
    def name(self) -> str:
        """Their name in messages."""
        return self.files.name

    @property
    def detectors(self) -> Detectors:
        """Names and calibrations: those of detectors.toml, else those that the pairs were made with."""
        return self.known if len(self.known) else self.files.detectors

    @property
    def from_adc(self) -> bool:
        """Whether energies can follow from adc values."""
        return self.files.has_adc and any(detector.energy for detector in self.detectors)

    @property
    def is_calibrated(self) -> bool:
        """Whether pairs have energies: as they were saved, or by a detector's calibration."""
        return self.files.has_energies or self.from_adc

    def require_values(self) -> None:
        """Raise where pairs have nothing to bin or to gate on.

        Raises:
            InputError: they have neither energies nor adc values.
        """
        if not self.files.has_energies and not self.files.has_adc:
            raise InputError(f"{self.name}: its pairs have neither energies nor adc values")

    def require_along(self, *quantities: Quantity) -> None:
        """Raise where pairs have no values of some quantities, the axes of a matrix.

        Raises:
            TableError: they have none.
            UsageError: only single hits have them.
        """
        if other := [one.word for one in quantities if not one.of_pairs]:
            raise UsageError(f"{self.name} contains pairs, but an axis of {other[0]} needs single hits: {ADVICE}")
        if not all(are_of_pairs(x, y) for x, y in pairwise(quantities)):
            words = " and ".join(one.word for one in quantities)
            raise UsageError(f"{self.name} contains pairs, but {words} of the same hit need single hits: {ADVICE}")
        if (ADC in quantities and not self.files.has_adc) or (ENERGY in quantities and not self.is_calibrated):
            raise TableError(f"{self.name}: its pairs have no values along these axes")
        needed = [f"{name}_{side}" for one in quantities for name in one.needs for side in "ab"]
        if missing := [name for name in needed if name not in self.files.columns]:
            again = "form the pairs again with 'gammapolars coincidences RUN... --adc-short'"
            raise TableError(f"{self.name}: {without(missing[0])}: {again}")

    @cached_property
    def pairs(self) -> pl.LazyFrame:
        """The pairs with energies where these are known, dithered over the width of their adc values."""
        return dithered_pairs(self.files.pairs, self.detectors)

    def within(self, window: str, pairs: pl.LazyFrame | None = None) -> pl.LazyFrame:
        """The pairs, or a frame made of them, within a window no wider than that in which they were looked for.

        Raises:
            UsageError: they carry weights for another window, or were not looked for in all of this one.
        """
        if self.files.is_weighted:
            raise UsageError(
                f"{self.name}: the weights of its pairs are valid only for their own window: leave "
                f"{setting('--window', 'window')} out"
            )
        asked = parse_window(window)
        self.check_window(asked)
        return (self.pairs if pairs is None else pairs).filter(pl.col("dt_ps").is_between(*asked))

    def check_window(self, asked: Window, *, signed: bool = False) -> None:
        """Raise where pairs are asked for that were not looked for.

        Args:
            asked: the window.
            signed: whether time differences are those of a start and a stop, which may come before it.

        Raises:
            UsageError: it is wider than that of the pairs, as far as their files say.
        """
        for path, own in self.files.windows.items():
            if asked.high > own.high or (asked.low < own.low and (signed or own.low != 0)):
                raise UsageError(f"{path}: its pairs were formed within {own}, not within {asked}: {ADVICE}")

    def count(self, *counters: Callable[[pl.DataFrame], None], pairs: pl.LazyFrame | None = None) -> SavedPairTally:
        """Read all pairs, or those of a frame made of them; how many of which detectors these are.

        Args:
            counters: called with some of the pairs at a time.
            pairs: made of these; None: all of them.
        """
        tally, read = SavedPairTally(), 0
        for batch in batches_of(self.pairs if pairs is None else pairs):
            for add in (tally.add, *counters):
                add(batch)
            read += batch.height
            if self.progress:
                self.progress(read)
        return tally

    def doubts(self, *, energies: bool = True) -> tuple[str, ...]:
        """Where pairs are not those that the detectors of the command line would give, one sentence each.

        Args:
            energies: whether energies are used.
        """
        return (*self._doubts_of_limits(), *(self._doubts_of_energies() if energies else ()))

    def _doubts_of_energies(self) -> tuple[str, ...]:
        stored = self.files.detectors
        other = [one.name for one in self.known if stored.at(*one.key).energy not in (None, one.energy)]
        if other and self.files.has_energies:
            return (
                f"{self.name}: its energies come from a calibration different from that of "
                f"{', '.join(other)} in the given detectors.toml and are kept: form the pairs again to "
                "change them",
            )
        if self.files.has_energies and self.files.has_adc and not self.from_adc:
            return (
                f"{self.name}: its energies are not dithered over the width of an ADC channel, because no "
                "calibration of its detectors is known: give the detectors.toml used to make them",
            )
        return ()

    def _doubts_of_limits(self) -> Iterator[str]:
        other = [one.name for one in self.known if limits_of(one) != limits_of(self.files.detectors.at(*one.key))]
        if other:
            yield (
                f"{self.name}: its pairs were not formed with the thresholds of {', '.join(other)} in the given "
                "detectors.toml, and are kept: form the pairs again to change them"
            )

    def summary(
        self, tally: SavedPairTally, warnings: Sequence[str] = (), *, energies: bool = True, window: str | None = None
    ) -> dict[str, Any]:
        """The arguments of a `SavedPairsSummary`.

        Args:
            tally: of the pairs that were read.
            warnings: further ones.
            energies: whether they are used.
            window: within which pairs were taken, as it is written; None: all of them were.
        """
        bare = tally.without_energy(self.detectors) if energies and self.is_calibrated else []
        of_bare = [f"hits of {', '.join(bare)} without an energy were not used"] if bare else []
        empty = [] if tally.number(random=False) else [f"{self.name}: contains no pairs that can be used here"]
        return {
            "inputs": tuple(map(str, self.files.paths)),
            "pairs": tally.number(random=False),
            "random_pairs": tally.number(random=True) if self.files.is_weighted else None,
            "net_of_chance": self.files.is_weighted,
            "window_ps": parse_window(window) if window else self.files.window,
            "warnings": (*self.doubts(energies=energies), *of_bare, *warnings, *empty),
        }

    def provenance(self, summary: Summary) -> dict[str, str]:
        """The metadata entry of an output."""
        return describe_files(self.files.paths, summary.to_json())

    @property
    def origin(self) -> Callable[[dict[str, Any]], dict[str, str]]:
        """Makes the metadata entry of an output of a summary as JSON has it."""
        return partial(describe_files, self.files.paths)
