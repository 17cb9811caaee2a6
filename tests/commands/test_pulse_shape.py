"""The pulse shape on the command line: from all formats, of hits and of pairs, in matrices and polygons."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.io.compass.bin_layout import Layout
from tests.binfiles import write_bin
from tests.commandline import gammapolars
from tests.compassfiles import write_csv
from tests.rootfiles import made_hits, write_branches

HITS = made_hits(300, gap_ps=20_000).with_columns(
    adc=pl.col("adc").clip(lower_bound=4), adc_short=(pl.col("adc").clip(lower_bound=4) * 0.6).cast(pl.UInt16)
)
BRANCHES = {
    "board": "Board", "channel": "Channel", "timestamp_ps": "Timestamp", "adc": "Energy", "adc_short": "EnergyShort",
    "flags": "Flags",
}  # fmt: skip

POLYGON = '[[gate]]\nname = "late"\nx = "psd_a"\ny = "psd_b"\nvertices = [[0.39, 0], [0.41, 0], [0.41, 1], [0.39, 1]]\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.parquet"
    HITS.write_parquet(path)
    return path


def test_all_formats_give_the_same_pulse_shapes(run: Path, tmp_path: Path) -> None:
    arrays = {theirs: HITS[ours].to_numpy() for ours, theirs in BRANCHES.items()}
    files = [
        run,
        write_branches(tmp_path / "run.root", arrays | {"Timestamp": arrays["Timestamp"].astype("uint64")}),
        write_csv(tmp_path / "run.CSV", HITS),
        write_bin(tmp_path / "run.BIN", HITS, Layout(("energy", "short", "flags"))),
    ]
    for number, file in enumerate(files):
        for axes in ("adc:psd", "psd:psd"):
            done = gammapolars("matrix", file, "--axes", axes, "-o", tmp_path / f"{axes}{number}.parquet", "--json")
            assert done.code == 0, done.err
            assert json.loads(done.out)["counts"] > 100
            first, other = (gp.scan_matrix(tmp_path / f"{axes}{place}.parquet").collect() for place in (0, number))
            assert_frame_equal(first, other)


def test_pairs_keep_the_short_charge_where_it_is_asked_for(run: Path, tmp_path: Path) -> None:
    pairs, of_run, of_pairs = (tmp_path / f"{name}.parquet" for name in ("pairs", "of_run", "of_pairs"))

    assert gammapolars("coincidences", run, "--adc-short", "-o", pairs).code == 0
    expected = gp.pairs(HITS.lazy(), window="250ns")
    found = gp.scan_pairs(pairs).collect()
    assert_frame_equal(found, expected.collect().select(found.columns))
    assert gammapolars("matrix", run, "--axes", "psd:psd", "-o", of_run).code == 0
    assert gammapolars("matrix", pairs, "--axes", "psd:psd", "-o", of_pairs).code == 0
    assert_frame_equal(gp.scan_matrix(of_run).collect(), gp.scan_matrix(of_pairs).collect())


def test_polygons_in_pulse_shapes_select_pairs_of_runs_and_of_files(run: Path, tmp_path: Path) -> None:
    (tmp_path / "late.toml").write_text(POLYGON)
    pairs = tmp_path / "pairs.parquet"
    assert gammapolars("coincidences", run, "--adc-short", "-o", pairs).code == 0
    a = gp.scan_pairs(pairs).select(gp.psd("_a")).collect()["psd_a"]
    inside = ((a >= 0.39) & (a < 0.41)).sum()

    for source in (run, pairs):
        options = ("--axes", "dt:adc", "--polygon", tmp_path / "late.toml", "--json", "--overwrite")
        done = gammapolars("matrix", source, *options, "-o", tmp_path / "m.parquet")
        assert json.loads(done.out)["counts"] == inside > 10


def test_the_matrix_says_which_hits_it_does_not_show(tmp_path: Path) -> None:
    hits = HITS.with_columns(
        adc=pl.when(pl.int_range(pl.len()) < 7).then(0).otherwise("adc").cast(pl.UInt16),
        adc_short=pl.when(pl.col("channel") == 1).then(0).otherwise("adc_short").cast(pl.UInt16),
        flags=pl.lit(0, pl.UInt32),
    ).with_columns(adc_short=pl.when(pl.int_range(pl.len()) == 9).then(65535).otherwise("adc_short").cast(pl.UInt16))
    hits.write_parquet(tmp_path / "run.parquet")

    done = gammapolars("matrix", tmp_path / "run.parquet", "--axes", "time:psd", "-o", tmp_path / "m.root", "--json")

    assert json.loads(done.out)["counts"] == 292
    assert "1 of 300 hits have a pulse shape outside of -0.2 to 1.2" in done.out
    assert "7 of 300 hits have no pulse shape, because their adc is 0 or they have no short charge" in done.out
    assert "0/1: the short charge (adc_short) of all hits is 0" in done.out
    matrix = gp.scan_matrix(tmp_path / "m.root").collect()
    assert matrix.columns[:2] == ["time_s_x", "psd_y"]
    assert matrix["psd_y"].is_between(-0.2, 1.2).all()


def test_distributions_are_those_of_python_and_have_a_figure(run: Path, tmp_path: Path) -> None:
    table = tmp_path / "shapes.parquet"
    done = gammapolars("spectrum", run, "--axis", "psd", "--bin-psd", "0.02", "--reject", "none", "-o", table, "--json")

    counts = gp.spectrum(HITS.lazy(), bin_psd=0.02).collect()
    assert_frame_equal(pl.read_parquet(table).drop("name"), counts)
    assert json.loads(done.out)["bin_psd"] == 0.02
    assert sum(of["counts"] for of in json.loads(done.out)["spectra"]) == counts["counts"].sum() == 300
    labels = gp.plot.pulse_shapes(counts).labels
    assert (labels.x, labels.y) == ("Pulse shape, (long − short)/long", "Counts per 0.02")
    assert (
        "contains pulse shapes, but a figure of kind rates needs"
        in gammapolars("plot", table, "--kind", "rates", "-o", tmp_path / "rates.png").error
    )


@pytest.mark.slow
def test_runs_and_tables_of_pulse_shapes_are_drawn_over_each_other(run: Path, tmp_path: Path) -> None:
    table, figure = tmp_path / "shapes.parquet", tmp_path / "shapes.png"
    assert gammapolars("spectrum", run, "--axis", "psd", "--bin-psd", "0.02", "-o", table).code == 0
    done = gammapolars("plot", table, run, "--kind", "pulse-shapes", "--bin", "0.02", "-o", figure)
    assert done.code == 0, done.err
    assert (
        gammapolars("plot", table, "--overwrite", "-o", figure).out
        == f"a figure of kind pulse-shapes\n{figure}: written\n"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("spectrum run.parquet --axis psd -o s.spe", "distributions of the pulse shape are written to .parquet"),
        ("spectrum run.parquet --axis psd --bin-kev 2 -o s.csv", "counts pulse shapes, not energies"),
        ("spectrum run.parquet --bin-psd 0.1 -o s.csv", "add --axis psd"),
        ("spectrum run.parquet --axis psa -o s.csv", "unknown axis 'psa'"),
        ("spectrum pairs.parquet --axis psd -o s.csv", "contains pairs, but no single hits"),
        ("spectrum bare.parquet --axis psd -o s.csv", "bare.parquet: there is no column 'adc_short'"),
        ("matrix bare.parquet --axes adc:psd -o m.parquet", "bare.parquet: there is no column 'adc_short'"),
        ("coincidences bare.parquet --adc-short -o p.parquet", "bare.parquet: there is no column 'adc_short'"),
        ("matrix bare.parquet --polygon late.toml -o m.parquet", "'late' uses the pulse shape 'psd_a'"),
        (
            "matrix pairs.parquet --axes psd:psd -o m.parquet",
            "form the pairs again with 'gammapolars coincidences RUN... --adc-short'",
        ),
        ("matrix pairs.parquet --axes adc:psd -o m.parquet", "adc and psd of the same hit need single hits"),
        ("matrix run.parquet --axes psd:adc --y 0/1 -o m.parquet", "a matrix of psd:adc needs single hits"),
        ("coincidences run.parquet --adc-short --layout compass-pairs -o p.root", "has no room for adc_short"),
    ],
)
def test_without_pulse_shapes_an_error_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    HITS.write_parquet("run.parquet")
    HITS.drop("adc_short").write_parquet("bare.parquet")
    gp.pairs(HITS.drop("adc_short").lazy(), window="250ns").collect().write_parquet("pairs.parquet")
    Path("late.toml").write_text(POLYGON)

    assert reason in gammapolars(*words.split()).error


@pytest.mark.slow
def test_neutrons_are_simulated_alike_in_python_and_on_the_command_line(tmp_path: Path) -> None:
    one = gp.simulate_run("Co-60=20kBq", tmp_path / "a.root", hits=50, neutrons=0.5)
    other = tmp_path / "b.root"
    assert (
        gammapolars("simulate", "--source", "Co-60=20kBq", "--hits", "50", "--neutrons", "0.5", "-o", other).code == 0
    )
    assert one.read_bytes() == other.read_bytes()
    assert "adc_short" in gp.scan(one).collect_schema()
