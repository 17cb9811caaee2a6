"""One file for a whole analysis: only what changed is done again, nothing is lost, and a killed run goes on."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.commands.run import record, work
from gammapolars.commands.run.experiment import load_experiment
from gammapolars.commands.run.kinds import KINDS
from gammapolars.commands.run.stamps import Stamp, changes, listed, stamp
from gammapolars.core.fingerprint import fingerprint
from gammapolars.io import transaction
from tests.commandline import REPOSITORY, gammapolars, gammapolars_process, python

EXPERIMENT = """\
runs = ["run.root"]
detectors = "detectors.toml"

[common]
window = "250ns"

[align]
[coincidences]

[[gate]]
on = 1332.5
background = "auto"
"""

SMALL = """\
runs = "small.parquet"

[rates]

[coincidences]
spectra = "singles.csv"

[matrix]
axes = "adc:adc"
"""

CHAIN = ["align", "coincidences", "gate-1332.5"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an analysis of the example run was done."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(REPOSITORY / "data" / "co60-four-hpge.root", folder / "run.root")
    shutil.copy(REPOSITORY / "data" / "detectors.toml", folder / "detectors.toml")
    (folder / "experiment.toml").write_text(EXPERIMENT)
    done = gammapolars("run", folder / "experiment.toml")
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test works."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture(scope="module")
def hits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run."""
    path = tmp_path_factory.mktemp("hits") / "small.parquet"
    gp.scan(REPOSITORY / "data" / "co60-four-hpge.root").head(5000).collect().write_parquet(path)
    return path


@pytest.fixture
def small(hits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a short run and the file of its analysis, which is not done yet."""
    shutil.copy(hits, tmp_path)
    (tmp_path / "experiment.toml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def steps(*words: str) -> dict[str, tuple[str, str]]:
    """The status of each step, and the reason for it."""
    done = gammapolars("run", "experiment.toml", "--json", *words)
    assert done.code == 0, done.err
    return {row["name"]: (row["status"], row["reason"]) for row in json.loads(done.out)["steps"]}


def status(*words: str) -> dict[str, str]:
    return {name: one for name, (one, _) in steps(*words).items()}


def state(folder: Path = Path("analysis")) -> dict[str, tuple[bytes, int]]:
    """The content and the time of each output."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json")
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


# Nothing is done twice.


def test_the_second_time_nothing_is_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "perform", None)
    before = state()

    assert status() == dict.fromkeys(CHAIN, "up_to_date")

    assert state() == before
    assert len(before) == 3
    done = gammapolars("run", "experiment.toml")
    assert "nothing to do: every step is up to date" in done.out


def test_nothing_to_do_is_known_without_the_heavy_packages(folder: Path) -> None:
    program = """
import sys, time
from gammapolars.commands import main
sys.argv = ["gammapolars", "run", "experiment.toml"]
try:
    main("run")
except SystemExit as end:
    print(end.code, sorted({"polars", "numpy", "uproot", "plotnine", "scipy"} & set(sys.modules)))
    print(time.process_time())
"""

    out = python(program)

    assert "nothing to do" in out
    *_, modules, seconds = out.splitlines()
    assert modules == "0 []"
    assert float(seconds) < 0.6, "of the processor; half of it is Python and typer"


@pytest.mark.slow
def test_steps_give_what_their_commands_give(folder: Path) -> None:
    (folder / "by-hand").mkdir()
    aligned, pairs, gated = (f"by-hand/{name}" for name in ("a.toml", "p.parquet", "g.csv"))
    for words in (
        f"align run.root --detectors detectors.toml -o {aligned}",
        f"coincidences run.root --detectors {aligned} -o {pairs}",
        f"gate {pairs} --detectors {aligned} --on 1332.5 --background auto -o {gated}",
    ):
        assert gammapolars(*words.split()).code == 0

    assert Path(aligned).read_bytes() == Path("analysis/aligned.toml").read_bytes()
    assert Path(gated).read_bytes() == Path("analysis/gate-1332.5.csv").read_bytes()


# What changed is done again, and what depends on it.


def edit(old: str, new: str) -> Callable[[], None]:
    def change() -> None:
        path = Path("experiment.toml")
        path.write_text(path.read_text().replace(old, new))

    return change


def longer(name: str) -> Callable[[], None]:
    def change() -> None:
        with Path(name).open("ab") as file:
            file.write(b"\n")

    return change


def other_version() -> None:
    path = Path("analysis/experiment.steps.json")
    path.write_text(path.read_text().replace('"gammapolars": "0.1.0"', '"gammapolars": "0.0.9"'))


def without(name: str) -> Callable[[], None]:
    return lambda: Path(name).unlink()


@pytest.mark.parametrize(
    ("change", "due", "reason"),
    [
        (lambda: None, {}, ""),
        (edit("runs =", "# a remark\nruns ="), {}, ""),
        (lambda: os.utime("detectors.toml", (1, 1)), {}, ""),
        (edit("250ns", "200ns"), {"coincidences": 0, "gate-1332.5": 1}, "option window changed: 250ns → 200ns"),
        (edit("[align]", "[align]\nsearch = '9us'"), dict(zip(CHAIN, (0, 1, 1), strict=True)), "option search"),
        (edit("on = 1332.5", "on = 1332.5\nwidth = 4"), {"gate-1332.5": 0}, "option width changed: not given → 4.0"),
        (longer("run.root"), dict.fromkeys(CHAIN[:2], 0) | {"gate-1332.5": 1}, "input changed: run.root"),
        (longer("detectors.toml"), dict(zip(CHAIN, (0, 1, 1), strict=True)), "input changed: detectors.toml"),
        (lambda: Path("run.info").write_text("id=1"), dict.fromkeys(CHAIN[:2], 0) | {"gate-1332.5": 1}, "new input"),
        (without("analysis/aligned.toml"), dict(zip(CHAIN, (0, 1, 1), strict=True)), "output missing: analysis/a"),
        (without("analysis/gate-1332.5.csv"), {"gate-1332.5": 0}, "output missing: analysis/gate-1332.5.csv"),
        (
            edit('["run.root"]', '["run.root", "b"]'),
            {"align": 0, "coincidences": 0, "gate-1332.5": 1},
            "option runs changed",
        ),
        (other_version, dict.fromkeys(CHAIN, 0), "gammapolars 0.0.9 → "),
    ],
)
def test_what_changed_is_due_and_what_depends_on_it(
    folder: Path, change: Callable[[], object], due: dict[str, int], reason: str
) -> None:
    change()
    before = state()

    found = steps("--dry-run")

    assert {name for name, (one, _) in found.items() if one == "would_run"} == set(due)
    for name, later in due.items():
        assert found[name][1].startswith("if step '") if later else reason in found[name][1]
    assert state() == before


def test_a_result_that_stays_the_same_is_not_rewritten_and_nothing_follows(folder: Path) -> None:
    before = state()

    found = steps("align", "--again")

    assert found["align"] == ("done", "asked for with --again")
    assert status() == dict.fromkeys(CHAIN, "up_to_date")
    assert state() == before


def test_another_window_changes_the_pairs_and_the_gate_alone(folder: Path) -> None:
    before = state()
    edit("250ns", "100ns")()

    assert status() == dict(zip(CHAIN, ("up_to_date", "done", "done"), strict=True))

    after = state()
    assert [name for name in before if before[name] != after[name]] == [
        "analysis/gate-1332.5.csv",
        "analysis/pairs.parquet",
    ]


def test_a_folder_or_pattern_that_means_other_files_later_is_noticed(small: Path) -> None:
    (small / "DAQ").mkdir()
    Path("small.parquet").rename("DAQ/one.parquet")
    Path("experiment.toml").write_text("runs = 'DAQ/*.parquet'\n[rates]\n")
    assert status() == {"rates": "done"}
    assert status() == {"rates": "up_to_date"}

    shutil.copy("DAQ/one.parquet", "DAQ/two.parquet")

    assert steps("--dry-run") == {"rates": ("would_run", "new input: DAQ/two.parquet")}
    for name in "abcd":
        shutil.copy("DAQ/one.parquet", f"DAQ/{name}.parquet")
    assert steps("--dry-run")["rates"][1] == "; ".join(
        [*(f"new input: DAQ/{name}.parquet" for name in "abc"), "2 more files"]
    )


def test_one_step_is_done_with_what_it_needs(small: Path) -> None:
    assert status("matrix") == {"coincidences": "done", "matrix": "done"}
    assert status("rates") == {"rates": "done"}
    assert status() == dict.fromkeys(("rates", "coincidences", "matrix"), "up_to_date")

    done = gammapolars("run", "experiment.toml", "gates")
    assert done.code == 2
    assert done.error == "Error: there is no step 'gates' in this file: choose from rates, coincidences, matrix"


def test_a_query_is_a_step_with_its_parameters_as_keys(small: Path) -> None:
    (small / "queries").mkdir()
    text = "def query(hits, *, most: int = 3):\n    return hits.head(most).select('adc')\n"
    Path("queries/first.py").write_text(text)
    Path("experiment.toml").write_text("runs = 'small.parquet'\n[query]\nname = 'first'\nmost = 7\n")

    assert steps() == {"first": ("done", "not done before")}
    assert pl.read_parquet("analysis/first.parquet").height == 7
    assert status() == {"first": "up_to_date"}
    Path("queries/first.py").write_text(text.replace("'adc'", "'adc', 'channel'"))
    assert steps("--dry-run") == {"first": ("would_run", "input changed: queries/first.py")}
    edit("most = 7", "most = 'all'")()
    assert gammapolars("run", "experiment.toml").error.startswith("Error: first: Invalid value for '--most': ")
    edit("most = 'all'", "least = 7")()
    assert "first: query 'first' has no parameter '--least'" in gammapolars("run", "experiment.toml").error


# What was edited by hand is kept.


def test_an_edited_output_is_kept_and_read_by_later_steps(folder: Path) -> None:
    path = Path("analysis/aligned.toml")
    path.write_text(path.read_text().replace("time_offset_ps = 398", "time_offset_ps = 400"))
    edited, pairs = path.read_bytes(), Path("analysis/pairs.parquet").read_bytes()

    done = gammapolars("run", "experiment.toml", "coincidences")

    assert done.code == 0
    assert "align: kept (edited by hand: analysis/aligned.toml)" in done.out
    assert "was edited after step 'align' wrote it; it is kept" in done.out
    assert "coincidences: done" in done.out
    assert Path("analysis/pairs.parquet").read_bytes() != pairs
    assert path.read_bytes() == edited

    edit("[align]", "[align]\nsearch = '9us'")()
    refused = gammapolars("run", "experiment.toml")
    assert refused.code == 1
    assert refused.error == (
        "Error: align: analysis/aligned.toml: was edited after this step wrote it, and the step is to be done again "
        "(option search changed: 10us → 9us): move the file away to keep it, or add --overwrite to replace it"
    )
    assert path.read_bytes() == edited
    assert status("align", "--overwrite") == {"align": "done"}
    assert b"time_offset_ps = 400" not in path.read_bytes()


def test_a_file_that_no_step_wrote_is_not_replaced(small: Path) -> None:
    (small / "analysis").mkdir()
    Path("analysis/singles.csv").write_text("mine")

    done = gammapolars("run", "experiment.toml")

    assert done.code == 1
    assert done.error == (
        "Error: coincidences: analysis/singles.csv: exists, and this step did not write it: move it away, or add "
        "--overwrite to replace it"
    )
    assert Path("analysis/singles.csv").read_text() == "mine"
    assert Path("analysis/rates.csv").exists(), "what was complete stays"
    assert status("--overwrite") == {"rates": "up_to_date", "coincidences": "done", "matrix": "done"}


# A process that is killed.


class KilledError(BaseException):
    """Nothing runs after it, as after `kill -9`."""


def killed(*_: object, **__: object) -> None:
    raise KilledError


def kill_before_the_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(record.Record, "keep", killed)


def kill_before_any_output(patch: pytest.MonkeyPatch) -> None:
    publish = transaction.Transaction._publish
    patch.setattr(
        transaction.Transaction,
        "_publish",
        lambda self: killed() if Path("analysis/singles.csv") in self.files() else publish(self),
    )


def kill_between_outputs(patch: pytest.MonkeyPatch) -> None:
    publish = transaction._Output.publish
    patch.setattr(
        transaction._Output, "publish", lambda self: killed() if self.path.suffix == ".csv" else publish(self)
    )
    patch.setattr(transaction._Output, "take_back", lambda *_: None)


def kill_at_the_end(patch: pytest.MonkeyPatch) -> None:
    keep = record.Record.keep
    patch.setattr(
        record.Record, "keep", lambda self, name, entry: keep(self, name, entry) if entry.before else killed()
    )


@pytest.mark.parametrize(
    ("kill", "again", "is_first"),
    [
        (kill_before_the_record, "done", True),
        (kill_before_any_output, "done", False),
        (kill_between_outputs, "done", False),
        (kill_at_the_end, "up_to_date", False),
    ],
)
def test_a_killed_run_goes_on_where_it_was(
    small: Path, kill: Callable[[pytest.MonkeyPatch], None], again: str, is_first: bool
) -> None:
    assert status("rates") == {"rates": "done"}
    if not is_first:
        assert status("coincidences") == {"coincidences": "done"}
        edit("[coincidences]", "[coincidences]\nwindow = '100ns'\nreject = 'none'")()
    with pytest.MonkeyPatch.context() as patch:
        kill(patch)
        with pytest.raises(KilledError):
            gammapolars("run", "experiment.toml", "coincidences")

    found = status()

    assert found["coincidences"] == again
    assert found["matrix"] == "done"
    assert status() == dict.fromkeys(found, "up_to_date")
    assert gp.scan_pairs("analysis/pairs.parquet").collect().height > 0


def test_two_processes_do_not_work_on_one_file(small: Path) -> None:
    program = (
        "import fcntl, sys; f = open('experiment.toml'); fcntl.flock(f, fcntl.LOCK_EX); print('1'); sys.stdin.read()"
    )
    if sys.platform == "win32":
        pytest.skip("locks of another kind")
    with subprocess.Popen([sys.executable, "-uc", program], stdin=-1, stdout=-1) as other:
        assert other.stdout
        assert other.stdout.readline()
        done = gammapolars("run", "experiment.toml")
        other.communicate()

    assert done.code == 1
    assert "another 'gammapolars run' is at work on it" in done.error
    assert not Path("analysis").exists()


# Errors.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[coincidence]", "unknown key 'coincidence': did you mean coincidences"),
        ("[coincidences]\nwindw = '1us'", "[coincidences]: unknown key 'windw': did you mean window"),
        ("[common]\nbin_kev = 1\n[rates]", "[common]: unknown key 'bin_kev': "),
        ("[coincidences]\nnearest = 1", "[coincidences] nearest must be true or false, not 1"),
        ("[gate]\nbackground = 'auto'", "[gate] has no on, which must be given"),
        ("[gate]\non = true", "[gate] on must be a number, not True"),
        ("[[rates]]\n[[rates]]\nname = 'rates'", "two steps have the name 'rates'"),
        ("[rates]\noutput = 'a.csv'\n[peaks]\noutput = 'a.csv'", "two steps write "),
        ("[rates]\noutput = '../run.csv'\nruns = 'run.csv'", "would replace analysis/../run.csv, an input"),
        ("[rates]\ndetectors = 'analysis/aligned.toml'\n[align]\nruns = 'a'", None),
        ("[matrix]\nfrom = 'pairs'", "[matrix] reads saved pairs, but there is no step [coincidences]"),
        ("rates = 3", "rates must be a table: write [rates] in a line of its own"),
        ("", "has no steps: write a table such as"),
        ('runs = "C:\\data"\n[rates]', "write paths of Windows with /, or in single quotes"),
        ('[rates]\noutput = "a\\u0000"', "[rates] output must be a path, not 'a\\x00'"),
        ("[rates]\nname = 'a/b'", "name must be of letters"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(small: Path, text: str, said: str | None) -> None:
    Path("experiment.toml").write_text(text if text.startswith("runs") else f"runs = 'small.parquet'\n{text}")

    done = gammapolars("run", "experiment.toml", "--dry-run")

    assert (done.code == 1) == (said is not None)
    assert said is None or said in done.error
    assert not Path("analysis").exists()


def test_steps_of_one_command_have_names_of_their_own(small: Path) -> None:
    text = (
        "runs = 'small.parquet'\n"
        + "[[gate]]\non = 5\n" * 2
        + "[[rates]]\n" * 3
        + "[[query]]\nname='rates_by_minute'\n"
    )
    Path("experiment.toml").write_text(text)

    names = ["rates", "rates-2", "rates-3", "gate-5", "gate-5-2", "rates_by_minute"]
    assert list(status("--dry-run")) == names


def test_an_error_names_the_step_and_has_the_code_of_its_command(small: Path) -> None:
    Path("experiment.toml").write_text("runs = 'small.parquet'\n[rates]\n[coincidences]\nwindow = '3 parsecs'\n")

    done = gammapolars("run", "experiment.toml")

    assert done.code == 2
    assert done.error.startswith("Error: coincidences: ")
    assert status("--dry-run") == {"rates": "up_to_date", "coincidences": "would_run"}

    assert "write one with 'gammapolars init RUN... -o no.toml'" in gammapolars("run", "no.toml").error
    Path("analysis/experiment.steps.json").write_text("{}")
    assert "is no record of an experiment" in gammapolars("run", "experiment.toml").error


def test_the_file_in_the_guide_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    guide = (REPOSITORY / "gammapolars" / "guide" / "experiment.md").read_text(encoding="utf-8")
    Path("experiment.toml").write_text(guide.partition("```toml\n")[2].partition("```")[0])

    names = ["calibrate", "align", "coincidences", "gate-1332.5", "gate-low", "report"]
    assert status("--dry-run") == dict.fromkeys(names, "would_run")
    order = guide.partition("in the order ")[2].partition(".")[0]
    assert order.split(", ") == list(KINDS)


def test_energies_are_not_selected_before_they_are_measured(small: Path) -> None:
    text = "runs = 'small.parquet'\n[common]\nmin_energy = 20\nwindow = '1us'\n[calibrate]\nsource = 'Co-60'\n[rates]\n"
    Path("experiment.toml").write_text(text)

    calibrate, rates = load_experiment(Path("experiment.toml")).steps

    assert (calibrate.options.min_energy, rates.options.min_energy) == (None, 20.0)
    assert rates.options.detectors == Path("analysis/calibrated.toml")


def test_the_record_is_of_one_experiment_and_its_folder_is_made_first(small: Path) -> None:
    text = "runs = '../small.parquet'\noutput = '../out'\n[rates]\noutput = '../rates.csv'\n"
    for name in ("one", "two"):
        Path(name).mkdir()
        Path(name, "x.toml").write_text(text)

    assert gammapolars("run", "one/x.toml").code == 0
    assert "nothing to do" in gammapolars("run", "one/x.toml").out
    assert "out/x.steps.json: is the record of another experiment" in gammapolars("run", "two/x.toml").error


def test_a_query_does_not_depend_on_the_present_folder(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "elsewhere" / "queries").mkdir(parents=True)
    Path("elsewhere/queries/rates_by_minute.py").write_text("def query(hits):\n    return hits.head(1)\n")
    Path("experiment.toml").write_text("runs = 'small.parquet'\n[query]\nname = 'rates_by_minute'\n")
    monkeypatch.chdir("elsewhere")

    assert gammapolars("run", "../experiment.toml").code == 0

    assert "counts" in pl.read_parquet("../analysis/rates_by_minute.parquet").columns


# What init writes.


def test_options_may_have_the_names_of_their_flags(small: Path) -> None:
    Path("experiment.toml").write_text("runs = 'small.parquet'\n[gate]\non = 100\nunit = 'adc'\nbin = 8\nand = 200\n")

    assert "gate-100" in steps("--dry-run")


@pytest.mark.parametrize(
    ("name", "sources", "background"),
    [
        ("Co60_0_872uCi_19Mar2014_250318_run2", ("Co-60",), False),
        ("run_6-eu152", ("Eu-152",), False),
        ("60Co+22Na", ("Co-60", "Na-22"), False),
        ("Ag110m.root", ("Ag-110m",), False),
        ("SDataR_Am-241_Ba 133", ("Am-241", "Ba-133"), False),
        ("run_7_Co60Eu152", ("Co-60", "Eu-152"), False),
        ("60Co152Eu", ("Co-60", "Eu-152"), False),
        ("run_57_Co60", ("Co-60",), False),
        ("run57Co60", ("Co-60",), False),
        ("2024-05-22 Na22", ("Na-22",), False),
        ("Na22_9_98uCi_29Sep2023_250318_run3", ("Na-22",), False),
        ("run_co2_60", (), False),
        ("run60", (), False),
        ("bkg_night", (), True),
        ("Untergrund_2", (), True),
        ("no_source", (), True),
        ("vuoto_3_peaks_81", (), True),
        ("subgroup", (), False),
    ],
)
def test_sources_are_recognised_in_names(name: str, sources: tuple[str, ...], background: bool) -> None:
    from gammapolars.commands.init.names import is_background, sources_in

    assert sources_in(name) == sources
    assert is_background(name) == background


def test_the_file_that_init_writes(small: Path) -> None:
    for name in ("run_1_Co60.parquet", "run_2.parquet", "bkg.parquet"):
        shutil.copy("small.parquet", name)

    done = gammapolars(
        "init",
        "run_1_Co60.parquet",
        "run_2.parquet",
        "./run_2.parquet",
        "bkg.parquet",
        "-o",
        "new.toml",
        "--bits",
        "31:8ns",
    )

    assert done.code == 0, done.err
    golden = REPOSITORY / "tests" / "golden" / "experiment.toml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_bytes(Path("new.toml").read_bytes())
    assert Path("new.toml").read_text() == golden.read_text()
    assert [(one.name, one.board, one.channel) for one in gp.load_detectors("detectors.toml")] == [
        (f"0/{channel}", 0, channel) for channel in (1, 2, 3, 4)
    ]
    plan = gammapolars("run", "new.toml", "--dry-run", "--json")
    assert [row["name"] for row in json.loads(plan.out)["steps"]] == [
        *("calibrate", "align", "coincidences", "matrix", "report")
    ]
    assert "already exists" in gammapolars("init", "run_2.parquet", "-o", "new.toml").error
    Path("detectors.toml").write_text("[[detector]]\nname = 'mine'\nchannel = 1\n")
    again = gammapolars("init", "run_2.parquet", "-o", "new.toml", "--overwrite")
    assert "detectors: mine, 0/2, 0/3, 0/4\nnew.toml: written\n" in again.out
    assert "mine" in Path("detectors.toml").read_text()


def test_each_line_that_init_leaves_commented_out_is_right(small: Path) -> None:
    """With the # before keys and tables gone, it is a file that `run` takes."""
    shutil.copy("small.parquet", "run_1_Co60.parquet")
    assert gammapolars("init", "run_1_Co60.parquet", "small.parquet", "-o", "new.toml").code == 0
    lines = Path("new.toml").read_text().splitlines()
    bare = [line.removeprefix("# ") if re.match(r"# (\[|[a-z_]+ = )", line) else line for line in lines]
    Path("new.toml").write_text("\n".join(bare))

    done = gammapolars("run", "new.toml", "--dry-run")

    assert done.code == 0, done.err
    assert "lifetime: would be done" in done.out


# Files as they were.


def test_a_young_file_is_read_again_and_an_old_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    young = stamp(path)
    monkeypatch.setattr("gammapolars.commands.run.stamps.SETTLED_NS", 0)
    old = stamp(path, young)
    again = stamp(path, old)
    time_ns = path.stat().st_mtime_ns
    path.write_text("2")
    os.utime(path, ns=(time_ns, time_ns))

    assert young.change_ns is None
    assert again is old, "nothing of it was changed"
    assert not old.is_same(stamp(path, old)), "although size and time are the same"
    assert stamp(tmp_path / "none") == Stamp()


def test_a_change_between_the_parts_that_are_sampled_is_noticed_by_its_time(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(3 * 2**20))
    before = stamp(path)
    with path.open("r+b") as file:
        file.seek(3 * 2**19)
        file.write(b"1")
    os.utime(path, (1, 1))

    after = stamp(path, before)

    assert after.hash == before.hash
    assert list(changes({"a": before}, {"a": after})) == ["input changed: a"]


def test_a_pattern_means_its_folders_by_name(tmp_path: Path) -> None:
    inside = tmp_path / "run [1]"
    (inside / "analysis").mkdir(parents=True)
    for name in ("a.root", "b.root", ".hidden", "analysis/c.root"):
        (inside / name).write_text("")

    assert [path.name for path in listed(inside / "*.root", inside / "analysis")] == ["a.root", "b.root"]
    assert [path.name for path in listed(inside, inside / "analysis")] == ["a.root", "b.root"]


def test_many_files_with_other_times_are_read_once(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[Path]()

    def noted(path: Path) -> str:
        read.append(path)
        return fingerprint(path)

    monkeypatch.setattr(record, "MANY", 0)
    monkeypatch.setattr("gammapolars.commands.run.stamps.fingerprint", noted)
    monkeypatch.setattr("gammapolars.commands.run.stamps.SETTLED_NS", 0)
    os.utime("small.parquet", (1, 1))
    assert status("rates") == {"rates": "done"}
    os.utime("small.parquet", (2, 2))
    read.clear()

    assert [status("rates"), status("rates")] == [{"rates": "up_to_date"}] * 2

    assert read.count(Path("small.parquet")) == 1


# Slow: processes, and recorded data.


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_at_any_moment_it_ends_with_the_same_files(folder: Path) -> None:
    assert gammapolars("run", "experiment.toml", "--again").code == 0  # from this folder: provenance has paths as given
    whole = {name: content for name, (content, _) in state().items()}
    for place in range(12):
        if place % 3 == 0:
            shutil.rmtree("analysis")
        process = subprocess.Popen(
            [sys.executable, "-m", "gammapolars", "run", "experiment.toml"],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.25 + 0.17 * place)
        process.kill()
        process.wait()

        done = gammapolars("run", "experiment.toml") if place % 3 == 2 else None

        assert done is None or done.code == 0, done.err
        assert done is None or {name: content for name, (content, _) in state().items()} == whole
    assert not [path for path in Path("analysis").iterdir() if path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_example_becomes_a_report_and_all_its_warnings_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "data" / "co60-four-hpge.root", "run_Co60.root")
    assert gammapolars("init", "run_Co60.root").code == 0
    names = ["calibrate", "align", "coincidences", "matrix", "report"]

    first = gammapolars("run", "experiment.toml", "--json")

    assert first.code == 0, first.err
    before = state()
    second = gammapolars("run", "experiment.toml", "--json")
    assert [(row["name"], row["status"]) for row in json.loads(second.out)["steps"]] == [
        (name, "up_to_date") for name in names
    ]
    assert state() == before
    warnings = json.loads(first.out)["warnings"]
    assert json.loads(second.out)["warnings"] == warnings
    assert sum("no further line tests the straight line" in warning for warning in warnings) == 4
    assert {name for name, (one, _) in steps("--again").items() if one == "done"} == set(names)
    assert {name for name in before if state()[name] != before[name]} <= {"analysis/report/index.html"}


@pytest.mark.slow
def test_the_second_run_takes_less_than_a_second(folder: Path) -> None:
    began = time.perf_counter()

    done = gammapolars_process("run", "experiment.toml", cwd=folder)

    assert time.perf_counter() - began < 1
    assert "nothing to do" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["co60-cs137-nai", "na22-two-nai", "alpha-si-mcp", "compass-bin/compass_test_data.BIN"]
)
def test_recorded_folders_become_experiments(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.environ.get("GAMMAPOLARS_REAL_DATA")
    if not data:
        pytest.skip("GAMMAPOLARS_REAL_DATA is not set")
    monkeypatch.chdir(tmp_path)

    done = gammapolars("init", Path(data) / name)
    plan: dict[str, Any] = json.loads(gammapolars("run", "experiment.toml", "--dry-run", "--json").out)

    assert done.code == 0, done.err
    assert {row["status"] for row in plan["steps"]} == {"would_run"}
    expected = {"co60-cs137-nai": ["V1725_292 CH5"], "na22-two-nai": ["V1725_292 CH4", "V1725_292 CH5"]}
    assert [one.name for one in gp.load_detectors("detectors.toml")] == expected.get(
        name, ["DT5725_1701 CH0", "DT5725_1701 CH1"] if "alpha" in name else ["0/0", "0/1"]
    )
    assert ("calibrate" in [row["name"] for row in plan["steps"]]) == ("nai" in name)
