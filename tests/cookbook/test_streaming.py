"""Queries of long runs: memory does not grow with the number of hits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gammapolars.core.schema import HITS
from tests.commandline import REPOSITORY

MEMORY = """
import resource, sys
from gammapolars.streaming import slices
slices.SLICE_HITS //= 10
slices.slices.__kwdefaults__["slice_hits"] = slices.SLICE_HITS
slices.batches_of.__kwdefaults__["batch_rows"] = slices.SLICE_HITS // 2
from gammapolars.spectra import binning
binning.BATCH_ROWS //= 10
from gammapolars.commands import main
sys.argv = ["gammapolars", *sys.argv[1:]]
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

"""A query with slices of a tenth of the usual hits: what slices take then hides no run that is gathered."""

QUERIES = sorted(path.stem for path in (REPOSITORY / "queries").glob("*.py"))

OPTIONS = {"isomer": ["--feeding", "500", "--decay", "1000", "--width", "400"], "gain_drift": ["--minutes", "0.1"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of 5 and of 20 million hits."""
    folder = tmp_path_factory.mktemp("long")
    number = 5_000_000
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.exponential(5e6, number).astype(np.int64))
    adc = rng.integers(50, 16000, number)
    hits = pl.DataFrame(
        {
            "board": np.zeros(number, np.uint16),
            "channel": rng.integers(0, 4, number, np.uint16),
            "timestamp_ps": times,
            "adc": adc.astype(np.uint16),
            "flags": np.where(rng.random(number) < 0.02, 0x8000, 0).astype(np.uint32),
            "adc_short": (adc * rng.uniform(0.6, 0.95, number)).astype(np.uint16),
            "energy_kev": adc * 0.2,
        },
        {**HITS.columns, "adc_short": pl.UInt16, "energy_kev": pl.Float64},
    )
    hits.write_parquet(folder / "short.parquet")
    short = pl.scan_parquet(folder / "short.parquet")
    moved = [short.with_columns(pl.col("timestamp_ps") + k * int(times[-1] + 1)) for k in range(4)]
    pl.concat(moved).sink_parquet(folder / "long.parquet", maintain_order=True)
    kinds = "".join(f'[[detector]]\nboard = 0\nchannel = {n}\nkind = "{"BGO" if n == 3 else "Ge"}"\n' for n in range(4))
    (folder / "detectors.toml").write_text(kinds)
    return folder


def peak_mb(query: str, run: str, folder: Path) -> float:
    """The largest memory of a process that runs a query."""
    words = ["query", REPOSITORY / "queries" / f"{query}.py", f"{run}.parquet"]
    words += OPTIONS.get(query, [])
    words += ["--detectors", "detectors.toml", "-o", f"{query}.parquet", "--overwrite"]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "POLARS_MAX_THREADS": "1"},  # as few slices as can be
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.mark.large
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the memory of a process is measured by `resource`")
@pytest.mark.parametrize("query", QUERIES)
def test_memory_does_not_grow_with_the_run(query: str, folder: Path) -> None:
    short, long = (peak_mb(query, run, folder) for run in ("short", "long"))

    # Gathering 15 million hits more takes 180 MB, of their times and detectors alone.
    assert long < short + 130, f"{short:.0f} MB, then {long:.0f} MB"
