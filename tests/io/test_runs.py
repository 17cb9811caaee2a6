"""Several runs one after another: no pair, rate or chance estimate crosses from one into another."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.analysis.accumulators import HitTally, Rates
from gammapolars.core.errors import TimeOrderError, UsageError
from gammapolars.streaming.slices import slices
from tests.commandline import gammapolars
from tests.drawing import examples
from tests.hits import SIZES, brute_nearest, brute_pairs, frame, pair_rows, runs, stream, windows
from tests.rootfiles import made_hits, write_hits

PS_PER_S = 10**12

FIRST = frame([(1000, 1), (1200, 2), (5000, 1)])
SECOND = frame([(900, 3), (1100, 1), (5100, 2), (5150, 3)])
"""Between the two, as one run, eight pairs would lie within 300 ps; of each alone there are one and two."""


def in_runs(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """The hits of several runs, numbered from 1."""
    return pl.concat(table.with_columns(run=pl.lit(number, pl.UInt16)) for number, table in enumerate(tables, 1))


def folders(place: Path, *tables: pl.DataFrame) -> list[str]:
    """A run folder as CoMPASS makes it for each table."""
    made = []
    for number, table in enumerate(tables, 1):
        folder = place / f"run{number}" / "RAW"
        folder.mkdir(parents=True)
        write_hits(folder / f"SDataR_run{number}.root", table)
        made.append(str(folder.parent))
    return made


def summary_of(*words: str | Path) -> dict[str, Any]:
    outcome = gammapolars(*words, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert isinstance(found, dict)
    return found


@examples(80)
@given(st.lists(runs(most=15), min_size=1, max_size=4), windows(signed=False), SIZES, SIZES)
def test_the_pairs_of_several_runs_are_those_of_each_alone(
    tables: list[pl.DataFrame], window: tuple[int, int], rows: int, slice_hits: int
) -> None:
    found = gp.pairs(stream(in_runs(tables), rows), window, slice_hits=slice_hits)

    expected = [(*pair, number) for number, table in enumerate(tables, 1) for pair in brute_pairs(table, window)]
    assert [(*row, run) for row, run in zip(pair_rows(found), found.collect()["run"], strict=True)] == expected


@examples(60)
@given(st.lists(runs(most=15), min_size=1, max_size=4), windows(), SIZES, SIZES)
def test_the_nearest_stop_lies_in_the_same_run(
    tables: list[pl.DataFrame], window: tuple[int, int], rows: int, slice_hits: int
) -> None:
    ends = ((0, 0), (0, 1))

    found = gp.nearest(stream(in_runs(tables), rows), *ends, window, slice_hits=slice_hits).collect()

    expected = [
        (*start, number) for number, table in enumerate(tables, 1) for start in brute_nearest(table, window, ends)
    ]
    assert found.select("adc_a", "timestamp_ps", "dt_ps", "run").rows() == expected


@examples(60)
@given(st.lists(runs(most=15), max_size=4), SIZES, SIZES)
def test_no_slice_holds_hits_of_two_runs(tables: list[pl.DataFrame], rows: int, slice_hits: int) -> None:
    hits = in_runs([FIRST.clear(), *tables])

    parts = list(slices(stream(hits, rows), 10, slice_hits=slice_hits))

    assert all(part.hits["run"].n_unique() == 1 for part in parts)
    assert sum(part.own.height for part in parts) == hits.height


def test_a_pair_within_a_run_asks_for_time_order_and_names_the_step_back() -> None:
    hits = in_runs([FIRST, frame([(5000, 1), (1, 2)])])

    with pytest.raises(TimeOrderError, match=r"hit 2 is 4\.999 ns earlier"):
        gp.pairs(hits.lazy(), 300, reorder_ps=100).collect()


def test_folders_are_scanned_as_runs_of_their_own(tmp_path: Path) -> None:
    hits = gp.scan(*folders(tmp_path, FIRST, SECOND))

    assert hits.collect().equals(in_runs([FIRST, SECOND]))
    assert hits.select("run", "adc").group_by("run").len().sort("run").collect().rows() == [(1, 3), (2, 4)]
    assert hits.filter(pl.col("run") == 2).select("timestamp_ps").head(2).collect().rows() == [(900,), (1100,)]
    assert "run" not in gp.scan(tmp_path / "run1").collect_schema()


def test_files_are_one_run_unless_they_are_kept_apart(tmp_path: Path) -> None:
    paths = [write_hits(tmp_path / f"{name}.root", table) for name, table in (("a", FIRST), ("b", SECOND))]

    merged = gp.scan(*paths).collect()
    apart = gp.scan(tmp_path / "*.root", apart=True).collect()

    assert merged["timestamp_ps"].to_list() == [900, 1000, 1100, 1200, 5000, 5100, 5150]
    assert apart.equals(in_runs([FIRST, SECOND]))


def test_a_run_of_several_that_holds_several_itself_is_refused(tmp_path: Path) -> None:
    """Its own numbers would be replaced by one, and hits of two runs paired."""
    later = pl.col("timestamp_ps") + 10**12
    for name in ("a", "b"):
        parts = [made_hits(50).with_columns(run=pl.lit(3, pl.UInt16))]
        if name == "b":
            parts.append(made_hits(50).with_columns(later, run=pl.lit(4, pl.UInt16)))
        pl.concat(parts).write_parquet(tmp_path / f"{name}.parquet")

    said = gammapolars("convert", tmp_path / "a.parquet", tmp_path / "b.parquet", "--apart", "-o", tmp_path / "o.arrow")

    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "b.parquet: contains several runs, 3 and 4" in said.err
    assert not (tmp_path / "o.arrow").exists()
    assert gammapolars("convert", tmp_path / "b.parquet", "-o", tmp_path / "o.parquet").code == 0
    assert pl.read_parquet(tmp_path / "o.parquet")["run"].unique().to_list() == [3, 4]


def test_a_folder_and_files_are_runs_apart(tmp_path: Path) -> None:
    (folder,) = folders(tmp_path, FIRST)
    file = write_hits(tmp_path / "b.root", SECOND)

    assert gp.scan(file, folder).collect().equals(in_runs([FIRST, SECOND]))


def test_coincidences_of_several_runs_are_counted_run_by_run(tmp_path: Path) -> None:
    first = made_hits(3000, seed=1, gap_ps=2_000_000)
    second = made_hits(1000, seed=2, gap_ps=1_000_000)
    named = folders(tmp_path, first, second)

    both = summary_of("coincidences", *named, "-o", tmp_path / "both.parquet")
    one = summary_of("coincidences", named[0], "-o", tmp_path / "one.parquet")
    two = summary_of("coincidences", named[1], "-o", tmp_path / "two.parquet")

    pairs = pl.read_parquet(tmp_path / "both.parquet")
    for number, alone in ((1, "one"), (2, "two")):
        of_run = pairs.filter(pl.col("run") == number).drop("run")
        assert of_run.height
        assert of_run.equals(pl.read_parquet(tmp_path / f"{alone}.parquet"))
    for key in ("hits_read", "hits_used", "hits_rejected", "pairs"):
        assert both[key] == one[key] + two[key], key
    for key in ("real_time_s", "chance_pairs_expected"):
        assert both[key] == pytest.approx(one[key] + two[key]), key
    assert [(run["run"], run["hits"], run["real_time_s"]) for run in both["runs"]] == [
        (1, 3000, one["real_time_s"]),
        (2, 1000, two["real_time_s"]),
    ]
    assert "runs" not in one


def test_converted_runs_stay_apart(tmp_path: Path) -> None:
    named = folders(tmp_path, FIRST, SECOND)

    summary = summary_of("convert", *named, "-o", tmp_path / "both.parquet")

    assert gp.scan(tmp_path / "both.parquet").collect().equals(in_runs([FIRST, SECOND]))
    assert summary["hits_read"] == 7
    assert [run["hits"] for run in summary["runs"]] == [3, 4]
    assert summary_of("info", tmp_path / "both.parquet")["inversions"] == 0
    again = summary_of("coincidences", tmp_path / "both.parquet", "--window", "300ps", "-o", tmp_path / "p.parquet")
    assert again["pairs"] == 3
    assert [run["hits"] for run in again["runs"]] == [3, 4]


def test_info_tells_the_runs(tmp_path: Path) -> None:
    named = folders(tmp_path, FIRST, SECOND)

    found = summary_of("info", *named)

    assert [run["hits"] for run in found["runs"]] == [3, 4]
    assert [source["stage"] for source in found["sources"]] == ["raw", "raw"]
    assert found["inversions"] == 0
    assert found["warnings"] == []


def test_columns_that_only_some_files_have_are_null_in_the_others(tmp_path: Path) -> None:
    """Boards with other firmware record in one run."""
    FIRST.write_parquet(tmp_path / "a.parquet")
    SECOND.with_columns(adc_short=pl.lit(7, pl.UInt16)).write_parquet(tmp_path / "b.parquet")

    merged = gp.scan(tmp_path / "*.parquet").collect()
    apart = gp.scan(tmp_path / "*.parquet", apart=True).collect()

    assert merged.sort("timestamp_ps").select("channel", "adc_short").rows()[:3] == [(3, 7), (1, None), (1, 7)]
    assert apart["adc_short"].to_list() == [None] * 3 + [7] * 4
    told = summary_of("coincidences", tmp_path / "*.parquet", "--window", "300ps", "-o", tmp_path / "p.csv")
    assert told["pairs"] == 8


def test_runs_with_other_columns_are_refused(tmp_path: Path) -> None:
    FIRST.write_parquet(tmp_path / "run1.parquet")
    SECOND.with_columns(temperature=pl.lit(20.0)).write_parquet(tmp_path / "run2.parquet")

    outcome = gammapolars("coincidences", tmp_path / "run*.parquet", "--apart", "-o", tmp_path / "p.parquet")

    assert outcome.code == 1
    assert "other columns" in outcome.error
    assert "run2" in outcome.error


def test_rates_of_a_second_run_follow_those_of_the_first() -> None:
    seconds = [[0, 1, 2, 4], [100, 101, 104]]
    rates = Rates()
    for table in (frame((PS_PER_S * second, 1) for second in times) for times in seconds):
        rates.add_hits(table.with_columns(run=pl.lit(1 if table["timestamp_ps"][0] == 0 else 2, pl.UInt16)))

    table = rates.table()

    assert table.filter(pl.col("counts") > 0)["time_s"].max() < 8.1  # type: ignore[operator]
    assert table["counts"].sum() in (6, 7)  # the last bin may be left out


def test_a_tally_sums_the_times_of_runs() -> None:
    tally = HitTally()
    for number, table in enumerate((FIRST, SECOND), 1):
        tally.add_hits(table.with_columns(run=pl.lit(number, pl.UInt16)))

    assert tally.real_time_s == pytest.approx((4000 + 4250) / PS_PER_S)
    assert [used for _, used in tally.in_runs()] == [
        {(0, 1): 2, (0, 2): 1},
        {(0, 1): 1, (0, 2): 1, (0, 3): 2},
    ]


# Hits that would count twice


def test_a_copy_under_another_name_is_refused(tmp_path: Path) -> None:
    write_hits(tmp_path / "a.root", FIRST)
    (tmp_path / "b.root").write_bytes((tmp_path / "a.root").read_bytes())

    with pytest.raises(UsageError, match=r"b\.root: is a copy of .*a\.root, so each of its hits would count twice"):
        gp.scan(tmp_path / "a.root", tmp_path / "b.root")


def test_the_same_folder_twice_is_refused(tmp_path: Path) -> None:
    (folder,) = folders(tmp_path, FIRST)

    outcome = gammapolars("info", folder, folder + "/RAW")

    assert outcome.code == 2
    assert "is given twice" in outcome.error


def test_the_same_hits_in_two_formats_are_refused(tmp_path: Path) -> None:
    write_hits(tmp_path / "SDataR_a.root", FIRST)
    FIRST.write_csv(tmp_path / "SDataR_a.csv")

    with pytest.raises(UsageError, match="the same hits"):
        gp.scan(tmp_path / "SDataR_a.root", tmp_path / "SDataR_a.csv")


# Arguments


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stage", "cooked"], "unknown stage 'cooked': choose raw, unfiltered, filtered"),
        (["--stage", "filtered"], "contains no hits of stage filtered, only raw"),
    ],
)
def test_a_stage_that_is_not_there(words: list[str], said: str, tmp_path: Path) -> None:
    (folder,) = folders(tmp_path, FIRST)

    assert said in gammapolars("info", folder, *words).error


def test_a_stage_is_chosen_within_folders_only(tmp_path: Path) -> None:
    file = write_hits(tmp_path / "a.root", FIRST)

    outcome = gammapolars("info", file, "--stage", "raw")

    assert outcome.code == 2
    assert "give the folder" in outcome.error


# Where outputs come from


def provenance_of(path: Path) -> dict[str, Any]:
    found = json.loads(pl.read_parquet_metadata(path)["gammapolars"])
    assert isinstance(found, dict)
    return found


def test_outputs_carry_the_times_of_each_input(tmp_path: Path) -> None:
    paths = [write_hits(tmp_path / f"{name}.root", table) for name, table in (("a", FIRST), ("b", SECOND))]
    expected = [
        {"name": "a.root", "first_timestamp_ps": 1000, "last_timestamp_ps": 5000},
        {"name": "b.root", "first_timestamp_ps": 900, "last_timestamp_ps": 5150},
    ]

    for number, words in enumerate(([], ["--apart"])):
        output = tmp_path / f"{number}.parquet"
        summary_of("coincidences", *paths, "-o", output, *words)

        inputs = provenance_of(output)["inputs"]
        assert [{key: one[key] for key in expected[0]} for one in inputs] == expected
        assert all(one["bytes"] == (tmp_path / one["name"]).stat().st_size for one in inputs)


def test_outputs_carry_what_the_digitizer_wrote_down(tmp_path: Path) -> None:
    (folder,) = folders(tmp_path, FIRST)
    notes = "id=run1\ntime.start=2025/03/18 12:11:24.131-0400\ntime.real=00:03:20\n"
    (Path(folder) / "run.info").write_text(notes)

    summary = summary_of("coincidences", folder, "-o", tmp_path / "p.parquet")

    (recorded,) = provenance_of(tmp_path / "p.parquet")["recorded"]
    assert recorded["id"] == "run1"
    assert recorded["real_time_s"] == 200
    assert recorded["start"].startswith("2025-03-18T12:11:24")
    assert summary["warnings"] == ["run1: was recorded for 200 s, but its hits cover only 4e-09 s: are files missing?"]
    assert summary_of("info", folder)["sources"][0]["recorded"]["id"] == "run1"


@pytest.mark.usefixtures("undrawn")
def test_every_table_of_a_report_tells_where_it_comes_from(tmp_path: Path) -> None:
    file = write_hits(tmp_path / "a.root", made_hits(500))

    told = summary_of("report", file, "-o", tmp_path / "report")

    tables = sorted((tmp_path / "report").glob("*.parquet"))
    assert [table.name for table in tables] == ["matrix.parquet", "pairs.parquet", "spectra.parquet"]
    for table in tables:
        origin = provenance_of(table)
        assert origin["inputs"][0]["name"] == "a.root"
        assert origin["summary"]["hits_read"] == told["hits_read"] == 500


def test_the_truth_of_a_simulation_tells_how_it_was_made(tmp_path: Path) -> None:
    words = ("--source", "Co-60", "--hits", "300", "--seed", "5")

    summary_of("simulate", *words, "-o", tmp_path / "run.root", "--truth", tmp_path / "truth.parquet")

    assert provenance_of(tmp_path / "truth.parquet")["simulation"]["seed"] == 5


def test_sums_over_several_runs_say_so(tmp_path: Path) -> None:
    FIRST.write_parquet(tmp_path / "run1.parquet")
    SECOND.write_parquet(tmp_path / "run2.parquet")
    runs: list[str | Path] = [tmp_path / "run1.parquet", tmp_path / "run2.parquet", "--apart"]

    told = summary_of("spectrum", *runs, "-o", tmp_path / "s.csv")
    assert any(warning.startswith("summed over 2 runs: ") for warning in told["warnings"])
    sliced = summary_of("spectrum", *runs, "--slice", "1s", "-o", tmp_path / "t.csv")
    assert not any("summed over" in warning for warning in sliced["warnings"])
