"""What is published: the wheel and the sdist hold what they should, and do the main job in an empty environment."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house.pythons import NEWER, PROJECT, ROOT, TRIED, interpreter

OLDEST = "3." + re.findall(r">=3\.(\d+)", PROJECT["requires-python"])[0]

SHIPPED = [".py", ".pyi", ".md", ".html", ".css", ".js", ".csv", ".toml", ".svg", ".png"]
"""The kinds of files of the package itself, next to the mark `py.typed`."""

NOT_COPIED = (".git", ".ci", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist")

QUERY = """import polars as pl

import gammapolars as gp


def query(hits):
    return hits.filter(~gp.has_any(0)).select(hits=pl.len())
"""


def run(*words: str | Path, cwd: Path) -> str:
    """What a program prints, which sees neither this checkout nor this environment.

    Raises:
        AssertionError: it fails.
    """
    away = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
    done = subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name not in away},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel that is made of it, by their kinds."""
    pytest.importorskip("build", reason="needs the extra `dev`")
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*NOT_COPIED))
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", ".", cwd=folder / "tree")
    wheel, sdist = (next((folder / "dist").glob(kind)) for kind in ("*.whl", "*.tar.gz"))
    return {"wheel": wheel, "sdist": sdist}


def test_the_citation_can_be_read_and_is_of_this_version() -> None:
    """After schema 1.2.0 of the Citation File Format: the keys that it asks for, and the version of this package."""
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    keys = dict(line.split(": ", 1) for line in lines if re.match(r"[a-z-]+: ", line))

    assert {"cff-version", "message", "title"} <= set(keys)
    assert lines[lines.index("authors:") + 1].startswith("  - name: ")
    assert (keys["cff-version"], keys["version"]) == ("1.2.0", PROJECT["version"])
    assert (keys["type"], keys["license"]) == ("software", PROJECT["license"])


def test_the_version_stands_in_one_place() -> None:
    """In the metadata that pyproject.toml becomes; the citation, which no program writes, is tested above."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "gammapolars").rglob("*.py")]

    assert not [text for text in sources if re.search(r"^(__version__|VERSION) *=", text, re.MULTILINE)]


def test_the_readme_shows_images_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    images = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)

    assert images
    assert all((ROOT / name).stat().st_size > 0 for name in images)
    assert PROJECT["readme"] == "README.md"


def test_the_metadata_name_no_place_of_one_machine() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert not re.search(r"(?:/(?:home|root|tmp|work|opt|Users)/|[A-Z]:\\)", text)
    assert all(url.startswith("https://") for url in PROJECT.get("urls", {}).values())


def programs(folder: Path) -> Path:
    return folder / ("Scripts" if sys.platform == "win32" else "bin")


def installed(folder: Path, artefact: Path, *options: str | Path, python: str | Path = sys.executable) -> Path:
    """The programs of a new environment in which nothing but an artefact, with what it needs, is installed."""
    run(python, "-m", "venv", folder / "venv", cwd=folder)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run(programs(folder / "venv") / "python", *pip, *options, artefact, cwd=folder)
    return programs(folder / "venv")


def does_the_main_job(there: Path, folder: Path) -> None:
    """Simulate a run, find its pairs, query it and read the guide, in a folder that is not the checkout."""
    program = there / "gammapolars"
    place = run(there / "python", "-c", "import gammapolars; print(gammapolars.__file__)", cwd=folder)
    assert Path(place).is_relative_to(there.parent)
    assert run(program, "--version", cwd=folder) == f"{PROJECT['version']}\n"

    (folder / "all_hits.py").write_text(QUERY, encoding="utf-8")
    detectors = ["--detectors", str(ROOT / "data" / "detectors.toml")]
    simulated = ["--source", "Co-60=50kBq", "--hits", "5000", "--seed", "1", *detectors]
    run(program, "simulate", *simulated, "-o", "run.root", cwd=folder)
    run(program, "coincidences", "run.root", *detectors, "-o", "pairs.parquet", cwd=folder)
    run(program, "query", "all_hits.py", "run.root", *detectors, "-o", "all.csv", cwd=folder)
    run(program, "query", "rates_by_minute", "run.root", "-o", "rates.csv", cwd=folder)
    run(program, "guide", "--html", "guide", cwd=folder)

    assert (folder / "pairs.parquet").stat().st_size > 0
    assert (folder / "all.csv").read_text(encoding="utf-8").split() == ["hits", "5000"]
    assert (folder / "rates.csv").read_text(encoding="utf-8").startswith("board,channel,minute,counts")
    listed = run(program, "query", cwd=folder)
    assert all(path.stem in listed for path in (ROOT / "queries").glob("[!_]*.py"))
    assert (folder / "guide" / "tutorial.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_what_is_installed_in_an_empty_environment_does_the_main_job(
    kind: str, built: dict[str, Path], tmp_path: Path
) -> None:
    does_the_main_job(installed(tmp_path, built[kind]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("minor", [minor for minor in NEWER if minor in TRIED])
def test_it_does_the_main_job_with_newer_pythons(minor: int, built: dict[str, Path], tmp_path: Path) -> None:
    if not (python := interpreter(minor)):
        pytest.skip(f"there is no Python 3.{minor}")

    does_the_main_job(installed(tmp_path, built["wheel"], python=python), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(f"{sys.version_info[0]}.{sys.version_info[1]}" != OLDEST, reason=f"needs Python {OLDEST}")
def test_the_oldest_versions_that_are_allowed_do_the_main_job(built: dict[str, Path], tmp_path: Path) -> None:
    oldest = [re.sub(">=([^,]*).*", r"==\1", one) for one in PROJECT["dependencies"]]
    (tmp_path / "oldest.txt").write_text("\n".join(oldest), encoding="utf-8")

    does_the_main_job(installed(tmp_path, built["wheel"], "--constraint", tmp_path / "oldest.txt"), tmp_path)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(built: dict[str, Path]) -> None:
    with ZipFile(built["wheel"]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        licences = [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    package = [path for path in (ROOT / "gammapolars").rglob("*") if path.is_file()]
    queries = [f"gammapolars/queries/{path.name}" for path in (ROOT / "queries").glob("*.py")]

    assert len(licences) == 1
    assert {Path(name).suffix for name in names} <= {*SHIPPED, ".typed"}
    assert sorted(names) == sorted(
        [
            *(path.relative_to(ROOT).as_posix() for path in package if path.suffix in {*SHIPPED, ".typed"}),
            *queries,
        ]
    )
    assert len(queries) >= 3
    for name in ("py.typed", "guide/tutorial.md", "guide/template.html", "gamma_lines/gamma_lines.csv"):
        assert f"gammapolars/{name}" in names


@pytest.mark.slow
def test_the_sdist_holds_what_its_tests_and_its_readme_need(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    needed = {"LICENSE", "README.md", "CITATION.cff", "CHANGELOG.md", "pyproject.toml", "data/report.png"}
    assert needed <= names
    assert {name.partition("/")[0] for name in names} == {
        *{name.partition("/")[0] for name in needed},
        *("gammapolars", "queries", "tests", "PKG-INFO", ".gitignore"),
    }
    assert not [name for name in names if re.search("__pycache__|hypothesis|_cache", name)]


@pytest.mark.slow
def test_an_index_of_packages_would_take_both(built: dict[str, Path], tmp_path: Path) -> None:
    said = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *built.values(), cwd=tmp_path)

    assert said.count("PASSED") == 2


def metadata(built: dict[str, Path]) -> Iterator[Message]:
    """The metadata of the wheel and of the sdist."""
    with ZipFile(built["wheel"]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        yield Parser().parsestr(wheel.read(name).decode())
    with tarfile.open(built["sdist"]) as sdist:
        file = sdist.extractfile(next(name for name in sdist.getnames() if name.endswith("/PKG-INFO")))
        assert file is not None
        yield Parser().parsestr(file.read().decode())


@pytest.mark.slow
def test_both_say_the_same_about_themselves(built: dict[str, Path]) -> None:
    wheel, sdist = metadata(built)

    assert wheel.as_string() == sdist.as_string()
    assert (wheel["Version"], wheel["License-Expression"]) == (PROJECT["version"], "MIT")
    assert wheel["License-File"] == "LICENSE"
    assert wheel["Description-Content-Type"] == "text/markdown"
    assert str(ROOT) not in wheel.as_string()


@pytest.mark.slow
def test_the_extras_for_tests_can_be_installed_on_arm(built: dict[str, Path]) -> None:
    wheel, _ = metadata(built)

    needs = [one for one in wheel.get_all("Requires-Dist", []) if "sandia" in one.lower() and "'test'" in one]

    assert len(needs) == 1
    assert "platform_machine not in 'aarch64 ARM64'" in needs[0]
