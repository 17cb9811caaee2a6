"""Bad input through the command line: one clear line, the right exit code, nothing left behind, nothing overwritten."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import uproot
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import GammapolarsError, InputError
from gammapolars.io.root.writer import Layout, hit_branches
from tests.commandline import Outcome, files_in, gammapolars, gammapolars_process
from tests.rootfiles import baskets_of, cut, made_hits, with_bytes, write_branches, write_by_uproot, write_hits


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(6000)


@pytest.fixture(scope="module")
def good(hits: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing is wrong with, in small baskets."""
    return write_hits(tmp_path_factory.mktemp("good") / "good.root", hits, Layout(first_bytes=None))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def coincidences(*words: str | Path) -> Outcome:
    return gammapolars("coincidences", *words, "-o", "out.parquet")


def refused(outcome: Outcome, code: int = 1) -> str:
    """The error line of a command that failed as it should."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    if code == 1:
        assert outcome.err.count("\n") == 1, outcome.err
    assert not [name for name in files_in(Path()) if name.startswith(("out", "."))]
    return outcome.error


# Files that hold no hits.


def a_missing_file(path: Path) -> None:
    del path


def an_empty_file(path: Path) -> None:
    path.touch()


def a_text(path: Path) -> None:
    path.write_text("Channel;Timestamp\n" * 100)


def a_few_bytes(path: Path) -> None:
    path.write_bytes(b"root\0\0\xf3\xc1")


def zeros_behind_the_magic(path: Path) -> None:
    path.write_bytes(b"root" + bytes(5000))


def histograms(path: Path) -> None:
    with uproot.recreate(path) as file:
        file["spectrum"] = np.histogram([1, 2, 3])


def trees_of_other_names(path: Path) -> None:
    with uproot.recreate(path) as file:
        for name in ("events", "slow_control"):
            file.mktree(name, {"x": "f4"}).extend({"x": np.zeros(3, np.float32)})


def without(branch: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        arrays = hit_branches(made_hits(100))
        del arrays[branch]
        write_branches(path, arrays)

    write.__name__ = f"without_{branch}"
    return write


def with_type(branch: str, dtype: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        arrays = hit_branches(made_hits(100))
        write_branches(path, arrays | {branch: arrays[branch].astype(dtype)})

    write.__name__ = f"{branch}_as_{dtype}"
    return write


def energies_as_texts(path: Path) -> None:
    arrays = hit_branches(made_hits(3)) | {"Energy": np.array(["a", "b", "c"])}
    types = {name: values.dtype for name, values in arrays.items()} | {"Energy": "string"}
    write_by_uproot(path, arrays, types=types)


def energies_in_pairs(path: Path) -> None:
    arrays = hit_branches(made_hits(3)) | {"Energy": np.zeros((3, 2), np.uint16)}
    types = {name: values.dtype for name, values in arrays.items()} | {"Energy": np.dtype((np.uint16, (2,)))}
    write_by_uproot(path, arrays, types=types)


NO_HITS: list[tuple[Callable[[Path], None], str]] = [
    (a_missing_file, "no such file"),
    (an_empty_file, "is empty"),
    (a_text, "is not a ROOT file (it does not begin with 'root')"),
    (a_few_bytes, "is not a ROOT file"),
    (zeros_behind_the_magic, "has no tree Data_R or Data_F or Data (trees in it: none)"),
    (histograms, "has no tree Data_R or Data_F or Data (trees in it: none)"),
    (trees_of_other_names, "has no tree Data_R or Data_F or Data (trees in it: events, slow_control)"),
    *((without(branch), f"tree 'Data_R' has no branch '{branch}'") for branch in hit_branches(made_hits(1))),
    (with_type("Timestamp", "f8"), "branch 'Timestamp' contains float64, not integers"),
    (with_type("Channel", "f4"), "branch 'Channel' contains float32, not integers"),
    (energies_as_texts, "branch 'Energy' of tree 'Data_R' does not contain one number per hit"),
    (energies_in_pairs, "branch 'Energy' of tree 'Data_R' does not contain one number per hit"),
]


@pytest.mark.parametrize(("make", "reason"), NO_HITS, ids=[make.__name__ for make, _ in NO_HITS])
@pytest.mark.parametrize("command", ["rates", "coincidences", "convert"])
def test_a_file_without_hits(make: Callable[[Path], None], reason: str, command: str) -> None:
    make(Path("bad.root"))

    outcome = gammapolars(command, "bad.root", *(["-o", "out.parquet"] if command != "rates" else []))

    assert refused(outcome).startswith(f"Error: bad.root: {reason}")
    if make is not histograms:  # which info shows
        assert refused(gammapolars("info", "bad.root")).startswith(f"Error: bad.root: {reason}")


def test_a_tree_that_is_not_there(good: Path) -> None:
    assert f"{good}: has no tree Nope (trees in it: Data_R)" in refused(coincidences(good, "--tree", "Nope"))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("bad.parquet", "PAR1 and nothing", "cannot be read as Parquet"),
        ("bad.arrow", "ARROW1 and nothing", "cannot be read as Arrow IPC"),
        ("bad.csv", "a,b\n1,2\n", "this frame is not a table of hits: it has no column 'board' (it has a, b)"),
        ("bad.csv", "board,channel,timestamp_ps,adc,flags\n0,x,2,3,4\n", "line 2 is not board,"),
        ("bad.csv", "board,channel,timestamp_ps,adc,flags\n0,70000,2,3,4\n", "line 2 has a value in channel"),
        ("bad.csv", "board,channel,timestamp_ps,adc,flags\n0,1,2,3,4\n0,1,9\n", "line 3 is not board,"),
    ],
)
def test_other_formats_that_hold_no_hits(name: str, text: str, reason: str) -> None:
    Path(name).write_text(text)

    for outcome in (coincidences(name), gammapolars("info", name)):
        assert refused(outcome).startswith(f"Error: {name}: {reason}")


def test_a_damaged_arrow_file(hits: pl.DataFrame) -> None:
    hits.write_ipc("bad.arrow", compression="lz4")
    with_bytes(Path("bad.arrow"), Path("bad.arrow"), {Path("bad.arrow").stat().st_size // 2: 0xFF})

    told = "Error: bad.arrow: cannot be read as Arrow IPC; is it damaged? (LZ4"
    assert refused(coincidences("bad.arrow")).startswith(told)


def test_runs_that_cannot_be_found(good: Path) -> None:
    Path("folder").mkdir()
    cases = {
        "zz*.root": "no file matches this pattern",
        "folder": "there is no file of hits in this folder",
        "n" * 300 + ".root": "cannot be read: File name too long",
    }
    for name, reason in cases.items():
        assert refused(coincidences(name)).startswith(f"Error: {name}: {reason}")
    Path("notes.txt").write_text("x")
    for runs in (["notes.txt"], [good, "notes.txt"]):
        assert "notes.txt: unknown suffix '.txt': hits are read from .root" in refused(coincidences(*runs), 2)


def test_the_same_file_twice(good: Path) -> None:
    Path("link.root").symlink_to(good)

    for second in (good, os.path.relpath(good), "link.root"):
        assert "is given twice, so each of its hits would count twice" in refused(coincidences(good, second), 2)


def test_files_with_other_columns(hits: pl.DataFrame, good: Path) -> None:
    branches = hit_branches(hits)
    branches["CalibEnergy"] = branches.pop("Energy").astype("f8")
    write_branches(Path("calibrated.root"), branches)

    error = refused(coincidences(good, "calibrated.root"))

    assert error.startswith("Error: calibrated.root: has other columns")
    assert str(good) in error


# Files that are truncated or damaged.


@pytest.mark.parametrize("branch", ["Channel", "Timestamp", "Flags"])
@pytest.mark.parametrize("correct_header", [False, True])
def test_a_file_cut_in_the_middle_of_a_basket(good: Path, branch: str, correct_header: bool) -> None:
    place, key, size = baskets_of(good, branch)[0]
    cut(good, Path("cut.root"), place + (key + size) // 2, correct_header=correct_header)

    error = refused(coincidences("cut.root"))

    told = "is truncated: it has" if not correct_header else "cannot be read as a ROOT file; is it damaged"
    assert error.startswith(f"Error: cut.root: {told}")


@pytest.mark.parametrize("length", [4, 23, 24, 63, 100, 300, 1000])
def test_a_file_cut_in_its_head(good: Path, length: int) -> None:
    cut(good, Path("cut.root"), length)
    assert refused(coincidences("cut.root")).startswith("Error: cut.root: is ")
    if length >= 24:
        cut(good, Path("cut.root"), length, correct_header=True)
        assert refused(coincidences("cut.root")).startswith("Error: cut.root: cannot be read as a ROOT file")


def test_a_file_that_shrinks_after_it_was_opened(good: Path) -> None:
    path = cut(good, Path("run.root"), good.stat().st_size)
    frame = gp.scan(path)
    place, key, _ = baskets_of(path, "Timestamp")[1]
    cut(good, path, place + key + 10)

    with pytest.raises(InputError, match=r"run\.root: basket \d of branch '\w+' \(hits \d+ to \d+, .*too early"):
        frame.collect()


def inside_baskets(path: Path, *, keys: bool = False) -> list[int]:
    """The places of all bytes of baskets, with or without their keys."""
    spans = [
        span for branch in ("Channel", "Timestamp", "Board", "Energy", "Flags") for span in baskets_of(path, branch)
    ]
    return [byte for place, key, size in spans for byte in range(place + (0 if keys else key), place + size)]


def identical_or_refused(path: Path, hits: pl.DataFrame) -> str | None:
    """The error that reading a damaged file gives, or None where every hit is as it was written."""
    try:
        found = gp.scan(path).collect()
    except GammapolarsError as error:
        told = str(error)
    else:
        assert_frame_equal(found, hits)
        return None
    assert told.startswith(f"{path}: ")
    assert "\n" not in told
    return told


def test_flipped_bytes_in_baskets_never_change_a_hit(good: Path, hits: pl.DataFrame) -> None:
    rng = random.Random(1)
    places = rng.sample(inside_baskets(good), 120)

    errors = [identical_or_refused(with_bytes(good, Path("bad.root"), {place: 0xFF}), hits) for place in places]

    assert sum(error is not None for error in errors) > 115  # the last bits of a deflate stream mean nothing
    assert all(error is None or " of branch '" in error for error in errors)


def test_single_flipped_bits_in_baskets_never_change_a_hit(good: Path, hits: pl.DataFrame) -> None:
    rng = random.Random(2)

    for place in rng.sample(inside_baskets(good), 25):
        identical_or_refused(with_bytes(good, Path("bad.root"), {place: 1 << rng.randrange(8)}), hits)


@pytest.mark.parametrize("codec", [uproot.LZ4(1), uproot.LZMA(1)], ids=["lz4", "lzma"])
def test_flipped_bytes_in_other_codecs(hits: pl.DataFrame, codec: uproot.compression.Compression) -> None:
    hits = hits.with_columns(pl.col("adc") // 1000)  # otherwise stored plain, as it would not shrink
    path = write_by_uproot(Path("good.root"), hit_branches(hits), compression=codec, parts=3)
    rng = random.Random(3)

    errors = [
        identical_or_refused(with_bytes(path, Path("bad.root"), {place: 0xFF}), hits)
        for place in rng.sample(inside_baskets(path), 25)
    ]

    assert sum(error is not None for error in errors) > 22


def test_flipped_bytes_in_metadata_never_change_a_hit(good: Path, hits: pl.DataFrame) -> None:
    rng = random.Random(4)
    with uproot.open(good) as file:
        tree = file.key("Data_R").fSeekKey
    keys = set(inside_baskets(good, keys=True)) - set(inside_baskets(good))
    places = [*range(100), *range(tree, good.stat().st_size), *keys]

    errors = [
        identical_or_refused(with_bytes(good, Path("bad.root"), {place: rng.randrange(1, 256)}), hits)
        for place in rng.sample(sorted(places), 60)
    ]

    assert sum(error is not None for error in errors) > 5


def test_a_damaged_basket_on_the_command_line(good: Path) -> None:
    place, key, size = baskets_of(good, "Timestamp")[1]
    with_bytes(good, Path("bad.root"), {place + (key + size) // 2: 0xFF})

    for suffix in (".parquet", ".arrow", ".csv", ".root"):
        outcome = gammapolars("coincidences", "bad.root", "-o", f"out{suffix}")
        assert refused(outcome).startswith(
            "Error: bad.root: basket 1 of branch 'Timestamp' (hits 3991 to 6000, at byte"
        )
    assert refused(gammapolars("convert", "bad.root", "-o", "out.csv")).startswith("Error: bad.root: basket 1 of")
    assert refused(gammapolars("info", "bad.root")).startswith("Error: bad.root: basket 1 of")


def test_metadata_damaged_at_random_on_the_command_line(good: Path) -> None:
    rng = random.Random(5)
    with uproot.open(good) as file:
        tree = file.key("Data_R").fSeekKey
    whole = pairs_in(good)

    for place in rng.sample(range(tree, good.stat().st_size), 8):
        with_bytes(good, Path("bad.root"), {place: 0xFF})
        outcome = coincidences("bad.root", "--window", "1us")
        if outcome.code:
            assert refused(outcome).startswith("Error: bad.root: ")
        else:
            assert_frame_equal(pl.read_parquet("out.parquet"), whole)
            Path("out.parquet").unlink()


def pairs_in(path: Path) -> pl.DataFrame:
    return gp.pairs(gp.scan(path), "1us").collect()


# Times out of order.


def shuffled(hits: pl.DataFrame, by_ps: int) -> pl.DataFrame:
    """Hits out of time order by up to so much."""
    rng = np.random.default_rng(6)
    late = hits["timestamp_ps"] + pl.Series(rng.integers(0, by_ps, hits.height))
    return hits.with_columns(_late=late).sort("_late", maintain_order=True).drop("_late")


def test_small_inversions_are_repaired(hits: pl.DataFrame, good: Path) -> None:
    wild = shuffled(hits, 500_000_000)
    assert (wild["timestamp_ps"].diff() < 0).sum() > 100
    write_hits(Path("wild.root"), wild)

    outcome = coincidences("wild.root", "--window", "1us")

    assert outcome.code == 0
    found = pl.read_parquet("out.parquet")
    assert found["timestamp_ps"].is_sorted()
    assert_frame_equal(found.sort(pl.all()), pairs_in(good).sort(pl.all()))


def test_large_inversions_are_named(hits: pl.DataFrame) -> None:
    times = hits["timestamp_ps"].to_list()
    times[4000] = times[3999] - 1_500_000_001
    write_hits(Path("wild.root"), hits.with_columns(timestamp_ps=pl.Series(times)))

    error = refused(coincidences("wild.root"))

    at = f"{times[4000] / 1e9:.6g} ms"
    assert error.startswith(
        f"Error: wild.root: times are out of order: hit 4001 is 1.5 ms earlier than a preceding hit (at {at})"
    )
    assert "only 1 ms can be repaired: allow more with --reorder" in error
    assert refused(gammapolars("convert", "wild.root", "-o", "out.root")) == error


def test_a_larger_buffer_repairs_more(hits: pl.DataFrame) -> None:
    turned = hits.reverse()
    write_hits(Path("turned.root"), turned)
    assert "times are out of order" in refused(coincidences("turned.root"))

    assert coincidences("turned.root", "--window", "1us", "--reorder", "1s").code == 0

    assert pl.read_parquet("out.parquet").height == gp.pairs(hits.lazy(), "1us").collect().height


def test_the_file_of_several_that_is_out_of_order_is_named(hits: pl.DataFrame) -> None:
    write_hits(Path("a.root"), hits)
    write_hits(Path("b.root"), hits.with_columns(channel=pl.lit(9, pl.UInt16)).reverse())

    error = refused(coincidences("a.root", "b.root"))

    assert error.startswith("Error: a.root and 1 more: in b.root, times are out of order: hit ")


def test_a_reorder_buffer_that_cannot_be(good: Path) -> None:
    assert "cannot be -1 ms" in refused(coincidences(good, "--reorder=-1ms"), 2)
    assert "no unit" in refused(coincidences(good, "--reorder", "5"), 2)


# Outputs.


def test_an_existing_output_is_kept(good: Path) -> None:
    for command in ("coincidences", "convert"):
        Path("kept.csv").write_text("precious")
        outcome = gammapolars(command, good, "-o", "kept.csv")
        assert refused(outcome).startswith("Error: kept.csv: already exists: choose another output, or add")
        assert Path("kept.csv").read_text() == "precious"

        assert gammapolars(command, good, "-o", "kept.csv", "--overwrite").code == 0
        assert Path("kept.csv").read_text() != "precious"


def test_outputs_that_cannot_be(good: Path) -> None:
    Path("folder.csv").mkdir()
    for command in ("coincidences", "convert"):
        cases = {
            "folder.csv": (1, "is a folder: give a file name"),
            "missing/o.csv": (1, "there is no folder missing: create it first"),
            f"{good}/o.csv": (1, "there is no folder"),
            "/proc/o.csv": (1, "cannot be written: "),
            "o.xyz": (2, "unknown suffix '.xyz': tables are written to .parquet, .arrow, .csv, .root"),
        }
        cases |= {"o": (2, "unknown suffix ''")} if command == "convert" else {}  # pairs go into a folder of this name
        for name, (code, reason) in cases.items():
            outcome = gammapolars(command, good, "-o", name)
            assert refused(outcome, code).startswith(f"Error: {name}: {reason}")
    assert files_in(Path()) == ["folder.csv"]


def test_outputs_are_judged_before_the_run_is_read() -> None:
    Path("kept.csv").touch()

    assert "kept.csv: already exists" in refused(gammapolars("coincidences", "missing.root", "-o", "kept.csv"))


# Options.


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["--reject", "nonsense"],
            "unknown flag 'nonsense': use a mask such as 0x480, none, or one of dead_time",
        ),
        (["--reject", "saturation,bogus"], "unknown flag 'bogus'"),
        (["--reject", "0x1ffffffff"], "flag mask '0x1ffffffff' does not fit the 32 bits"),
        (["--reject=-1"], "flag mask '-1' does not fit"),
        (["--window", "250"], "time '250' has no unit: write one of ps, ns, us, ms, s"),
        (["--window", "250xs"], "time '250xs' has unknown unit 'xs'"),
        (["--window", "soon"], "'soon' is not a time"),
        (["--window", ""], "'' is not a time"),
        (["--window", "10ns:5ns"], "window '10ns:5ns' is empty"),
        (["--window=-5ns"], "window '-5ns' is empty"),
        (["--window=-9ns:-5ns"], "window '-9ns:-5ns' is below 0"),
        (["--window", "1ns:2ns:3ns"], "has more than two ends"),
        (["--window", "0.1ps"], "not a whole number of picoseconds"),
        (["--window", "1e30s"], "longer than 53 days, the limit of a window"),
        (["--start", "X", "--stop", "Y"], "unknown detector 'X': write board/channel, such as 0/3"),
        (["--start", "0/1", "--stop", "0/99999"], "unknown detector '0/99999'"),
        (["--start", "0/1"], "start and stop detectors go together"),
        (["--stop", "0/1"], "start and stop detectors go together"),
        (["--start", "0/1", "--stop", "1"], "start and stop are the same detector"),
        (["--frobnicate"], "No such option: --frobnicate"),
    ],
)
def test_wrong_usage(good: Path, words: list[str], reason: str) -> None:
    assert reason in refused(coincidences(good, *words), 2)


def test_an_unknown_detector_with_a_list_of_the_known(good: Path) -> None:
    Path("d.toml").write_text('[[detector]]\nname = "HPGe-1"\nchannel = 1\n')

    error = refused(coincidences(good, "--detectors", "d.toml", "--start", "HPGe-1", "--stop", "HPGe-2"), 2)

    assert "unknown detector 'HPGe-2'" in error
    assert "a name in detectors.toml (HPGe-1)" in error


def test_missing_and_unknown_words(good: Path) -> None:
    assert "Missing argument 'RUN'" in refused(gammapolars("info"), 2)
    assert "Missing option '--output'" in refused(gammapolars("coincidences", good), 2)
    assert "No such command 'frobnicate'" in refused(gammapolars("frobnicate"), 2)


# detectors.toml and calibrations.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", "unknown key 'x'"),
        ('[[detector]]\nchannel = 1\ncolour = "red"\n', "detector '1' has the unknown key 'colour'"),
        ("[[detector]]\nchannel = 1\n[[detector]]\nchannel = 1\n", "board 0 channel 1 is described twice"),
        (
            '[[detector]]\nchannel = 1\nname = "a"\n[[detector]]\nchannel = 2\nname = "a"\n',
            "two detectors are named 'a'",
        ),
        (
            "[[detector]]\nchannel = 1\nenergy = [nan, 1.0]\n",
            "detector '1': energy has a coefficient that is not a finite",
        ),
        ("[[detector]]\nchannel = 1\nenergy = [0.0, inf]\n", "not a finite number"),
        ("[[detector]]\nchannel = 1\nenergy = [1.0]\n", "2 to 10 coefficients"),
        ('[[detector]]\nchannel = 1\nenergy = ["a", 1]\n', "must be a list of numbers"),
        ("[[detector]]\nchannel = 1\ntime_offset_ps = 1.5\n", "whole number of picoseconds"),
        ('[[detector]]\nname = "a"\n', "detector 'a' has no channel"),
        ("[[detector]]\nchannel = 70000\n", "whole number from 0 to 65535"),
        ("[[detector]]\nchannel = true\n", "whole number from 0 to 65535"),
        ("[detector]\nchannel = 1\n", "write [[detector]]"),
        ("[[detector]\n", "cannot be read as TOML"),
        (b"\xff\xfe\0", "cannot be read as TOML: 'utf-8' codec"),
        (None, "no such file"),
    ],
)
def test_a_bad_detectors_file(good: Path, text: str | bytes | None, reason: str) -> None:
    if text is not None:
        Path("d.toml").write_bytes(text if isinstance(text, bytes) else text.encode())

    for command in ("coincidences", "convert"):
        error = refused(gammapolars(command, good, "--detectors", "d.toml", "-o", "out.csv"))
        assert error.startswith("Error: d.toml: ")
        assert reason in error


def test_bad_calibrations() -> None:
    Path("bad.CALp").write_text("Offset: 1\n")
    Path("nan.CALp").write_text("#PeakEasy CALp\nOffset (keV) : nan\nGain (keV / Chan) : 1\n")
    Path("good.CALp").write_text("#PeakEasy CALp\nOffset (keV) : 0\nGain (keV / Chan) : 1\n")
    cases = {
        ("1=missing.CALp",): (1, "missing.CALp: no such file"),
        ("1=bad.CALp",): (1, "bad.CALp: is not a PeakEasy calibration"),
        ("1=nan.CALp",): (1, "nan.CALp: 'Offset (keV)' is not a finite number"),
        ("1=good.CALp", "1=good.CALp"): (1, "board 0 channel 1 is described twice"),
        ("good.CALp",): (2, "'good.CALp' is not an assignment: write CHANNEL=FILE.CALp"),
        ("99999=good.CALp",): (2, "is not an assignment"),
    }

    for assignments, (code, reason) in cases.items():
        assert reason in refused(gammapolars("detectors", "import", *assignments, "-o", "out.toml"), code)


# As a shell sees it.


@pytest.mark.slow
def test_a_shell_sees_one_line_and_the_exit_code(good: Path) -> None:
    place, key, size = baskets_of(good, "Energy")[0]
    with_bytes(good, Path("bad.root"), {place + (key + size) // 2: 0xFF})

    damaged = gammapolars_process("coincidences", "bad.root", "-o", "out.parquet")

    assert refused(damaged).startswith("Error: bad.root: basket 0 of branch 'Energy'")
    assert damaged.err.count("\n") == 1


@pytest.mark.slow
def test_a_shell_sees_wrong_usage_as_such(good: Path) -> None:
    usage = gammapolars_process("coincidences", good, "-o", "out.parquet", "--window", "5 furlongs")

    assert "unknown unit 'furlongs'" in refused(usage, 2)
    assert usage.err.count("\n") == 1
