"""A detectors.toml that a person has written keeps all that is not measured anew."""

import random
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gammapolars.detectors import Detector, Detectors, load_detectors, parse_detectors, updated_text
from gammapolars.detectors.toml import KEYS
from gammapolars.detectors.values import format_value
from tests.detectors.test_detectors import DETECTORS

OLD = """\
# Four HPGe in the new frame  — Łódź, autumn
# (see logbook 7)

columns.adc   = "ADC_0"            # dotted, and odd spacing
"columns".timestamp_ps = { name = 'T', unit = "4ns" }

# the first stands upstream
[[detector]] # A
  notes = '''
[[detector]]
name = "no detector"   # nor a remark
'''
  energy = [
    0.10,   # offset
    1_0,    # gain, a guess
  ]         # to be improved
  channel = 0
  name = 'A'
\t"time_offset_ps"=+7 # of cables

[[source]]   # between detectors
nuclide = "Co-60"
activity_bq = 37e3
activity_bq_unc = 1_000
reference_date = 2024-02-29

  # the last one
  [["detector"]]
  channel = 0x1
  energy = [ 0,1 ]#ideal
  energy_covariance = [[1,
[2]] # no
""".replace("[[1,\n[2]] # no", "[[1, 2],\n[ 2, 5]] # rows")

NEW = (
    OLD.replace("1_0, ", "0.5, ")
    .replace('"time_offset_ps"=+7', '"time_offset_ps"=-12')
    .replace(
        '\t"time_offset_ps"=-12 # of cables\n',
        '\t"time_offset_ps"=-12 # of cables\n\ttime_fwhm_ps = 310.5\n',
    )
    .replace("[ 0,1 ]#ideal\n", "[0.25, 0.5, 1e-07]#ideal\n")
    .replace("  energy_covariance = [[1, 2],\n[ 2, 5]] # rows\n", "")
    + '  time_offset_ps = 3\n\n[[detector]]\nname = "C"\nboard = 2\nchannel = 4\ntime_offset_ps = 0\n'
)


def measured(old: Detectors) -> Detectors:
    """What commands may have found of the detectors of `OLD`."""
    first, second = old
    first = replace(first, energy=(0.1, 0.5), time_offset_ps=-12, time_fwhm_ps=310.5)
    second = replace(second, energy=(0.25, 0.5, 1e-7), energy_covariance=None, time_offset_ps=3)
    return old.replacing(first).replacing(second).replacing(Detector(2, 4, "C"))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_what_was_measured_changes(newline: str) -> None:
    old = parse_detectors(OLD.replace("\n", newline))

    text = updated_text(measured(old))

    assert text == NEW.replace("\n", newline)
    assert parse_detectors(text) == measured(old)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_update_without_news_changes_nothing(newline: str) -> None:
    text = OLD.replace("\n", newline)

    assert updated_text(parse_detectors(text)) == text


def test_line_ends_survive_a_file(tmp_path: Path) -> None:
    path = tmp_path / "detectors.toml"
    path.write_bytes(OLD.replace("\n", "\r\n").encode())

    assert updated_text(load_detectors(path)).encode() == path.read_bytes()


def test_lines_of_old_systems_are_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "detectors.toml"
    path.write_bytes(b"# old\r[[detector]]\rchannel = 3\r")

    assert [detector.key for detector in load_detectors(path)] == [(0, 3)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", 'drift = "d.parquet"\n\n'),
        ("# all\n\n# one\n[[detector]]\nchannel=1", '# all\n\ndrift = "d.parquet"\n\n# one\n[[detector]]\nchannel=1'),
        ("# one\n[[detector]]\nchannel=1\n", 'drift = "d.parquet"\n\n# one\n[[detector]]\nchannel=1\n'),
        ("drift='a' # gains\r\n[columns]\r\n", 'drift="d.parquet" # gains\r\n[columns]\r\n'),
        (
            'columns.adc="A"\n\n[[detector]]\nchannel=1\n',
            'columns.adc="A"\ndrift = "d.parquet"\n\n[[detector]]\nchannel=1\n',
        ),
        ('columns.adc="A"', 'columns.adc="A"\ndrift = "d.parquet"\n'),
    ],
)
def test_the_table_of_drift_is_named_at_the_top(old: str, new: str) -> None:
    detectors = replace(parse_detectors(old), drift="d.parquet")

    if old:
        assert updated_text(detectors) == new
    assert parse_detectors(updated_text(detectors)) == detectors


def test_inline_tables_are_updated_where_they_stand() -> None:
    old = parse_detectors("detector = [\n  {channel = 1}, # one\n  { channel=2, energy = [ 0,1 ]},\n]\n# end\n")
    first, second = old
    new = old.replacing(replace(first, fwhm=(1.5,))).replacing(replace(second, energy=(0.0, 0.5)))

    text = updated_text(new.replacing(Detector(0, 3, "C")))

    assert parse_detectors(text) == new.replacing(Detector(0, 3, "C"))
    assert text.replace(",fwhm", ", fwhm") == (  # the space is up to tomlkit
        "detector = [\n  {channel = 1, fwhm = [1.5]}, # one\n  { channel=2, energy = [ 0,0.5 ]},\n"
        '  {name = "C", board = 0, channel = 3, time_offset_ps = 0},\n]\n# end\n'
    )


def test_a_detector_without_a_name_can_get_one() -> None:
    old = parse_detectors("[[detector]]\nchannel = 1 # x\n")

    assert updated_text(old.replacing(Detector(0, 1, "A"))) == '[[detector]]\nname = "A"\nchannel = 1 # x\n'


def test_a_table_of_drift_is_found_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "new" / "deep").mkdir(parents=True)
    old = replace(parse_detectors("drift = 'a/g.parquet' # gains\n"), folder=tmp_path)

    moved = old.in_folder(tmp_path / "new" / "deep")

    assert updated_text(moved) == 'drift = "../../a/g.parquet" # gains\n'
    assert moved.drift_path is not None
    assert moved.drift_path.resolve() == (tmp_path / "a" / "g.parquet").resolve()
    assert old.in_folder(tmp_path) == old
    assert replace(old, drift="/g.parquet").in_folder(tmp_path / "new").drift == "/g.parquet"


# Files that a person may have written, as statements with the detector and the key that they are of.

Statement = tuple[str, int | None, str]


class Typist:
    """Writes a file in no particular manner; its remarks are numbered, so that each is found in its own place."""

    def __init__(self, seed: int, detectors: list[Detector]) -> None:
        self._random = random.Random(seed)
        self.statements: list[Statement] = []
        self._gap()
        for place, detector in enumerate(detectors):
            self._write(self._one_of("[[detector]]", " [[ 'detector' ]]") + self._tail())
            for key in self._random.sample(list(KEYS), len(KEYS)):
                if (value := getattr(detector, key)) not in (None, ""):
                    name = self._one_of(key, f'"{key}"', f"'{key}'")
                    head = f"{self._space()}{name}{self._space()}={self._space()}"
                    self._write(head + self._value(value) + self._tail(), place, key)
                    self._gap()
            if self._random.random() < 0.3:
                self._write("[[source]]\nnuclide='H-3'\nactivity_bq=1\nactivity_bq_unc=0")
                self._write(f"reference_date=2020-01-01\nname='{place}'")

    def _write(self, text: str, place: int | None = None, key: str = "") -> None:
        self.statements.append((text + "\n", place, key))

    def _one_of(self, *texts: str) -> str:
        return self._random.choice(texts)

    def _space(self) -> str:
        return self._one_of("", " ", "\t", "   ", "\t \t")

    def _tail(self) -> str:
        return self._space() + self._one_of(
            "", "#", "# α, 'β' \"", '#]\t\u2028[x]\u0085= """', "#\\", "# [[detector]] ]"
        )

    def _gap(self) -> None:
        if self._random.random() < 0.5:
            self._write(f"{self._space()}# {len(self.statements)} {self._tail()}" + self._one_of("", "\n", " \n\n"))

    def _value(self, value: object) -> str:
        """An array stands on one line or on several."""
        if not isinstance(value, tuple):
            return format_value(value)
        items = [self._one_of("", " ", "\n", "\n \t", " # ]\n") + self._value(one) for one in value]
        return "[" + ",".join(items) + self._one_of("", " ", ",", self._tail() + "\n") + "]"


@settings(phases=[Phase.generate], max_examples=25)
@given(st.integers(0), DETECTORS, DETECTORS, st.booleans(), st.booleans())
def test_lines_without_measured_keys_stay_and_values_are_the_new_ones(
    seed: int, detectors: list[Detector], others: list[Detector], windows: bool, ends: bool
) -> None:
    statements = Typist(seed, detectors).statements
    old = parse_detectors("".join(text for text, _, _ in statements))
    if statements and not ends:
        statements[-1] = (statements[-1][0].removesuffix("\n"), *statements[-1][1:])
    text = "".join(text for text, _, _ in statements)
    text = text.replace("\n", "\r\n") if windows else text
    new = parse_detectors(text)
    for before, after in zip(old, others, strict=False):
        new = new.replacing(replace(after, board=before.board, channel=before.channel, name=before.name))
    for further in others[len(old) :]:
        if further.name not in {one.name for one in new}:
            new = new.replacing(further)

    updated = updated_text(new)

    assert parse_detectors(updated) == new
    assert "\r\n" not in text or set("\r\n").isdisjoint(updated.replace("\r\n", ""))
    rest = updated.replace("\r\n", "\n")
    olds = list(old)
    for statement, place, key in statements:
        if place is None or getattr(olds[place], key) == getattr(new.at(*olds[place].key), key):
            passed, kept, rest = rest.partition(statement)
            assert kept, statement
            assert {*tomllib.loads(passed)} <= {*KEYS}, passed
