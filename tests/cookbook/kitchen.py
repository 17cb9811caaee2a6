"""Small runs with known truth for the queries in queries/, and the command that runs a query on them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.commands.query import queries
from gammapolars.core.schema import HITS
from tests.commandline import REPOSITORY, gammapolars
from tests.hits import PILE_UP

Numbers = npt.ArrayLike


def hits(
    time_ps: Numbers,
    channel: Numbers,
    *,
    energy_kev: Numbers | None = None,
    adc: Numbers = 1000,
    flags: Numbers = 0,
    adc_short: Numbers | None = None,
) -> pl.DataFrame:
    """Hits of board 0: of each value, one for all of them or one a hit. Those without energies have none recorded."""
    number = np.size(time_ps)
    values = {"board": 0, "channel": channel, "timestamp_ps": time_ps, "adc": adc, "flags": flags}
    if adc_short is not None:
        values["adc_short"] = adc_short
    types = HITS.columns | HITS.optional
    columns = {
        name: pl.Series(np.broadcast_to(np.rint(value), number)).cast(types[name]) for name, value in values.items()
    }
    if energy_kev is not None:
        columns["energy_kev"] = pl.Series(np.broadcast_to(np.asarray(energy_kev, np.float64), number))
    return pl.DataFrame(columns)


def piled_up(table: pl.DataFrame) -> pl.DataFrame:
    """The same hits with the flag of pile-up."""
    return table.with_columns(flags=pl.lit(PILE_UP, pl.UInt32))


def recorded(*parts: pl.DataFrame, name: str = "run") -> Path:
    """A run in a file: the hits of all parts in order of time."""
    path = Path(f"{name}.parquet").absolute()
    pl.concat(parts).sort("timestamp_ps", "channel").write_parquet(path)
    return path


def served(query: str, *words: str | Path) -> pl.DataFrame:
    """The result of a query in queries/, which runs as a command in this process; words are its runs and options."""
    output = Path(f"{query}-served.parquet").absolute()
    done = gammapolars("query", REPOSITORY / "queries" / f"{query}.py", *words, "-o", output, "--overwrite")
    assert done.code == 0, done.err
    return pl.read_parquet(output)


def cooked(query: str, table: pl.DataFrame, **arguments: object) -> pl.DataFrame:
    """The result of a query in queries/ as a function of hits, or of pairs, without the command."""
    return queries.load(REPOSITORY / "queries" / f"{query}.py").function(table.lazy(), **arguments).collect()


def pull(found: dict[str, float], name: str, truth: float) -> float:
    """How many standard deviations a result, with its `_unc`, lies from the truth."""
    assert found[f"{name}_unc"] > 0
    return (found[name] - truth) / found[f"{name}_unc"]


def rows(table: pl.DataFrame, **values: float) -> list[dict[str, float]]:
    """The rows of a table that have some values."""
    return table.filter(pl.col(name) == value for name, value in values.items()).to_dicts()


def chi2(pulls: list[float]) -> float:
    """χ² per degree of freedom of pulls about the truth."""
    return sum(one**2 for one in pulls) / len(pulls)
