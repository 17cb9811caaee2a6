"""Spectra of runs, for peaks and calibrations."""

import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.run_spectra import _of_one_run
from gammapolars.core.schema import HITS
from gammapolars.io.spectra.measurement import Measurement


def hits(run: int, first_ps: int, last_ps: int) -> pl.DataFrame:
    times = pl.Series("timestamp_ps", [first_ps, last_ps], pl.Int64)
    others = [pl.lit(0, kind).alias(name) for name, kind in HITS.columns.items() if name != "timestamp_ps"]
    return pl.DataFrame(times).with_columns(pl.lit(run, pl.UInt16).alias("run"), *others)


def test_the_live_time_of_all_runs_is_that_of_none_of_them() -> None:
    tally = HitTally()
    noted = Measurement(live_time_s=9.0, real_time_s=10.0)

    tally.add_hits(hits(1, 0, 4 * 10**12))
    assert _of_one_run(noted, tally, 1) == noted

    tally.add_hits(hits(2, 0, 6 * 10**12))
    alone = _of_one_run(noted, tally, 2)
    assert (alone.real_time_s, alone.live_time_s) == (6.0, None)
