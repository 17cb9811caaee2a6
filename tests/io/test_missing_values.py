"""Values that no hit can have, in columns that need no conversion: missing ones, times beyond any clock, runs apart."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.core.errors import InputError, TableError
from gammapolars.io import Losses, open_runs
from gammapolars.io.reading import Reading
from tests.commandline import gammapolars
from tests.hits import frame

CASES = os.environ.get("GAMMAPOLARS_CASES", "")
HITS = frame([(1000 * n, n % 2, 0, n, 0) for n in range(1, 9)]).with_columns(run=pl.lit(1, pl.UInt16))


def in_file(folder: Path, table: pl.DataFrame, suffix: str = ".parquet") -> Path:
    path = folder / f"run{suffix}"
    write: Any = {".parquet": table.write_parquet, ".arrow": table.write_ipc, ".csv": table.write_csv}[suffix]
    write(path)
    return path


def without(column: str, row: int) -> pl.DataFrame:
    """The hits, one of them without a value."""
    return HITS.with_columns(pl.when(pl.int_range(pl.len()) != row).then(column))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize("column", ["board", "channel", "timestamp_ps", "adc", "flags", "run"])
def test_a_missing_value_is_named_and_left_out(tmp_path: Path, column: str, suffix: str) -> None:
    path = in_file(tmp_path, without(column, 4), suffix)

    with pytest.raises(InputError, match=rf"column '{column}' has values that .* \(the first: null in row 5\)"):
        gp.scan(path).collect()
    losses = Losses()
    kept = open_runs(path, reading=Reading(losses=losses)).hits.collect()
    assert kept["adc"].to_list() == [1, 2, 3, 4, 6, 7, 8]
    assert losses.count("out_of_range") == 1


@pytest.mark.parametrize("command", [["convert"], ["events"], ["spectrum"], ["info"], ["coincidences"], ["rates"]])
def test_every_command_says_so(tmp_path: Path, command: list[str]) -> None:
    path = in_file(tmp_path, without("timestamp_ps", 2))
    output: list[str | Path] = [] if command == ["info"] else ["-o", tmp_path / "out.csv"]

    refused = gammapolars(*command, path, *output)
    assert (refused.code, "null in row 3" in refused.err) == (1, True)
    assert refused.err.count("\n") == 1


def test_a_column_that_hits_need_not_have_may_be_empty(tmp_path: Path) -> None:
    table = HITS.with_columns(adc_short=pl.lit(None, pl.UInt16), energy_kev=pl.lit(None, pl.Float64))
    assert gp.scan(in_file(tmp_path, table)).collect().height == HITS.height


@pytest.mark.parametrize("dtype", [pl.UInt32, pl.Int64, pl.UInt8])
def test_runs_of_another_width_are_taken(tmp_path: Path, dtype: Any) -> None:
    found = gp.scan(in_file(tmp_path, HITS.with_columns(pl.col("run").cast(dtype)))).collect()
    assert found["run"].dtype == pl.UInt16
    assert found["run"].to_list() == [1] * HITS.height


def test_a_run_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the first: 70000 in row 1"):
        gp.scan(in_file(tmp_path, HITS.with_columns(run=pl.lit(70_000, pl.UInt32)))).collect()


@pytest.mark.parametrize("slice_hits", [1, 3, 100])
@pytest.mark.parametrize("runs", [[3, 3, 4, 4, 3, 3, 4, 4], [1, 2, 1, 2, 1, 2, 1, 2], [5, 5, 5, 5, 5, 5, 6, 5]])
def test_a_run_in_pieces_is_refused_however_it_is_cut(tmp_path: Path, runs: list[int], slice_hits: int) -> None:
    table = HITS.with_columns(run=pl.Series(runs, dtype=pl.UInt16))

    with pytest.raises(TableError, match=rf"run {runs[0]} appears again after run {runs[0] + 1}: sort the hits by run"):
        gp.pairs(table.lazy(), "1us", slice_hits=slice_hits).collect()
    refused = gammapolars("coincidences", in_file(tmp_path, table), "-o", tmp_path / "p.csv")
    assert (refused.code, f"run {runs[0]} appears again after run {runs[0] + 1}" in refused.err) == (1, True)
    warned = gammapolars("info", in_file(tmp_path, table))
    assert (warned.code, f"run {runs[0]} appears again after another run" in warned.out) == (0, True)


def test_runs_in_blocks_are_paired_apart(tmp_path: Path) -> None:
    table = HITS.with_columns(run=pl.Series([7, 7, 7, 7, 2, 2, 2, 2], dtype=pl.UInt16))
    assert gp.pairs(table.lazy(), "1ns", slice_hits=2).collect().height == 2 * 3
    assert "appears again" not in gammapolars("info", in_file(tmp_path, table)).out


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv"])
@pytest.mark.parametrize(("late", "fits"), [(2**62, True), (2**62 + 1, False), (2**63 - 1, False), (-(2**62), False)])
def test_times_that_would_overflow_are_out_of_range(tmp_path: Path, late: int, suffix: str, *, fits: bool) -> None:
    table = pl.concat([HITS.drop("run"), frame([(late, 0, 0, 9, 0)])])
    path = in_file(tmp_path, table.sort("timestamp_ps"), suffix)

    if fits:
        assert gp.scan(path).collect()["timestamp_ps"].max() == late
        assert gammapolars("coincidences", path, "-o", tmp_path / "pairs.parquet").code == 0
        return
    with pytest.raises(InputError, match="timestamp_ps"):
        gp.scan(path).collect()
    for command in ("coincidences", "events"):
        outcome = gammapolars(command, path, "--keep-going", "-o", tmp_path / f"{command}.parquet", "--json")
        assert outcome.code == 0, outcome.err
        assert '"hits_out_of_range": 1' in outcome.out


@pytest.mark.skipif(not CASES, reason="GAMMAPOLARS_CASES does not name the folder of inputs that go wrong")
@pytest.mark.parametrize(
    ("name", "lost"), [("p_null_adc", 2), ("p_null_board", 1), ("p_null_ts", 3), ("p_run_null", 1)]
)
def test_cases_of_missing_values(tmp_path: Path, name: str, lost: int) -> None:
    path = Path(CASES) / f"{name}.parquet"
    refused = gammapolars("convert", path, "-o", tmp_path / "c.parquet")
    assert (refused.code, "(the first: null in row" in refused.err) == (1, True)
    kept = gammapolars("convert", path, "--keep-going", "-o", tmp_path / "c.parquet")
    assert kept.code == 0, kept.err
    assert pl.read_parquet(tmp_path / "c.parquet").height == 1000 - lost


@pytest.mark.skipif(not CASES, reason="GAMMAPOLARS_CASES does not name the folder of inputs that go wrong")
def test_case_of_offsets_at_the_ends_of_the_clock(tmp_path: Path) -> None:
    path = in_file(tmp_path, HITS.drop("run"))
    toml = Path(CASES) / "d_offset_both.toml"
    refused = gammapolars("coincidences", path, "--detectors", toml, "-o", tmp_path / "p.csv")
    assert refused.code == 1
    assert "time_offset_ps must be a whole number of picoseconds, at most 576,460,752,303,423,488" in refused.err
