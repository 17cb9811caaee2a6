"""The command `plot`: the kind of figure follows from what files hold, and inputs are overlaid as they are counted."""

import json
import math
import struct
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.commands.plot.inputs import labels_of
from gammapolars.commands.plot.kinds import KINDS
from gammapolars.commands.plot.run import parse_size
from gammapolars.core.errors import UsageError
from gammapolars.figures import plot as figures
from gammapolars.io.spectra.measurement import Measurement
from tests.commandline import REPOSITORY, gammapolars

KNOWN = ("--detectors", "d.toml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run, what commands make of it, and two spectra with their live times."""
    folder = tmp_path_factory.mktemp("plot")
    run = folder / "run.parquet"
    tables = {
        "lifetime.csv": ("dt_ps", "width_ps", "counts", "fit", "prompt", "chance"),
        "angular.parquet": ("angle_deg", "w", "w_unc", "fit"),
        "drift.csv": ("run", "board", "channel", "timestamp_ps", "gain_factor", "gain_factor_unc"),
    }
    for name, columns in tables.items():
        table = pl.DataFrame({column: [1, 2] for column in columns})
        table.write_csv(folder / name) if name.endswith("csv") else table.write_parquet(folder / name)
    (folder / "d.toml").write_text((REPOSITORY / "data" / "detectors.toml").read_text())
    gp.scan(REPOSITORY / "data" / "co60-four-hpge.root").head(20_000).collect().write_parquet(run)
    known = ("--detectors", folder / "d.toml")
    further = (
        "--rates",
        folder / "rates.csv",
        "--time-differences",
        folder / "dt.csv",
        "--spectra",
        folder / "s.parquet",
    )
    words = (
        "coincidences",
        run,
        *known,
        *further,
        "--matrix",
        folder / "matrix.parquet",
        "-o",
        folder / "pairs.parquet",
    )
    assert gammapolars(*words).code == 0
    assert gammapolars("peaks", run, *known, "-o", folder / "peaks.parquet").code == 0
    for name, counts, live_s in (("sample.spe", (8, 20, 6, 0), 40.0), ("background.spe", (4, 4, 4, 2), 80.0)):
        table = pl.DataFrame({"adc": [0.0, 1.0, 2.0, 3.0], "counts": [float(n) for n in counts]})
        times = Measurement(live_time_s=live_s, real_time_s=2 * live_s, energy=(10.0, 2.0))
        gp.save_spectrum(table.with_columns(variance="counts"), folder / name, measurement=times)
    gp.save_spectrum(table.with_columns(variance="counts"), folder / "untimed.csv")
    coarse = pl.DataFrame({"energy_kev": [5.0, 15.0, 25.0], "counts": [3.0, 4.0, 5.0]})
    gp.save_spectrum(coarse.with_columns(variance="counts"), folder / "coarse.csv")
    return folder


@pytest.fixture(autouse=True)
def _inside(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)


Calls = list[tuple[str, pl.DataFrame, dict[str, Any]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What is asked of the functions that draw; nothing is drawn."""
    found: Calls = []

    def recorder(name: str) -> Any:
        def called(frame: pl.DataFrame | pl.LazyFrame, **options: Any) -> str:
            found.append((name, frame.lazy().collect(), options))
            return "figure"

        return called

    for name in ("spectrum", "gated", "matrix", "time_differences", "rates"):
        monkeypatch.setattr(figures, name, recorder(name))
    for name in ("peaks", "lifetime", "angular", "drift"):
        monkeypatch.setattr(import_module(f"gammapolars.figures.{name}"), name, recorder(name))
    monkeypatch.setattr("gammapolars.commands.plot.run.save_figure", lambda *_, **__: None)
    return found


def done(*words: str) -> dict[str, Any]:
    """The summary of a figure that is drawn."""
    outcome = gammapolars("plot", *words, "-o", "figure.png", "--json")
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert isinstance(summary, dict)
    return summary


def refused(*words: str) -> str:
    outcome = gammapolars("plot", *words, "-o", "figure.png")
    assert outcome.code in (1, 2)
    assert not Path("figure.png").exists()
    return outcome.error


def counts_by(table: pl.DataFrame, of: str, column: str = "counts") -> dict[float, float]:
    """A column of one curve by energy."""
    return dict(table.filter(input=of).select("energy_kev", column).rows())


@pytest.mark.parametrize(
    ("words", "name", "kind"),
    [
        (("run.parquet",), "spectrum", "spectrum"),
        (("run.parquet", "--kind", "rates"), "rates", "rates"),
        (("run.parquet", "--kind", "matrix", *KNOWN), "matrix", "matrix"),
        (("run.parquet", "--kind", "time-differences"), "time_differences", "time-differences"),
        (("pairs.parquet",), "matrix", "matrix"),
        (("pairs.parquet", "--kind", "spectrum"), "spectrum", "spectrum"),
        (("pairs.parquet", "--kind", "time-differences"), "time_differences", "time-differences"),
        (("s.parquet",), "spectrum", "spectrum"),
        (("sample.spe",), "spectrum", "spectrum"),
        (("matrix.parquet",), "matrix", "matrix"),
        (("rates.csv",), "rates", "rates"),
        (("dt.csv",), "time_differences", "time-differences"),
        (("peaks.parquet",), "peaks", "peaks"),
        (("lifetime.csv",), "lifetime", "lifetime"),
        (("angular.parquet",), "angular", "angular"),
        (("drift.csv",), "drift", "drift"),
    ],
)
def test_the_kind_follows_from_what_is_there(calls: Calls, words: tuple[str, ...], name: str, kind: str) -> None:
    summary = done(*words)

    ((called, frame, _),) = calls
    assert (called, summary["kind"], summary["inputs"]) == (name, kind, [words[0]])
    assert frame.height > 0
    assert kind in KINDS


def test_the_matrix_of_pairs_is_that_of_the_command(calls: Calls) -> None:
    done("pairs.parquet")
    done("run.parquet", "--kind", "matrix", *KNOWN)

    assert gammapolars("matrix", "run.parquet", *KNOWN, "-o", "m.parquet").code == 0
    for _, frame, options in calls:
        assert frame.equals(pl.read_parquet("m.parquet"))
        assert options["symmetric"]


def test_two_detectors_without_a_calibration_are_drawn_against_each_other(calls: Calls) -> None:
    hits = pl.read_parquet("run.parquet").filter(pl.col("channel") < 3)
    hits.write_parquet("two.parquet")

    done("two.parquet", "--kind", "matrix")
    done("run.parquet", "--kind", "matrix")

    (_, of_two, two), (_, _, four) = calls
    assert (two["symmetric"], two["names"]) == (False, ("0/1", "0/2"))
    assert four["symmetric"]
    assert of_two["counts"].sum() == gp.pairs(hits.lazy(), window="250ns").collect().height


def test_files_over_each_other(calls: Calls) -> None:
    summary = done("sample.spe", "background.spe", "--normalise", "live-time", "--compare", "ratio")

    ((_, frame, options),) = calls
    assert summary["drawn"] == ["sample", "background"]
    assert summary["notes"] == ["normalised by live time"]
    assert options["overlay"] == "input"
    assert options["compare"] == "ratio"
    assert options["counts"] == "counts per second"
    assert options["note"] == "normalised by live time"
    assert counts_by(frame, "sample") == pytest.approx({10.0: 0.2, 12.0: 0.5, 14.0: 0.15, 16.0: 0.0})
    assert counts_by(frame, "background") == {10.0: 0.05, 12.0: 0.05, 14.0: 0.05, 16.0: 0.025}
    assert counts_by(frame, "sample", "variance")[12.0] == 20 / 40**2


def test_a_background_is_subtracted_by_live_time(calls: Calls) -> None:
    summary = done("sample.spe", "--subtract", "background.spe")

    ((_, frame, options),) = calls
    assert summary["notes"] == ["background × 0.5 subtracted (scaled by live time)"]
    assert summary["inputs"] == ["sample.spe", "background.spe"]
    assert options["counts"] == "net counts"
    assert frame.sort("energy_kev")["counts"].to_list() == [6.0, 18.0, 4.0, -1.0]
    assert frame.sort("energy_kev")["variance"].to_list() == [9.0, 21.0, 7.0, 0.5]


def test_areas_and_real_times(calls: Calls) -> None:
    done("sample.spe", "background.spe", "--normalise", "area")
    done("sample.spe", "background.spe", "--normalise", "real-time", "--subtract", "background.spe")

    (_, of_areas, _), (_, net, options) = calls
    assert counts_by(of_areas, "sample")[12.0] == pytest.approx(20 / 34)
    assert counts_by(of_areas, "background")[12.0] == pytest.approx(4 / 14)
    assert options["note"].startswith(
        "background × 0.5 subtracted (scaled by real time); background × 1 subtracted (scaled by real time)"
    )
    assert counts_by(net, "sample")[12.0] == pytest.approx((20 - 2) / 80)
    assert set(counts_by(net, "background").values()) == {0.0}


def test_other_bins(calls: Calls) -> None:
    summary = done("sample.spe", "--bin", "4")

    ((_, frame, _),) = calls
    # Channels of 2 keV from 9 to 17 keV.
    assert dict(frame.select("energy_kev", "counts").rows()) == pytest.approx({10.0: 18.0, 14.0: 16.0, 18.0: 0.0})
    assert summary["notes"] == []


def test_a_run_is_drawn_in_even_bins_of_energy(calls: Calls) -> None:
    done("run.parquet", *KNOWN)
    done("s.parquet")

    assert gammapolars("spectrum", "run.parquet", *KNOWN, "--bin-kev", "0.5", "-o", "even.parquet").code == 0
    even = pl.read_parquet("even.parquet")
    for _, frame, options in calls:
        assert "adc" not in frame.columns
        assert options["note"] is None
        assert ((frame["energy_kev"] - 0.25) / 0.5 % 1 < 1e-9).all()
        ends = frame.filter(pl.col("energy_kev") > 1250).group_by("channel").agg(pl.col("counts").sum()).sort("channel")
        own = even.filter(pl.col("energy_kev") > 1250).group_by("channel").agg(pl.col("counts").sum()).sort("channel")
        assert ends["counts"].to_list() == pytest.approx(own["counts"].to_list(), abs=0.5)
        assert frame["counts"].sum() == pytest.approx(even["counts"].sum())


def test_rebinning_is_said(calls: Calls) -> None:
    summary = done("coarse.csv", "sample.spe")

    ((_, frame, options),) = calls
    assert summary["notes"] == ["rebinned to bins of 10 keV: sample"]
    assert options["note"] == "rebinned to bins of 10 keV: sample"
    assert counts_by(frame, "sample") == pytest.approx({5.0: 4.0, 15.0: 30.0})
    assert counts_by(frame, "coarse") == {5.0: 3.0, 15.0: 4.0, 25.0: 5.0}


def test_channels_where_some_have_no_energies(calls: Calls) -> None:
    summary = done("sample.spe", "untimed.csv")

    ((_, frame, _),) = calls
    assert summary["notes"] == ["by ADC channel, because there are no energies in untimed"]
    assert "energy_kev" not in frame.columns
    assert frame.filter(input="sample")["adc"].to_list() == [0, 1, 2, 3]


def test_each_detector_has_bins_of_its_own(calls: Calls) -> None:
    text = Path("d.toml").read_text()
    place = text.index("energy = ", text.index('"HPGe-2"'))
    Path("part.toml").write_text(text[:place] + "# " + text[place:])  # HPGe-2 without a calibration

    summary = done("run.parquet", "run.parquet", "--detectors", "part.toml", "--bin", "8")

    ((_, frame, _),) = calls
    assert summary["drawn"] == ["1 run.parquet", "2 run.parquet"]
    of_channels = frame.filter(name="HPGe-2")
    assert of_channels["energy_kev"].null_count() == of_channels.height > 0
    others = frame.filter(pl.col("name") != "HPGe-2")
    assert others["energy_kev"].null_count() == 0
    assert frame["counts"].sum() == pytest.approx(2 * pl.read_parquet("s.parquet")["counts"].sum())


@pytest.mark.parametrize("form", ["pattern", "one file"])
def test_runs_over_each_other_each_by_its_own_time(calls: Calls, form: str) -> None:
    hits = pl.read_parquet("run.parquet")
    hits.write_parquet("rA.parquet")
    hits.tail(9_000).write_parquet("rB.parquet")
    words, labels = ["r[AB].parquet", "--apart"], ["rA", "rB"]
    if form == "one file":
        assert gammapolars("convert", "rA.parquet", "rB.parquet", "--apart", "-o", "both.parquet").code == 0
        words, labels = ["both.parquet"], ["both, run 1", "both, run 2"]

    summary = done(*words, "--normalise", "real-time", "--reject", "none")

    ((_, frame, _),) = calls
    assert summary["drawn"] == labels
    for label, own in zip(labels, (hits, hits.tail(9_000)), strict=True):
        seconds = own.select(pl.col("timestamp_ps").max() - pl.col("timestamp_ps").min()).item() / 1e12
        assert frame.filter(input=label)["counts"].sum() == pytest.approx(own.height / seconds)


def test_detectors_over_each_other(calls: Calls) -> None:
    done("s.parquet", "--overlay", "detector", "--bin", "10")

    ((_, frame, options),) = calls
    assert options["overlay"] == "input"
    assert sorted(frame["input"].unique()) == ["HPGe-1", "HPGe-2", "HPGe-3", "HPGe-4"]
    assert not {"board", "channel", "name"} & set(frame.columns)
    assert frame["counts"].sum() == pytest.approx(pl.read_parquet("s.parquet")["counts"].sum())


def test_panels_by_detector(calls: Calls) -> None:
    gp.scan("run.parquet").head(9_000).collect().write_parquet("first.parquet")

    done("run.parquet", "first.parquet", *KNOWN)

    ((_, frame, options),) = calls
    assert options["overlay"] == "input"
    sums = frame.group_by("name", "input").agg(pl.col("counts").sum())
    used = pl.col("flags") & 0x8488 == 0
    for label, head in (("run", 20_000), ("first", 9_000)):
        hits = gp.scan("run.parquet").head(head).filter(used, channel=2).collect()
        assert sums.filter(name="HPGe-2", input=label)["counts"].to_list() == [hits.height]


def test_efficiencies_of_detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[pl.DataFrame] = []
    monkeypatch.setattr(figures, "efficiency", lambda points, bands, style: found.append(bands))
    monkeypatch.setattr("gammapolars.commands.plot.run.save_figure", lambda *_, **__: None)
    detector = "[[detector]]\nname = '{}'\nchannel = {}\nefficiency = [-4.0, -1.0]\nefficiency_range = [200.0, 800.0]\n"
    Path("e.toml").write_text(
        detector.format("A", 1) + detector.format("B", 2) + "[[detector]]\nname = 'C'\nchannel = 3\n"
    )

    done("e.toml")

    (bands,) = found
    assert bands["name"].unique(maintain_order=True).to_list() == ["A", "B"]
    ends = bands.filter(name="B").select(
        pl.col("energy_kev", "efficiency").first().name.prefix("first "), pl.all().last()
    )
    assert ends["first energy_kev"][0] == pytest.approx(200.0)
    assert ends["efficiency"][0] == pytest.approx(math.exp(-4.0) / 0.8)
    assert "no detector has an efficiency" in refused("d.toml")


def test_rates_of_several_files(calls: Calls) -> None:
    done("rates.csv", "run.parquet", "--kind", "rates")

    ((_, frame, options),) = calls
    assert options["overlay"] == "input"
    counts = dict(frame.group_by("input").agg(pl.col("counts").sum()).rows())
    assert counts["rates"] == counts["run"] > 19_800  # without the last bin, in which the run ends
    assert "leave --overlay detector out" in refused("rates.csv", "--overlay", "detector")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("missing.spe",), "no such file"),
        (("run.parquet", "--kind", "map"), "unknown kind 'map'"),
        (("run.parquet", "--kind", "peaks"), "a figure of kind peaks needs peaks"),
        (("matrix.parquet", "pairs.parquet"), "takes a single input: leave pairs.parquet out"),
        (("sample.spe", "matrix.parquet"), "contains matrix, but a figure of kind spectrum"),
        (("matrix.parquet", "--normalise", "area"), "leave --normalise out"),
        (("sample.spe", "--normalise", "time"), "--normalise takes none, live-time, real-time or area"),
        (("sample.spe", "--compare", "ratio"), "--compare needs several spectra"),
        (("run.parquet", "--normalise", "live-time", *KNOWN), "the live time of HPGe-1 is unknown"),
        (
            ("untimed.csv", "--normalise", "live-time"),
            "untimed: the live time is unknown: normalise by real-time or area",
        ),
        (("untimed.csv", "--subtract", "background.spe"), "untimed: the live time is unknown"),
        (("sample.spe", "--subtract", "pairs.parquet"), "--subtract takes a run or spectra"),
        (("sample.spe", "--range", "3"), "--range takes LOW:HIGH"),
        (("sample.spe", "--size", "large"), "--size takes WIDTHxHEIGHT"),
        (("sample.spe", "--theme", "dark"), "--theme takes screen, print or slide"),
        (("sample.spe", "--window", "1us"), "leave --window out"),
        (("d.toml", "--kind", "spectrum"), "contains detectors"),
        (("coarse.csv", "untimed.csv"), "some spectra have energies and others only ADC channels"),
    ],
)
def test_what_cannot_be_drawn(words: tuple[str, ...], why: str) -> None:
    assert why in refused(*words)


@pytest.mark.parametrize("normalise", ["none", "area"])
def test_a_background_that_cannot_be_scaled_asks_for_real_times(normalise: str) -> None:
    why = refused("run.parquet", *KNOWN, "--subtract", "run.parquet", "--normalise", normalise)
    assert why.strip().endswith("the live time of HPGe-1 is unknown: normalise by real-time")


def test_a_live_time_of_zero_is_no_live_time() -> None:
    table = pl.DataFrame({"adc": [0.0, 1.0], "counts": [3.0, 4.0], "variance": [3.0, 4.0]})
    gp.save_spectrum(table, "dead.spe", measurement=Measurement(live_time_s=0.0, real_time_s=5.0))

    assert "the live time is 0" in refused(
        "dead.spe", "--normalise", "live-time"
    ) or "the live time is unknown" in refused("dead.spe", "--normalise", "live-time")


def test_the_style_is_as_asked_for(calls: Calls) -> None:
    words = ("--title", "A peak", "--range", "10:20", "--range-y", "1:1e3", "--log-x", "--linear", "--dpi", "200")
    done("sample.spe", *words, "--size", "16cmx9cm", "--font-size", "7", "--no-labels", "--theme", "print")

    ((_, _, options),) = calls
    style = options["style"]
    assert (style.title, style.range_x, style.range_y) == ("A peak", (10.0, 20.0), (1.0, 1000.0))
    assert (style.log_x, style.log_y, style.dpi, style.size_cm) == (True, False, 200, (16.0, 9.0))
    assert (style.font_size, style.labels, style.theme) == (7.0, False, "print")


@pytest.mark.parametrize(
    ("text", "size"),
    [("16cmx9cm", (16, 9)), ("160mm×90mm", (16, 9)), ("2inx1in", (5.08, 2.54)), ("8x6", (8, 6)), ("8x6cm", (8, 6))],
)
def test_sizes(text: str, size: tuple[float, float]) -> None:
    assert parse_size(text) == pytest.approx(size)


@pytest.mark.parametrize("text", ["", "16cm", "16cmx", "1.2.3x4", "16kmx9km", "x"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
        parse_size(text)


def test_labels_tell_inputs_apart() -> None:
    assert labels_of(["a/one.root", "b/two.root"]) == ["one", "two"]
    assert labels_of(["a/run.root", "b/run.root"]) == ["a/run", "b/run"]
    assert labels_of(["run.root", "run.csv"]) == ["1 run.root", "2 run.csv"]
    assert labels_of(["folder"]) == ["folder"]


@pytest.mark.slow
def test_a_figure_has_the_size_that_is_asked_for() -> None:
    done("sample.spe", "background.spe", "--compare", "difference", "--size", "10cmx8cm", "--dpi", "127")

    width, height = struct.unpack(">II", Path("figure.png").read_bytes()[16:24])
    assert (width, height) == pytest.approx((500, 400), abs=2)
