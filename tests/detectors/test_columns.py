"""Tables of other digitizers: columns by a map in detectors.toml, units, and values that no hit can have."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.core.errors import DetectorsError, InputError
from gammapolars.detectors import Detector, Detectors, format_detectors, load_detectors
from gammapolars.detectors.columns import CONSTANT, MAPPED, Column, parse_columns
from gammapolars.detectors.conversion import nearest_whole_product
from gammapolars.io import Losses, Reading, open_runs
from gammapolars.io.foreign import as_hits
from gammapolars.io.root.writer import hit_branches
from gammapolars.io.untrusted import scan_parquet
from tests.commandline import gammapolars
from tests.drawing import examples
from tests.rootfiles import made_hits, write_branches

PS_PER_UNIT = {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12, "4ns": 4000}
SUFFIXES = (".root", ".parquet", ".arrow", ".csv")


def written(path: Path, table: pl.DataFrame) -> Path:
    """A table as a file in the format that the suffix tells; in ROOT files as the tree `events`."""
    if path.suffix == ".root":
        return write_branches(path, {name: table[name].to_numpy() for name in table.columns}, tree="events")
    writers: dict[str, Any] = {".parquet": table.write_parquet, ".arrow": table.write_ipc, ".csv": table.write_csv}
    writers[path.suffix](path)
    return path


def read(path: Path, columns: dict[str, Column] | None = None, *, keep_going: bool = False) -> tuple[Any, Losses]:
    """What a reader with a map gets, and what it leaves out."""
    losses = Losses(keep_going=keep_going)
    reading = Reading(tree="events" if path.suffix == ".root" else None, columns=columns or {}, losses=losses)
    return open_runs(path, reading=reading).hits.collect(), losses


FOREIGN = {
    "timestamp_ps": Column("t", "ns"),
    "channel": Column("ch"),
    "adc": Column("E"),
    "energy_kev": Column("MeV", "MeV"),
}


@pytest.fixture
def hits() -> pl.DataFrame:
    """On a clock of 1 ns, with calibrated energies."""
    made = made_hits(3000).with_columns(pl.col("timestamp_ps") // 1000 * 1000, flags=pl.lit(0, pl.UInt32))
    return made.with_columns(energy_kev=pl.col("adc") * 0.25)


@pytest.fixture
def foreign(hits: pl.DataFrame) -> pl.DataFrame:
    """The same hits as another digitizer would store them, all in 64 bits."""
    return hits.select(
        t=pl.col("timestamp_ps") // 1000,
        ch=pl.col("channel").cast(pl.Int64),
        E=pl.col("adc").cast(pl.Int64),
        MeV=pl.col("energy_kev") / 1000,
        further=pl.lit(1.5),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_map_makes_hits_of_a_foreign_table_in_every_format(
    tmp_path: Path, hits: pl.DataFrame, foreign: pl.DataFrame, suffix: str
) -> None:
    found, losses = read(written(tmp_path / f"run{suffix}", foreign), FOREIGN)

    assert_frame_equal(found, hits, check_column_order=False)
    assert found["timestamp_ps"].equals(hits["timestamp_ps"])
    assert losses.all == ()


def test_a_constant_channel_board_and_flags(tmp_path: Path, hits: pl.DataFrame, foreign: pl.DataFrame) -> None:
    columns = {"timestamp_ps": Column("t", "ns"), "adc": Column("E")}
    columns |= {"channel": Column(value=3), "board": Column(value=7), "flags": Column(value=0x4000)}

    found, _ = read(written(tmp_path / "run.parquet", foreign), columns)

    assert set(found["channel"]) == {3}
    assert set(found["board"]) == {7}
    assert set(found["flags"]) == {0x4000}
    assert found["adc"].equals(hits["adc"])


def test_a_query_of_constants_alone_has_all_rows(tmp_path: Path, foreign: pl.DataFrame) -> None:
    path = written(tmp_path / "run.parquet", foreign)
    runs = open_runs(path, reading=Reading(columns=FOREIGN))

    assert runs.hits.select("board").collect()["board"].to_list() == [0] * foreign.height
    assert runs.hits.select(pl.len()).collect().item() == foreign.height == runs.count()


def test_branches_of_compass_keep_their_meaning_beside_a_map(tmp_path: Path, hits: pl.DataFrame) -> None:
    arrays = hit_branches(hits.drop("energy_kev"))
    arrays["Timestamp"] = arrays["Timestamp"] // 1000
    path = write_branches(tmp_path / "run.root", arrays, tree="events")

    found, _ = read(path, {"timestamp_ps": Column("Timestamp", "ns")})

    assert_frame_equal(found, hits.drop("energy_kev"))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_our_own_columns_in_wider_integers_are_read_without_a_map(
    tmp_path: Path, hits: pl.DataFrame, suffix: str
) -> None:
    wide = hits.with_columns(pl.col("board", "channel", "adc", "flags").cast(pl.Int64), extra=pl.lit("x"))

    found, _ = read(written(tmp_path / f"run{suffix}", wide))

    assert_frame_equal(found, hits.with_columns(extra=pl.lit("x")))


def test_a_table_with_our_columns_is_handed_on_as_it_is(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = written(tmp_path / "run.parquet", hits)
    table = scan_parquet(path)

    assert as_hits(lambda *_: table, path, Reading(), unchecked=False) is table


# Units.


WHOLE = st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**7), 10**7)
TIMES = st.floats(-1e22, 1e22) | st.floats(-1e7, 1e7) | st.sampled_from([math.nan, math.inf, -math.inf])


def expected_ps(value: float, unit: str) -> int | None:
    """The nearest whole number of picoseconds, as exact arithmetic gives it; None where no clock can be."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    exact = Fraction(value) * PS_PER_UNIT[unit]
    near = round(exact)
    return near if -(2**61) <= near <= 2**62 else None


@examples(60)
@given(values=st.lists(WHOLE, min_size=1, max_size=20), unit=st.sampled_from(sorted(PS_PER_UNIT)))
def test_whole_times_are_exact_in_every_unit(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], unit: str
) -> None:
    exact = [expected_ps(value, unit) for value in values]
    if -(2**63) in values:
        values, exact = [0], [0]  # the one number without its negative
    path = tmp_path_factory.mktemp("times") / "run.parquet"
    pl.DataFrame({"t": values}, {"t": pl.Int64}).write_parquet(path)
    columns = {"timestamp_ps": Column("t", unit), "channel": Column(value=0)}

    found, losses = read(path, columns, keep_going=True)

    assert found["timestamp_ps"].to_list() == [ps for ps in exact if ps is not None]
    assert losses.count("out_of_range") == exact.count(None)


@examples(60)
@example(values=[562950.4808555786], unit="ms")  # the product in 53 bits ends in .5; the exact one lies above
@example(values=[2.0**-1, 1.5, 2.5, -0.5, -1.5, 2.0**52 + 1, -(2.0**52) - 1], unit="ps")
@given(values=st.lists(TIMES, min_size=1, max_size=20), unit=st.sampled_from(sorted(PS_PER_UNIT)))
def test_times_with_a_fraction_are_rounded_and_what_is_no_time_is_out_of_range(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], unit: str
) -> None:
    path = tmp_path_factory.mktemp("times") / "run.parquet"
    pl.DataFrame({"t": values}, {"t": pl.Float64}).write_parquet(path)
    columns = {"timestamp_ps": Column("t", unit), "channel": Column(value=0)}

    found, losses = read(path, columns, keep_going=True)

    exact = [expected_ps(value, unit) for value in values]
    kept = [ps for ps in exact if ps is not None]
    assert found.height + losses.count("out_of_range") == len(values)
    assert found["timestamp_ps"].to_list() == kept


@given(
    value=st.floats(-1e22, 1e22) | st.floats(-1e7, 1e7) | st.integers(-(2**54), 2**54).map(lambda n: n / 2),
    factor=st.sampled_from([1.0, 3.0, 1e3, 4000.0, 1e6, 1e9, 1e12]),
)
@examples(300)
def test_products_are_rounded_as_exact_arithmetic_rounds_them(value: float, factor: float) -> None:
    exact = round(Fraction(value) * Fraction(factor))

    product = pl.select(nearest_whole_product(pl.lit(value, pl.Float64), factor)).item()

    assert product == exact if abs(exact) < 2**63 - 2**11 else product is None or product == exact


@pytest.mark.parametrize(("unit", "factor"), [("eV", 1e-3), ("keV", 1.0), ("MeV", 1e3), (None, 1.0)])
def test_energies_become_kev(tmp_path: Path, unit: str | None, factor: float) -> None:
    path = written(tmp_path / "run.parquet", pl.DataFrame({"t": [1, 2, 3], "E": [1.5, None, 661.7]}))
    columns = {"timestamp_ps": Column("t"), "channel": Column(value=0), "energy_kev": Column("E", unit)}

    found, _ = read(path, columns)

    assert found["energy_kev"].to_list() == pytest.approx([1.5 * factor, None, 661.7 * factor])


# Values that no hit can have.


def test_values_that_do_not_fit_stop_the_reading_and_tell_where(tmp_path: Path, foreign: pl.DataFrame) -> None:
    bad = foreign.with_columns(ch=pl.when(pl.int_range(pl.len()) == 41).then(-1).otherwise("ch"))
    path = written(tmp_path / "run.parquet", bad)

    with pytest.raises(
        InputError, match=r"run\.parquet: column 'ch' has values that are not a valid channel .*-1 in row 42\)"
    ):
        read(path, FOREIGN)


def test_values_that_do_not_fit_are_left_out_once_where_asked_to_go_on(tmp_path: Path, hits: pl.DataFrame) -> None:
    arrays = {name: values.astype(np.int64) for name, values in hit_branches(hits).items()}
    arrays["Energy"][[5, 6, 2000]] = -1
    arrays["Channel"][6] = 70_000
    path = write_branches(tmp_path / "run.root", arrays, tree="events")
    losses = Losses()
    frame = open_runs(
        path, reading=Reading(tree="events", columns={"timestamp_ps": Column("Timestamp")}, losses=losses)
    ).hits

    frame.select("channel").collect()
    found = frame.collect()

    keep = ~pl.int_range(hits.height, eager=True).is_in([5, 6, 2000])
    assert_frame_equal(found, hits.drop("energy_kev").filter(keep))
    assert losses.count("out_of_range") == 3


def test_a_missing_value_is_out_of_range(tmp_path: Path) -> None:
    path = written(tmp_path / "run.parquet", pl.DataFrame({"t": [1, None, 3], "channel": [1, 2, None]}))

    found, losses = read(path, {"timestamp_ps": Column("t")}, keep_going=True)

    assert found.height == 1
    assert losses.count("out_of_range") == 2


def test_the_command_line_takes_the_map_from_detectors_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: pl.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = foreign.with_columns(ch=pl.when(pl.int_range(pl.len()) == 41).then(-1).otherwise("ch"))
    written(Path("run.parquet"), bad)
    Path("detectors.toml").write_text(format_detectors(Detectors((), FOREIGN)))
    words = ("convert", "run.parquet", "--detectors", "detectors.toml", "-o", "hits.parquet")

    stopped = gammapolars(*words)
    done = gammapolars(*words, "--keep-going")

    assert stopped.code == 1
    assert (
        "Error: run.parquet: column 'ch' has values that are not a valid channel (the first: -1 in row 42)"
        in stopped.err
    )
    assert done.code == 0
    assert pl.read_parquet("hits.parquet").height == foreign.height - 1


# What is refused.


def test_a_map_that_names_a_missing_column_lists_those_that_are_there(tmp_path: Path, foreign: pl.DataFrame) -> None:
    path = written(tmp_path / "run.parquet", foreign)

    told = r"run\.parquet: has no column 'time', which .* uses for timestamp_ps \(it has t, ch, E, MeV, further\)"
    with pytest.raises(InputError, match=told):
        read(path, FOREIGN | {"timestamp_ps": Column("time")})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_without_a_map_a_foreign_table_is_refused_with_the_way_out(
    tmp_path: Path, foreign: pl.DataFrame, suffix: str
) -> None:
    with pytest.raises(InputError, match=rf"run\{suffix}: .*\[columns\] of detectors\.toml"):
        read(written(tmp_path / f"run{suffix}", foreign))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"channel": Column("name")}, "column 'name' contains String, but channel needs numbers"),
        ({"channel": Column("x")}, "column 'x' contains Float64, but channel needs whole numbers"),
        ({"channel": Column("ch"), "adc": Column("name")}, "column 'name' contains String, but adc needs numbers"),
        ({}, "no column 'channel'"),
    ],
)
def test_columns_that_cannot_be_are_refused(tmp_path: Path, columns: dict[str, Column], said: str) -> None:
    table = pl.DataFrame({"t": [1], "ch": [1], "x": [1.5], "name": ["a"]})

    with pytest.raises(InputError, match=f"run.parquet: .*{said}"):
        read(written(tmp_path / "run.parquet", table), {"timestamp_ps": Column("t")} | columns)


# In detectors.toml.


NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
MAPS = st.fixed_dictionaries(
    {},
    optional={
        "timestamp_ps": st.builds(Column, NAMES, st.none() | st.sampled_from(["ps", "us", "4ns", "1.5 ns"])),
        "energy_kev": st.builds(Column, NAMES, st.none() | st.sampled_from(["eV", "keV", "MeV"])),
        "adc": st.builds(Column, NAMES),
        "flags": st.builds(Column, NAMES) | st.builds(Column, value=st.integers(0, 2**32 - 1)),
        "board": st.builds(Column, NAMES) | st.builds(Column, value=st.integers(0, 65535)),
    },
)


@given(columns=MAPS)
def test_a_map_comes_back_from_the_file_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, Column]
) -> None:
    path = tmp_path_factory.mktemp("toml") / "detectors.toml"
    detectors = Detectors((Detector(0, 1, "Ge"),), columns)

    path.write_text(format_detectors(detectors), encoding="utf-8")

    assert load_detectors(path) == detectors


def test_a_map_as_a_person_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "detectors.toml"
    path.write_text(
        '[columns]\ntimestamp_ps = {name = "t", unit = "ns"}\nadc = {name = "E"}\nchannel = "ch"\nboard = {value = 2}\n'
    )

    found = load_detectors(path)

    assert len(found) == 0
    assert found.columns == {
        "timestamp_ps": Column("t", "ns"),
        "adc": Column("E"),
        "channel": Column("ch"),
        "board": Column(value=2),
    }


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([], "'columns' must be a table"),
        ({"time": "t"}, r"unknown key 'time' \(known: board, channel, timestamp_ps"),
        ({"run": "r"}, "unknown key 'run'"),
        ({"adc": 3}, "adc must be a column's name"),
        ({"adc": {}}, "adc must be a column's name"),
        ({"adc": {"unit": "keV"}}, "adc must be a column's name"),
        ({"adc": {"name": "E", "value": 3}}, "adc must be a column's name"),
        ({"adc": {"name": "E", "kind": 3}}, "adc must be a column's name"),
        ({"adc": {"name": 3}}, "adc: name must be text"),
        ({"adc": ""}, "adc: name must be text"),
        (
            {"adc": {"name": "E", "unit": "keV"}},
            "adc has a unit, which is possible only for timestamp_ps and energy_kev",
        ),
        ({"energy_kev": {"name": "E", "unit": "J"}}, r"energy_kev: unknown unit 'J' \(known: eV, keV, MeV\)"),
        ({"timestamp_ps": {"name": "t", "unit": "h"}}, r"timestamp_ps: unknown unit 'h' \(known: ps, ns"),
        ({"timestamp_ps": {"name": "t", "unit": "0ns"}}, "unknown unit '0ns'"),
        ({"timestamp_ps": {"name": "t", "unit": "-1ns"}}, "unknown unit '-1ns'"),
        ({"timestamp_ps": {"name": "t", "unit": 4}}, "unit must be text"),
        ({"timestamp_ps": {"value": 3}}, "timestamp_ps cannot be one value for all hits"),
        ({"channel": {"value": 65536}}, "channel: value must be a whole number from 0 to 65535"),
        ({"channel": {"value": 1.0}}, "channel: value must be a whole number"),
        ({"channel": {"value": True}}, "channel: value must be a whole number"),
    ],
)
def test_a_map_that_cannot_be_is_refused(table: object, said: str) -> None:
    with pytest.raises(DetectorsError, match=said):
        parse_columns(table)


def test_a_wrong_map_is_refused_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "detectors.toml"
    path.write_text('[columns]\ntime = "t"\n')

    with pytest.raises(DetectorsError, match=r"detectors\.toml: \[columns\] has the unknown key 'time'"):
        load_detectors(path)


def test_what_can_be_constant_is_a_column_of_hits() -> None:
    assert set(CONSTANT) < set(MAPPED)
