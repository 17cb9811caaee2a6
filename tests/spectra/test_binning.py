"""Spectra counted in threads: the same as grouping, whatever the keys, the bins and the batches."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.core.errors import TableError, UsageError
from gammapolars.spectra import counting
from gammapolars.spectra.bins import quotient
from gammapolars.streaming.slices import lazy_frame
from tests.commandline import REPOSITORY
from tests.drawing import examples
from tests.hits import counted, frame, in_batches, stream

FINITE = st.floats(-60, 300) | st.sampled_from([0.0, -0.0, 1e9, -1e9, 1e300]) | st.integers(-10, 100).map(float)
ENERGIES = FINITE | st.none() | st.sampled_from([math.nan, math.inf, -math.inf])
COLUMNS = {
    "board": (pl.UInt16, st.sampled_from([0, 1, 65535])),
    "time_slice": (pl.Int64, st.sampled_from([-3, 0, 7, 2**40]) | st.none()),
    "far": (pl.UInt64, st.sampled_from([0, 2**63])),
    "gated": (pl.Boolean, st.booleans()),
    "name": (pl.String, st.sampled_from(["left", "right"])),
}


def grouped(hits: pl.LazyFrame, width: float, by: list[str], energy: str = "energy_kev") -> pl.DataFrame:
    """The spectrum as a query that polars runs alone."""
    number = (pl.col(energy) / width).floor()
    return (
        hits.filter(pl.col(energy).is_finite())
        .select(*by, energy_kev=(number + 0.5) * width)
        .group_by(*by, "energy_kev")
        .agg(counts=pl.len().cast(pl.Float64))
        .with_columns(variance=pl.col("counts"))
        .sort(*by, "energy_kev")
        .collect()
    )


@examples(120)
@given(st.data(), st.sets(st.sampled_from(sorted(COLUMNS))), st.sampled_from([0.3, 1.0, 7.0]), st.integers(1, 50))
def test_a_spectrum_by_any_keys_is_that_of_a_group_by(
    data: st.DataObject, names: set[str], width: float, rows: int
) -> None:
    by = sorted(names)
    schema = {name: COLUMNS[name][0] for name in by} | {"energy_kev": pl.Float64}
    drawn = data.draw(st.lists(st.tuples(*(COLUMNS[name][1] for name in by), ENERGIES), max_size=60))
    hits = pl.DataFrame(drawn, schema, orient="row")

    found = gp.spectrum(stream(hits, rows), bin_kev=width, by=by).collect()

    assert found.equals(grouped(hits.lazy(), width, by))


@pytest.mark.parametrize("cells", [0, pytest.param(2**20, marks=pytest.mark.slow)])
def test_millions_of_hits_of_many_batches_and_blocks(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_CELLS", cells)
    monkeypatch.setattr(counting, "MOST_SPANS", 2)
    random = np.random.default_rng(1)
    hits = pl.DataFrame(
        {
            "board": random.integers(0, 2, 400_000).astype(np.uint16),
            "channel": random.integers(3, 9, 400_000).astype(np.uint16),
            "time_slice": np.arange(400_000) // 30_000 - 2,
            "energy_kev": random.exponential(700, 400_000) - 5,
        }
    )
    by = ["time_slice", "board", "channel"]

    found = gp.spectrum(stream(hits, 90_000), bin_kev=0.7, by=by).collect()

    assert found.equals(grouped(hits.lazy(), 0.7, by))


@examples(60)
@given(st.lists(st.integers(0, 300) | st.just(65535), max_size=60), st.integers(1, 40), st.integers(1, 40))
def test_bins_of_adc_hold_whole_values(values: list[int], width: int, rows: int) -> None:
    hits = frame((0, 0, 0, adc) for adc in values)

    found = gp.spectrum(stream(hits, rows), bin_adc=width, by=()).collect()
    as_floats = gp.spectrum(hits.lazy().cast({"adc": pl.Float64}), bin_adc=width, by=()).collect()

    expected = counted(values, lambda adc: adc // width * width + (width - 1) / 2)
    assert dict(found.select("adc", "counts").iter_rows()) == expected
    assert found.equals(as_floats)
    assert ("width_adc" in found.columns) == (width > 1)


def test_what_is_asked_of_a_spectrum_reaches_it() -> None:
    hits = frame((0, channel, 0, adc) for channel in range(3) for adc in range(50)).lazy()

    spectra = gp.spectrum(hits, bin_adc=10)

    assert spectra.filter(channel=1).select(pl.col("counts").sum()).collect().item() == 50
    assert spectra.head(2).collect().height == 2
    assert spectra.collect_schema() == spectra.collect().schema


def test_only_the_columns_that_are_binned_are_read(tmp_path: Path) -> None:
    seen = []

    def batches(wanted: list[str] | None) -> list[pl.DataFrame]:
        seen.append(wanted)
        return in_batches(frame([(0, 1, 2, 3)]), 1)

    hits = lazy_frame(frame([]).schema, lambda wanted: iter(batches(wanted)))
    gp.spectrum(hits, bin_adc=1, by=["channel"]).collect()

    assert [sorted(wanted or []) for wanted in seen] == [["adc", "channel"]]


@pytest.mark.parametrize("width", [0, -1, 1.5])
def test_a_bin_holds_a_whole_number_of_adc_values(width: float) -> None:
    with pytest.raises(UsageError, match="at least 1 ADC channel"):
        gp.spectrum(frame([]).lazy(), bin_adc=width)  # type: ignore[arg-type]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(TableError, match="no column 'energy_kev' to bin by: calibrate it first"):
        gp.spectrum(frame([]).lazy())
    with pytest.raises(TableError, match="no column 'gate'"):
        gp.spectrum(frame([]).lazy(), bin_adc=1, by=["gate"])
    with pytest.raises(TableError, match="contains String instead of numbers"):
        gp.spectrum(pl.LazyFrame({"energy_kev": ["1"]}), by=())


PEAK = """
import resource, sys
import numpy as np, polars as pl
import gammapolars as gp
from gammapolars.streaming.slices import lazy_frame

random = np.random.default_rng(1)
channel, energy = random.integers(0, 8, 500_000).astype(np.uint16), random.exponential(500, 500_000)
batch = pl.DataFrame({"channel": channel, "energy_kev": energy})

def batches(wanted):
    for k in range(int(sys.argv[1])):
        yield batch.with_columns(pl.col("energy_kev") + 0.1 * (k % 7))

hits = lazy_frame(batch.schema, batches)
found = gp.spectrum(hits, by=["channel"]).collect()
assert found["counts"].sum() == int(sys.argv[1]) * 500_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are counted in another unit elsewhere")
def test_memory_grows_with_the_bins_and_not_with_the_hits() -> None:
    def peak_kb(batches: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(batches)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    # 150 million hits more, 1.5 gigabytes of these columns; what the engine keeps for itself is reached before.
    assert peak_kb(400) - peak_kb(100) < 150_000


@pytest.mark.parametrize("rows", [1, 2, 1000])
@pytest.mark.parametrize(("value", "width", "number"), [(-175_000, 25_000, -7), (1.3, 0.1, 13), (0.009, 0.001, 9)])
def test_a_value_at_an_edge_lies_above_it_however_many_there_are(
    rows: int, value: float, width: float, number: int
) -> None:
    """polars multiplies by the inverse, where there is more than one row: -175,000 × 1/25,000 is below -7."""
    table = pl.DataFrame({"value": [value] * rows})

    assert table.select(quotient(pl.col("value"), width).floor()).to_series().to_list() == [number] * rows
