"""Add-back and vetoes against plain loops over all hits, and what commands tell of where every hit went."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.analysis.gain_correction import correct_drift
from gammapolars.coincidences import Veto, add_back, events, pairs, veto
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.schema import DRIFT, HITS, require
from gammapolars.corrections import calibrate
from gammapolars.corrections.dithering import dithered
from gammapolars.detectors import Detector, Detectors
from tests.brute import Shield, brute_add_back, brute_veto, calibrated
from tests.commandline import gammapolars
from tests.drawing import examples
from tests.hits import BAD, PILE_UP, SATURATION, SIZES, CountedStream, frame, runs, stream, windows

FAKE = 0x8

REORDER = 2000

CLOVERS = Detectors(
    (
        Detector(0, 0, "A1", (1.0, 0.5), group="A", kind="HPGe"),
        Detector(0, 1, "A2", (-1.0, 0.25), group="A", kind="HPGe"),
        Detector(1, 0, "B1", (0.0, 0.5), group="B", kind="HPGe"),
        Detector(1, 1, "B2", (0.0, 2.0), group="B", kind="HPGe"),
        Detector(0, 2, "shield A", group="A", kind="BGO"),
        Detector(1, 2, "plastic", kind="plastic"),
    )
)
"""Two clovers of two crystals, one with a shield, and a detector that surrounds all."""


FOUND = ["adc", "timestamp_ps", "energy_kev", "flags", "added_hits"]

KNOWN = {detector.key: detector for detector in CLOVERS}


def sums_of(table: pl.DataFrame, window: int, leave_out: tuple[str, ...] = ("BGO",)) -> list[tuple[Any, ...]]:
    """Sums, hit by hit: their energies are exact in any order; the adc, by which hits are told apart, gives them."""
    sums = brute_add_back(calibrated(table.to_dicts(), KNOWN), KNOWN, window, leave_out)
    return [tuple(hit[name] for name in FOUND) for hit in sums]


@examples(100)
@given(runs(), st.integers(0, 80), SIZES, SIZES, st.sampled_from([0, 5, REORDER]))
def test_sums_are_those_of_a_loop_over_all_hits(
    hits: pl.DataFrame, window: int, rows: int, slice_hits: int, reorder_ps: int
) -> None:
    found = add_back(
        stream(hits, rows), CLOVERS, window, leave_out=["BGO"], slice_hits=slice_hits, reorder_ps=reorder_ps
    ).collect()

    assert found.select(FOUND).rows() == sums_of(hits, window)


@examples(60)
@given(runs(), st.integers(0, 80), SIZES)
def test_no_sum_goes_from_one_run_into_another(hits: pl.DataFrame, window: int, slice_hits: int) -> None:
    twice = pl.concat([hits.with_columns(run=pl.lit(number, pl.UInt16)) for number in (1, 2)])

    found = add_back(stream(twice, 7), CLOVERS, window, slice_hits=slice_hits, reorder_ps=REORDER).collect()

    assert found.select(FOUND).rows() == 2 * sums_of(hits, window)


def test_a_long_run_without_gaps_gives_the_same_sums_whatever_the_slices() -> None:
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.integers(0, 12, 8_000)).tolist()
    columns = [rng.integers(0, most, len(times)).tolist() for most in (3, 2, 1000)]
    hits = frame(zip(times, *columns, strict=True))

    cut = add_back(stream(hits, 300), CLOVERS, 60, slice_hits=200, reorder_ps=0).collect()

    assert cut.equals(add_back(stream(hits), CLOVERS, 60).collect())
    assert cut["timestamp_ps"].is_sorted()
    assert cut["added_hits"].sum() == hits.height
    known = sum(hit["energy_kev"] or 0 for hit in calibrated(hits.to_dicts(), KNOWN))
    assert cut["energy_kev"].sum() == pytest.approx(known, rel=1e-12)
    assert cut.select(FOUND).rows() == sums_of(hits, 60)


def test_a_sum_has_time_and_detector_of_the_largest_and_the_flags_of_all() -> None:
    hits = frame([(0, 0, 0, 100, 0x4000), (30, 1, 0, 900, PILE_UP), (31, 2, 0, 7), (500, 0, 0, 100)])

    found = add_back(stream(hits), CLOVERS, 100).collect()

    assert found.rows() == [
        (0, 1, 30, 900, 0x4000 | PILE_UP, 51.0 + 224.0, 2),
        (0, 2, 31, 7, 0, None, 1),
        (0, 0, 500, 100, 0, 51.0, 1),
    ]
    assert events(add_back(stream(hits), CLOVERS, 100), 10).collect()["adc"].to_list() == [7, 100]


def test_recorded_energies_are_added_where_there_are_any() -> None:
    hits = frame([(0, 0), (1, 1), (2, 0)]).with_columns(energy_kev=pl.Series([200.0, 300.0, None]))

    found = add_back(stream(hits), CLOVERS, 10).collect()

    assert found.select("channel", "energy_kev", "added_hits").rows() == [(1, 500.0, 2), (0, None, 1)]


def test_the_sums_are_a_table_of_hits_of_which_only_what_is_needed_is_read() -> None:
    counted = CountedStream(frame([(0, 0), (1, 1)]).with_columns(adc_short=pl.lit(0, pl.UInt16)))

    assert add_back(counted.frame, CLOVERS, 10).select("timestamp_ps").collect().height == 1

    assert counted.reads == [["adc", "board", "channel", "flags", "timestamp_ps"]]
    assert require(add_back(counted.frame, CLOVERS), HITS).names()[-3:] == ["adc_short", "energy_kev", "added_hits"]


def test_add_back_needs_groups_and_calibrations() -> None:
    hits = stream(frame([(0, 0)]))
    lone = Detectors((Detector(0, 0, energy=(0, 1), group="A"), Detector(0, 1, energy=(0, 1), group="B")))
    bare = Detectors((Detector(0, 0, energy=(0, 1), group="A"), Detector(0, 1, "A2", group="A")))

    with pytest.raises(UsageError, match=r"two detectors of the same kind in a group: .*detectors\.toml"):
        add_back(hits, lone)
    with pytest.raises(UsageError, match="A2 of group 'A' has no energy calibration"):
        add_back(hits, bare)
    with pytest.raises(UsageError, match="window for add-back is a single time"):
        add_back(hits, CLOVERS, "0ns:5ns")
    with pytest.raises(TableError, match="no column 'adc'"):
        add_back(hits.drop("adc"), CLOVERS)


# Vetoes


@examples(100)
@given(runs(), windows(), st.sampled_from(["BGO", "plastic"]), SIZES, SIZES, st.sampled_from([0, 10]), st.booleans())
def test_what_a_veto_leaves_is_what_a_loop_leaves(
    hits: pl.DataFrame, window: tuple[int, int], kind: str, rows: int, slice_hits: int, min_adc: int, keep: bool
) -> None:
    options: dict[str, Any] = {"min_adc": min_adc, "keep": keep}

    found = veto(
        stream(hits, rows), CLOVERS, kind, window, slice_hits=slice_hits, reorder_ps=REORDER, **options
    ).collect()

    left = brute_veto(hits.to_dicts(), KNOWN, [Shield(kind, window, **options)])
    assert found["adc"].to_list() == [hit["adc"] for hit in left]
    assert found.schema == hits.schema


def test_the_window_is_the_time_of_the_veto_after_the_hit() -> None:
    hits = frame([(0, 0), (100, 0), (150, 2, 1), (170, 0), (260, 0)])

    assert veto(stream(hits), CLOVERS, "plastic", (-30, 60)).collect()["timestamp_ps"].to_list() == [0, 260]


def test_a_shield_vetoes_its_own_group_alone_and_saturated_too() -> None:
    hits = frame([(0, 0, 0), (1, 0, 1), (2, 2, 0, 0, SATURATION), (500, 0, 0), (501, 2, 0, 0, FAKE)])

    assert veto(stream(hits), CLOVERS, "BGO", 100).collect()["timestamp_ps"].to_list() == [1, 500]


def test_a_least_energy_of_the_veto_needs_its_calibration() -> None:
    hits = frame([(0, 0), (1, 1, 1, 5), (500, 0), (501, 1, 1, 50)])
    known = Detectors((Detector(0, 0, kind="HPGe"), Detector(1, 1, "ring", (0.0, 2.0), kind="BGO")))

    found = veto(stream(hits), known, min_energy_kev=100, window=10)

    assert found.collect()["timestamp_ps"].to_list() == [0]
    with pytest.raises(UsageError, match="needs an energy calibration of shield A"):
        veto(stream(hits), CLOVERS, min_energy_kev=100)


def test_a_kind_that_is_not_there_is_refused() -> None:
    hits = stream(frame([(0, 0)]))

    with pytest.raises(UsageError, match=r"no veto detector of kind 'CsI'.*BGO, HPGe, plastic"):
        veto(hits, CLOVERS, "CsI")
    with pytest.raises(UsageError, match="names no kinds"):
        veto(hits, Detectors())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BGO=200ns", Veto("BGO", (-200_000, 200_000))),  # type: ignore[arg-type]
        ("plastic=-10ns:1us,min_adc=20,keep", Veto("plastic", (-10_000, 10**6), min_adc=20, keep=True)),  # type: ignore[arg-type]
        ("BGO=5ns,min-kev=12.5", Veto("BGO", (-5000, 5000), min_energy_kev=12.5)),  # type: ignore[arg-type]
    ],
)
def test_vetoes_are_read_as_they_are_written(text: str, expected: Veto) -> None:
    assert Veto.parse(text) == expected


@pytest.mark.parametrize("text", ["BGO", "=200ns", "BGO=", "BGO=fast", "BGO=5ns,loud", "BGO=5ns,min_adc=x", ""])
def test_what_is_no_veto_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Veto.parse(text)


# Commands


TOML = "\n".join(
    f'[[detector]]\nname = "{d.name}"\nboard = {d.board}\nchannel = {d.channel}\nkind = "{d.kind}"\n'
    + (f"energy = {list(d.energy)}\n" if d.energy else "")
    + (f'group = "{d.group}"\n' if d.group else "")
    for d in CLOVERS
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of bursts in all detectors, with flags, and its detectors.toml."""
    rng = np.random.default_rng(5)
    count = 20_000
    times = np.cumsum(rng.choice([5_000, 40_000, 2_000_000], count)).tolist()
    flags = rng.choice([0, 0, 0, 0, PILE_UP, SATURATION, FAKE], count).tolist()
    columns = [rng.integers(0, most, count).tolist() for most in (3, 2, 2000)]
    folder = tmp_path_factory.mktemp("clovers")
    frame(zip(times, *columns, flags, strict=True)).write_parquet(folder / "run.parquet")
    (folder / "detectors.toml").write_text(TOML, encoding="utf-8")
    return folder


def summary_of(command: str, folder: Path, *words: str | Path, output: str = "out.parquet") -> dict[str, Any]:
    told = gammapolars(
        command, folder / "run.parquet", "--detectors", folder / "detectors.toml",
        "-o", folder / output, "--overwrite", "--json", *words,
    )  # fmt: skip
    assert told.code == 0, told.err
    found: dict[str, Any] = json.loads(told.out)
    return found


GONE = (
    "hits_rejected",
    "hits_added_back",
    "hits_vetoed",
    "hits_vetoing",
    "hits_damaged",
    "hits_out_of_range",
    "hits_repeated",
)

POLICIES = ("--add-back", "100ns", "--veto", "BGO=60ns", "--veto", "plastic=-20ns:50ns,min_adc=1000")


@pytest.mark.parametrize("words", [(), POLICIES[:2], POLICIES[2:4], POLICIES], ids=["none", "sums", "veto", "all"])
def test_every_hit_is_accounted_for(folder: Path, words: tuple[str, ...]) -> None:
    summary = summary_of("events", folder, "--min-multiplicity", "2", *words)

    assert summary["hits_read"] == 20_000
    gone = sum(summary[name] for name in (*GONE, "hits_below_multiplicity"))
    assert summary["hits_read"] == summary["hits_used"] + gone
    written = pl.read_parquet(folder / "out.parquet")
    assert written.height == summary["hits_used"]
    assert written["event"].n_unique() == summary["events"] > 0
    assert sum(n for m, n in summary["events_by_multiplicity"].items() if int(m) > 1) == summary["events"]
    for name in ("added_back", "vetoed", "vetoing", "below_multiplicity"):
        assert sum(summary[name].values()) == summary[f"hits_{name}"]
    assert (summary["hits_added_back"] > 0) == ("--add-back" in words)
    assert (summary["hits_vetoed"] > 0) == ("--veto" in words)
    assert "shield A" not in summary["added_back"]
    assert not [text for text in summary["warnings"] if text.startswith("no hits")]


def test_the_command_does_what_the_functions_do(folder: Path) -> None:
    summary_of("events", folder, *POLICIES)
    hits = pl.scan_parquet(folder / "run.parquet")

    # Vetoes on the same hits, whatever their order: those of shields are kept until all have been judged.
    expected = (
        calibrate(hits, CLOVERS)
        .pipe(add_back, CLOVERS, "100ns", leave_out=["BGO", "plastic"])
        .pipe(veto, CLOVERS, "plastic", "-20ns:50ns", min_adc=1000)
    )
    shields = calibrate(hits, CLOVERS).filter(pl.col("board") == 0, pl.col("channel") == 2)
    both = pl.concat([expected.drop("added_hits").filter((pl.col("board") > 0) | (pl.col("channel") < 2)), shields])
    left = events(veto(both.sort("timestamp_ps"), CLOVERS, "BGO", "60ns"), "250ns").collect()

    assert pl.read_parquet(folder / "out.parquet").equals(left)


def test_coincidences_of_what_policies_leave(folder: Path) -> None:
    summary = summary_of("coincidences", folder, *POLICIES)
    built = summary_of("events", folder, *POLICIES, output="events.parquet")

    assert summary["hits_read"] == 20_000
    assert summary["hits_read"] == summary["hits_used"] + sum(summary[name] for name in GONE)
    assert {name: summary[name] for name in ("hits_used", *GONE)} == {
        name: built[name] for name in ("hits_used", *GONE)
    }
    found = pl.read_parquet(folder / "out.parquet")
    left = pl.read_parquet(folder / "events.parquet")
    sums = left.select("board", "channel", "timestamp_ps", "energy_kev")
    energies_b = found.with_columns(timestamp_ps=pl.col("timestamp_ps") + pl.col("dt_ps")).join(
        sums,
        left_on=["board_b", "channel_b", "timestamp_ps"],
        right_on=["board", "channel", "timestamp_ps"],
        how="left",
    )
    assert (energies_b["energy_kev_b"] == energies_b["energy_kev"]).all()
    assert found.height == summary["pairs"] > 0
    assert not [text for text in summary["warnings"] if text.startswith("no hits")]


def test_pairs_are_the_same_with_policies_that_take_nothing(folder: Path) -> None:
    summary_of("coincidences", folder, output="plain.parquet")
    summary_of("coincidences", folder, "--veto", "BGO=0ns,min_adc=65535,keep")

    plain, passed = (pl.read_parquet(folder / name) for name in ("plain.parquet", "out.parquet"))
    assert passed.equals(plain)


@pytest.mark.parametrize("words", [("--veto", "BGO=0ns,min_adc=65535,keep"), POLICIES[:2]], ids=["veto", "sums"])
def test_offsets_and_drift_are_corrected_before_policies(folder: Path, words: tuple[str, ...]) -> None:
    """Of hits whose times and gains are corrected by hand, they make the same as of those corrected on the way."""
    offsets = {(0, 0): 70_000, (1, 1): -30_000_000, (0, 2): 5}
    gains = {(0, 0): 1.5, (0, 1): 0.75, (1, 0): 1.0, (1, 1): 2.0, (0, 2): 1.0, (1, 2): 1.0}
    moved, steady = folder / "moved.toml", folder / "drift.parquet"
    knots = [(1, *key, 0, gain, 1e-3) for key, gain in gains.items()]
    pl.DataFrame(knots, dict(DRIFT.columns), orient="row").write_parquet(steady)
    text = 'drift = "drift.parquet"\n' + TOML
    for (board, channel), offset in offsets.items():
        place = f"board = {board}\nchannel = {channel}\n"
        text = text.replace(place, f"{place}time_offset_ps = {offset}\n")
    moved.write_text(text, encoding="utf-8")
    key = pl.concat_str("board", pl.lit("/"), "channel")
    by_key = {f"{board}/{channel}": offset for (board, channel), offset in offsets.items()}
    raw = pl.read_parquet(folder / "run.parquet")
    late = raw.with_columns(pl.col("timestamp_ps") - key.replace_strict(by_key, default=0, return_dtype=pl.Int64))
    energies = calibrate(correct_drift(late.lazy(), pl.read_parquet(steady)), CLOVERS).sort("timestamp_ps")

    told = gammapolars(
        "coincidences",
        folder / "run.parquet",
        "--detectors",
        moved,
        "-o",
        folder / "one.parquet",
        "--overwrite",
        *words,
    )
    assert told.code == 0, told.err

    hits = energies.pipe(add_back, CLOVERS, "100ns").drop("added_hits") if words[0] == "--add-back" else energies
    expected = pairs(hits).collect()
    columns = ["timestamp_ps", "dt_ps", "channel_a", "channel_b", "board_a", "board_b", "energy_kev_a", "energy_kev_b"]
    found = pl.read_parquet(folder / "one.parquet")
    assert found.select(columns).sort(columns).equals(expected.select(columns).sort(columns))


@pytest.mark.parametrize("random", [(), ("--random", "1us:3us")], ids=["plain", "random"])
def test_matrix_and_spectra_of_the_same_pass_are_of_the_summed_energies(folder: Path, random: tuple[str, ...]) -> None:
    files = {name: folder / f"{name}.parquet" for name in ("matrix", "spectra")}
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    summary_of("coincidences", folder, "--add-back", "100ns", "--bin-kev", "40", *options, *random)
    matrix, spectra = (pl.read_parquet(path) for path in files.values())

    slopes = {detector.key: detector.energy[1] for detector in CLOVERS if detector.energy}
    noise = dithered("adc", pl.col("timestamp_ps"), "channel", "board") - pl.col("adc")
    summed = calibrate(pl.scan_parquet(folder / "run.parquet"), CLOVERS).pipe(add_back, CLOVERS, "100ns").collect()
    slope = [slopes.get(key) for key in summed.select("board", "channel").iter_rows()]
    spread = summed.with_columns(pl.col("energy_kev") + noise * pl.Series(slope, dtype=pl.Float64))
    used = spread.filter((pl.col("flags") & BAD) == 0)

    keys = ["board", "channel"]
    known = used.drop_nulls("energy_kev")
    counted = known.group_by(*keys, energy_kev=((pl.col("energy_kev") / 2).floor() + 0.5) * 2).agg(
        counts=pl.len().cast(pl.Float64)
    )
    found = spectra.drop_nulls("energy_kev").select(*keys, "energy_kev", "counts")
    assert found.sort([*keys, "energy_kev"]).equals(counted.sort([*keys, "energy_kev"]))
    bare = spectra.filter(pl.col("energy_kev").is_null())
    assert bare["counts"].sum() == used.height - known.height > 0
    assert bare["adc"].null_count() == 0

    place = {side: (pl.col(f"energy_kev_{side}") / 40).floor() for side in "ab"}
    made = pairs(spread.drop("added_hits").lazy(), random=random[1:]).drop_nulls(["energy_kev_a", "energy_kev_b"])
    weight = pl.col("weight") if random else pl.lit(1.0)
    half = (
        made.select(x=pl.min_horizontal(*place.values()), y=pl.max_horizontal(*place.values()), w=weight)
        .group_by("x", "y").agg(counts=pl.col("w").sum(), variance=(pl.col("w") ** 2).sum())
    )  # fmt: skip
    other = half.filter(pl.col("x") != pl.col("y")).select(x="y", y="x", counts="counts", variance="variance")
    centre = ((pl.col(axis) + 0.5) * 40 for axis in "xy")
    expected = pl.concat([half, other]).select(*centre, "counts", "variance").sort("x", "y").collect()
    np.testing.assert_allclose(matrix.to_numpy(), expected.to_numpy(), rtol=1e-9)


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv", "root"])
@pytest.mark.parametrize("table", ["events", "triples"])
def test_tables_are_written_in_all_formats(folder: Path, table: str, suffix: str) -> None:
    summary = summary_of("events", folder, "--table", table, output=f"{table}.{suffix}")

    assert (folder / f"{table}.{suffix}").stat().st_size > 1000
    if table == "triples":
        assert summary["triples"] > 0


def test_one_row_an_event_and_its_triples(folder: Path) -> None:
    built = summary_of("events", folder, "--table", "summary", "--min-multiplicity", "3")
    table = pl.read_parquet(folder / "out.parquet")

    assert table.height == built["events"]
    assert table["hits"].sum() == built["hits_used"]
    multiplicity = Counter(table["multiplicity"].to_list())
    assert {str(m): n for m, n in multiplicity.items()} == {
        m: n for m, n in built["events_by_multiplicity"].items() if int(m) > 2
    }
    assert (table["detectors"].list.len() == table["multiplicity"]).all()
    summary_of("events", folder, "--table", "summary", output="summary.csv")
    assert pl.read_csv(folder / "summary.csv")["detectors"].str.contains(r"^\d/\d( \d/\d)*$").all()


def test_what_people_read_tells_where_hits_went(folder: Path) -> None:
    words = (folder / "run.parquet", "--detectors", folder / "detectors.toml", "-o", folder / "text.parquet")

    told = gammapolars("events", *words, "--overwrite", *POLICIES, "--window-ref", "last").out
    paired = gammapolars("coincidences", *words, "--overwrite", *POLICIES).out

    for text in (told, paired):
        assert "  added back to another hit: " in text
        assert "  hits of veto detectors: " in text
        assert ": A1 " in text
    assert "each hit within 250 ns of the previous hit" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--table", "pairs"), "unknown table 'pairs'"),
        (("--veto", "CsI=5ns"), "no veto detector of kind 'CsI'"),
        (("--window-ref", "middle"), "not from 'middle'"),
        (("--add-back", "fast"), "is not a time"),
    ],
)
def test_wrong_options_are_one_line(folder: Path, words: tuple[str, ...], told: str) -> None:
    outcome = gammapolars(
        "events", folder / "run.parquet", "--detectors", folder / "detectors.toml", "-o", folder / "no.parquet", *words
    )

    assert outcome.code == 2
    assert told in outcome.error
    assert not (folder / "no.parquet").exists()


def test_a_root_file_has_no_place_for_lists(folder: Path) -> None:
    outcome = gammapolars("events", folder / "run.parquet", "--table", "summary", "-o", folder / "no.root")

    assert outcome.code == 1
    assert "lists of detectors cannot be stored in a ROOT file" in outcome.error
