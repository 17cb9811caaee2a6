"""The report: what it says is what the numbers are, and it appears whole or not at all."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gammapolars.commands.progress import Progress
from gammapolars.core.errors import OutputError
from gammapolars.core.units import Window
from gammapolars.core.wording import on_command_line
from gammapolars.detectors import Detectors
from gammapolars.report import content, drawing, estimates, lines, numbers, pair_text, spots, text, write_page
from gammapolars.report.analyse import Analysis
from gammapolars.report.estimates import PromptPeak
from gammapolars.report.lines import Peak, lines_of, peak_table
from gammapolars.report.recorded import RecordedRun
from gammapolars.report.spots import _peak_and_sides
from tests import analyses
from tests.analyses import Lines
from tests.drawing import THOROUGH, daily
from tests.plots import built

pytestmark = pytest.mark.usefixtures("fits_once")

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
FILES = {"index.html", "spectra.png", "matrix.png", "time_differences.png", "rates.png"}
EU_152 = [
    (121.78, 42_000.0), (244.7, 15_000.0), (344.28, 35_000.0), (778.9, 12_000.0), (964.07, 11_000.0),
    (1085.8, 7000.0), (1112.08, 9000.0), (1408.01, 12_000.0),
]  # fmt: skip


def spectrum_of(seed: int, peak_lines: Lines, **shape: float) -> pl.DataFrame:
    return analyses.spectra_table(np.random.default_rng(seed), ["HPGe-1"], peak_lines, **shape)


def found_in(spectrum: pl.DataFrame) -> lines.Lines:
    """What is found in the spectrum of one detector."""
    (found,) = lines_of(spectrum, peak_table(analyses.with_adc(spectrum), Detectors()))
    return found


def peaks_of(seed: int, peak_lines: Lines, **shape: float) -> list[Peak]:
    return full_energy_peaks(spectrum_of(seed, peak_lines, **shape))


def full_energy_peaks(spectrum: pl.DataFrame) -> list[Peak]:
    """The peaks that a nuclide explains, and those that are clear without one.

    A nuclide of a single line beside one of several is named with a doubt, and left out here: on the edges of these
    spectra, which are sharper than a detector's, `peaks` finds such ones.
    """
    found = found_in(spectrum)
    seen = [line for line in found.seen if line.is_confirmed] or found.seen
    return sorted([*(line.peak for line in seen), *found.unexplained])


class Page(HTMLParser):
    """Checks that tags are closed in order, and keeps text, images and tag names."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.images: list[dict[str, str]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append({key: value or "" for key, value in attrs})
        if tag not in ("meta", "img", "br", "input", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def cobalt() -> Analysis:
    warnings, parameters = ("the clock of board 0 stepped back",), {"Rejected flags": "pile_up"}
    return analyses.with_peaks(analyses.cobalt(warnings=warnings, parameters=parameters))


@pytest.fixture(scope="module")
def cobalt_files(cobalt: Analysis) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        if not THOROUGH:
            patch.setattr(drawing, "png", lambda plot, **_: built(plot) + str(plot.labels.title).encode())
        return content.contents(cobalt, NOW)


# What the page says


@pytest.mark.figures
def test_page_is_whole_html_with_its_figures_inside(cobalt_files: dict[str, bytes]) -> None:
    html = cobalt_files["index.html"].decode()
    page = Page(html)
    assert set(cobalt_files) == FILES
    inside = {base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in page.images}
    assert inside == {data for name, data in cobalt_files.items() if name.endswith(".png")}
    assert all(image["alt"] for image in page.images)
    assert not re.search(r'(?:src|srcset)="(?!data:image/png;base64,)', html)
    assert "<link" not in html
    addresses = re.findall(r'href="#([^"]*)"', html)
    assert addresses == re.findall(r'<h2 id="([^"]*)"', html)  # the list of contents has all sections, in their order
    assert set(re.findall(r'href="([^#][^"]*)"', html)) <= FILES
    assert not re.search(r"<[^>]*\s(?:style|on\w+)=", html)  # a strict content security policy forbids them
    assert "@media print" in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_page_tells_the_runs_numbers(cobalt: Analysis, cobalt_files: dict[str, bytes]) -> None:
    page = Page(cobalt_files["index.html"].decode()).text
    for number in (cobalt.hits_read, cobalt.hits_used, cobalt.pairs, *cobalt.pairs_by_detectors["pairs"]):
        assert f"{number:,}" in page
    assert "of which 1,200" in page
    assert "the clock of board 0 stepped back" in page
    assert "Co-60: 1,173.2 keV in 4 of 4 detectors" in page
    assert "1,173–1,332 keV: " in page
    assert "All rates were constant within counting statistics" in page
    assert "N = Σ r_a r_b w t" in page
    assert "run7.root" in page
    assert "2026-03-14T15:09:00+00:00" in page
    assert "polars " + pl.__version__ in page
    assert "Rejected flags pile_up" in page


@pytest.mark.usefixtures("undrawn")
def test_nothing_in_a_name_becomes_markup(cobalt: Analysis) -> None:
    evil = "<script>alert('1')</script>&\"<b>"
    named = {
        field: getattr(cobalt, field).with_columns(pl.col(column).replace("HPGe-1", evil) for column in columns)
        for field, columns in {
            "detectors": ["name"], "spectra": ["name"], "rates": ["name"], "pairs_by_detectors": ["name_a", "name_b"],
            "time_differences": ["name_a", "name_b"],
        }.items()
    }  # fmt: skip
    bad = replace(cobalt, inputs=(evil,), warnings=(evil,), parameters={evil: evil}, rejected={evil: 3}, **named)
    html = content.contents(bad, NOW)["index.html"].decode()
    page = Page(html)
    assert page.tags.count("script") == 3  # the page's own: two of data, and one that runs
    assert page.tags.count("b") == 6  # the key numbers
    assert page.text.count("<script>alert('1')</script>") > 8


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", daily(2, ["uncalibrated", "empty", "sodium", "flat"]))
def test_every_kind_of_run_has_a_page(name: str) -> None:
    run = getattr(analyses, name)()
    run = analyses.with_peaks(run) if name in ("sodium", "flat") else run
    page = Page(content.contents(run, NOW)["index.html"].decode()).text
    said = {
        "sodium": "511–511 keV: ",
        "uncalibrated": "No detector has an energy calibration; peak positions are in ADC channels.",
        "flat": "No peak in the calibrated spectra could be assigned to a nuclide.",
        "empty": "There are no hits in 1 file.",
    }
    assert said[name] in page
    assert "nan" not in page.lower().replace("annihilation", "")


# Times


def test_a_drifting_rate_is_told_and_a_steady_one_is_not() -> None:
    rng = np.random.default_rng(7)
    drifting = analyses.rates_table(rng, ["d"], 500.0, drift=0.1)
    steady = analyses.rates_table(rng, ["s"], 500.0)
    assert not estimates.steadiness(drifting)[0].is_steady
    assert estimates.steadiness(steady)[0].is_steady
    rates = analyses.rates_table(rng, [f"HPGe-{n}" for n in range(1, 5)], 500.0, drift=0.1)
    run = replace(analyses.cobalt(), rates=rates)
    told = text.rates(run, estimates.steadiness(run.rates))[1]
    assert told.count("changed during the run (") == 4
    mixed = pl.concat([drifting, steady.with_columns(channel=pl.lit(9, steady.schema["channel"]))])
    told = text.rates(run, estimates.steadiness(mixed))[1]
    assert re.fullmatch(
        r"The rate of d changed during the run \([\d.]+ counts/s in the first third, [\d.]+ in the last; "
        r"χ²/ndf = [\d,]+/\d+\); that of s was constant\.",
        told,
    )


@pytest.mark.parametrize("rate", [0.2, 2.0, 800.0])
def test_chi2_of_steady_rates_is_as_it_should_be(rate: float) -> None:
    z = [
        estimates.steadiness(analyses.rates_table(np.random.default_rng(seed), ["d"], rate))[0].z for seed in range(120)
    ]
    assert abs(np.mean(z)) < 0.25
    assert 0.8 < np.std(z) < 1.2
    assert max(z) < 4.5


def peak(position_ns: float = 0.0, fwhm_ns: float = 6.0, names: tuple[str, str] = ("a", "b")) -> PromptPeak:
    return PromptPeak(*names, position_ns, 0.02, fwhm_ns, 0.05, 5000.0)


def test_the_long_tails_of_a_scintillators_peak_are_not_taken_for_the_chance_level() -> None:
    rng = np.random.default_rng(3)
    true = np.concatenate([rng.normal(0, 2.6, 30_000), rng.laplace(0, 17.0, 7_500)])
    counts = np.histogram(np.concatenate([true, rng.uniform(-200, 200, 1_000)]), np.arange(-200, 201))[0]
    table = pl.DataFrame(
        {"name_a": "a", "name_b": "b", "dt_ns": np.arange(-199.5, 200), "width_ns": 1.0, "counts": counts}
    )

    beside = estimates.level_beside(table, peak())

    assert beside
    assert beside[0] == pytest.approx(2.5, abs=4 * beside[1])
    assert beside[1] == pytest.approx(np.sqrt(2.5 / 90), rel=0.2)
    assert estimates.level_beside(table, peak(fwhm_ns=500.0)) is None
    assert estimates.level_beside(table, peak(names=("a", "c"))) is None


def test_a_level_that_is_not_the_expected_one_is_told() -> None:
    run = analyses.sodium()
    run = replace(run, prompt_peaks=pl.DataFrame([peak(names=("NaI left", "NaI right"))]))
    assert not any("flat background" in sentence for sentence in pair_text.prompt(run))
    doubled = run.pairs_by_detectors.with_columns(pl.col("chance_pairs_expected") * 2)
    told = pair_text.prompt(replace(run, pairs_by_detectors=doubled))
    assert any("where 1,200 random coincidences are expected" in sentence for sentence in told)


@pytest.mark.parametrize(
    ("position", "said"),
    [(0.0, None), (245.0, "is cut by the edge of the coincidence window"), (-400.0, "lies outside the coincidence")],
)
def test_a_prompt_peak_at_the_windows_edge_is_told(cobalt: Analysis, position: float, said: str | None) -> None:
    run = replace(cobalt, prompt_peaks=pl.DataFrame([peak(position, 18.0)]))
    told = pair_text.prompt(run)
    assert any(said in sentence for sentence in told) if said else not any("window" in sentence for sentence in told)
    if position == -400.0:
        assert "a – b at −400 ns" in told[-1]
        assert "--start a --stop b --window -436ns:-364ns" in told[-1]


def test_a_peak_is_told_though_no_pair_lies_in_the_window() -> None:
    run = replace(analyses.empty(), hits_read=10, prompt_peaks=pl.DataFrame([peak(3891.31, 4.0, ("Si", "MCP 1"))]))
    told = pair_text.prompt(run)
    assert told[0] == "The prompt peak of Si – MCP 1 is at 3,891.310 ± 0.020 ns, with a FWHM of 4.000 ± 0.050 ns."
    assert "Si – MCP 1 at +3,891 ns" in told[1]
    assert "--start Si --stop 'MCP 1' --window 3883ns:3900ns' counts these" in told[1]


def test_pairs_are_no_evidence_where_chance_explains_them() -> None:
    flat = analyses.flat()
    assert "is not significant evidence of true coincidences" in pair_text.coincidences(flat)[0]
    few = replace(flat, pairs=0, window=Window(-10, 10))
    assert pair_text.coincidences(few)[0].startswith("No two hits of different detectors")


# Lines


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 40), marks=pytest.mark.slow)])
def test_no_peak_is_found_in_flat_spectra(seeds: range) -> None:
    found = [
        peaks_of(seed, [], continuum=continuum, width=width)
        for seed in seeds
        for continuum in (0.5, 30.0, 3000.0)
        for width in (1.0, 5.0)
    ]
    assert sum(map(len, found)) == 0


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 5), marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("energies", "shape"),
    [
        ([(1173.228, 30_000.0), (1332.492, 27_000.0)], {}),
        pytest.param(
            [(1173.228, 200_000.0), (1332.492, 180_000.0)],
            {"fwhm_662": 46.0, "width": 2.0, "top": 2000.0},
            marks=pytest.mark.slow,
        ),
        ([(511.0, 200_000.0), (1274.537, 40_000.0)], {"fwhm_662": 46.0, "width": 5.0, "top": 2000.0}),
        ([(661.657, 3e6)], {}),
        ([(661.657, 400.0)], {}),
        (EU_152, {"width": 0.5}),
    ],
)
def test_peaks_are_found_where_they_are_and_nowhere_else(
    energies: Lines, shape: dict[str, float], seeds: range
) -> None:
    for seed in seeds:
        found = peaks_of(seed, energies, **shape)
        assert len(found) == len(energies)
        for peak, (energy, area) in zip(found, energies, strict=True):
            assert abs(peak.centroid_kev - energy) < 4 * peak.centroid_unc_kev + 0.02 * peak.fwhm_kev
            assert peak.area == pytest.approx(area, rel=0.15, abs=5 * peak.area_unc)
            assert peak.fwhm_kev == pytest.approx(shape.get("fwhm_662", 1.6) * np.sqrt(energy / 662), rel=0.2)


def test_the_hump_at_a_compton_edge_is_no_peak() -> None:
    centres, counts = analyses.spectrum_counts(np.random.default_rng(2), [(1274.5, 90_000.0)], fwhm_662=46.0, width=2.0)
    hump = 8000 / 25.5 / 2.507 * 2.0 * np.exp(-0.5 * ((centres - 1030.0) / 25.5) ** 2)
    counts = counts + np.random.default_rng(3).poisson(hump)
    spectrum = pl.DataFrame({"energy_kev": centres, "counts": counts, "variance": counts})
    keys = {"board": pl.lit(0, pl.UInt16), "channel": pl.lit(0, pl.UInt16), "name": pl.lit("NaI")}
    assert [round(peak.centroid_kev, -1) for peak in full_energy_peaks(spectrum.with_columns(**keys))] == [1270]


def names(seed: int, peak_lines: Lines, **shape: float) -> set[str]:
    return {line.nuclide for line in found_in(spectrum_of(seed, peak_lines, **shape)).seen}


@pytest.mark.slow
def test_nuclides_are_named_only_with_the_lines_that_they_should_show() -> None:
    assert names(1, EU_152, top=1500.0) == {"Eu-152"}
    assert names(1, [(1332.492, 27_000.0)]) == set()
    assert names(1, [(511.0, 9000.0)]) == {"annihilation radiation"}
    assert names(1, [(511.0, 9000.0), (1274.537, 9000.0)]) == {"Na-22"}
    assert names(1, [(661.657, 9000.0), (1460.822, 900.0)]) == {"Cs-137", "K-40"}
    assert names(1, [(665.0, 9000.0)]) == set()


@pytest.mark.slow
def test_a_nuclide_is_not_named_where_most_of_its_lines_are_missing() -> None:
    assert names(1, EU_152[4:], width=0.5) == set()
    assert names(1, EU_152[::3], width=0.5) == set()
    assert names(1, EU_152[:-1], width=0.5) == {"Eu-152"}  # one of them may hide, or be beyond the range


def test_peaks_outside_the_table_are_told_without_a_name() -> None:
    found = found_in(spectrum_of(1, [(1332.492, 27_000.0), (900.0, 5000.0)]))
    assert [round(peak.centroid_kev) for peak in found.unexplained] == [900, 1332]
    detector = lines.Lines(0, 0, "HPGe-1", [], [Peak(900.0, 0.1, 2.0, 5000.0, 80.0)])
    assert "HPGe-1 at 900.0 keV" in text.spectra(analyses.cobalt(), [detector])[-1]


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 4), marks=pytest.mark.slow)])
def test_spots_of_the_matrix_hold_the_pairs_that_were_put_there(seeds: range) -> None:
    pulls = []
    for seed in seeds:
        run = analyses.with_peaks(analyses.sodium(seed))
        found = {
            (round(s.energy_x_kev), round(s.energy_y_kev)): s
            for s in spots.spots_of(run, lines_of(run.spectra, run.peaks))
        }
        assert set(found) == {(511, 511), (511, 1275)}
        pulls += [(found[511, 511].net - 20_000) / 200, (found[511, 1275].net - 6000) / 100]
        # of each singles spectrum about 200,000 of 890,000 hits lie in the line, and 600 pairs are expected by chance
        assert found[511, 511].chance == pytest.approx(600 * (200 / 888) ** 2, rel=0.05)
    assert np.abs(pulls).max() < 4


@pytest.mark.slow
def test_spots_of_a_matrix_that_is_net_of_chance_have_its_variances_and_no_random_pairs() -> None:
    run = analyses.with_peaks(analyses.sodium(1))
    seen = lines_of(run.spectra, run.peaks)
    plain = {(s.energy_x_kev, s.energy_y_kev): s for s in spots.spots_of(run, seen)}
    scattered = run.matrix.with_columns(variance=4 * pl.col("variance"))
    net = replace(run, matrix=scattered, random_windows=(Window(1_000_000, 3_000_000),))

    found = spots.spots_of(net, seen)

    assert found
    for spot in found:
        other = plain[spot.energy_x_kev, spot.energy_y_kev]
        assert (spot.net, spot.net_unc) == pytest.approx((other.net, 2 * other.net_unc))
        assert spot.chance == 0
        assert other.chance > 0
    said = pair_text.matrix(net, seen, found)
    assert "coincidences with background and random coincidences subtracted." in said[0]
    assert "background-subtracted coincidences, about " in pair_text.matrix(run, seen, list(plain.values()))[0]


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 6), marks=pytest.mark.slow)])
def test_no_spot_is_seen_where_lines_are_not_in_coincidence(cobalt: Analysis, seeds: range) -> None:
    seen = lines_of(cobalt.spectra, cobalt.peaks)
    for seed in seeds:
        matrix = analyses.matrix_table(np.random.default_rng(seed), [], continuum=100_000)
        assert not spots.spots_of(replace(cobalt, matrix=matrix), seen)


# Numbers


@pytest.mark.parametrize(
    ("value", "uncertainty", "said"),
    [
        (1234.567, 2.345, "1,234.6 ± 2.3"),
        (1234.567, 34.6, "1,235 ± 35"),
        (0.01234, 0.00012, "0.01234 ± 0.00012"),
        (-60.2, 77.1, "−60 ± 77"),
        (99.96, 9.93, "100.0 ± 9.9"),
        (5.0, 0.0, "5"),
    ],
)
def test_values_are_rounded_to_their_uncertainty(value: float, uncertainty: float, said: str | None) -> None:
    assert numbers.with_uncertainty(value, uncertainty) == said


def test_durations_and_lists() -> None:
    assert [numbers.duration(t) for t in (0, 0.0042, 0.9999, 59, 600, 605, 11_520)] == [
        "0 s", "4.2 ms", "1,000 ms", "59 s", "10 min", "10 min 5 s", "3 h 12 min",
    ]  # fmt: skip
    assert numbers.enumeration(["a", "b", "c"]) == "a, b and c"
    assert [numbers.amount(n, "hit") for n in (0, 1, 2000)] == ["no hits", "1 hit", "2,000 hits"]


# Files


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, cobalt_files: dict[str, bytes]) -> None:
    """Writing without drawing."""
    monkeypatch.setattr("gammapolars.report.contents", lambda analysis, now: dict(cobalt_files))


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.usefixtures("undrawn")
def test_report_is_written_whole(tmp_path: Path) -> None:
    page = write_page(analyses.empty(), tmp_path / "report", now=NOW)
    assert page == tmp_path / "report" / "index.html"
    assert entries(tmp_path) == {"report"}
    assert entries(page.parent) == FILES
    assert page.read_bytes() == content.contents(analyses.empty(), NOW)["index.html"]
    assert {path.read_bytes()[:4] for path in page.parent.glob("*.png")} == {b"\x89PNG"}


@pytest.mark.usefixtures("quick")
def test_what_exists_is_left_alone_unless_told_otherwise(tmp_path: Path, cobalt: Analysis) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "index.html").write_text("old")
    with pytest.raises(OutputError, match="already exists"):
        write_page(cobalt, folder)
    assert (folder / "index.html").read_text() == "old"
    write_page(cobalt, folder, overwrite=True)
    assert entries(folder) == FILES | {"notes.txt"}
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "index.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert entries(tmp_path) == {"report"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, cobalt: Analysis, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    folder = tmp_path / "report"
    if overwrite:
        folder.mkdir()
        (folder / "index.html").write_text("old")

    def fail(path: Path, data: bytes) -> int:
        if path.name == "matrix.png":
            raise OSError(28, "No space left on device")
        return len(data)

    monkeypatch.setattr("gammapolars.report.contents", lambda analysis, now: dict.fromkeys(sorted(FILES), b"x"))
    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_page(cobalt, folder, overwrite=overwrite)
    assert entries(tmp_path) == ({"report"} if overwrite else set())
    if overwrite:
        assert entries(folder) == {"index.html"}
        assert (folder / "index.html").read_text() == "old"


@pytest.mark.usefixtures("quick")
def test_impossible_places_are_one_line_errors(tmp_path: Path, cobalt: Analysis) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for folder in (file, tmp_path / "no" / "such" / "report", file / "report", tmp_path / ("n" * 300)):
        with pytest.raises(OutputError) as error:
            write_page(cobalt, folder, overwrite=True)
        assert "\n" not in str(error.value)
        assert str(folder) in str(error.value)
    assert entries(tmp_path) == {"file"}


def test_the_background_of_a_spot_begins_a_fwhm_away_and_leaves_other_lines_out() -> None:
    """On NaI the sides of 1173 keV would hold the line at 1332 keV."""
    bins_kev = np.arange(900.0, 1700.0, 5.0)
    peak, sides = _peak_and_sides(bins_kev, 1173.2, {1173.2: 60.0, 1332.5: 64.0, 1500.0: 10.0}, 5.0)

    assert (bins_kev[peak].min(), bins_kev[peak].max()) == (1115.0, 1235.0)
    assert np.abs(bins_kev[sides] - 1173.2).min() > 120
    assert not ((bins_kev[sides] > 1332.5 - 64) & (bins_kev[sides] < 1332.5 + 64)).any()
    assert bins_kev[sides].min() == 990.0
    assert sides.sum() > 5


@pytest.mark.usefixtures("undrawn")
def test_it_is_told_which_figure_is_drawn() -> None:
    told: list[str] = []
    content.contents(analyses.flat(), NOW, tell=told.append)
    assert told == [
        "drawing figure 1 of 4: rates",
        "drawing figure 2 of 4: spectra",
        "drawing figure 3 of 4: time differences",
        "drawing figure 4 of 4: matrix",
        "writing the page",
    ]


def test_what_is_done_is_shown_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_command_line():
        Progress(lambda: None).tell("drawing figure 1 of 4: rates")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    Progress(lambda: None).tell("in Python")
    assert capsys.readouterr() == ("", "")
    with on_command_line(), Progress(lambda: None) as progress:
        progress.tell("drawing figure 1 of 4: rates")
    assert capsys.readouterr() == ("", "\r\033[Kdrawing figure 1 of 4: rates\r\033[K")


@pytest.mark.usefixtures("undrawn")
def test_the_report_of_one_detector_lists_no_figures_of_pairs() -> None:
    run = analyses.flat()
    made = content.contents(replace(run, detectors=run.detectors.head(1)), NOW)
    page = made["index.html"].decode()
    assert "rates.png" in page
    assert "matrix.png" not in page
    assert "time_differences.png" not in page
    assert set(made) == FILES


@pytest.mark.usefixtures("undrawn")
def test_doubts_about_rates_and_peaks_stand_at_the_top() -> None:
    run = replace(analyses.flat(), doubts=("times between hits of A are not those of one rate",))
    page = content.contents(run, NOW)["index.html"].decode()
    assert "A are not those of one rate" in page[: page.index('class="tiles"')]
    runs = (RecordedRun("one"), RecordedRun("two"))
    together = replace(run, runs=runs, doubts=("sums have rates that changed",))
    page = content.contents(together, NOW, by_run=[run, analyses.flat()])["index.html"].decode()
    assert "one: times between hits of A are not those of one rate" in page[: page.index('class="tiles"')]
    assert "sums have rates" not in page
    assert "all numbers are sums over 2 runs" in content.contents(together, NOW)["index.html"].decode()
