"""Recorded runs and their known answers. The recordings belong to others and are not part of this package."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import uproot
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.analysis.recording import Recording
from gammapolars.calibration.timing import measure_timing
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detector, Detectors, import_calp
from gammapolars.io import open_runs
from gammapolars.io.root.tables import HIT_BRANCHES
from gammapolars.report import make_report
from gammapolars.report.analyse import analyse
from tests.commandline import gammapolars

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")

NA22 = Path(FOLDER) / "na22-two-nai" / "SDataR_na22_two_nai.root"
ALPHA = Path(FOLDER) / "alpha-si-mcp" / "RAW" / "SDataR_vuoto_3_peaks_81.root"
CO60 = Path(FOLDER) / "co60-four-hpge"


@pytest.mark.parametrize("path", [NA22, ALPHA], ids=["na22", "alpha"])
def test_hits_are_what_uproot_reads(path: Path) -> None:
    with uproot.open(path) as file:
        expected = file["Data_R"].arrays(library="np")

    found = gp.scan(path).collect()

    assert found["timestamp_ps"].is_sorted()
    assert found.width == len(expected)
    for branch, values in expected.items():
        np.testing.assert_array_equal(found[HIT_BRANCHES[branch]].to_numpy(), values)


# Na-22 between two NaI detectors.


@pytest.mark.parametrize(
    ("window", "inclusive", "strict"),
    [("10ns", 28_298, 28_293), ("50ns", 36_842, 36_841), ("100ns", 37_858, None), ("250ns", 38_595, None)],
)
@pytest.mark.parametrize("slice_hits", [1_000_000, 5_000])
def test_pairs_of_sodium(window: str, inclusive: int, strict: int | None, slice_hits: int) -> None:
    pairs = gp.pairs(gp.scan(NA22), window, reject="none", slice_hits=slice_hits).collect()

    assert pairs.height == inclusive
    if strict is not None:
        assert pairs.filter(pl.col("dt_ps") < int(window[:-2]) * 1000).height == strict


@pytest.mark.parametrize(("window", "expected"), [("10ns", 28_298), ("250ns", 38_595)])
@pytest.mark.parametrize("slice_hits", [1_000_000, pytest.param(3_000, marks=pytest.mark.slow)])
def test_all_pairs_of_sodium_lie_in_events_that_go_on(window: str, expected: int, slice_hits: int) -> None:
    """Two hits within the window hang together: each known pair lies in one event, and none is torn apart."""
    events = gp.events(gp.scan(NA22), window, window_ref="last", reject="none", slice_hits=slice_hits)

    pairs = gp.pairs(events, window, reject="none").collect()

    assert pairs.height == expected
    assert (pairs["event_a"] == pairs["event_b"]).all()
    assert (pairs["multiplicity_a"] == 2).all()
    rigid = gp.events(gp.scan(NA22), window, reject="none", min_multiplicity=2, slice_hits=slice_hits)
    in_one = gp.pairs(rigid, window, reject="none").filter(pl.col("event_a") == pl.col("event_b")).collect()
    assert 0.998 * expected < in_one.height <= expected


def test_the_prompt_peak_of_sodium() -> None:
    pairs = gp.pairs(gp.scan(NA22), "50ns", start=(0, 4), stop=(0, 5)).collect()

    counts, edges = np.histogram(pairs["dt_ps"] / 1000, bins=np.arange(-50, 50.1, 0.5))
    above = edges[:-1][counts > counts.max() / 2]

    assert edges[counts.argmax()] + 0.25 == pytest.approx(-0.3, abs=1.5)
    assert above[-1] + 0.5 - above[0] == pytest.approx(6.2, abs=1.0)


def test_annihilation_stands_out_of_the_matrix_of_sodium() -> None:
    # 511 keV lies at adc 692 in channel 4 and at 540 in channel 5.
    detectors = Detectors((Detector(0, 4, energy=(0.0, 511 / 692)), Detector(0, 5, energy=(0.0, 511 / 540))))
    pairs = gp.pairs(gp.scan(NA22), "20ns").pipe(gp.calibrate, detectors)

    matrix = pairs.pipe(gp.matrix, bin_kev=20).collect()

    highest = matrix.sort("counts")[-1]
    assert abs(highest["energy_kev_x"].item() - 511) <= 20
    assert abs(highest["energy_kev_y"].item() - 511) <= 20

    def around(energy: float) -> float:
        near = [(pl.col(f"energy_kev_{axis}") - energy).abs() <= 40 for axis in "xy"]
        return float(matrix.filter(*near)["counts"].sum())

    assert around(511) > 10 * max(around(400), around(620))


def test_the_command_on_sodium(tmp_path: Path) -> None:
    done = gammapolars("coincidences", NA22, "--window", "50ns", "-o", tmp_path / "pairs.root", "--json")

    summary = json.loads(done.out)
    assert (summary["hits_read"], summary["hits_used"], summary["pairs"]) == (182_172, 182_172, 36_842)
    with uproot.open(tmp_path / "pairs.root") as file:
        assert file["pairs"].num_entries == 36_842


def test_pairs_of_sodium_that_go_through_another_format(tmp_path: Path) -> None:
    assert gammapolars("convert", NA22, "-o", tmp_path / "hits.parquet").code == 0

    assert_frame_equal(gp.scan(tmp_path / "hits.parquet").collect(), gp.scan(NA22).collect())
    assert gp.pairs(gp.scan(tmp_path / "hits.parquet"), "10ns").collect().height == 28_298


# Alpha particles: silicon detector and microchannel plate.


def test_hits_of_alphas() -> None:
    counts = gp.scan(ALPHA).group_by("channel").agg(pl.len()).sort("channel").collect()

    assert counts.rows() == [(0, 10_867), (1, 3_387)]


@pytest.mark.parametrize(("reject", "expected"), [("none", 2_415), ("0x8400", 2_237), ("pile_up,saturation", 2_237)])
def test_pairs_of_alphas(reject: str, expected: int) -> None:
    assert gp.pairs(gp.scan(ALPHA), "4us", reject=reject).collect().height == expected


def test_the_flight_time_of_alphas() -> None:
    pairs = gp.pairs(gp.scan(ALPHA), "4us", reject="none", start=(0, 0), stop=(0, 1)).collect()
    nearest = gp.nearest(gp.scan(ALPHA), (0, 0), (0, 1), "0ns:4us", reject="none").collect()

    assert pairs["dt_ps"].median() == 3_892_000
    assert nearest["dt_ps"].median() == 3_892_000


# Co-60 in four HPGe detectors: pairs as another program saved them.


@pytest.fixture(scope="module")
def cobalt() -> pl.DataFrame:
    return gp.scan_pairs(CO60 / "coincidences_co60_600s.root").collect()


def test_each_pair_of_cobalt_is_taken_once(cobalt: pl.DataFrame) -> None:
    low, high = pl.min_horizontal("channel_a", "channel_b"), pl.max_horizontal("channel_a", "channel_b")
    counted = cobalt.group_by(low.alias("low"), high.alias("high")).agg(pl.len()).sort("low", "high")

    assert cobalt.height == 12_170
    assert counted.rows() == [
        (1, 2, 2091),
        (1, 3, 2052),
        (1, 4, 1663),
        (2, 3, 1703),
        (2, 4, 2487),
        (3, 4, 2174),
    ]
    assert dict(cobalt.schema) == gp.PAIRS.columns
    assert cobalt["dt_ps"].is_between(0, 249_999).all()
    assert (cobalt["dt_ps"] % 10_000 == 0).all()


def test_cobalts_cascade_stands_out_of_its_matrix(cobalt: pl.DataFrame) -> None:
    detectors = import_calp(f"{channel}={CO60 / f'ch{channel}.CALp'}" for channel in (1, 2, 3, 4))

    matrix = cobalt.lazy().pipe(gp.calibrate, detectors).pipe(gp.matrix, bin_kev=4).collect()

    turned = matrix.select(energy_kev_x="energy_kev_y", energy_kev_y="energy_kev_x", counts="counts")
    keys = ["energy_kev_x", "energy_kev_y"]
    assert_frame_equal(turned.sort(keys), matrix.select(turned.columns).sort(keys))
    on_diagonal = float(matrix.filter(pl.col("energy_kev_x") == pl.col("energy_kev_y"))["counts"].sum())
    assert float(matrix["counts"].sum()) + on_diagonal == 2 * 12_170
    highest = matrix.sort("counts", descending=True).head(2).select(keys)
    assert sorted(highest.rows()) == [(1174.0, 1334.0), (1334.0, 1174.0)]


# What info tells.


def test_info_on_sodium() -> None:
    found = json.loads(gammapolars("info", NA22, "--json").out)

    assert found["hits"] == 182_172
    assert [(row["channel"], row["hits"]) for row in found["detectors"]] == [(4, 100_000), (5, 82_172)]
    assert found["inversions"] == 0
    assert found["flags"] == {"triggers_1024": 178, "fine_timestamp": 182_172}
    assert found["files"][0]["branches"]["EnergyShort"] == "uint16"
    assert found["files"][0]["baskets"]["Timestamp"] == 46


def test_info_on_a_run_folder() -> None:
    text = gammapolars("info", ALPHA.parent.parent).out  # the histogram file beside the run is passed over
    found = json.loads(gammapolars("info", ALPHA.parent.parent, "--json").out)

    assert found["hits"] == 14_254
    assert [file["name"] for file in found["files"]] == [str(ALPHA)]
    assert found["flags"]["pile_up"] == 446
    assert found["flags"]["saturation"] == 20
    assert found["real_time_s"] == pytest.approx(519.106, abs=0.001)
    assert "14,254 hits in 519.106 s" in text
    assert "time order: 0 inversions" in text


def test_info_on_pairs_of_another_program() -> None:
    done = gammapolars("info", CO60 / "coincidences_co60_600s.root")

    assert done.code == 0
    assert "12,170 pairs" in done.out


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_report_of_na22_shows_its_511_511_coincidences(tmp_path: Path) -> None:
    detectors = Detectors((Detector(0, 4, energy=(0.0, 511 / 692)), Detector(0, 5, energy=(0.0, 511 / 540))))

    make_report(Recording(open_runs(NA22), detectors), PairRule("50ns"), tmp_path / "report")

    pairs = gp.scan_pairs(tmp_path / "report" / "pairs.parquet").collect()
    adc = {
        channel: pl.when(pl.col("channel_a") == channel).then("adc_a").otherwise("adc_b").alias(str(channel))
        for channel in (4, 5)
    }
    both_511 = pairs.select(adc.values()).filter(pl.col("4").is_between(620, 780), pl.col("5").is_between(480, 640))
    assert both_511.height == pytest.approx(20_668, abs=5)  # by hand, in the data's description
    matrix = pl.read_parquet(tmp_path / "report" / "matrix.parquet")
    top = matrix.sort("counts").row(-1, named=True)
    assert (top["energy_kev_x"], top["energy_kev_y"]) == pytest.approx((511, 511), abs=15)
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "511–511" in page


@pytest.mark.parametrize(
    ("folder", "window", "position_ns", "unc_ns"),
    [("alpha-si-mcp", "0ns:6us", 3891.31, 0.033), ("alpha-si-mcp", "250ns", 3891.31, 0.033),
     ("na22-two-nai", "250ns", -0.2425, 0.026)],
)  # fmt: skip
def test_reports_put_recorded_peaks_where_align_and_the_pairs_do(
    folder: str, window: str, position_ns: float, unc_ns: float
) -> None:
    run = Path(FOLDER) / folder

    (peak,) = analyse(Recording(open_runs(run)), PairRule(window)).prompt_peaks.iter_rows(named=True)

    pair = measure_timing(open_runs(run), walk=False).pairs.row(0, named=True)
    assert peak["position_ns"] == pytest.approx(pair["position_ps"] / 1000, abs=1e-9)
    assert peak["position_ns"] == pytest.approx(position_ns, abs=0.005)
    assert peak["position_ns_unc"] == pytest.approx(unc_ns, rel=0.05)
    if folder.startswith("alpha"):  # no walk: the mean of the pairs is as good
        near = (round(1000 * (position_ns - 15)), round(1000 * (position_ns + 15)))
        pairs = gp.pairs(gp.scan(run), near, start=(0, 0), stop=(0, 1)).collect()
        assert pairs["dt_ps"].to_numpy().mean() / 1000 == pytest.approx(position_ns, abs=5 * unc_ns)
