"""Saved pairs in place of runs: in each format they give what the run gives, and say what pairs alone cannot."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import uproot
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.io.contents import kind_of
from gammapolars.io.dataset import INDEX
from gammapolars.io.parts import parts_folder, save_parts, write_part
from gammapolars.io.provenance import KEY
from tests.commandline import REPOSITORY, gammapolars

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")
RANDOM = ("--random", "1us:3us")
KNOWN = ("--detectors", "d.toml")
pytestmark = pytest.mark.usefixtures("fits_once")
FORMS = ("pairs.parquet", "pairs.arrow", "pairs.csv", "pairs.root", "dataset", "parts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run with its detectors, and its pairs in each form, and net of chance."""
    folder = tmp_path_factory.mktemp("saved")
    text = (REPOSITORY / "data" / "detectors.toml").read_text()
    for phi_deg in (0, 90, 150, 200):
        text = text.replace('kind = "HPGe"\n', f"kind = 'HPGe'\ntheta_deg = 90\nphi_deg = {phi_deg}\n", 1)
    (folder / "d.toml").write_text(text)
    gp.scan(REPOSITORY / "data" / "co60-four-hpge.root").head(40_000).collect().write_parquet(folder / "run.parquet")
    run = ("coincidences", folder / "run.parquet", "--detectors", folder / "d.toml")
    for name in FORMS[:-1]:
        assert gammapolars(*run, "-o", folder / name).code == 0
    assert gammapolars(*run, *RANDOM, "-o", folder / "net.parquet").code == 0
    assert gammapolars(*run, "--layout", "compass-pairs", "-o", folder / "foreign.root").code == 0
    pairs = pl.read_parquet(folder / "pairs.parquet")
    (folder / "parts").mkdir()
    for number, part in enumerate(pairs.iter_slices(400)):
        part.write_parquet(folder / "parts" / f"part-{number:05}.parquet")
    return folder


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Path:
    """The same pairs as a dataset of three parts, one without pairs, as several processes write it."""
    pairs, detectors = gp.scan_pairs(folder / "pairs.parquet").collect(), (folder / "dataset" / INDEX).read_text()
    with parts_folder(folder / "several") as hidden:
        cut = (pairs[:500], pairs[:0], pairs[500:])
        parts = [write_part(iter([part]), hidden, number) for number, part in enumerate(cut)]
        entries = json.loads(detectors)
        origin = {KEY: json.dumps(entries[KEY])}
        save_parts(parts, hidden, folder / "several", overwrite=False, metadata=lambda: origin)
    return folder / "several"


@pytest.fixture(autouse=True)
def _inside(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests work in a folder of their own, beside links to the inputs."""
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)


def done(*words: str) -> dict[str, Any]:
    """The summary of a command that succeeds."""
    outcome = gammapolars(*words, "--json")
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert isinstance(summary, dict)
    return summary


def refused(*words: str) -> str:
    """The one line in which a command refuses what is asked."""
    outcome = gammapolars(*words)
    assert outcome.code in (1, 2)
    assert outcome.err.count("\n") == 1, outcome.err
    return outcome.err


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("more", [(), ("--axes", "dt:energy", "--x", "HPGe-1", "--y", "HPGe-3")])
def test_the_matrix_is_that_of_the_run(name: str, more: tuple[str, ...]) -> None:
    done("matrix", "run.parquet", *KNOWN, *more, "-o", "of_run.parquet")

    saved = done("matrix", name, *KNOWN, *more, "-o", "of_pairs.parquet")

    assert_frame_equal(pl.read_parquet("of_pairs.parquet"), pl.read_parquet("of_run.parquet"))
    assert saved["pairs"] == 947
    assert saved["warnings"] == []


def test_net_pairs_give_a_net_matrix() -> None:
    done("matrix", "run.parquet", *KNOWN, *RANDOM, "-o", "of_run.parquet")

    saved = done("matrix", "net.parquet", "-o", "of_pairs.parquet")

    assert_frame_equal(pl.read_parquet("of_pairs.parquet"), pl.read_parquet("of_run.parquet"))
    assert saved["net_of_chance"]
    assert saved["random_pairs"] == gp.scan_pairs("net.parquet").filter(pl.col("region") == "random").collect().height


def test_a_narrower_window() -> None:
    done("matrix", "run.parquet", *KNOWN, "--window", "50ns", "-o", "of_run.parquet")

    done("matrix", "pairs.parquet", "--window", "50ns", "-o", "of_pairs.parquet")

    assert_frame_equal(pl.read_parquet("of_pairs.parquet"), pl.read_parquet("of_run.parquet"))
    assert "±250 ns" in refused("matrix", "pairs.parquet", "--window", "1us", "-o", "m.csv")
    assert "--window" in refused("matrix", "net.parquet", "--window", "50ns", "-o", "m.csv")


def test_pairs_of_other_programs_count_once() -> None:
    assert kind_of("foreign.root") == "pairs"

    summary = done(
        "matrix", "foreign.root", *KNOWN, "--x", "HPGe-3", "--y", "HPGe-4", "--axes", "dt:adc", "-o", "m.csv"
    )

    pairs = gp.scan_pairs("pairs.parquet").collect()
    both = pairs.filter(pl.col("channel_a").is_in([3, 4]) & pl.col("channel_b").is_in([3, 4]))
    assert summary["counts"] == both.height > 100
    assert summary["pairs"] == pairs.height


def test_pairs_of_one_order_are_no_pairs_of_both(tmp_path: Path) -> None:
    rows = {
        "Channel_a": [1, 2],
        "Energy_a": [5, 6],
        "Channel_b": [2, 1],
        "Energy_b": [7, 8],
        "Time_difference": [3, -4],
    }
    rows = {name: [*values, values[0]] for name, values in rows.items()}
    with uproot.recreate(tmp_path / "single.root") as file:
        tree = file.mktree("Data_C", dict.fromkeys(rows, np.int64))
        tree.extend({name: np.array(values) for name, values in rows.items()})

    assert "both orders, but one order has 1 more rows" in refused("matrix", "single.root", "-o", "m.csv")


@pytest.mark.parametrize("name", ["pairs.root", "net.parquet"])
def test_spectra_of_the_hits_of_pairs(name: str) -> None:
    summary = done("spectrum", name, "--unit", "adc", "-o", "s.parquet")

    expected, variance = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for row in gp.scan_pairs(name).collect().iter_rows(named=True):
        for side in "ab":
            key = (row[f"channel_{side}"], row[f"adc_{side}"])
            expected[key] += row.get("weight") or 1
            variance[key] += (row.get("weight") or 1) ** 2
    found = pl.read_parquet("s.parquet")
    keys = [(channel, round(adc)) for channel, adc in found.select("channel", "adc").rows()]
    assert found["counts"].to_list() == pytest.approx([expected[key] for key in keys])
    assert found["variance"].to_list() == pytest.approx([variance[key] for key in keys])
    assert len(keys) == len(expected)
    assert summary["warnings"] == ["these spectra contain only hits in pairs, each hit once per pair, not all hits"]


@pytest.mark.slow
def test_the_lifetime_is_that_of_the_run() -> None:
    ends = ("--start", "HPGe-1", "--stop", "HPGe-2", "--window=-250ns:250ns", "--start-gate", "100:3000")
    done("lifetime", "run.parquet", *KNOWN, *ends, "-o", "of_run.csv")

    summary = done("lifetime", "pairs.parquet", *ends, "-o", "of_pairs.csv")

    assert Path("of_pairs.csv").read_text() == Path("of_run.csv").read_text()
    assert "ends" not in summary
    assert summary["pairs_in_gates"] == 151
    wide = ("--start", "HPGe-1", "--stop", "HPGe-2", "--window=-1us:1us")
    assert "±250 ns" in refused("lifetime", "pairs.parquet", *wide, "-o", "l.csv")
    assert "--nearest" in refused("lifetime", "pairs.parquet", *ends, "--nearest", "-o", "l.csv")


def test_the_angular_correlation_is_that_of_the_run() -> None:
    lines = ("--on", "1000", "--and", "300", "--width", "600", "--order", "2", "--normalise", "uncorrelated")
    done("angular", "run.parquet", *KNOWN, *RANDOM, *lines, "-o", "of_run.csv")

    done("angular", "net.parquet", *KNOWN, *lines, "-o", "of_pairs.csv")

    assert_frame_equal(pl.read_csv("of_pairs.csv"), pl.read_csv("of_run.csv"))
    assert "--normalise uncorrelated" in refused("angular", "net.parquet", *KNOWN, *lines[:-2], "-o", "w.csv")


def test_energies_that_do_not_follow_from_channels_are_kept() -> None:
    sums = pl.read_parquet("net.parquet").with_columns(pl.col("energy_kev_a", "energy_kev_b") + 5000.0)
    sums.write_parquet("sums.parquet")
    lines = ("--on", "6000", "--and", "5300", "--width", "600", "--order", "2", "--normalise", "uncorrelated")
    shifted = ("--on", "1000", "--and", "300", *lines[4:])

    done("angular", "sums.parquet", *KNOWN, *lines, "-o", "of_sums.csv")
    done("angular", "net.parquet", *KNOWN, *shifted, "-o", "of_pairs.csv")

    assert_frame_equal(pl.read_csv("of_sums.csv"), pl.read_csv("of_pairs.csv"))
    done("matrix", "sums.parquet", *KNOWN, "--bin-kev", "50", "-o", "m.parquet")
    assert pl.read_parquet("m.parquet")["energy_kev_x"].min() > 5000  # type: ignore[operator]


def test_a_query_of_pairs() -> None:
    query = str(REPOSITORY / "queries" / "gated_spectrum.py")
    done("query", query, "run.parquet", *KNOWN, "-o", "of_run.parquet")

    summary = done("query", query, "pairs.arrow", "-o", "of_pairs.parquet")

    assert_frame_equal(pl.read_parquet("of_pairs.parquet"), pl.read_parquet("of_run.parquet"))
    assert summary["pairs"] == 947
    of_hits = str(REPOSITORY / "queries" / "rates_by_minute.py")
    assert "single hits" in refused("query", of_hits, "pairs.arrow", "-o", "rates.parquet")


def test_a_query_of_pairs_that_reads_hits_as_well(tmp_path: Path) -> None:
    (tmp_path / "both.py").write_text("def query(hits, *, pairs):\n    return hits\n")

    assert "also reads single hits" in refused("query", "both.py", "pairs.arrow", "-o", "hits.parquet")
    assert not (tmp_path / "hits.parquet").exists()


def test_a_gate_takes_several_files() -> None:
    gate = ("--on", "1332.5", "--background", "1345:1355")
    done("gate", "pairs.parquet", *gate, "-o", "one.csv")

    done("gate", "parts", *KNOWN, *gate, "-o", "parts.csv")
    done("gate", *sorted(map(str, Path("parts").iterdir())), *KNOWN, *gate, "-o", "several.csv")

    assert Path("parts.csv").read_text() == Path("one.csv").read_text() == Path("several.csv").read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("rates", "pairs.parquet", "-o", "r.csv"), "contains pairs, but no single hits, rates or live times"),
        (("events", "pairs.root", "-o", "e.csv"), "contains pairs, but no single hits, rates or live times"),
        (("peaks", "pairs.csv", "-o", "p.csv"), "contains pairs, but no single hits, rates or live times"),
        (("spectrum", "pairs.csv", "--per-second", "-o", "s.csv"), "leave --per-second out"),
        (("spectrum", "pairs.csv", "--apart", "-o", "s.csv"), "leave --apart out"),
        (("matrix", "pairs.csv", "--random", "auto", "-o", "m.csv"), "leave --random out"),
        (("matrix", "pairs.csv", "--axes", "energy:time", "-o", "m.csv"), "needs single hits"),
        (("matrix", "pairs.csv", "run.parquet", "-o", "m.csv"), "give one or the other"),
        (("matrix", "pairs.csv", "pairs.csv", "-o", "m.csv"), "each of its pairs would count twice"),
        (("matrix", "pairs.parquet", "net.parquet", "-o", "m.csv"), "have other columns"),
    ],
)
def test_what_pairs_cannot_tell_is_said_in_one_line(words: tuple[str, ...], why: str) -> None:
    assert why in refused(*words)
    assert not Path(words[-1]).exists()


def test_energies_by_another_calibration_are_kept_and_doubted() -> None:
    Path("other.toml").write_text(Path("d.toml").read_text().replace("energy = [0.", "energy = [1.", 1))

    summary = done("matrix", "pairs.parquet", "--detectors", "other.toml", "-o", "m.csv")

    assert "from a calibration different from that of HPGe-1" in " ".join(summary["warnings"])


@pytest.mark.usefixtures("undrawn")
def test_a_report_of_pairs_says_what_pairs_tell() -> None:
    made = done("coincidences", "run.parquet", *KNOWN, *RANDOM, "-o", "again.parquet")
    done("matrix", "net.parquet", "--bin-kev", "1", "-o", "m.parquet")

    summary = done("report", "net.parquet", "-o", "report")

    assert summary["pairs"] == 947
    page = " ".join(Path("report/index.html").read_text().split())
    random = f"{made['chance_pairs']:.1f} ± {made['chance_pairs_unc']:.1f} random coincidences among them"
    assert f"947 pairs from 4 detectors within ±250 ns, in 1 file. The random windows give {random}" in page
    assert "count rates, live times, rejected hits or singles spectra" in page
    assert "Hits and detectors" not in page
    assert pl.read_parquet("report/matrix.parquet").equals(pl.read_parquet("m.parquet"))
    assert pl.read_parquet("report/spectra.parquet")["counts"].sum() == pytest.approx(2 * made["net_pairs"])


def test_the_usual_window_counts_where_it_is_written_down() -> None:
    done("coincidences", "run.parquet", *KNOWN, "--window", "2us", "-o", "wide.parquet")
    usual = done("matrix", "pairs.parquet", "-o", "usual.parquet")
    every = done("matrix", "wide.parquet", "-o", "every.parquet")

    found = done("matrix", "wide.parquet", "--window", "250ns", "-o", "found.parquet")

    assert found["pairs"] == usual["pairs"] < every["pairs"]
    assert found["window_ps"] == [-250_000, 250_000]
    assert every["window_ps"] == [-2_000_000, 2_000_000]
    assert_frame_equal(pl.read_parquet("found.parquet"), pl.read_parquet("usual.parquet"))
    assert "leave --window out" in refused("gate", "wide.parquet", "--window", "250ns", "--on", "1332", "-o", "g.csv")


def test_no_file_of_several_has_a_narrower_window_than_is_asked_for() -> None:
    narrow = ("coincidences", "run.parquet", *KNOWN, "--window", "50ns", "-o", "narrow.parquet")
    done(*narrow)
    assert "narrow.parquet: its pairs were formed within ±50 ns" in refused(
        "matrix", "pairs.parquet", "narrow.parquet", "--window", "100ns", "-o", "m.csv"
    )


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("saved", [False, True])
def test_two_detectors_without_a_calibration_stand_against_each_other(tmp_path: Path, saved: bool) -> None:
    source = REPOSITORY / "data" / "na22-two-nai.root"
    if saved:
        assert gammapolars("coincidences", source, "-o", tmp_path / "nai.parquet").code == 0
        source = tmp_path / "nai.parquet"

    apart = json.loads(gammapolars("matrix", source, "-o", tmp_path / "apart.parquet", "--json").out)
    mixed = json.loads(gammapolars("matrix", source, "--symmetric", "-o", tmp_path / "mixed.parquet", "--json").out)

    assert any("0/4 is on x and 0/5 on y" in warning for warning in apart["warnings"])
    assert (apart["counts"], apart["symmetric"]) == (28_951, False)
    assert (mixed["counts"] > 1.9 * apart["counts"], mixed["symmetric"]) == (True, True)


# Datasets.

ENDS = ("--start", "HPGe-1", "--stop", "HPGe-2", "--window=-250ns:250ns", "--start-gate", "100:3000")


def test_a_dataset_says_what_a_file_says(dataset: Path) -> None:
    of_file, of_dataset, of_parts = (done("info", name) for name in ("pairs.parquet", "dataset", str(dataset)))

    for other, parts in ((of_dataset, 1), (of_parts, 3)):
        (file,) = other["files"]
        assert file.pop("parts") == parts
        assert file.pop("bytes") == sum(path.stat().st_size for path in Path(file.pop("name")).glob("*.parquet"))
        assert file == {key: value for key, value in of_file["files"][0].items() if key not in ("name", "bytes")}
        assert other["pairs_by_detectors"] == of_file["pairs_by_detectors"]
    assert "3 parts, 947 pairs" in gammapolars("info", dataset).out
    assert kind_of(str(dataset)) == kind_of(f"{dataset}/") == "pairs"


@pytest.mark.parametrize(
    ("words", "outputs"),
    [
        (("gate", "IN", "--on", "1332.5", "-o", "g.parquet"), ("g.parquet",)),
        (("spectrum", "IN", "-o", "s.parquet"), ("s.parquet",)),
        (("matrix", "IN", "--window", "50ns", "-o", "m.parquet"), ("m.parquet",)),
        pytest.param(
            ("lifetime", "IN", *ENDS, "-o", "l.csv"),
            ("l.csv",),
            marks=pytest.mark.slow,
        ),
        pytest.param(("plot", "IN", "-o", "f.svg"), (), marks=pytest.mark.slow),
        pytest.param(("report", "IN", "-o", "r"), (), marks=pytest.mark.slow),
    ],
)
def test_commands_read_it_as_a_file(dataset: Path, words: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    of_file = done(*("pairs.parquet" if word == "IN" else word for word in words))
    for output in outputs:
        Path(output).rename(f"of_file_{output}")

    summary = done(*(str(dataset) if word == "IN" else word for word in words), "--overwrite")

    for output in outputs:
        read = pl.read_csv if output.endswith("csv") else pl.read_parquet
        assert_frame_equal(read(output), read(f"of_file_{output}"))
    assert [Path(name).name for name in summary["inputs"]] == ["several"]
    assert summary["warnings"] == of_file["warnings"]


def test_a_dataset_is_no_run_and_no_output_goes_into_it(dataset: Path) -> None:
    for command in ("coincidences", "rates", "convert"):
        assert f"{dataset}: contains pairs, but no single hits, rates or live times: give the run" in refused(
            command, str(dataset), "-o", "out.parquet"
        )
    shutil.copytree(dataset, "own")
    inside = "would lie in own, a dataset of pairs, which is only replaced as a whole: choose another output"
    for output in ("own/part-00000.parquet", "own/new.parquet"):
        assert inside in refused("gate", "pairs.parquet", "--on", "1332.5", "-o", output, "--overwrite")
        read = refused("gate", "own", "--on", "1332.5", "-o", output, "--overwrite")
        assert inside in read or "is read by this command" in read
    assert "is a dataset of pairs, which holds nothing else" in refused(
        "report", "pairs.parquet", "-o", "own", "--overwrite"
    )
    Path("pass.py").write_text("def query(pairs):\n    return pairs\n")
    for given in ("own", "own/part-00000.parquet", "ow*"):
        assert "is read by this command" in refused("query", "pass.py", given, "-o", "own", "--overwrite")
    assert done("info", "own")["pairs"] == 947


def test_one_process_writes_it_too_and_replaces_it_only_if_asked() -> None:
    run = ("coincidences", "run.parquet", *KNOWN, "-o", "new/")
    assert done(*run)["outputs"] == ["new"]
    assert "new: already exists" in refused(*run)
    assert done(*run, "--window", "50ns", "--overwrite")["outputs"] == ["new"]
    Path("new/notes.txt").write_text("precious")

    assert "new: also contains notes.txt, which would be lost" in refused(*run, "--overwrite")

    assert done("info", "new")["files"][0]["provenance"]["summary"]["window_ps"] == [-50_000, 50_000]
    assert "the layout compass-pairs exists only for .root" in refused(*run[:-1], "other", "--layout", "compass-pairs")
