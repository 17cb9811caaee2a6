"""Saved pairs from their start to their stop, and the time spectrum of these."""

import numpy as np
import polars as pl

from gammapolars.analysis.saved_pairs import ENDS, SavedPairs
from gammapolars.coincidences.rule import swapped
from gammapolars.coincidences.sample import CLOCK_HITS
from gammapolars.detectors import Detector
from gammapolars.detectors.hits import is_one_of


def from_start_to_stop(saved: SavedPairs, both: tuple[Detector, Detector]) -> pl.LazyFrame:
    """The prompt pairs of two detectors, a that of the start: dt is signed, and negative where the stop comes first.

    Pairs of random windows and weights are left out: random coincidences are seen on both sides of the peak.
    """
    pairs = saved.pairs
    columns = pairs.collect_schema()
    if "region" in columns:
        pairs = pairs.filter(pl.col("region") == "prompt")
    start, stop = ([detector.key] for detector in both)
    is_turned = is_one_of(stop, "_a") & is_one_of(start, "_b")
    names = [*(name[:-2] for name in ENDS if name.endswith("_a")), "energy_kev", "adc"]
    names = [name for name in names if {f"{name}_a", f"{name}_b"} <= set(columns)]
    return pairs.filter((is_one_of(start, "_a") & is_one_of(stop, "_b")) | is_turned).select(
        *swapped(names, is_turned), dt_ps=pl.when(is_turned).then(-pl.col("dt_ps")).otherwise(pl.col("dt_ps"))
    )


def clock_ps(pairs: pl.LazyFrame) -> int:
    """The step that the time differences of the first pairs have in common; 1 where there are none."""
    dt = pairs.select("dt_ps").head(CLOCK_HITS).collect()["dt_ps"].to_numpy()
    return int(np.gcd.reduce(dt)) or 1 if len(dt) else 1
