"""detectors.toml read, written and refused; PeakEasy calibrations imported."""

import math
import string
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gammapolars.core.errors import DetectorsError, UsageError
from gammapolars.detectors import (
    CalibrationSource,
    Detector,
    Detectors,
    format_detectors,
    import_calp,
    load_detectors,
    read_calp,
)

# What PeakEasy writes: a version line, labels padded to one width, no newline at the end.
CALP = (
    "#PeakEasy CALp File Ver:  4.00\n"
    "Offset (keV)           :  0.0625\n"
    "Gain (keV / Chan)      :  0.1126\n"
    "2nd Order Coef         :  -5.77e-10\n"
    "3rd Order Coef         :  0\n"
    "4th Order Coef         :  0\n"
    "#END"
)

# Text that a person may write: no surrogates, which no file can hold, and no control characters but newline and tab.
TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(code) for code in range(32) if code not in (9, 10)]
    ),
    max_size=20,
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
RANGES = st.none() | st.tuples(NUMBERS, NUMBERS).map(lambda ends: (min(ends), max(ends)))


def fitted(name: str, least: int) -> st.SearchStrategy[dict[str, object]]:
    """A polynomial with its covariance and range, or none."""

    def known(terms: int) -> st.SearchStrategy[dict[str, object]]:
        row = st.lists(NUMBERS.map(abs), min_size=terms, max_size=terms).map(tuple)
        square = st.none() | st.lists(row, min_size=terms, max_size=terms).map(tuple)
        return st.fixed_dictionaries({name: row, f"{name}_covariance": square, f"{name}_range": RANGES})

    return st.just({}) | st.integers(least, 4).flatmap(known)


WALKS: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.fixed_dictionaries(
    {"time_walk_ps": st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)},
    optional={"time_walk_range": st.tuples(st.floats(1, 10), st.floats(10, 65535))},
)

DETECTORS = st.lists(
    st.builds(
        lambda energy, efficiency, walk, **others: Detector(**others, **energy, **efficiency, **walk),
        board=st.integers(0, 65535),
        channel=st.integers(0, 65535),
        name=TEXT,
        energy=fitted("energy", 2) | st.lists(NUMBERS, min_size=2, max_size=10).map(lambda c: {"energy": tuple(c)}),
        efficiency=fitted("efficiency", 1),
        fwhm=st.none() | st.lists(NUMBERS, min_size=1, max_size=10).map(tuple),
        time_offset_ps=st.integers(-(2**59), 2**59),
        time_fwhm_ps=st.none() | st.floats(0, 1e12),
        threshold_kev=st.none() | NUMBERS,
        range_adc=RANGES.filter(lambda ends: ends is None or ends[0] < ends[1]),
        theta_deg=st.none() | st.floats(0, 180),
        phi_deg=st.none() | st.floats(-360, 360),
        walk=WALKS,
        group=TEXT,
        kind=TEXT,
        notes=TEXT,
    ),
    max_size=5,
    unique_by=(lambda detector: detector.key, lambda detector: detector.name),
)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
ZONES = st.none() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
LIVES: st.SearchStrategy[dict[str, float]] = st.just({}) | st.fixed_dictionaries(
    {"half_life_s": POSITIVE, "half_life_s_unc": POSITIVE | st.just(0.0)}
)
SOURCES = st.lists(
    st.builds(
        lambda life, **others: CalibrationSource(**others, **life),
        nuclide=st.sampled_from(["Eu-152", "Cs-137", "Ag-110m", "H-3"]),
        activity_bq=POSITIVE,
        activity_bq_unc=POSITIVE | st.just(0.0),
        reference_date=st.dates() | st.datetimes(timezones=ZONES),
        name=TEXT,
        life=LIVES,
        notes=TEXT,
    ),
    max_size=3,
    unique_by=lambda source: source.name,
)
EXPERIMENTS = st.builds(
    lambda detectors, sources: Detectors(tuple(detectors), sources=tuple(sources)), DETECTORS, SOURCES
)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "detectors.toml"


def detector(lines: str) -> str:
    return f"[[detector]]\nchannel = 1\n{lines}\n"


def load(path: Path, text: str) -> Detectors:
    path.write_text(text, encoding="utf-8")
    return load_detectors(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detectors=EXPERIMENTS)
def test_detectors_come_back_from_the_file_as_they_were_written(toml: Path, detectors: Detectors) -> None:
    found = load(toml, format_detectors(detectors))

    assert found == detectors
    assert [source.reference_date for source in found.sources] == [
        source.reference_date for source in detectors.sources
    ]


@pytest.mark.parametrize(
    "name",
    ['"', "\\", "a\\", '\\"', "a\nb", "\t", "Ge #1 'left'", "γ-ray Ⅲ 🜁", '"""', "[[detector]]", "\x7f", "\u2028"],
)
def test_a_name_of_any_letters_survives(toml: Path, name: str) -> None:
    written = Detectors((Detector(1, 2, name=name, notes=name),))

    assert load(toml, format_detectors(written)) == written


def test_a_file_tells_everything_about_a_detector(toml: Path) -> None:
    found = load(
        toml,
        """
        [[detector]]
        name = "HPGe-3"
        board = 1
        channel = 3
        energy = [0.1358, 0.112533, -5.77e-10]
        fwhm = [1, 0.002]
        time_offset_ps = -4000
        kind = "HPGe"
        notes = "on the left"
        """,
    )

    assert list(found) == [
        Detector(1, 3, "HPGe-3", (0.1358, 0.112533, -5.77e-10), (1.0, 0.002), -4000, "HPGe", "on the left")
    ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("energy = [0, 1]\nenergy_covariance = [[1, 0]]", "must have 2 rows, one per coefficient"),
        ("energy = [0, 1]\nenergy_covariance = [[1, 0], [0]]", "must have 2 numbers in each row"),
        ("energy = [0, 1]\nenergy_covariance = [[1, 0], [0, -1]]", "has a negative variance"),
        ("energy = [0, 1]\nenergy_covariance = 3", "must have 2 rows"),
        ("energy_covariance = [[1, 0], [0, 1]]", "has energy_covariance without energy"),
        ("efficiency_range = [1, 2]", "has efficiency_range without efficiency"),
        ("energy = [0, 1]\nenergy_range = [5, 1]", "must be two numbers, the lower one first"),
        ("energy = [0, 1]\nenergy_range = [5]", "must be two numbers, the lower one first"),
        ("efficiency = [nan]", "not a finite number"),
        ("threshold_kev = nan", "threshold_kev must be a finite number"),
        ("range_kev = [20, 20.0]", "range_kev is empty"),
        ("range_adc = [20, 10]", "range_adc must be two numbers, the lower one first"),
        ("threshold_adc = 30\nrange_adc = [10, 20]", "threshold_adc is above the end of range_adc"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(toml: Path, lines: str, reason: str) -> None:
    with pytest.raises(DetectorsError, match=reason):
        load(toml, f"[[detector]]\nchannel = 1\n{lines}\n")


def test_a_threshold_and_a_range_both_hold(toml: Path) -> None:
    (found,) = load(toml, detector("threshold_adc = 60\nrange_adc = [20, 900]\nthreshold_kev = 15.5"))

    assert (found.limits_adc, found.limits_kev) == ((60.0, 900.0), (15.5, math.inf))


def test_a_channel_alone_is_enough(toml: Path) -> None:
    found = load(toml, "[[detector]]\nchannel = 7\n")

    assert list(found) == [Detector(0, 7, name="0/7", energy=None, time_offset_ps=0)]


def test_an_empty_file_describes_no_detector(toml: Path) -> None:
    assert len(load(toml, "")) == 0


def test_whole_numbers_are_coefficients_too(toml: Path) -> None:
    (found,) = load(toml, "[[detector]]\nchannel = 0\nenergy = [0, 1]\n")

    assert found.energy == (0.0, 1.0)
    assert all(type(coefficient) is float for coefficient in found.energy)


BAD_FILES = {
    "unknown key of a detector": (detector("gain = 2"), "detector '1' has the unknown key 'gain'"),
    "misspelt key": (detector('nmae = "a"'), r"unknown key 'nmae' \(known: board, channel, name"),
    "private attribute as key": (detector("_by_key = 1"), "unknown key '_by_key'"),
    "unknown key of the file": ("[detectors]\nchannel = 1\n", "unknown key 'detectors'"),
    "a table instead of an array": ("[detector]\nchannel = 1\n", r"write \[\[detector\]\]"),
    "a list of numbers": ("detector = [1, 2]\n", r"write \[\[detector\]\]"),
    "no channel": ('[[detector]]\nname = "x"\n', "detector 'x' has no channel"),
    "channel twice": (detector("") + detector('name = "b"'), "board 0 channel 1 is described twice"),
    "name twice": (detector('name = "a"') + '[[detector]]\nchannel = 2\nname = "a"\n', "two detectors are named 'a'"),
    "default name taken": (detector("") + '[[detector]]\nchannel = 2\nname = "0/1"\n', "two detectors are named '0/1'"),
    "channel negative": ("[[detector]]\nchannel = -1\n", "channel must be a whole number from 0 to 65535, not -1"),
    "channel too large": ("[[detector]]\nchannel = 65536\n", "channel must be a whole number"),
    "channel not whole": ("[[detector]]\nchannel = 1.0\n", "channel must be a whole number"),
    "channel true": ("[[detector]]\nchannel = true\n", "channel must be a whole number from 0 to 65535, not True"),
    "channel as text": ('[[detector]]\nchannel = "1"\n', "channel must be a whole number"),
    "board too large": (detector("board = 65536"), "board must be a whole number"),
    "board true": (detector("board = false"), "board must be a whole number"),
    "name a number": (detector("name = 3"), "name must be text, not 3"),
    "name a list": (detector('name = ["a"]'), "name must be text"),
    "name with a control character": (detector('name = "a\\u0000"'), "name must be text"),
    "kind a number": (detector("kind = 1"), "kind must be text"),
    "notes a date": (detector("notes = 2024-01-01"), "notes must be text"),
    "energy a number": (detector("energy = 2.0"), "energy must be a list of numbers, lowest order first"),
    "energy of text": (detector('energy = ["0", "1"]'), "energy must be a list of numbers"),
    "energy of truths": (detector("energy = [false, true]"), "energy must be a list of numbers"),
    "energy nested": (detector("energy = [[0, 1]]"), "energy must be a list of numbers"),
    "energy empty": (detector("energy = []"), "energy must have 2 to 10 coefficients, not 0"),
    "energy of one": (detector("energy = [1.0]"), "energy must have 2 to 10 coefficients, not 1"),
    "energy of eleven": (detector(f"energy = {[1.0] * 11}"), "energy must have 2 to 10 coefficients, not 11"),
    "energy nan": (detector("energy = [0.0, nan]"), "energy has a coefficient that is not a finite number"),
    "energy inf": (detector("energy = [-inf, 1.0]"), "energy has a coefficient that is not a finite number"),
    "energy past the floats": (detector(f"energy = [0, 1{'0' * 400}]"), "not a finite number"),
    "fwhm empty": (detector("fwhm = []"), "fwhm must have 1 to 10 coefficients"),
    "fwhm nan": (detector("fwhm = [nan]"), "fwhm has a coefficient that is not a finite number"),
    "offset not whole": (detector("time_offset_ps = 0.5"), "time_offset_ps must be a whole number of picoseconds"),
    "offset true": (detector("time_offset_ps = true"), "time_offset_ps must be a whole number"),
    "offset as text": (detector('time_offset_ps = "4ns"'), "time_offset_ps must be a whole number"),
    "offset past the clock": (detector(f"time_offset_ps = {2**59 + 1}"), "time_offset_ps must be a whole number"),
    "no TOML": ("name: HPGe\n", "cannot be read as TOML"),
    "a key twice": (detector("channel = 2"), "cannot be read as TOML"),
    "a number of 5000 digits": (detector(f"energy = [0, {'9' * 5000}]"), "cannot be read as TOML"),
    "brackets without end": ("a = " + "[" * 100_000, "cannot be read as TOML"),
}


@pytest.mark.parametrize(("text", "said"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_wrong_file_is_refused_by_its_name_and_with_the_reason(toml: Path, text: str, said: str) -> None:
    with pytest.raises(DetectorsError, match=said) as raised:
        load(toml, text)

    assert str(raised.value).startswith(f"{toml}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorsError, match=r"nowhere\.toml: no such file"):
        load_detectors(tmp_path / "nowhere.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DetectorsError, match="cannot be read as TOML"):
        load_detectors(tmp_path)


def test_bytes_that_are_no_text_are_refused(toml: Path) -> None:
    toml.write_bytes(b"\xff\xfe\x00root")

    with pytest.raises(DetectorsError, match="cannot be read as TOML"):
        load_detectors(toml)


ARRAY = Detectors((Detector(0, 3, "HPGe-3"), Detector(1, 3, "5"), Detector(2, 0, "left/right")))


def test_a_channel_that_nobody_described_is_a_detector_all_the_same() -> None:
    assert ARRAY.at(1, 3).name == "5"
    assert ARRAY.at(9, 9) == Detector(9, 9, "9/9")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("HPGe-3", (0, 3)),
        ("left/right", (2, 0)),
        ("1/3", (1, 3)),
        ("3", (0, 3)),
        ("5", (1, 3)),  # a name goes before a channel number
        ("65535/65535", (65535, 65535)),
    ],
)
def test_a_detector_is_found_by_name_or_by_number(name: str, key: tuple[int, int]) -> None:
    assert ARRAY.named(name).key == key


@pytest.mark.parametrize("name", ["hpge-3", "65536", "0/65536", "1/2/3", "-1", "", "99999999999"])
def test_an_unknown_detector_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="HPGe-3, 5, left/right"):
        ARRAY.named(name)


def test_without_a_file_an_unknown_detector_is_refused_without_a_list() -> None:
    with pytest.raises(UsageError, match=r"such as 0/3; `detectors` describes names$"):
        Detectors().named("HPGe")


def calp(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ch1.CALp"
    path.write_bytes(text.encode())
    return path


def test_a_peakeasy_file_gives_its_polynomial_without_trailing_zeros(tmp_path: Path) -> None:
    assert read_calp(calp(tmp_path, CALP)) == (0.0625, 0.1126, -5.77e-10)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("\n", "\r\n"), (0.0625, 0.1126, -5.77e-10)),
        (("-5.77e-10", "0"), (0.0625, 0.1126)),
        (("4th Order Coef         :  0", "4th Order Coef         :  1e-20"), (0.0625, 0.1126, -5.77e-10, 0.0, 1e-20)),
        (("2nd Order Coef         :  -5.77e-10\n", ""), (0.0625, 0.1126)),
        (("0.1126", "0"), (0.0625, 0.0, -5.77e-10)),
    ],
    ids=["Windows newlines", "linear", "fourth order", "no second order", "no gain"],
)
def test_peakeasy_files_vary(tmp_path: Path, change: tuple[str, str], expected: tuple[float, ...]) -> None:
    assert read_calp(calp(tmp_path, CALP.replace(*change))) == expected


@given(st.lists(NUMBERS, min_size=5, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_peakeasy_polynomial_is_read_to_the_last_digit(tmp_path: Path, values: list[float]) -> None:
    labels = ["Offset (keV)", "Gain (keV / Chan)", "2nd Order Coef", "3rd Order Coef", "4th Order Coef"]
    lines = [f"{label:<23}:  {value!r}" for label, value in zip(labels, values, strict=True)]

    found = read_calp(calp(tmp_path, "\n".join(["#PeakEasy CALp File Ver:  4.00", *lines, "#END"])))

    assert [*found, *[0.0] * (5 - len(found))] == values
    assert len(found) == 2 or found[-1] != 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a PeakEasy calibration"),
        ("[[detector]]\nchannel = 1\n", "is not a PeakEasy calibration"),
        (CALP.replace("Offset (keV)           :  0.0625\n", ""), r"has no line 'Offset \(keV\) : …'"),
        (CALP.replace("Gain (keV / Chan)      :  0.1126\n", ""), "has no line 'Gain"),
        (CALP.replace("0.1126", "nan"), "'Gain .* is not a finite number: 'nan'"),
        (CALP.replace("0.0625", "inf"), "'Offset .* is not a finite number"),
        (CALP.replace("-5.77e-10", "1e999"), "'2nd Order Coef' is not a finite number"),
        (CALP.replace("-5.77e-10", "0,5"), "'2nd Order Coef' is not a finite number: '0,5'"),
        (CALP.replace("0.1126", ""), "'Gain .* is not a finite number: ''"),
    ],
)
def test_a_wrong_peakeasy_file_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    path = calp(tmp_path, text)

    with pytest.raises(DetectorsError, match=said) as raised:
        read_calp(path)

    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize(("content", "said"), [(None, "no such file"), (b"\xff\xfe\x00\x01", "cannot be read as text")])
def test_a_peakeasy_file_that_is_missing_or_binary_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "ch1.CALp"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DetectorsError, match=said):
        read_calp(path)


def test_a_folder_is_no_peakeasy_file(tmp_path: Path) -> None:
    with pytest.raises(DetectorsError, match="cannot be read as text"):
        read_calp(tmp_path)


def test_calibrations_are_imported_by_channel_or_board_and_channel(tmp_path: Path) -> None:
    path = calp(tmp_path, CALP)

    found = import_calp([f"1={path}", f"2/1={path}"])

    assert [detector.key for detector in found] == [(0, 1), (2, 1)]
    assert {detector.energy for detector in found} == {(0.0625, 0.1126, -5.77e-10)}
    assert {detector.notes for detector in found} == {"energy imported from ch1.CALp"}


@pytest.mark.parametrize("assignment", ["ch1.CALp", "=ch1.CALp", "1=", "a=ch1.CALp", "65536=x", "70000/1=x", "1/2/3=x"])
def test_what_assigns_nothing_is_refused(assignment: str) -> None:
    with pytest.raises(UsageError, match=r"write CHANNEL=FILE\.CALp"):
        import_calp([assignment])


def test_a_channel_is_imported_once(tmp_path: Path) -> None:
    path = calp(tmp_path, CALP)

    with pytest.raises(DetectorsError, match="described twice"):
        import_calp([f"1={path}", f"0/1={path}"])


def test_all_printable_letters_are_allowed_in_names(toml: Path) -> None:
    name = "".join(letter for letter in string.printable if letter not in "\r\x0b\x0c")

    (found,) = load(toml, format_detectors([Detector(0, 0, name)]))

    assert found.name == name


def test_a_detector_shows_what_was_given() -> None:
    assert repr(Detector(0, 3, "G", kind="HPGe", threshold_kev=20.0)) == (
        "Detector(board=0, channel=3, name='G', kind='HPGe', threshold_kev=20.0)"
    )
