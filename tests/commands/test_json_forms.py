"""The JSON that other programs rely on: its form is frozen, and what commands print has it.

`UPDATE_GOLDEN=1 pytest tests/commands/test_json_forms.py` writes tests/golden/json_forms.txt anew; read the difference.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.analysis.summaries import PairSummary
from gammapolars.commands.app import COMMANDS
from tests.commandline import REPOSITORY, gammapolars
from tests.commands.json_forms import keys_of, object_misfits, records_of, table
from tests.drawing import daily
from tests.sources import LINES, expected_counts, peak_table, write_lines

GOLDEN = Path(__file__).parents[1] / "golden" / "json_forms.txt"

HITS = 20_000

ONE_DETECTOR = """
[[detector]]
name = "left"
channel = 3
energy = [0.0, 0.5]
fwhm = [4.0]
"""
EFFICIENCY = """
efficiency = [-6.0, -0.8]
efficiency_covariance = [[0.01, 0.0], [0.0, 0.01]]
efficiency_range = [100.0, 1500.0]
"""
SOURCE = """
[[source]]
nuclide = "Eu-152"
activity_bq = 37000
activity_bq_unc = 500
reference_date = 2020-01-01
half_life_s = 4.27e8
"""
CALP = """#PeakEasy CALp File Ver:  4.00
Offset (keV)           :  0.0625
Gain (keV / Chan)      :  0.25
2nd Order Coef         :  0
#END"""

ON_LINE = "--on 1332.5 --background 1345:1355"
RANDOM = "--random 1us:3us"
COUNTED = "--lines lines.csv --live-time 300 --started 2020-01-01"
ENDS = "--start HPGe-1 --stop HPGe-2 --window=-1us:1us --start-gate 100:3000"
CALLS = {
    "info": "info run.parquet",
    "info of pairs": "info pairs.parquet",
    "info of runs": "info run.parquet second.parquet --apart",
    "info of a matrix": "info matrix.parquet",
    "info of spectra": "info spectrum.csv",
    "convert": "convert run.parquet -o hits.arrow",
    "query": "query QUERIES/gated_spectrum.py run.parquet DETECTORS -o gated.parquet",
    "query of hits": "query QUERIES/rates_by_minute.py run.parquet -o rates.parquet",
    "query of pairs": "query QUERIES/gated_spectrum.py pairs.parquet -o gated.parquet",
    "query explained": "query QUERIES/gated_spectrum.py",
    "queries": "query",
    "init": "init run.parquet -o experiment.toml",
    "run": "run small.toml",
    "run, nothing to do": "run small.toml",
    "simulate": "simulate --source Co-60 --hits 500 --correlation 1173.2,1332.5=4,2,0 --truth t.parquet -o s.root",
    "detectors": "detectors import 1=ch1.CALp -o imported.toml",
    "coincidences": "coincidences run.parquet DETECTORS --veto HPGe=1ns --rates r.csv -o p.parquet",
    "coincidences, net": f"coincidences run.parquet DETECTORS {RANDOM} -o p.parquet",
    "coincidences, live": "coincidences run.parquet DETECTORS --live -o p.parquet",
    "spectrum": "spectrum run.parquet DETECTORS --slice 5s -o s.csv",
    "matrix": "matrix run.parquet DETECTORS -o m.csv",
    "spectrum of pairs": "spectrum pairs.parquet -o s.csv",
    "matrix of pairs": "matrix pairs.parquet DETECTORS -o m.csv",
    "matrix of hits": "matrix run.parquet DETECTORS --axes energy:time -o m.csv",
    "matrix, net": "matrix run.parquet DETECTORS --subtract-background --peak-region 1328:1336 -o m.csv",
    "plot": "plot spectrum.csv --title A -o figure.svg",
    "report": "report run.parquet -o report",
    "report of pairs": "report pairs.parquet DETECTORS -o report",
    "guide": "guide gate",
    "guide as pages": "guide --html pages",
    "view": "view matrix.parquet --no-browser --idle-min 0",
    "gate": f"gate run.parquet DETECTORS {ON_LINE} {RANDOM} -o g.csv",
    "gate of triples": f"gate run.parquet DETECTORS --on 1332.5 --and 1173.2 --width 40 {RANDOM} -o g.csv",
    "gate of pairs": f"gate pairs.parquet DETECTORS {ON_LINE} -o g.csv",
    "gate of a matrix": f"gate matrix.parquet {ON_LINE} -o g.csv",
    "gate of a matrix, net": "gate matrix.parquet --on 1332.5 --subtract-background --partner 1173.2 -o g.csv",
    "gate with partners": f"gate pairs.parquet DETECTORS {ON_LINE} --partner 1173.2 -o g.csv",
    "angular": "angular run.parquet DETECTORS --on 1332.5 --and 1173.2 --order 2 --spins 4,2,0 -o w.csv",
    "events": "events run.parquet DETECTORS --table triples -o e.csv",
    "lifetime": f"lifetime run.parquet DETECTORS {ENDS} -o l.csv",
    "lifetime of pairs": f"lifetime pairs.parquet DETECTORS {ENDS.replace('1us', '250ns')} -o l.csv",
    "rates": "rates run.parquet DETECTORS -o r.csv",
    "peaks": "peaks second.parquet -o p.csv",
    "peaks of a spectrum": "peaks spectrum.csv -o p.csv",
    "calibrate": "calibrate run.parquet DETECTORS --source Co-60 --only HPGe-1 --track 1332.5 -o c.toml",
    "lines": "lines Co-60",
    "lines near": "lines 1332",
    "lines of all": "lines",
    "drift": "drift run.parquet DETECTORS --track 1332.5 -o d.parquet",
    "align": "align run.parquet DETECTORS -o a.toml",
    "efficiency": f"efficiency peaks.csv --detectors source.toml {COUNTED} -o e.toml",
    "activity": f"activity peaks.csv --detectors efficient.toml --nuclide Eu-152 {COUNTED} -o activity.csv",
}
"""Every command, and each kind of summary that it has."""


def test_the_forms_are_as_they_were() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(table(), encoding="utf-8")
    assert table() == GOLDEN.read_text(encoding="utf-8")


def test_every_command_is_called() -> None:
    assert {text.split()[0] for text in CALLS.values()} == set(COMMANDS)


def write_inputs(folder: Path, *, most: int = HITS) -> None:
    """What all these commands read: a short run of so many hits at most, and what else they take."""
    text = (REPOSITORY / "data" / "detectors.toml").read_text()
    for phi_deg in (0, 90, 150, 200):
        text = text.replace('kind = "HPGe"\n', f"kind = 'HPGe'\ntheta_deg = 90\nphi_deg = {phi_deg}\n", 1)
    (folder / "d.toml").write_text(text)
    hits = gp.scan(REPOSITORY / "data" / "co60-four-hpge.root").head(most).collect()
    hits.write_parquet(folder / "run.parquet")
    hits.head(500).write_parquet(folder / "second.parquet")
    known = gp.load_detectors(folder / "d.toml")
    pairs = gp.pairs(hits.lazy().pipe(gp.align, known).pipe(gp.calibrate, known), window="250ns").collect()
    pairs.write_parquet(folder / "pairs.parquet")
    gp.matrix(pairs.lazy()).collect().write_parquet(folder / "matrix.parquet")
    adc = np.arange(2048.0)
    counts = np.floor(100 + 1000 * np.exp(-((adc - 1000) ** 2) / 50))
    pl.DataFrame({"adc": adc, "counts": counts, "variance": counts}).write_csv(folder / "spectrum.csv")
    lines = LINES["Eu-152"]
    areas = expected_counts(lines, 37_000 * 300.0)
    peak_table(lines, areas, 0.2 * areas + 10, np.random.default_rng(1)).write_csv(folder / "peaks.csv")
    write_lines(folder / "lines.csv")
    (folder / "source.toml").write_text(ONE_DETECTOR + SOURCE)
    (folder / "efficient.toml").write_text(ONE_DETECTOR + EFFICIENCY)
    (folder / "small.toml").write_text("runs = 'run.parquet'\n[rates]\n[coincidences]\n")
    (folder / "ch1.CALp").write_text(CALP)


def words_of(name: str) -> list[str]:
    """The words of one of these command lines, in the folder of its inputs."""
    text = CALLS[name].replace("DETECTORS", "--detectors d.toml").replace("QUERIES", str(REPOSITORY / "queries"))
    return text.split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all inputs."""
    folder = tmp_path_factory.mktemp("forms")
    write_inputs(folder)
    return folder


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", daily(len(CALLS) - 1, sorted(CALLS, key="report".__eq__)))
def test_what_a_command_prints_has_its_form(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = words_of(name)

    done = gammapolars(*words, "--json", *(["--overwrite"] if "-o" in words else []))

    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert {"inputs", "outputs", "warnings", "elapsed_s"} <= summary.keys()
    misfits = [list(object_misfits(summary, record, name)) for record in records_of(words[0])]
    assert min(misfits, key=len) == []


@pytest.mark.parametrize(
    ("change", "misfit"),
    [
        ({"pairs": 1.5}, "pairs: 1.5 is no integer"),
        ({"pairs": True}, "pairs: True is no integer"),
        ({"outputs": "p.csv"}, "outputs: 'p.csv' is no list"),
        ({"outputs": [1]}, "outputs[]: 1 is no text"),
        ({"window_ps": [0]}, "window_ps: [0] is not [low, high]"),
        ({"rejected": {"pile_up": "3"}}, "rejected.pile_up: '3' is no integer"),
        ({"pairs_by_detectors": [{"pears": 1}]}, "pairs_by_detectors[].pears: is not named in the form"),
        ({"output": "p.csv"}, "output: is not in the form"),
        ({"times": None}, "times: is not in the form"),
        ({"first_timestamp_ps": "now"}, "first_timestamp_ps: 'now' is not integer or null"),
    ],
)
def test_what_does_not_fit_a_form_is_seen(change: dict[str, Any], misfit: str) -> None:
    ways = ("read", "used", "rejected", "damaged", "out_of_range", "repeated")
    account = dict.fromkeys((f"hits_{way}" for way in ways), 0)
    times = {"real_time_s": 0.0, "first_timestamp_ps": None, "last_timestamp_ps": 5}
    pairs = {"pairs": 0, "pairs_by_detectors": [], "window_ps": [0, 1], "chance_pairs_expected": 1}
    pairs |= {"chance_pairs_expected_unc": 0.5, "lost_pairs": None, "lost_pairs_unc": 1.5}
    summary = {"inputs": [], "outputs": [], "warnings": [], "rejected": {}, "left_out": []} | account | times | pairs

    assert list(object_misfits(summary, PairSummary, "it")) == []
    assert list(object_misfits(summary | change, PairSummary, "it")) == [f"it.{misfit}"]
    assert list(object_misfits({}, PairSummary, "it")) == [f"it.{name}: is missing" for name in summary_keys(summary)]


def summary_keys(summary: dict[str, Any]) -> list[str]:
    """The keys in the order of the form."""
    return [key.name for key in keys_of(PairSummary) if key.name in summary]
