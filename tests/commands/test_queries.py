"""Users' queries: the three in queries/ give what physics says, and mistakes in a query end in one clear line."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.commands.query import queries
from gammapolars.core.errors import QueryError
from tests.commandline import REPOSITORY, Outcome, files_in, gammapolars
from tests.rootfiles import made_hits, write_hits

CO60 = REPOSITORY / "data" / "co60-four-hpge.root"
CO60_DETECTORS = REPOSITORY / "data" / "detectors.toml"
NA22 = REPOSITORY / "data" / "na22-two-nai.root"
NA22_DETECTORS = REPOSITORY / "data" / "detectors-nai.toml"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests work in a folder with the repository's queries and nothing else."""
    (tmp_path / "queries").symlink_to(REPOSITORY / "queries")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run() -> Path:
    return write_hits(Path("run.root"), made_hits(3000))


# The queries in queries/.


def test_rates_by_minute_are_counts_over_time() -> None:
    done = gammapolars("query", "rates_by_minute", CO60, "--minutes", "0.25", "-o", "rates.parquet")

    assert done.code == 0, done.err
    rates = pl.read_parquet("rates.parquet")
    hits = gp.scan(CO60).collect()
    assert rates["counts"].sum() == hits.height
    assert sorted(rates["minute"].unique()) == [0.0, 0.25, 0.5, 0.75, 1.0]  # a run of 64.5 s
    for board, channel, minute, counts, rate in rates.iter_rows():
        inside = (hits["board"] == board) & (hits["channel"] == channel)
        inside &= hits["timestamp_ps"].is_between(minute * 60e12, (minute + 0.25) * 60e12 - 1)
        assert counts == inside.sum()
        assert rate == pytest.approx(counts / 15)
    # The source does not change in a minute: full quarters agree within five standard deviations.
    full = rates.filter(pl.col("minute") < 1).group_by("channel").agg(pl.col("counts"))
    for _, counts in full.iter_rows():
        mean = sum(counts) / len(counts)
        assert all(abs(count - mean) < 5 * mean**0.5 for count in counts)


def test_annihilation_pairs_are_back_to_back() -> None:
    wide = ("query", "annihilation_pairs", NA22, "--detectors", NA22_DETECTORS, "--tolerance", "60")

    assert gammapolars(*wide, "-o", "pairs.parquet").code == 0
    pairs = gp.scan_pairs("pairs.parquet").collect()

    assert (pairs["channel_a"] != pairs["channel_b"]).all()
    assert ((pairs["energy_kev_a"] - 511).abs() <= 60).all()
    assert ((pairs["energy_kev_b"] - 511).abs() <= 60).all()
    hits = gp.scan(NA22).pipe(gp.align, gp.load_detectors(NA22_DETECTORS))
    every = gp.pairs(hits).pipe(gp.calibrate, gp.load_detectors(NA22_DETECTORS)).collect()
    beside = every.filter((pl.col("energy_kev_a") - 800).abs() <= 60, (pl.col("energy_kev_b") - 800).abs() <= 60)
    assert pairs.height > 1000
    assert pairs.height > 50 * beside.height
    # Both photons leave together: what is later than the detectors' resolution is chance.
    assert (pairs["dt_ps"] < 30_000).sum() > 0.98 * pairs.height


def test_annihilation_pairs_grow_with_the_tolerance() -> None:
    heights = []
    for tolerance in ("0", "20", "60"):
        words = ("annihilation_pairs", NA22, "--detectors", NA22_DETECTORS, "--tolerance", tolerance)
        assert gammapolars("query", *words, "-o", "pairs.csv", "--overwrite").code == 0
        heights.append(gp.scan_pairs("pairs.csv").collect().height)

    assert heights[0] < heights[1] < heights[2]


@pytest.mark.parametrize(("gate", "partner"), [("1332.5", 1173.2), ("1173.2", 1332.5)])
def test_a_gate_on_one_line_of_cobalt_shows_the_other(gate: str, partner: float) -> None:
    words = ("gated_spectrum", CO60, "--detectors", CO60_DETECTORS, "--gate", gate)

    assert gammapolars("query", *words, "-o", "gated.parquet").code == 0
    spectrum = pl.read_parquet("gated.parquet")

    def counts(low: float, high: float) -> float:
        return float(spectrum.filter(pl.col("energy_kev").is_between(low, high))["counts"].sum())

    assert counts(partner - 4, partner + 4) > 100
    # The line of the gate is not in coincidence with itself, but for what lies below it in the gate.
    assert counts(partner - 4, partner + 4) > 10 * counts(float(gate) - 4, float(gate) + 4)
    highest = spectrum.filter(pl.col("energy_kev") > 1000).sort("counts")["energy_kev"][-1]
    assert highest == pytest.approx(partner, abs=1.5)


def test_a_gated_spectrum_counts_each_partner_once() -> None:
    words = ("gated_spectrum", CO60, "--detectors", CO60_DETECTORS, "--gate", "1332.5", "--width", "8")
    assert gammapolars("query", *words, "--bin-kev", "2", "-o", "gated.parquet").code == 0
    detectors = gp.load_detectors(CO60_DETECTORS)
    pairs = gp.pairs(gp.scan(CO60).pipe(gp.align, detectors)).pipe(gp.calibrate, detectors).collect()

    gates = [((pairs[f"energy_kev_{side}"] - 1332.5).abs() <= 4).sum() for side in "ab"]

    found = pl.read_parquet("gated.parquet")
    assert found["counts"].sum() == sum(gates)
    assert found["energy_kev"].diff().drop_nulls().min() == pytest.approx(2)


@pytest.mark.parametrize("query", ["annihilation_pairs", "gated_spectrum"])
def test_energies_of_an_uncalibrated_run_are_an_error_and_no_empty_file(query: str) -> None:
    done = gammapolars("query", query, NA22, "-o", "out.parquet")

    assert done.code == 1
    assert done.error == (
        f"Error: {NA22}: has no energies, but query '{query}' uses energy_kev_a: give a detectors.toml with energy "
        "calibrations with --detectors"
    )
    assert "out.parquet" not in files_in(Path())


@pytest.mark.parametrize("path", sorted((REPOSITORY / "queries").glob("*.py")), ids=lambda path: path.stem)
def test_each_query_explains_itself(path: Path) -> None:
    shown = gammapolars("query", path.stem)

    assert shown.code == 0
    query = queries.load(path)
    assert query.description
    assert query.description in shown.out
    for parameter in query.parameters:
        assert f"--{parameter.name.replace('_', '-')}" in shown.out
        assert not parameter.required
    assert len(path.read_text().splitlines()) < 40  # short enough to learn from


# Finding a query, and its parameters.


ALL_TYPES = '''"""Every type of parameter."""

import polars as pl


def query(hits: pl.LazyFrame, *, text: str = "t", number: int = 1, part: float = 0.5, sure: bool = False,
          two_words: int = 2) -> pl.LazyFrame:
    return hits.head(1).select(text=pl.lit(text), number=pl.lit(number), part=pl.lit(part), sure=pl.lit(sure),
                               two_words=pl.lit(two_words))
'''


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ("t", 1, 0.5, False, 2)),
        (["--text", "a b", "--number", "7", "--part", "1e-3", "--sure"], ("a b", 7, 0.001, True, 2)),
        (["--text=x=y", "--number=-7", "--part=-0.5", "--sure=yes"], ("x=y", -7, -0.5, True, 2)),
        (["--number", "-7", "--no-sure"], ("t", -7, 0.5, False, 2)),
        (["--sure=no", "--two-words", "5"], ("t", 1, 0.5, False, 5)),
        (["--two_words=6"], ("t", 1, 0.5, False, 6)),
        (["--text="], ("", 1, 0.5, False, 2)),
        (["--number", "1", "--number", "9"], ("t", 9, 0.5, False, 2)),
    ],
)
def test_parameters_of_each_type(run: Path, words: list[str], expected: tuple[object, ...]) -> None:
    Path("q.py").write_text(ALL_TYPES)

    done = gammapolars("query", "q.py", run, *words, "-o", "out.parquet", "--json")

    assert done.code == 0, done.err
    assert pl.read_parquet("out.parquet").row(0) == expected
    summary = json.loads(done.out)
    assert summary["query"] == "q"
    assert summary["outputs"] == ["out.parquet"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--nonsense", "1"], "query 'q' has no parameter '--nonsense' (it has --text, --number, --part"),
        (["--number", "x"], "Invalid value for '--number': Input should be a valid integer"),
        (["--number", "1.5"], "Invalid value for '--number': Input should be a valid integer"),
        (["--part", "half"], "Invalid value for '--part': Input should be a valid number"),
        (["--sure=perhaps"], "takes yes or no (bool), not 'perhaps'"),
        (["--no-number"], "has no parameter '--no-number'"),
        (["--number"], "Option '--number' requires an argument"),
    ],
)
def test_wrong_parameters(run: Path, words: list[str], reason: str) -> None:
    Path("q.py").write_text(ALL_TYPES)

    done = gammapolars("query", "q.py", run, "-o", "out.parquet", *words)

    assert done.code == 2
    assert reason in done.error
    assert "out.parquet" not in files_in(Path())


def test_a_needed_parameter(run: Path) -> None:
    Path("q.py").write_text(
        "import polars as pl\ndef query(hits: pl.LazyFrame, *, least_adc: int) -> pl.LazyFrame:\n"
        "    return hits.filter(pl.col('adc') >= least_adc)\n"
    )

    missing = gammapolars("query", "q.py", run, "-o", "out.parquet")
    given = gammapolars("query", "q.py", run, "--least-adc", "9000", "-o", "out.parquet")

    assert missing.code == 2
    assert "query 'q' needs --least-adc" in missing.error
    assert given.code == 0
    assert_frame_equal(gp.scan("out.parquet").collect(), made_hits(3000).filter(pl.col("adc") >= 9000))


def test_a_query_that_takes_pairs_gets_those_of_the_options(run: Path) -> None:
    Path("q.py").write_text(
        "import polars as pl\ndef query(hits: pl.LazyFrame, *, pairs: pl.LazyFrame) -> pl.LazyFrame:\n"
        "    return pairs\n"
    )
    options = ["--window", "2us", "--reject", "none"]

    assert gammapolars("query", "q.py", run, "-o", "out.parquet", *options).code == 0

    expected = gp.pairs(gp.scan(run), "2us", reject="none").collect()
    assert_frame_equal(pl.read_parquet("out.parquet").select(expected.columns), expected)


def test_a_query_over_several_files(run: Path) -> None:
    write_hits(Path("more.root"), made_hits(500, seed=2))
    Path("q.py").write_text("def query(hits, *, least: int = 0):\n    return hits\n")

    assert gammapolars("query", "q.py", run, "more.root", "--least", "1", "-o", "out.parquet").code == 0

    assert pl.read_parquet("out.parquet").height == 3500


# Mistakes.


def mistaken(text: str, run: Path, *words: str) -> Outcome:
    Path("q.py").write_text(text)
    done = gammapolars("query", "q.py", run, "-o", "out.parquet", *words)
    assert done.code == 1, done
    assert done.err.count("\n") == 1
    assert not [name for name in files_in(Path()) if "out" in name]
    return done


def signature(parameters: str, body: str = "return hits") -> str:
    return f"import polars as pl\ndef query({parameters}) -> pl.LazyFrame:\n    {body}\n"


HITS = "hits: pl.LazyFrame"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def query(:\n", "cannot be imported: SyntaxError"),
        ("import no_such_module\n", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero"),
        ("x = 1\n", "has no function 'query': define def query(hits: pl.LazyFrame, *, …)"),
        ("query = 5\n", "has no function 'query'"),
        (signature(f"{HITS}, low: int = 1"), "parameter 'low' must be keyword-only: put it after a *"),
        (signature(f"{HITS}, *low: int"), "parameter 'low' must be keyword-only"),
        (signature(f"{HITS}, **more: int"), "parameter 'more' must be keyword-only"),
        (signature(f"{HITS}, *, low: list[int] = []"), "parameter 'low' must be a str, int, float or bool"),
        (
            signature(f"{HITS}, *, low: 'Nonsense' = 1"),
            "its type annotations cannot be read: name 'Nonsense' is not defined",
        ),
        (signature("*, low: int = 1"), "the first parameter of query must be the hits"),
        (signature(""), "the first parameter of query must be the hits"),
        (
            signature(HITS, "return hits.collect()"),
            "the query must return a LazyFrame, not DataFrame: leave out",
        ),
        (signature(HITS, "hits"), "the query must return a LazyFrame, not NoneType"),
        (signature(HITS, "raise ValueError('two\\nlines')"), "query failed: ValueError: two"),
        (
            signature(HITS, "return hits.select('nonsense')"),
            "the query cannot be computed: unable to find column",
        ),
        (
            signature(HITS, "return hits.select(pl.col('adc').cast(pl.UInt8))"),
            "the query cannot be computed: conversion from `u16` to `u8` failed",
        ),
        (
            signature(HITS, "return hits.select(pl.col('adc').cast(pl.String).str.to_datetime('%Y-%m'))"),
            "the query cannot be computed: conversion",
        ),
        (
            signature(HITS, "return hits.select(pl.col('adc').map_batches(lambda s: 1 / 0, return_dtype=pl.Int64))"),
            "the query cannot be computed: division by zero",
        ),
    ],
)
def test_a_mistake_in_a_query_is_one_line(run: Path, text: str, reason: str) -> None:
    assert mistaken(text, run).error.startswith(f"Error: q.py: {reason}")


def test_damaged_data_are_not_the_querys_mistake(run: Path) -> None:
    path = write_hits(Path("late.root"), made_hits(3000).reverse())
    text = signature(f"{HITS}, *, pairs: pl.LazyFrame", "return pairs")

    assert mistaken(text, path).error.startswith("Error: late.root: times are out of order")
    assert mistaken(text, path, "--window", "1us").error.startswith("Error: late.root: times are out of order")


def test_a_query_that_is_not_there(run: Path) -> None:
    unknown = gammapolars("query", "nonsense", run, "-o", "out.parquet")
    file = gammapolars("query", "nonsense.py", run, "-o", "out.parquet")

    assert unknown.code == file.code == 1
    assert "no query 'nonsense' (in queries/: after_pulses, annihilation_pairs, " in unknown.error
    assert file.error == "Error: nonsense.py: no such file"


def test_a_query_needs_an_output(run: Path) -> None:
    done = gammapolars("query", "rates_by_minute", run)

    assert done.code == 2
    assert "a query needs an output file: add -o result.parquet" in done.error


def test_an_existing_output_is_kept(run: Path) -> None:
    Path("out.parquet").write_text("precious")

    done = gammapolars("query", "rates_by_minute", run, "-o", "out.parquet")

    assert done.code == 1
    assert "out.parquet: already exists" in done.error
    assert Path("out.parquet").read_text() == "precious"


def test_queries_from_python() -> None:
    query = queries.load(queries.find("rates_by_minute"))

    table = query.run(made_hits(1000).lazy(), None, {"minutes": 2.0}).collect()

    assert table["counts"].sum() == 1000
    with pytest.raises(QueryError, match="query failed: TypeError"):
        query.run(made_hits(1000).lazy(), None, {"hours": 2.0})
