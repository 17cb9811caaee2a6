"""Which peak is which line: found from lists with known truth, refused where they do not tell, given by hand."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.calibration.energy import Hints
from gammapolars.calibration.energy.matching import match_lines
from gammapolars.calibration.energy.result import Pair, match_pairs, parse_pairs
from gammapolars.calibration.energy.trial import Match
from gammapolars.core.errors import CalibrationError, UsageError
from tests.commandline import gammapolars
from tests.drawing import daily, examples, repetitions
from tests.peaklists import LINES, Truth, peaks_of, random_truth, table_of

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
CASES = os.environ.get("GAMMAPOLARS_CASES", "")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")


def outcome(match: Match, truth: Truth) -> str:
    """Right if each matched peak lies within its own width of its line, by the true calibration."""
    energy = match.table["energy_kev"].to_numpy()
    distance = np.abs(truth.energy(match.table["adc"].to_numpy()) - energy)
    return "right" if (distance < truth.width(energy)).all() else "wrong"


def trials(
    count: int,
    sources: list[str],
    named: list[str],
    *,
    nai: bool = False,
    full_kev: float = 1500.0,
    extra: int = 0,
    background: float = 0.0,
    strength: tuple[float, float] = (9.0, 13.0),
) -> Counter[str]:
    """What comes of random detectors that see some sources and are told to look for others."""
    found: Counter[str] = Counter()
    for seed in range(count):
        random = np.random.default_rng(seed)
        truth = random_truth(random, nai=nai, full_kev=full_kev)
        peaks = peaks_of(
            truth,
            random,
            sources,
            extra=int(random.integers(0, extra + 1)),
            background=random.uniform(0.2, 1) * background,
            strength=random.uniform(*strength),
        )
        try:
            found[outcome(match_lines(peaks, table_of(*named)), truth)] += 1
        except CalibrationError:
            found["refused"] += 1
    return found


def test_europium_is_found_without_a_wrong_match() -> None:
    found = trials(6, ["Eu-152"], ["Eu-152"], extra=15)

    assert found["wrong"] == 0
    assert found["right"] >= 5


@pytest.mark.slow
def test_europium_is_found_in_398_of_400() -> None:
    found = trials(repetitions(400), ["Eu-152"], ["Eu-152"], extra=15, strength=(8, 13))

    assert found["wrong"] == 0
    assert found["right"] >= 0.995 * repetitions(400) - 1


@pytest.mark.slow
def test_weak_spectra_are_refused_rather_than_matched_wrongly() -> None:
    found = trials(repetitions(200), ["Eu-152"], ["Eu-152"], extra=15, strength=(6.5, 9))

    assert found["wrong"] == 0
    assert found["right"] > repetitions(200) / 2


@pytest.mark.slow
def test_europium_in_the_background_of_a_room() -> None:
    assert trials(5, ["Eu-152"], ["Eu-152"], background=0.5, extra=5, full_kev=2700.0)["right"] >= 4


@pytest.mark.parametrize(
    ("sources", "full_kev"),
    [(["Ba-133"], 500.0), (["Ra-226", "Th-228"], 2700.0), (["Eu-152", "Co-60", "Cs-137"], 1500.0)],
)
def test_many_lines_are_found(sources: list[str], full_kev: float) -> None:
    found = trials(2, sources, sources, extra=10, full_kev=full_kev)

    assert found == {"right": 2}


@pytest.mark.parametrize("nai", [False, True], ids=["HPGe", "NaI"])
@pytest.mark.parametrize("background", [0.0, 0.05])
@pytest.mark.parametrize("sources", [["Co-60"], ["Na-22"], ["Cs-137", "Co-60"]], ids="+".join)
@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_sources_with_few_lines_are_found(count: int, sources: list[str], background: float, nai: bool) -> None:
    found = trials(count, sources, sources, nai=nai, background=background, full_kev=2700.0, strength=(10, 13))

    assert found["wrong"] == 0
    assert found["right"] > 0.85 * count


@pytest.mark.parametrize("nai", daily(1, [False, True]), ids=["HPGe", "NaI"])
@pytest.mark.parametrize(
    ("seen", "named"),
    [
        ("Ba-133", "Eu-152"),
        ("Eu-152", "Ba-133"),
        ("Co-60", "Na-22"),
        ("Na-22", "Co-60"),
        ("Eu-152", "Co-60"),
        ("Ra-226", "Na-22"),
        ("Ra-226", "Eu-152"),
        ("Cs-137", "Co-60"),
    ],
)
def test_a_wrong_source_is_refused(seen: str, named: str, nai: bool) -> None:
    assert trials(2, [seen], [named], nai=nai, extra=8, background=0.05, full_kev=2700.0) == {"refused": 2}


@pytest.mark.parametrize("named", ["Eu-152", "Co-60", "Na-22", "Ba-133"])
def test_background_alone_is_refused(named: str) -> None:
    assert trials(3, [], [named], background=1.0, extra=8, full_kev=2700.0) == {"refused": 3}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seen", "named"),
    [
        (seen, named)
        for seen in ("", "Ba-133", "Eu-152", "Ra-226", "Co-60", "Cs-137")
        for named in ("Eu-152", "Co-60", "Na-22", "Ba-133")
        if seen != named
    ],
)
def test_wrong_sources_are_refused_many_times(seen: str, named: str) -> None:
    sources, background = ([seen], 0.05) if seen else ([], 1.0)
    for nai in (False, True):
        found = trials(repetitions(40), sources, [named], nai=nai, extra=8, background=background, full_kev=2700.0)
        # Two peaks can look like any two lines.
        assert found["right"] + found["wrong"] <= (1 if named == "Na-22" else 0)


def test_the_same_peaks_give_the_same_match_in_any_order() -> None:
    random = np.random.default_rng(5)
    peaks = peaks_of(random_truth(random), random, ["Eu-152"], extra=10)

    first = match_lines(peaks, table_of("Eu-152"))
    second = match_lines(peaks.sample(fraction=1.0, shuffle=True, seed=1), table_of("Eu-152"))

    assert first.table.equals(second.table)
    assert first.evidence == pytest.approx(second.evidence)


@pytest.fixture(scope="module")
def europium() -> tuple[pl.DataFrame, list[float]]:
    """Peaks, and the energies of those that are matched."""
    random = np.random.default_rng(7)
    peaks = peaks_of(random_truth(random), random, ["Eu-152"], extra=5)
    return peaks, match_lines(peaks, table_of("Eu-152")).table["energy_kev"].to_list()


@given(factor=st.floats(1e-3, 1e3))
@examples(5)
def test_nothing_is_assumed_of_the_gain(europium: tuple[pl.DataFrame, list[float]], factor: float) -> None:
    peaks, energies = europium
    scaled = peaks.with_columns(pl.col("centroid_adc", "centroid_adc_unc", "fwhm_adc", "fwhm_adc_unc") * factor)

    found = match_lines(scaled, table_of("Eu-152"))

    assert found.table["energy_kev"].to_list() == energies


def test_which_source_is_in_which_run_is_found() -> None:
    random = np.random.default_rng(3)
    truth = random_truth(random)
    runs = [peaks_of(truth, random, [source], run=run) for run, source in ((1, "Co-60"), (2, "Cs-137"), (5, "Na-22"))]

    found = match_lines(pl.concat(runs), table_of("Cs-137", "Na-22", "Co-60"))

    assert found.table.select("run", "nuclide", "energy_kev").rows() == [
        (5, "Na-22", 510.999),
        (2, "Cs-137", 661.657),
        (1, "Co-60", 1173.228),
        (5, "Na-22", 1274.537),
        (1, "Co-60", 1332.492),
    ]
    assert outcome(found, truth) == "right"
    assert found.missing == ()


def test_a_calibration_to_start_from_lets_one_line_do() -> None:
    random = np.random.default_rng(11)
    truth = Truth(0.4, 3.0, 0.002)
    peaks = peaks_of(truth, random, ["Cs-137"], extra=3)
    start = tuple(1.02 * term for term in truth.coefficients)

    with pytest.raises(CalibrationError, match="one line does not determine a calibration"):
        match_lines(peaks, table_of("Cs-137"))
    found = match_lines(peaks, table_of("Cs-137"), start=start)

    assert found.table["energy_kev"].to_list() == [661.657]
    assert outcome(found, truth) == "right"


def test_lines_are_looked_for_near_the_start_alone() -> None:
    random = np.random.default_rng(11)
    truth = Truth(0.4, 3.0, 0.002)
    peaks = peaks_of(truth, random, ["Cs-137"])

    with pytest.raises(CalibrationError):
        match_lines(peaks, table_of("Cs-137"), start=(3.0, 0.8))


def test_a_source_that_is_not_there_is_refused() -> None:
    random = np.random.default_rng(4)
    truth = random_truth(random)
    peaks = peaks_of(truth, random, ["Eu-152"], strength=12.0)

    with pytest.raises(CalibrationError, match="no peak matches a line of Cs-137"):
        match_lines(peaks, table_of("Eu-152", "Cs-137"))
    assert match_lines(peaks, table_of("Eu-152", "Am-241")).missing == ("Am-241",)  # below the lowest peak


def test_hints_decide_where_peaks_alone_do_not() -> None:
    """Three peaks of a scintillator and the room's potassium: any of several gains would do."""
    truth = Truth(0.65, -30.0, 0.004, 2700.0, (5.0, 3.2))
    peaks = peaks_of(truth, np.random.default_rng(3), ["Cs-137"], strength=9.5, background=0.3).filter(
        pl.col("true_kev").is_in([661.657, 1460.8])
    )
    blend = peaks.head(1).with_columns(
        centroid_adc=pl.lit(float(truth.adc(np.array(352.0)))),
        fwhm_adc=pl.lit(float(truth.width(np.array(352.0))) / 0.65),
        area=pl.col("area") * 1.6,
        area_unc=pl.col("area_unc") * 1.6,
    )
    table = pl.concat([blend, peaks])
    lines = pl.concat([gp.lines("Ba-133"), gp.lines("Cs-137")])

    with pytest.raises(CalibrationError):
        match_lines(table, lines)
    for wrong in (Hints(gain=(0.1, 0.2)), Hints(gain=(1.2, 2.0)), Hints(resolution=0.03)):
        with pytest.raises(CalibrationError):
            match_lines(table, lines, hints=wrong)
    found = match_lines(table, lines, hints=Hints(gain=(0.5, 0.9)))
    assert found.table["nuclide"].to_list() == ["Ba-133", "Cs-137", "K-40"]
    assert found.table["energy_kev"].to_list()[1:] == [661.657, 1460.822]


@pytest.mark.parametrize("seed", [3, 9, 16])
def test_four_pairs_are_enough_where_they_fit_to_a_fraction_of_a_width(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random_truth(random)
    peaks = peaks_of(truth, random, ["Cs-137", "Co-60", "Am-241"], extra=2)

    found = match_lines(peaks, table_of("Cs-137", "Co-60", "Am-241"))

    assert outcome(found, truth) == "right"
    assert found.table["energy_kev"].to_list() == [59.5409, 661.657, 1173.228, 1332.492]


def test_a_wrong_gain_is_refused_and_a_right_one_is_not() -> None:
    random = np.random.default_rng(12)
    truth = Truth(0.4, 3.0, 0.002)
    peaks = peaks_of(truth, random, ["Eu-152"], extra=3)

    assert outcome(match_lines(peaks, table_of("Eu-152"), hints=Hints((0.3, 0.5), 0.002)), truth) == "right"
    with pytest.raises(CalibrationError):
        match_lines(peaks, table_of("Eu-152"), hints=Hints(gain=(0.5, 0.7)))
    with pytest.raises(CalibrationError, match="such a gain or resolution"):
        match_lines(peaks, table_of("Eu-152"), hints=Hints(resolution=0.07))


def chain_of(*names: str) -> pl.DataFrame:
    """The lines of `peaklists` as the command has them, with the heads of chains; and all of Ra-224."""
    kev = [line[0] for name in names for line in LINES[name]]
    table = pl.concat([gp.lines(name) for name in names])
    near = [
        nuclide == "Ra-224" or min(abs(one - line) for one in kev) < 0.3
        for nuclide, line in table.select("nuclide", "energy_kev").rows()
    ]
    return table.filter(pl.Series(near))


def test_a_daughter_without_a_peak_is_told_and_not_refused() -> None:
    """Radium-224's only line lies in the peak of lead-212 and lead-214; a chain is one source."""
    random = np.random.default_rng(5)
    truth = random_truth(random)
    peaks = peaks_of(truth, random, ["Th-228"], strength=11.0, extra=3)

    found = match_lines(peaks, chain_of("Th-228"))

    assert outcome(found, truth) == "right"
    assert "Ra-224" in found.missing
    assert {"Pb-212", "Tl-208"} <= set(found.table["nuclide"])


@pytest.mark.slow
@pytest.mark.skipif(not CASES, reason="GAMMAPOLARS_CASES does not name the folder of cases")
@pytest.mark.parametrize("sources", ["Th-232", "Ra-226 Th-232 K-40", "Th-232 K-40 Co-60 Cs-137 U-235 U-238 Ra-226"])
def test_a_recorded_background_calibrates_by_its_chains(sources: str, tmp_path: Path) -> None:
    """Five days in a cave: 0.1826 keV a channel; radium-224 has no peak of its own, and others are weak."""
    options = [word for source in sources.split() for word in ("--source", source)]
    spectrum = Path(CASES) / "spectra" / "hpge-cave-background.spe"
    done = gammapolars("calibrate", spectrum, *options, "-o", tmp_path / "d.toml", "--json")

    assert done.code == 0, done.err
    (detector,) = json.loads(done.out)["detectors"]
    energy = np.polynomial.polynomial.polyval([2534.6, 4988.3, 7993.4, 14308.7], detector["energy"])
    assert energy == pytest.approx([463.0, 911.2, 1460.8, 2614.5], abs=0.5)
    assert any("no line of Ra-224" in text for text in json.loads(done.out)["warnings"])


@pytest.mark.slow
@pytest.mark.skipif(not CASES, reason="GAMMAPOLARS_CASES does not name the folder of cases")
def test_a_recorded_scintillator_calibrates_with_a_hint_of_its_gain(tmp_path: Path) -> None:
    """CsI with Ba-133 and Cs-137: potassium of the room at adc 2313 and the end of its range, 2.6 MeV, say 0.65 keV."""
    spectrum = Path(CASES) / "spectra" / "csi-ba133-cs137.spe"
    words: list[str | Path] = [
        "calibrate",
        spectrum,
        "--source",
        "Ba-133",
        "--source",
        "Cs-137",
        "-o",
        tmp_path / "d.toml",
        "--json",
    ]

    assert gammapolars(*words).code == 1
    assert gammapolars(*words, "--gain", "0.15:0.25").code == 1
    done = gammapolars(*words, "--gain", "0.5:0.9")

    assert done.code == 0, done.err
    (detector,) = json.loads(done.out)["detectors"]
    assert np.polynomial.polynomial.polyval(1090.7, detector["energy"]) == pytest.approx(661.7, rel=0.015)
    assert np.polynomial.polynomial.polyval(2312.6, detector["energy"]) == pytest.approx(1460.8, rel=0.005)


def test_a_refusal_tells_what_was_tried() -> None:
    random = np.random.default_rng(1)
    peaks = peaks_of(random_truth(random), random, ["Ba-133"])
    first = peaks["centroid_adc"].sort()[0]

    with pytest.raises(CalibrationError) as refused:
        match_lines(peaks, table_of("Eu-152"), detector="HPGe-3")

    said = str(refused.value)
    assert said.startswith("detector HPGe-3: the peaks cannot be assigned to the lines of Eu-152")
    assert f"tried {peaks.height} peaks (ADC channels {first:.5g}" in said
    assert "13 lines" in said
    assert said.endswith("give the lines of the correct source, or assign peaks to lines by hand with pairs")


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_peaks_are_refused(rows: int) -> None:
    random = np.random.default_rng(1)

    with pytest.raises(CalibrationError):
        match_lines(peaks_of(Truth(0.4, 0.0, 0.0), random, ["Co-60"]).head(rows), table_of("Co-60"))


def test_no_line_is_refused() -> None:
    random = np.random.default_rng(1)

    with pytest.raises(CalibrationError, match="nothing to match"):
        match_lines(peaks_of(Truth(0.4, 0.0, 0.0), random, ["Co-60"]), table_of("Co-60").head(0))


def test_peaks_without_a_position_are_left_out() -> None:
    random = np.random.default_rng(2)
    peaks = peaks_of(Truth(0.4, 0.0, 0.0), random, ["Eu-152"], strength=13.0)
    broken = peaks.head(1).with_columns(centroid_adc=pl.lit(float("nan")))

    assert match_lines(pl.concat([broken, peaks]), table_of("Eu-152")).table.height == 13


def test_a_line_hidden_in_another_calibrates_nothing() -> None:
    random = np.random.default_rng(2)
    peaks = peaks_of(Truth(0.4, 0.0, 0.0, fwhm=(2.0, 0.002)), random, ["Ba-133"], strength=12.0)

    found = match_lines(peaks, table_of("Ba-133")).table

    marks = dict(found.select("energy_kev", "calibrate").iter_rows())
    assert not marks.get(80.9979, False)  # 79.6 keV, a tenth as strong, lies within its width
    assert marks[356.0129]


# Pairs by hand.


def test_pairs_are_read() -> None:
    assert parse_pairs("692=511, 1725=1274.5") == {"": (Pair(692, 511), Pair(1725, 1274.5))}
    assert parse_pairs(["0/4: 1725=1274.5,692=511", "HPGe-2:100.5=59.54"]) == {
        "0/4": (Pair(692, 511), Pair(1725, 1274.5)),
        "HPGe-2": (Pair(100.5, 59.54),),
    }
    assert parse_pairs("0/4:692=511;0/5:540=511").keys() == {"0/4", "0/5"}


@pytest.mark.parametrize("text", ["", "692", "692=", "=511", "692=511,", "692:511", ":692=511", "-5=3", "1e5=3", "a=b"])
def test_what_is_no_pair_is_a_wrong_argument(text: str) -> None:
    with pytest.raises(UsageError):
        parse_pairs(text)


@pytest.mark.parametrize("text", ["692=511,692=1274", "692=1274,1725=511", "692=511,1725=511"])
def test_pairs_rise_together(text: str) -> None:
    with pytest.raises(UsageError, match="rise together"):
        parse_pairs(text)


def test_pairs_take_the_nearest_peak_and_the_exact_energy() -> None:
    random = np.random.default_rng(2)
    truth = Truth(0.4, 0.0, 0.0)
    peaks = peaks_of(truth, random, ["Na-22"])
    at = truth.adc(np.array([510.999, 1274.537]))

    found = match_pairs(peaks, [Pair(at[0] + 2, 511), Pair(at[1] - 2, 1274.5)], table_of("Na-22")).table

    assert found["energy_kev"].to_list() == [510.999, 1274.537]
    np.testing.assert_allclose(found["adc"], at, atol=1)


def test_pairs_need_a_peak_within_its_width() -> None:
    peaks = peaks_of(Truth(0.4, 0.0, 0.0), np.random.default_rng(2), ["Na-22"])

    with pytest.raises(CalibrationError, match=r"0/4.*no peak at ADC channel 900"):
        match_pairs(peaks, [Pair(900, 511)], detector="0/4")


# Recorded spectra.


def recorded_peaks(adc: np.ndarray, counts: np.ndarray, run: int = 1) -> pl.DataFrame:
    found = gp.fit_peaks(pl.DataFrame({"adc": adc, "counts": counts, "variance": counts}), least_significance=5)
    return found.filter(pl.col("status") != "failed").with_columns(run=pl.lit(run))


def recorded_hits(path: str, run: int = 1) -> pl.DataFrame:
    (file,) = Path(FOLDER).glob(path)
    counts = np.bincount(gp.scan(file).select("adc").collect()["adc"].to_numpy(), minlength=4096).astype(float)
    return recorded_peaks(np.arange(4096.0).reshape(-1, 4).mean(1), counts[:4096].reshape(-1, 4).sum(1), run)


@pytest.mark.slow
@recorded
def test_recorded_europium_calibrates_itself() -> None:
    table = gp.read_spectrum(Path(FOLDER) / "eu152-hpge" / "eu_calib_7cm.Spe").table
    peaks = recorded_peaks(table["adc"].to_numpy(), table["counts"].to_numpy())

    found = match_lines(peaks, table_of("Eu-152"))

    assert found.table.height == 13
    known = np.polynomial.polynomial.polyval(found.table["adc"].to_numpy(), (0.33973, 0.18297, 5.5683e-9))
    np.testing.assert_allclose(found.table["energy_kev"], known, atol=1.2)  # the file's own is up to 1.1 keV off
    for other in ("Ba-133", "Co-60", "Na-22", "Ra-226"):
        with pytest.raises(CalibrationError):
            match_lines(peaks, table_of(other))


@recorded
@pytest.mark.parametrize(("channel", "at"), [(4, 692), pytest.param(5, 540, marks=pytest.mark.slow)])
def test_recorded_sodium_calibrates_itself(channel: int, at: float) -> None:
    peaks = recorded_hits(f"na22-two-nai/UNFILTERED/Data_CH{channel}@*.CSV")

    found = match_lines(peaks, table_of("Na-22")).table

    assert found["energy_kev"].to_list() == [510.999, 1274.537]
    assert found["adc"][0] == pytest.approx(at, rel=0.01)
    with pytest.raises(CalibrationError):
        match_lines(peaks, table_of("Co-60"))


@pytest.mark.slow
@recorded
def test_recorded_sources_of_one_detector_calibrate_together() -> None:
    runs = [
        recorded_hits("co60-cs137-nai/Co60*/UNFILTERED/*.CSV", 1),
        recorded_hits("co60-cs137-nai/Cs137*/UNFILTERED/*.CSV", 2),
        recorded_hits("na22-two-nai/UNFILTERED/Data_CH5@*.CSV", 3),
    ]

    found = match_lines(pl.concat(runs), table_of("Co-60", "Cs-137", "Na-22")).table

    assert found.select("run", "energy_kev").rows() == [
        (3, 510.999),
        (2, 661.657),
        (1, 1173.228),
        (3, 1274.537),
        (1, 1332.492),
    ]
    assert match_lines(runs[0], table_of("Co-60")).table.height == 2
    with pytest.raises(CalibrationError):
        match_lines(runs[0], table_of("Na-22"))
