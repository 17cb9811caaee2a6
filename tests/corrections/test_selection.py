"""Hits above thresholds, in ranges and in polygons, against a loop over hits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.flags import REMOVED
from gammapolars.corrections import Selection, select_hits
from gammapolars.detectors import Detector, Detectors
from gammapolars.gates import PolygonGate, load_gates

SCHEMA = {"board": pl.UInt16, "channel": pl.UInt16, "timestamp_ps": pl.Int64, "adc": pl.UInt16, "flags": pl.UInt32}

SQUARE = ((2.0, 2.0), (9.0, 2.0), (9.0, 9.0), (2.0, 9.0))
"""Its left and lower edges belong to it."""

LIMITS = st.none() | st.integers(0, 12).map(float)
RANGES = st.none() | st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda r: (float(r[0]), float(r[0] + r[1])))


def described(key: tuple[int, int]) -> st.SearchStrategy[Detector]:
    return st.builds(
        Detector,
        board=st.just(key[0]),
        channel=st.just(key[1]),
        energy=st.sampled_from([(0.0, 1.0), (1.0, 0.5)]),
        threshold_adc=LIMITS,
        threshold_kev=LIMITS,
        range_adc=RANGES,
        range_kev=RANGES,
    )


DETECTORS = st.tuples(described((0, 0)), described((3, 1))).map(Detectors)
"""A third one is not described: it has no energy either."""

ROWS = st.lists(
    st.tuples(
        st.sampled_from([(0, 0), (3, 1), (0, 2)]), st.integers(0, 14), st.integers(0, 14), st.sampled_from([0, 8])
    ),
    max_size=30,
)


def hits(rows: list[tuple[tuple[int, int], int, int, int]]) -> pl.DataFrame:
    columns = [(*key, time, adc, flags, short) for time, (key, adc, short, flags) in enumerate(rows)]
    return pl.DataFrame(columns, SCHEMA | {"adc_short": pl.UInt16}, orient="row")


def reason(
    key: tuple[int, int], adc: int, short: int, detectors: Detectors, least: float | None, keep: list[str] | None
) -> str:
    """Why one hit is removed, as a person would find out; empty: it is not."""
    one = detectors.at(*key)
    energy = None if one.energy is None else one.energy[0] + one.energy[1] * adc
    lows = [(adc, one.threshold_adc), (energy, one.threshold_kev), (energy, least)]
    highs = []
    for value, within in ((adc, one.range_adc), (energy, one.range_kev)):
        if within:
            lows.append((value, within[0]))
            highs.append((value, within[1]))
    if any(limit is not None and value is not None and value < limit for value, limit in lows):
        return "below_threshold"
    if any(value is not None and value > limit for value, limit in highs):
        return "above_range"
    judged = keep is not None and (not keep or one.name in keep)
    return "outside_polygons" if judged and not (2 <= adc < 9 and 2 <= short < 9) else ""


@settings(max_examples=60)
@given(
    rows=ROWS,
    detectors=DETECTORS,
    least=st.none() | st.integers(0, 8).map(float),
    keep=st.none() | st.just([]) | st.just(["3/1"]),
)
def test_hits_are_removed_as_a_loop_over_them_says(
    rows: list[Any], detectors: Detectors, least: float | None, keep: list[str] | None
) -> None:
    if least is not None:
        rows = [row for row in rows if row[0] != (0, 2)]  # which has no energy
    polygons = () if keep is None else (PolygonGate("adc", "adc_short", SQUARE, "n", tuple(keep)),)
    table = hits(rows)
    expected = [reason(row[0], row[1], row[2], detectors, least, keep) for row in rows]
    selection = Selection.of(detectors, least, polygons)

    stay = select_hits(table.lazy(), detectors, least, polygons).collect()

    assert stay.equals(table.filter(pl.Series([not one for one in expected], dtype=pl.Boolean)))
    if selection is None:
        assert not any(expected)
    else:
        marked = selection.marked(table)
        bits = [row[3] | REMOVED.get(why, 0) for row, why in zip(rows, expected, strict=True)]
        assert marked["flags"].to_list() == bits
        assert marked.drop("flags").equals(table.drop("flags"))


ROW = ((0, 0), 5, 5, 0)
CALIBRATED = Detectors((Detector(0, 0, "Ge", energy=(0.0, 2.0)),))


def test_only_columns_that_are_needed_are_read() -> None:
    table = hits([ROW, ((0, 0), 4, 5, 0)]).lazy().with_columns(other=pl.lit(1))

    assert select_hits(table, CALIBRATED, 9).select("other").collect().height == 1
    assert select_hits(table, Detectors()).explain() == table.explain()


def test_drift_moves_hits_across_a_threshold() -> None:
    table = hits([ROW]).with_columns(gain_factor=1.1)

    assert select_hits(table.lazy(), CALIBRATED, 10.5).collect().height == 1
    assert select_hits(table.lazy(), CALIBRATED, 11.5).collect().height == 0


def test_recorded_energies_do_where_there_is_no_polynomial() -> None:
    table = hits([ROW, ((0, 1), 5, 5, 0)]).with_columns(energy_kev=pl.Series([3.0, 7.0]))

    assert select_hits(table.lazy(), CALIBRATED, 7).collect().height == 2, "the first has 10 keV by its polynomial"
    assert select_hits(table.drop("adc").lazy(), CALIBRATED, 7).collect()["channel"].to_list() == [1]
    with pytest.raises(UsageError, match="hits of 0/1 have no energy"):
        select_hits(table.with_columns(energy_kev=pl.lit(None, pl.Float64)).lazy(), CALIBRATED, 7).collect()


@pytest.mark.parametrize("threshold", [{"threshold_kev": 1.0}, {"range_kev": (1.0, 2.0)}])
def test_a_threshold_of_energy_without_energies_is_refused_by_name(threshold: dict[str, Any]) -> None:
    bare = Detectors((replace(CALIBRATED.all[0], energy=None, **threshold),))

    with pytest.raises(UsageError, match="hits of Ge have no energy to compare with a threshold in keV"):
        select_hits(hits([ROW]).lazy(), bare).collect()
    assert select_hits(hits([((1, 0), 5, 5, 0)]).lazy(), bare).collect().height == 1, "none of its hits is there"


def test_a_threshold_for_all_needs_energies_of_all() -> None:
    said = r"hits of 0/7, 1/0 have no energy .*, or leave min_energy_kev out and give threshold_kev"
    with pytest.raises(UsageError, match=said):
        select_hits(hits([ROW, ((1, 0), 5, 5, 0), ((0, 7), 5, 5, 0)]).lazy(), CALIBRATED, 3).collect()


def test_a_number_that_is_none_is_no_energy() -> None:
    table = hits([ROW, ((0, 1), 5, 5, 0)]).with_columns(energy_kev=pl.Series([3.0, float("nan")]))
    real = hits([ROW]).with_columns(adc=pl.lit(float("nan")))

    with pytest.raises(UsageError, match="hits of 0/1 have no energy"):
        select_hits(table.lazy(), CALIBRATED, 7).collect()
    with pytest.raises(UsageError, match="hits of 0/1 have no energy"):
        select_hits(table.lazy(), Detectors((Detector(0, 1, range_kev=(1, 9)),))).collect()
    with pytest.raises(UsageError, match="hits of 0/0 have no adc value"):
        select_hits(real.lazy(), Detectors((Detector(0, 0, threshold_adc=3),))).collect()


def test_polygons_are_taken_alone_and_other_things_are_refused() -> None:
    table, polygon = hits([ROW, ((0, 0), 1, 1, 0)]), PolygonGate("adc", "adc_short", SQUARE)

    assert select_hits(table, Detectors(), keep=polygon).collect().height == 1
    with pytest.raises(UsageError, match="keep takes the file of polygons, or PolygonGates, not"):
        select_hits(table, Detectors(), keep=[1])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="must be a finite number of keV, not '300'"):
        select_hits(table, Detectors(), "300")  # type: ignore[arg-type]


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    (file := tmp_path / "n.toml").write_text('[[gate]]\nx = "adc"\ny = "psd_x"\nvertices = [[0, 0], [9, 0], [9, 9]]\n')
    table = hits([ROW]).lazy()
    of_adc = Detectors((Detector(0, 0, threshold_adc=3),))

    with pytest.raises(TableError, match="uses the column 'psd_x', which does not exist"):
        select_hits(table, CALIBRATED, keep=file)
    with pytest.raises(TableError, match="hits without adc values"):
        select_hits(table.drop("adc"), of_adc)
    with pytest.raises(TableError, match="neither adc values nor energies"):
        select_hits(table.drop("adc"), CALIBRATED, 3)
    with pytest.raises(UsageError, match="must be a finite number of keV"):
        select_hits(table, CALIBRATED, float("nan"))
    with pytest.raises(UsageError, match="unknown detector 'n-2'"):
        select_hits(table, CALIBRATED, keep=[PolygonGate("adc", "adc_short", SQUARE, "n", ("n-2",))])
    with pytest.raises(TableError, match="mark the hits below thresholds"):
        Selection(of_adc).marked(hits([((0, 0), 5, 5, 1 << 30)]))


def test_polygons_of_a_file_say_which_detectors_they_judge(tmp_path: Path) -> None:
    gate = '[[gate]]\nx = "adc"\ny = "adc_short"\nvertices = [[2, 2], [9, 2], [9, 9], [2, 9]]\ndetectors = ["0/1"]\n'
    (file := tmp_path / "n.toml").write_text(gate)
    rows = [((0, 0), 1, 1, 0), ((0, 1), 1, 1, 0), ((0, 1), 3, 3, 0)]

    assert select_hits(hits(rows).lazy(), Detectors(), keep=file).collect()["timestamp_ps"].to_list() == [0, 2]
    with pytest.raises(UsageError, match="only a selection of single hits takes"):
        load_gates(file)
