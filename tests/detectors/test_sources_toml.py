"""[[source]] tables of detectors.toml: read, refused, found by name, kept when a detector changes."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from gammapolars.core.errors import DetectorsError, UsageError
from gammapolars.detectors import CalibrationSource, Detector, Detectors, format_detectors, load_detectors
from gammapolars.detectors.columns import Column

WHOLE = """
[[source]]
nuclide = "Eu-152"
activity_bq = 37000
activity_bq_unc = 500
reference_date = 2020-01-01
"""


def load(folder: Path, text: str) -> Detectors:
    path = folder / "detectors.toml"
    path.write_text(text, encoding="utf-8")
    return load_detectors(path)


def test_a_source_is_read(tmp_path: Path) -> None:
    (found,) = load(tmp_path, WHOLE).sources

    assert found == CalibrationSource("Eu-152", 37_000.0, 500.0, date(2020, 1, 1))
    assert found.name == "Eu-152"
    assert found.reference == datetime(2020, 1, 1, 12)
    assert found.half_life_s is None


def test_a_source_tells_everything_about_itself(tmp_path: Path) -> None:
    extra = 'name = "number 7"\nhalf_life_s = 4.27e8\nhalf_life_s_unc = 1e6\nnotes = "thin"\n'

    (found,) = load(tmp_path, WHOLE.replace("2020-01-01", "2020-01-01T08:30:00Z") + extra).sources

    when = datetime(2020, 1, 1, 8, 30, tzinfo=UTC)
    assert found == CalibrationSource("Eu-152", 37_000.0, 500.0, when, "number 7", 4.27e8, 1e6, "thin")
    assert found.reference == when


def test_a_zone_of_odd_seconds_is_the_same_moment(tmp_path: Path) -> None:
    when = datetime(2020, 1, 1, 8, 30, tzinfo=timezone(timedelta(hours=1, seconds=7)))
    written = Detectors(sources=(CalibrationSource("Co-60", 1.0, 0.1, when),))

    assert load(tmp_path, format_detectors(written)) == written


BAD = {
    "unknown key": (
        WHOLE + "activity = 3",
        "source 'Eu-152' has the unknown key 'activity' (known: nuclide, activity_bq",
    ),
    "no nuclide": (WHOLE.replace('nuclide = "Eu-152"', ""), "source '?' has no nuclide"),
    "no activity": (WHOLE.replace("activity_bq = 37000", ""), "has no activity_bq"),
    "no uncertainty": (WHOLE.replace("activity_bq_unc = 500", ""), "has no activity_bq_unc"),
    "no date": (WHOLE.replace("reference_date = 2020-01-01", ""), "has no reference_date"),
    "a nuclide that is none": (
        WHOLE.replace("Eu-152", "europium"),
        "'europium' is not a nuclide: write it like Eu-152",
    ),
    "mass first": (WHOLE.replace("Eu-152", "152Eu"), "is not a nuclide"),
    "nuclide a number": (WHOLE.replace('"Eu-152"', "152"), "nuclide must be text"),
    "activity negative": (WHOLE.replace("37000", "-1"), "activity_bq must be more than 0"),
    "activity 0": (WHOLE.replace("37000", "0"), "activity_bq must be more than 0"),
    "activity true": (WHOLE.replace("37000", "true"), "activity_bq must be a finite number"),
    "activity nan": (WHOLE.replace("37000", "nan"), "activity_bq must be a finite number"),
    "activity inf": (WHOLE.replace("37000", "inf"), "activity_bq must be a finite number"),
    "activity too large": (WHOLE.replace("37000", "1" + "0" * 400), "activity_bq must be a finite number"),
    "activity as text": (WHOLE.replace("37000", '"37 kBq"'), "activity_bq must be a finite number"),
    "uncertainty negative": (WHOLE.replace("= 500", "= -5"), "activity_bq_unc must be 0 or more"),
    "date as text": (WHOLE.replace("2020-01-01", '"2020-01-01"'), "reference_date must be a date without quotes"),
    "a time of day": (WHOLE.replace("2020-01-01", "08:30:00"), "reference_date must be a date"),
    "half-life 0": (WHOLE + "half_life_s = 0", "half_life_s must be more than 0"),
    "half-life uncertain alone": (WHOLE + "half_life_s_unc = 3", "has half_life_s_unc without half_life_s"),
    "half-life uncertainty negative": (WHOLE + "half_life_s = 3\nhalf_life_s_unc = -1", "half_life_s_unc must be 0"),
    "two of one name": (WHOLE + WHOLE, "two sources are named 'Eu-152': give them different names"),
    "a table": (WHOLE.replace("[[source]]", "[source]"), "write [[source]]"),
    "a list of numbers": ("source = [1]", "write [[source]]"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD.keys())
def test_a_wrong_source_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DetectorsError) as raised:
        load(tmp_path, text)

    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'detectors.toml'}: ")


def test_a_source_is_found_by_name_or_nuclide() -> None:
    old, new = (CalibrationSource("Co-60", 1e3, 10, date(year, 1, 1), f"cobalt {year}") for year in (2000, 2020))
    caesium = CalibrationSource("Cs-137", 1e3, 10, date(2000, 1, 1))
    known = Detectors(sources=(old, new, caesium))

    assert known.source("cobalt 2020") is new
    assert known.source("Cs-137") is caesium
    with pytest.raises(UsageError, match="several sources are called 'Co-60': name one of cobalt 2000, cobalt 2020"):
        known.source("Co-60")
    with pytest.raises(UsageError, match="no source is called 'Na-22': name one of"):
        known.source("Na-22")
    with pytest.raises(UsageError, match=r"describe it in a \[\[source\]\] table"):
        Detectors().source("Na-22")


def test_a_changed_detector_leaves_all_else_as_it_was() -> None:
    source = CalibrationSource("Cs-137", 1e3, 10, date(2000, 1, 1))
    known = Detectors((Detector(0, 1, "a"), Detector(0, 2, "b")), {"channel": Column("ch")}, (source,))

    changed = known.replacing(Detector(0, 1, "c")).replacing(Detector(1, 1, "d"))

    assert [detector.name for detector in changed] == ["c", "b", "d"]
    assert (changed.columns, changed.sources) == (known.columns, known.sources)
