"""Half-life of a level, from the delay between the gamma ray that feeds it and the one that leaves it.

Each pair counts that has one hit in the gate on `feeding` and one in that on `decay`, whichever the detectors are. The
delays t(decay) - t(feeding) are fitted with a prompt peak, an exponential decay and random coincidences. Choose a
--window of five half-lives or more, and no --random: random coincidences are part of the fit. `half_life_ns` is null
where no decay is resolved from the prompt peak: it is then below `upper_limit_ns` (95 %). If `direction` is `start
after stop`, exchange the two lines. The counts in the `prompt` peak are of the continuum below the lines.
"""

from math import log

import polars as pl

import gammapolars as gp

NUMBERS = ("half_life_ns", "half_life_ns_unc", "upper_limit_ns", "prompt", "prompt_unc", "chance_per_ns", "chi2", "ndf")


def query(
    pairs: pl.LazyFrame, *, feeding: float = 356.0, decay: float = 81.0, width: float = 8.0, bin_ps: int = 500
) -> pl.LazyFrame:
    if abs(feeding - decay) <= width or "weight" in pairs.collect_schema():
        raise gp.UsageError("the gates on the two lines must not overlap, and --random must not be given")
    start, stop = (gp.Gate.on(line, width) for line in (feeding, decay))
    after = start.weight("energy_kev_a") * stop.weight("energy_kev_b") > 0
    before = stop.weight("energy_kev_a") * start.weight("energy_kev_b") > 0
    delays = pairs.filter(after | before).select(dt_ps=pl.when(after).then("dt_ps").otherwise(-pl.col("dt_ps")))

    def fitted() -> pl.DataFrame:
        fit = gp.fit_lifetime(gp.time_spectrum(delays, bin_ps=bin_ps).collect()[1:-1])  # the window cuts the end bins
        limit = None if fit.upper_limit_ps is None else fit.upper_limit_ps * log(2) / 1000
        half_lives = [(one.half_life_ps / 1000, one.half_life_ps_unc / 1000) for one in fit.components]
        life = half_lives[0] if half_lives else (None, None)
        further = (fit.prompt, fit.prompt_unc, fit.chance_per_ns, fit.chi2, fit.ndf, fit.direction)
        return pl.DataFrame([(*life, limit, *further)], schema, orient="row")

    schema = dict.fromkeys(NUMBERS, pl.Float64) | {"direction": pl.String}
    return pl.defer(fitted, schema=schema)
