"""The tables that a query gets: pairs with random windows, hits with add-back, energies, and what is missing."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from tests.commandline import REPOSITORY, files_in, gammapolars

CO60 = REPOSITORY / "data" / "co60-four-hpge.root"
TEXT = (REPOSITORY / "data" / "detectors.toml").read_text()
PAIRS = "def query(pairs):\n    return pairs\n"
SPECTRUM = (
    "import gammapolars as gp\ndef query(pairs):\n"
    "    return gp.spectrum(pairs, bin_kev=50, energy='energy_kev_a', by=())\n"
)
ENERGIES = 'def query(hits):\n    return hits.select("energy_kev")\n'
BOTH = "def query(pairs, *, hits):\n    return hits.select('adc').head(1)\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of a run, and descriptions of its detectors."""
    folder = tmp_path_factory.mktemp("inputs")
    gp.save(gp.scan(CO60).head(20_000), folder / "run.parquet")
    (folder / "d.toml").write_text(TEXT)
    first, *others = TEXT.split("[[detector]]")
    (folder / "part.toml").write_text("[[detector]]".join([first, *others[:2]]))
    (folder / "bare.toml").write_text("\n".join(line for line in TEXT.splitlines() if not line.startswith("energy")))
    return folder


@pytest.fixture(autouse=True)
def here(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def asked(query: str, *words: str, run: str = "run.parquet", output: str = "out.parquet") -> dict[str, Any]:
    """The summary of a query."""
    Path("q.py").write_text(query)
    done = gammapolars("query", "q.py", run, "-o", output, "--json", "--overwrite", *words)
    assert done.code == 0, done.err
    summary: dict[str, Any] = json.loads(done.out)
    return summary


def refused(query: str, *words: str, run: str = "run.parquet", code: int = 1) -> str:
    """The error of a query, which leaves nothing behind."""
    Path("q.py").write_text(query)
    done = gammapolars("query", "q.py", run, "-o", "no.parquet", *words)
    assert done.code == code, done
    assert "no.parquet" not in files_in(Path())
    return done.error


def test_a_first_parameter_named_pairs_gets_pairs_of_a_run_and_saved_ones() -> None:
    asked(PAIRS, "--window", "1us", "--detectors", "d.toml", output="pairs.parquet")
    summary = asked(PAIRS, "--window", "200ns", run="pairs.parquet")

    detectors = gp.load_detectors("d.toml")
    expected = gp.scan("run.parquet").pipe(gp.align, detectors).pipe(gp.pairs, "1us").pipe(gp.calibrate, detectors)
    assert_frame_equal(pl.read_parquet("pairs.parquet").select(expected.collect_schema().names()), expected.collect())
    near = expected.filter(pl.col("dt_ps") <= 200_000).collect()
    assert_frame_equal(pl.read_parquet("out.parquet").select(near.columns), near)
    assert summary["pairs"] == near.height


def test_random_windows_give_pairs_weights_by_which_spectra_are_net() -> None:
    words = ("--random", "1us:3us", "--random", "4us:5us", "--detectors", "d.toml")

    summary = asked(SPECTRUM, *words)

    net = gammapolars("coincidences", "run.parquet", *words, "-o", "pairs.parquet", "--json")
    expected = json.loads(net.out)
    spectrum = pl.read_parquet("out.parquet")
    assert summary["random_ps"] == expected["random_ps"]
    assert spectrum["counts"].sum() == pytest.approx(expected["net_pairs"])
    assert spectrum.filter(pl.col("variance") > pl.col("counts")).height > 0
    asked(SPECTRUM, run="pairs.parquet", output="saved.parquet")
    assert_frame_equal(pl.read_parquet("saved.parquet"), spectrum, check_row_order=False)


def test_random_pairs_that_a_query_counts_like_prompt_ones_are_a_warning() -> None:
    count = "import polars as pl\ndef query(pairs):\n    return pairs.select(pl.len())\n"
    prompt = count.replace("pairs.select", "pairs.filter(pl.col('region') == 'prompt').select")
    random = ("--random", "1us:3us")
    asked(PAIRS, *random, output="pairs.parquet")

    for words, run in ((random, "run.parquet"), ((), "pairs.parquet")):
        assert "counted like prompt ones" in " ".join(asked(count, *words, run=run)["warnings"])
        assert "counted like prompt ones" not in " ".join(asked(prompt, *words, run=run)["warnings"])
    assert "counted like prompt ones" not in " ".join(asked(count)["warnings"])


def test_a_query_gets_the_settings_that_it_asks_for() -> None:
    asked(
        "import polars as pl\ndef query(hits, *, detectors, window, reject):\n"
        "    return pl.LazyFrame({'names': [one.name for one in detectors], 'window': window, 'reject': reject})\n",
        *("--detectors", "part.toml", "--window", "1us:2us", "--reject", "0x480"),
    )

    assert pl.read_parquet("out.parquet").rows() == [("HPGe-1", "1us:2us", 0x480), ("HPGe-2", "1us:2us", 0x480)]


@pytest.mark.parametrize("words", [("--window", "1us"), ("--reject", "none"), ("--random", "auto")])
def test_what_a_query_does_not_take_is_not_given_in_vain(words: tuple[str, str]) -> None:
    assert refused("def query(hits):\n    return hits\n", *words, code=2).endswith(f"leave {words[0]} out")


def test_add_back_reaches_hits_and_pairs() -> None:
    grouped = TEXT.replace('kind = "HPGe"', 'kind = "HPGe"\ngroup = "A"', 2)
    Path("d.toml").write_text(grouped)
    words = ("--add-back", "200ns", "--detectors", "d.toml")

    asked("def query(hits):\n    return hits.select('timestamp_ps', 'channel', 'energy_kev')\n", *words)
    summary = asked(PAIRS, *words, output="pairs.parquet")

    detectors = gp.load_detectors("d.toml")
    hits = gp.scan("run.parquet").pipe(gp.align, detectors).pipe(gp.calibrate, detectors)
    left = gp.add_back(hits, detectors, "200ns")
    expected = left.select("timestamp_ps", "channel", "energy_kev").collect()
    assert_frame_equal(pl.read_parquet("out.parquet"), expected)
    assert summary["hits_added_back"] == 20_000 - expected.height > 0
    assert summary["hits_read"] == 20_000
    assert pl.read_parquet("pairs.parquet").height == gp.pairs(left).collect().height < gp.pairs(hits).collect().height


def test_detectors_without_a_calibration_are_named() -> None:
    said = "no energy calibration for 0/3, 0/4: energies of these hits are null"

    assert said in asked(ENERGIES, "--detectors", "part.toml")["warnings"]
    assert said in asked(PAIRS, "--detectors", "part.toml")["warnings"]
    assert pl.read_parquet("out.parquet")["energy_kev_a"].null_count() > 0
    asked(PAIRS, output="pairs.parquet")
    assert said in asked(PAIRS, "--detectors", "part.toml", run="pairs.parquet")["warnings"]
    assert (
        said not in asked("def query(hits):\n    return hits.select('adc')\n", "--detectors", "part.toml")["warnings"]
    )


def test_energies_that_no_detector_has_are_an_error() -> None:
    other = TEXT.replace("channel = ", "channel = 1")
    Path("other.toml").write_text(other)

    assert "'q' uses energy_kev: no detector in bare.toml has an energy" in refused(
        ENERGIES, "--detectors", "bare.toml"
    )
    assert "for 0/1, 0/2, 0/3, 0/4, and so no hit has an energy" in refused(ENERGIES, "--detectors", "other.toml")
    assert "has no energies, but query 'q' uses energy_kev_a" in refused(
        "import gammapolars as gp\ndef query(pairs):\n    return gp.gate(pairs, 511, width_kev=4)\n"
    )
    asked("def query(hits):\n    return hits\n")
    assert pl.read_parquet("out.parquet").columns == gp.scan("run.parquet").collect_schema().names()


def test_saved_pairs_without_energies_and_runs_without_short_gates() -> None:
    asked(PAIRS, output="pairs.parquet")
    uses = "import polars as pl\ndef query(pairs):\n    return pairs.filter(pl.col('energy_kev_b') > 511)\n"
    short = "import polars as pl\ndef query(hits):\n    return hits.filter(pl.col('adc_short') > 5)\n"

    assert "pairs.parquet: has no energies, but query 'q' uses energy_kev_b" in refused(uses, run="pairs.parquet")
    assert "run.parquet: has no short-gate charges, but query 'q' uses adc_short" in refused(short)
    asked(uses, "--detectors", "d.toml", run="pairs.parquet")
    assert "pairs.parquet contains pairs, but the query also reads single hits" in refused(BOTH, run="pairs.parquet")


def test_hits_are_counted_where_pairs_are_read_to_the_end_and_once_where_they_are_read_twice() -> None:
    once = asked("def query(pairs):\n    return pairs.head(3)\n")
    twice = asked(
        "import polars as pl\ndef query(pairs):\n    late = pairs.filter(pl.col('dt_ps') > 1000).select('dt_ps')\n"
        "    return pl.concat([late, pairs.select('dt_ps')])\n"
    )

    assert once["hits_read"] is None
    assert twice["hits_read"] == 20_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "import polars as pl\ndef query(hits):\n    1 / 0\n",
            "query failed: ZeroDivisionError: division by zero (line 3)",
        ),
        (
            "def query(hits):\n    return hits\n\n)\n",
            "cannot be imported: SyntaxError: unmatched ')' (line 4)",
        ),
        ("import sys\ndef query(hits):\n    sys.exit()\n", "query failed: SystemExit: SystemExit (line 3)"),
        ("import math\nmath.nonsense\n", "module 'math' has no attribute 'nonsense' (line 2)"),
        ("def query(hits):\n    return hits.select(\n        'nonsense')\n", "(line 3)"),
    ],
)
def test_an_error_names_the_line_of_the_query(text: str, reason: str) -> None:
    assert refused(text).endswith(reason)
