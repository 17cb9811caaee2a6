"""Hits below thresholds, above ranges and outside polygons: the same ones are removed in all commands."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.core.flags import parse_reject, union
from tests.commandline import REPOSITORY, gammapolars
from tests.commands.test_json_forms import write_inputs
from tests.drawing import daily

HITS = 16_000

THRESHOLDS = {"HPGe-1": "threshold_kev = 250", "HPGe-2": "range_adc = [900, 10000]", "HPGe-3": "range_kev = [0, 1200]"}

GATE = """
[[gate]]
name = "late"
x = "adc"
y = "timestamp_ps"
detectors = ["HPGe-4"]
vertices = [[0, {half}], [70000, {half}], [70000, 1e18], [0, 1e18]]
"""

MASK = union(parse_reject("saturation,pile_up,fake_event"))

RUN = "run.parquet --detectors d.toml --min-energy 100 --keep late.toml"
COMMANDS = {
    "coincidences": f"coincidences {RUN} -o p.parquet",
    "convert": f"convert {RUN} -o h.parquet",
    "spectrum in channels": f"spectrum {RUN} --unit adc -o s.csv",
    "rates": f"rates {RUN} -o r.csv",
    "triples": f"gate {RUN} --on 1332.5 --and 1173.2 --width 40 -o g.csv",
    "events": f"events {RUN} --table triples -o e.csv",
    "query": f"query {REPOSITORY}/queries/gated_spectrum.py {RUN} -o q.parquet",
    "align": f"align {RUN} -o a.toml",
    "spectrum": f"spectrum {RUN} -o s.csv",
    "coincidences, random windows": f"coincidences {RUN} --random 1us:3us -o p.parquet",
    "matrix": f"matrix {RUN} -o m.csv",
    "matrix of hits": f"matrix {RUN} --axes energy:time -o m.csv",
    "gate": f"gate {RUN} --on 1332.5 -o g.csv",
    "angular": f"angular {RUN} --on 1332.5 --and 1173.2 --width 20 --order 2 -o w.csv",
    "lifetime": f"lifetime {RUN} --start HPGe-1 --stop HPGe-2 --window=-20us:20us --start-gate 250:3000 -o l.csv",
    "peaks": f"peaks {RUN} -o p.csv",
    "pulse shapes": f"spectrum {RUN.replace('run.', 'shapes.')} --axis psd -o s.csv",
    "report": f"report {RUN} -o report",
}
EVERY_DAY = 8
"""This many of these are tried by default: those that read in different ways."""

WITHOUT_FLAGS = {"convert": "none", "rates": "fake_event"}
"""What rejects a hit in commands that have no `--reject`."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a few flags, and a detectors.toml with thresholds of each kind."""
    folder = tmp_path_factory.mktemp("selection")
    write_inputs(folder, most=HITS)
    text = (folder / "d.toml").read_text()
    for name, line in THRESHOLDS.items():
        text = text.replace(f'name = "{name}"\n', f'name = "{name}"\n{line}\n')
    (folder / "d.toml").write_text(text)
    hits = pl.read_parquet(folder / "run.parquet")
    flags = pl.when(pl.int_range(pl.len()) % 7 == 0).then(0x8000).otherwise("flags").cast(pl.UInt32)
    flagged = hits.with_columns(flags=flags)
    flagged.write_parquet(folder / "run.parquet")
    short = (
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.col("adc") // 2).otherwise(pl.col("adc") - pl.col("adc") // 10)
    )
    flagged.with_columns(adc_short=short.cast(pl.UInt16)).write_parquet(folder / "shapes.parquet")
    half = int(hits["timestamp_ps"][HITS // 2])
    (folder / "late.toml").write_text(GATE.format(half=half))
    return folder


@pytest.fixture(scope="module")
def used(folder: Path) -> pl.DataFrame:
    """The hits that Python selects with the same detectors and options."""
    known = gp.load_detectors(folder / "d.toml")
    hits = gp.align(gp.scan(folder / "run.parquet"), known)
    return gp.select_hits(hits, known, 100, keep=folder / "late.toml").collect()


def summary_of(call: str) -> dict[str, Any]:
    done = gammapolars(*call.split(), *(["--overwrite"] if " -o " in call else []), "--json")
    assert done.code == 0, done.err
    summary: dict[str, Any] = json.loads(done.out)
    return summary


@pytest.mark.parametrize("name", daily(EVERY_DAY, COMMANDS))
def test_every_command_uses_the_same_hits(
    name: str, folder: Path, used: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    found = summary_of(COMMANDS[name])

    reasons = {reason: found[f"hits_{reason}"] for reason in ("below_threshold", "above_range", "outside_polygons")}
    assert min(reasons.values()) > 50
    assert {reason: sum(found[reason].values()) for reason in reasons} == reasons
    assert set(found["outside_polygons"]) == {"HPGe-4"}
    assert sum(reasons.values()) == HITS - used.height
    assert (found["min_energy_kev"], found["keep"]) == (100, "late.toml")
    mask = union(parse_reject(WITHOUT_FLAGS.get(name, "saturation,pile_up,fake_event")))
    good = used.filter(~gp.has_any(mask)).height
    assert (found["hits_read"], found["hits_used"], found["hits_rejected"]) == (HITS, good, used.height - good)
    assert sum(found["rejected"].values()) == used.height - good


def failed(call: str) -> str:
    return gammapolars(*call.split()).error


def test_where_no_hits_are_read_thresholds_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    options = "--detectors d.toml --min-energy 100 --keep late.toml"

    assert "leave --min-energy and --keep out" in failed(f"gate pairs.parquet {options} --on 1332.5 -o x.csv")
    assert "matrix.parquet is a matrix" in failed(f"gate matrix.parquet {options} --on 1332.5 -o x.csv")
    assert "spectrum.csv contains no single hits" in failed(f"plot spectrum.csv {options} -o x.svg")
    assert "contains spectra, not single hits" in failed(f"peaks spectrum.csv {options} -o x.csv")
    assert "describes runs as they were recorded" in failed(f"info run.parquet {options}")
    assert "give thresholds in ADC channels" in failed(f"drift run.parquet {options} --track 1332.5 -o x.parquet")
    assert "give thresholds in ADC channels" in failed(f"calibrate run.parquet {options} --source Co-60 -o x.toml")
    assert "hits of 0/1, 0/2, 0/3, 0/4 have no energy" in failed("rates run.parquet --min-energy 100")


def test_saved_pairs_tell_of_thresholds_that_they_were_not_formed_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    summary_of(f"coincidences {RUN} -o with.parquet")

    without, formed = (
        summary_of(f"matrix {pairs}.parquet --detectors d.toml -o m.csv")["warnings"] for pairs in ("pairs", "with")
    )

    assert "were not formed with the thresholds of HPGe-1, HPGe-2, HPGe-3 in the given detectors.toml" in without[0]
    assert not formed


def test_measurements_of_energies_use_thresholds_in_channels_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    found = summary_of("drift run.parquet --detectors d.toml --track 1332.5 -o x.parquet")

    assert found["hits_below_threshold"] == found["below_threshold"]["HPGe-2"] > 50
    assert set(found["below_threshold"]) | set(found["above_range"]) == {"HPGe-2"}
    (warning,) = (text for text in found["warnings"] if "keV" in text)
    assert warning == "thresholds in keV of HPGe-1, HPGe-3 are not applied: energies are measured here"


def test_text_tells_which_hits_were_removed(folder: Path, used: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    below = summary_of(f"rates {RUN}")

    lines = gammapolars(*f"rates {RUN}".split()).out.splitlines()
    written = gammapolars(*f"convert {RUN} -o h.parquet --overwrite".split()).out.splitlines()

    each = ", ".join(f"{name} {count:,}" for name, count in below["below_threshold"].items())
    share = 100 * below["hits_below_threshold"] / HITS
    assert lines[1] == f"  below threshold: {below['hits_below_threshold']:,} ({share:.2f} %): {each}"
    assert [line.split(":")[0].strip() for line in lines[1:4]] == [
        "below threshold",
        "above range",
        "outside the polygons",
    ]
    assert "rates of the hits used; dead times and live fractions are those after all recorded hits" in lines
    assert written[:2] == [f"{used.height:,} hits written to h.parquet", lines[1]]
    paired = gammapolars(*f"coincidences {RUN} -o said.parquet".split()).out.splitlines()
    assert "pairs and random coincidences are those of the hits used" in paired


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".root"])
def test_a_file_without_the_removed_hits_is_warned_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.chdir(folder)

    *_, writing = summary_of(f"convert {RUN} -o reduced{suffix} --overwrite")["warnings"]
    again = summary_of(f"convert reduced{suffix} -o again{suffix} --overwrite")["warnings"]
    summary_of(f"convert again{suffix} -o sorted{suffix} --sort --overwrite")

    assert writing.endswith("measure dead times and random coincidences in the original run")
    assert again[0].startswith(
        f"reduced{suffix}: hits below thresholds were removed when it, or its input, was written"
    )
    for name in ("reduced", "again", "sorted"):
        reading = summary_of(f"info {name}{suffix}")["warnings"]
        assert any(text.startswith(f"{name}{suffix}: hits below thresholds were removed") for text in reading)


def test_a_polygon_of_the_pulse_shape_keeps_hits_and_adds_no_column(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    hits = pl.read_parquet("run.parquet")
    vertices = "psd,timestamp_ps\n0.3,-1e18\n0.7,-1e18\n0.7,1e18\n0.3,1e18\n"
    Path("n.csv").write_text(vertices)

    found = summary_of("coincidences shapes.parquet --keep n.csv --reject none -o p.parquet")

    assert found["hits_used"] == hits[::3].filter(pl.col("adc") > 1).height
    assert found["hits_read"] - found["hits_used"] == found["hits_outside_polygons"]
    assert "adc_short_a" not in pl.read_parquet("p.parquet").columns
    assert "adc_short" in failed("rates run.parquet --keep n.csv")


def test_a_query_of_hits_gets_those_that_stay(
    folder: Path, used: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("every.py").write_text(
        '"""All hits."""\n\ndef query(hits):\n    return hits.select("board", "channel", "adc")\n'
    )

    found = summary_of(f"query every.py {RUN} -o every.parquet")
    summary_of(f"query every.py {RUN} --veto HPGe=0ns,min_adc=65535,keep -o vetoed.parquet")

    assert any("are not among the hits of the query" in text for text in found["warnings"])
    rows = sorted(pl.read_parquet("every.parquet").rows())
    assert rows == sorted(used.select("board", "channel", "adc").rows())
    assert pl.read_parquet("vetoed.parquet").height == used.height
    assert (found["min_energy_kev"], found["keep"]) == (100, "late.toml")


@pytest.mark.slow
def test_steps_of_an_experiment_use_the_same_hits(
    folder: Path, used: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("experiment.toml").write_text(
        'runs = "run.parquet"\ndetectors = "d.toml"\noutput = "results"\n'
        '[common]\nmin_energy = 100\nkeep = "late.toml"\n[coincidences]\n[matrix]\n'
    )

    assert gammapolars("run", "experiment.toml").code == 0

    (pairs,) = Path("results").glob("*pairs*.parquet")
    origin = json.loads(gammapolars("info", str(pairs), "--json").out)["files"][0]["provenance"]["summary"]
    assert origin["hits_used"] == used.filter(~gp.has_any(MASK)).height
