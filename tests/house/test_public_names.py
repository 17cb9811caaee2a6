"""The public names: a change here is a change for users, and belongs in the CHANGELOG."""

import inspect
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

import gammapolars as gp
from gammapolars.core.errors import GammapolarsError

PUBLIC = [
    "Activity",
    "AngularFit",
    "BoardClock",
    "CalibrationError",
    "ClusterError",
    "CalibrationSource",
    "CurrieLimits",
    "DRIFT",
    "Detector",
    "Detectors",
    "DetectorsError",
    "Drift",
    "DriftTrack",
    "EVENTS",
    "EfficiencyCurve",
    "EfficiencyFit",
    "FLAGS",
    "GammapolarsError",
    "Gate",
    "HITS",
    "InputError",
    "LINES",
    "LifetimeFit",
    "Losses",
    "MATRIX",
    "Measurement",
    "NetMatrix",
    "NuclideActivity",
    "OutputError",
    "PAIRS",
    "PEAKS",
    "PairTasks",
    "PolygonGate",
    "QueryError",
    "RecordedSpectrum",
    "SPECTRUM",
    "TRIPLES",
    "TableError",
    "Task",
    "TimeOrderError",
    "Timing",
    "UsageError",
    "activity",
    "activity_at",
    "activity_of",
    "add_back",
    "add_spectra",
    "align",
    "angle_deg",
    "angular_coefficients",
    "angular_correlation",
    "angular_counts",
    "angular_singles",
    "attenuation",
    "calibrate",
    "calibrate_peaks",
    "cascades",
    "chance_pairs",
    "coincidence_peak",
    "correct_drift",
    "cube_slice",
    "currie_limits",
    "divide_by_efficiency",
    "efficiency_points",
    "energy_kev",
    "event_summary",
    "events",
    "figure_of_merit",
    "find_peaks",
    "fit_efficiency",
    "fit_energy",
    "fit_legendre",
    "fit_lifetime",
    "fit_peaks",
    "gate",
    "has_any",
    "line_counts",
    "lines",
    "live",
    "load_detectors",
    "load_drift",
    "load_gates",
    "map_slices",
    "match_lines",
    "matrix",
    "measure_timing",
    "minimum_detectable_activity",
    "named",
    "nearest",
    "nearest_chance_pairs",
    "nearest_lines",
    "nuclides",
    "pairs",
    "pairs_on",
    "peak_kinds",
    "per_second",
    "plot",
    "progress",
    "project",
    "psd",
    "read_spectrum",
    "rebin",
    "require",
    "save",
    "save_matrix",
    "save_spectrum",
    "scan",
    "scan_matrix",
    "scan_pairs",
    "select_hits",
    "simulate_run",
    "slices",
    "spectrum",
    "subtract",
    "time_slices",
    "time_spectrum",
    "tasks",
    "track_drift",
    "triples",
    "true_rates",
    "veto",
    "write_report",
]


def test_the_public_names_are_frozen() -> None:
    assert sorted(gp.__all__) == sorted(PUBLIC)


def test_dir_tells_the_public_names() -> None:
    assert dir(gp) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there_and_explained(name: str) -> None:
    thing = getattr(gp, name)

    if inspect.isroutine(thing) or inspect.isclass(thing):
        assert thing.__module__.startswith("gammapolars.")
        assert thing.__name__ == name
        assert inspect.getdoc(thing), f"{name} has no docstring"


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isroutine(getattr(gp, name))])
def test_each_parameter_has_a_type(name: str) -> None:
    signature = inspect.signature(getattr(gp, name))

    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name


def test_all_errors_are_of_one_kind() -> None:
    errors = [getattr(gp, name) for name in PUBLIC if name.endswith("Error")]

    assert all(issubclass(error, GammapolarsError) for error in errors)
    assert {error.__name__: error.exit_code for error in errors if error.exit_code != 1} == {"UsageError": 2}


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="No gammapolars attribute nonsense"):
        gp.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}

    exec("from gammapolars import *", names)

    assert set(PUBLIC) == set(names) - {"__builtins__"}


def test_the_package_says_what_each_room_is() -> None:
    rooms = re.findall(r"^[ 1-8]  (\w+) +\w", gp.__doc__ or "", re.MULTILINE)

    assert sorted(rooms) == sorted(path.parent.name for path in Path(gp.__file__).parent.glob("*/__init__.py"))


def test_no_public_name_is_that_of_a_room() -> None:
    """The room would take its place: Python binds a package's folder, once imported, to the name in it."""
    rooms = {path.stem for path in Path(gp.__file__).parent.iterdir()}

    assert rooms & set(PUBLIC) == set()


def between(begin: str, end: str) -> str:
    """A part of the package's docstring."""
    return (gp.__doc__ or "").partition(begin)[2].partition(end)[0]


def test_help_begins_with_a_complete_example(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = textwrap.dedent("    import" + between("\n\n    import", "\n\nTen names"))
    monkeypatch.chdir(Path(__file__).parents[2])

    exec(example, {})

    assert re.search(r"1173\.\d+", capsys.readouterr().out)


def test_help_names_ten_to_begin_with() -> None:
    names = re.findall(r"^    (\w+)  +\w", between("Ten names", "The guide"), re.MULTILINE)

    assert len(names) == 10
    assert set(names) <= set(PUBLIC)


def test_the_citation_names_the_version() -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert f"\nversion: {project['version']}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")
