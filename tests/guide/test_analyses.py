"""The guide's ten analyses: each short, lazy up to its last statement, of public names alone, and right."""

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.commands.guide.pages import page
from tests.commandline import gammapolars
from tests.cookbook import example_runs as truth
from tests.drawing import daily
from tests.guide.transcripts import FENCE, clone

SECTIONS = re.split(r"^## ", page("analyses").markdown, flags=re.MULTILINE)[1:]
TITLES = [section.partition("\n")[0] for section in SECTIONS]

READS_DRIFT = 4
"""Of this analysis, the small table of drift is read first."""

Names = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("analyses"))


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def blocks(number: int, kind: str) -> list[str]:
    return [block[2] for block in FENCE.finditer(SECTIONS[number - 1]) if block[1] == kind]


@contextmanager
def collections() -> Iterator[list[str]]:
    """Whatever is computed meanwhile."""
    found: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        original = getattr(pl.LazyFrame, name)

        def collect(*args: Any, **options: Any) -> Any:
            found.append(name)
            return original(*args, **options)

        return collect

    names = [name for name in dir(pl.LazyFrame) if name in ("collect", "collect_batches") or name.startswith("sink_")]
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(pl.LazyFrame, name, noted(name))
        yield found


def analysed(number: int) -> tuple[Names, str]:
    """The names that an analysis leaves, and what it prints."""
    names: Names = {}
    [text], out = blocks(number, "python"), StringIO()
    *first, last = ast.parse(text).body
    with redirect_stdout(out):
        for command in re.findall(r"^\$ gammapolars (.*)", "".join(blocks(number, "console")), re.MULTILINE):
            assert gammapolars(*shlex.split(command), "--overwrite").code == 0
        with collections() as found:
            exec(compile(ast.Module(first, []), "first", "exec"), names)
        assert found == ["collect"] * (number == READS_DRIFT)
        exec(compile(ast.Module([last], []), "last", "exec"), names)
    return names, out.getvalue()


def test_there_are_ten() -> None:
    assert [title.partition(". ")[0] for title in TITLES] == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("number", range(1, 11), ids=lambda number: TITLES[number - 1])
def test_each_is_short_and_public(number: int) -> None:
    [text] = blocks(number, "python")
    used = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute) and is_gp(node.value)}
    imports = [line for line in text.splitlines() if "import" in line]

    assert len([line for line in text.splitlines() if line]) <= 15
    assert set(imports) <= {"import polars as pl", "import gammapolars as gp"}
    assert used <= set(gp.__all__)


def is_gp(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "gp"


def test_a_matrix_gated_on_time_holds_the_prompt_pairs() -> None:
    names, _ = analysed(1)

    matrix = names["matrix"].collect()
    pairs = names["hits"].pipe(gp.pairs, "50ns").select("energy_kev_a", "energy_kev_b").collect().to_numpy()
    bins = np.floor(pairs / 4).astype(int)
    cells = matrix.filter(pl.col("energy_kev_x") == 1174, pl.col("energy_kev_y") == 1334)
    expected = np.sum((bins == [293, 333]).all(axis=1)) + np.sum((bins == [333, 293]).all(axis=1))
    assert cells["counts"].to_list() == [expected]
    assert matrix["counts"].sum() == 2 * len(bins) - np.sum(bins[:, 0] == bins[:, 1])


def test_the_sum_of_a_cascade_is_found() -> None:
    names, printed = analysed(2)

    [counts] = names["sums"].filter(pl.col("energy_kev") == 1802.5).collect()["counts"]
    assert names["sums"].collect()["counts"].sum() == 2000
    assert abs(counts - 2000 / 8) < 4 * (2000 * 7 / 64) ** 0.5
    assert f"{counts}" in printed


def test_rates_are_hits_over_time() -> None:
    names, _ = analysed(3)

    rates = names["rates"].collect()
    hits = gp.scan("data/co60-four-hpge.root").collect()
    for row in rates.filter(pl.col("time_s").is_in([0, 60])).iter_rows(named=True):
        begin, end = row["time_s"] * 10**12, (row["time_s"] + 10) * 10**12
        inside = hits.filter(channel=row["channel"]).filter(pl.col("timestamp_ps").is_between(begin, end - 1))
        assert row["hits"] == inside.height
        assert row["pile_up"] == (inside["flags"] & 0x8000 > 0).sum()
        assert row["saturation"] == (inside["flags"] & 0x480 > 0).sum()
    usual = rates.group_by("channel").agg(pl.col("rate_cps").mean()).sort("channel")["rate_cps"]
    last = rates.filter(time_s=60)
    assert (abs(last["rate_cps"] - usual) < 4 * last["rate_cps_unc"]).all()


@pytest.mark.parametrize(("number", "line"), daily(1, [(5, 662.0), (4, 1460.8)]))
def test_a_corrected_line_is_where_it_belongs_and_narrow(number: int, line: float) -> None:
    names, printed = analysed(number)

    [peak] = gp.fit_peaks(names["spectrum"]).to_dicts()
    assert f"{peak['fwhm_kev']}"[:6] in printed
    assert abs(peak["centroid_kev"] - line) < 4 * peak["centroid_kev_unc"]
    assert abs(peak["fwhm_kev"] - truth.FWHM_KEV) < 4 * peak["fwhm_kev_unc"] + 0.02


def test_the_half_life_is_the_true_one() -> None:
    _, printed = analysed(6)

    value, unc = map(float, re.findall(r"\d+\.\d+", printed))
    assert abs(value - truth.HALF_LIFE_PS / 1000) < 3.5 * unc
    assert unc < 0.2


def test_neutrons_are_counted_by_pulse_shape_and_by_polygon() -> None:
    names, _ = analysed(7)
    polygon, _ = analysed(8)

    [found] = gp.figure_of_merit(names["shapes"]).to_dicts()
    assert abs(found["fom"] - truth.FOM) < 3.5 * found["fom_unc"]
    assert found["counts_2"] == pytest.approx(truth.NEUTRONS, abs=15)
    assert polygon["hits"].collect().height == pytest.approx(truth.NEUTRONS, abs=8)


def test_a_detector_that_changed_between_runs_stands_out() -> None:
    names, _ = analysed(9)

    steady, changed = names["both"].sort("channel").collect().to_dicts()
    for row, ratio in ((steady, 1.0), (changed, truth.RATIO)):
        unc = (row["unc_tuesday"] ** 2 + (ratio * row["unc"]) ** 2) ** 0.5
        assert abs(row["rate_tuesday"] - ratio * row["rate"]) < 3.5 * unc
    assert changed["rate"] - changed["rate_tuesday"] > 5 * changed["unc"]


def test_rejected_hits_are_counted_once_and_by_reason() -> None:
    names, _ = analysed(10)

    table = names["table"].sort("channel").collect()
    flags = gp.scan("data/co60-four-hpge.root").collect()["flags"].to_numpy()
    assert table["rejected"].sum() == np.sum(flags & 0x8488 > 0)
    assert table["pile_up"].sum() == np.sum(flags & 0x8000 > 0)
    assert table["hits"].sum() == len(flags)
