"""The guide: every block of it runs and prints what it shows, no link is broken, and it can be read anywhere."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from matplotlib.image import imread

from gammapolars.commands.app import COMMANDS
from gammapolars.commands.guide.html import anchor, html_of
from gammapolars.commands.guide.pages import API, FIGURE, INDEX, figures, linked, page, topics
from gammapolars.commands.guide.text import laid_out
from gammapolars.core.schema import EVENTS, HITS, PAIRS, PEAKS, Table
from gammapolars.detectors import Detector, load_detectors
from tests.commandline import REPOSITORY, gammapolars
from tests.guide.transcripts import FENCE, as_run, clone

GUIDE = REPOSITORY / "gammapolars" / "guide"
LINK = re.compile(r"\]\(([^)\s]+)\)")
WRITTEN = [topic for topic in topics() if topic != API]


@pytest.mark.slow
@pytest.mark.parametrize("topic", WRITTEN)
def test_a_page_shows_what_its_commands_print(topic: str, tmp_path: Path) -> None:
    markdown = page(topic).markdown
    folder = clone(tmp_path)

    assert as_run(markdown, folder) == markdown
    for name in figures(markdown):
        assert imread(folder / name).shape == imread(GUIDE / name).shape


@pytest.mark.parametrize("topic", WRITTEN)
def test_a_figure_stands_behind_the_command_that_draws_it(topic: str) -> None:
    markdown = page(topic).markdown

    for what, name in FIGURE.findall(markdown):
        before = markdown.partition(f"]({name})")[0]
        assert f"-o {name} " in before.rpartition("```console")[2]
        assert len(what.split()) > 3


def test_the_figures_are_small_and_all_of_them_are_shown() -> None:
    shipped = [file for file in GUIDE.iterdir() if file.suffix in (".png", ".svg")]

    assert sorted(file.name for file in shipped) == sorted(
        name for topic in WRITTEN for name in figures(page(topic).markdown)
    )
    assert sum(file.stat().st_size for file in shipped) < 150_000


@pytest.mark.parametrize("topic", topics())
def test_no_link_is_broken(topic: str) -> None:
    markdown = FIGURE.sub("", page(topic).markdown)
    anchors = {name: set(re.findall(r'id="([^"]+)"', html_of(page(name).markdown))) for name in linked(markdown)}

    for target in LINK.findall(re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)):
        name, _, place = target.partition("#")
        assert name.endswith(".md") or name.startswith("https://"), target
        if name.endswith(".md"):
            assert name.removesuffix(".md") in topics(), target
            assert not place or place in anchors[name.removesuffix(".md")], target


def test_every_page_has_a_title_and_can_be_reached() -> None:
    assert {file.stem for file in Path(__file__).parents[2].glob("gammapolars/guide/*.md")} == set(WRITTEN)
    assert all(page(topic).markdown.startswith("# ") for topic in topics())


def test_every_command_stands_in_the_guide() -> None:
    text = "".join(page(topic).markdown for topic in WRITTEN)

    assert [name for name in COMMANDS if f"gammapolars {name}" not in text] == []


def test_the_table_of_contents_is_what_comes_first() -> None:
    assert gammapolars("guide").out == page(INDEX).markdown.rstrip() + "\n"


def test_a_page_is_called_by_the_beginning_of_its_name() -> None:
    assert json.loads(gammapolars("guide", "lifet", "--json").out)["topic"] == "lifetimes"


@pytest.mark.parametrize(("word", "hint"), [("calibrat", ""), ("lifetmie", "lifetimes"), ("xyz", "lists all pages")])
def test_an_unknown_page_is_one_line(word: str, hint: str) -> None:
    done = gammapolars("guide", word)

    assert (done.code, hint in done.err) == (0 if not hint else 2, True)


def test_the_whole_guide_becomes_web_pages(tmp_path: Path) -> None:
    folder = tmp_path / "guide"

    done = gammapolars("guide", "--html", folder)

    assert done.code == 0, done.err
    written = [name for topic in WRITTEN for name in figures(page(topic).markdown)]
    assert {file.name for file in folder.iterdir()} == {*written, *(f"{topic}.html" for topic in topics())}
    for file in folder.glob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "{page}" not in text
        assert 'aria-current="page"' in text
        assert all((folder / name).exists() for name in re.findall(r'(?:href|src)="([a-z0-9-]+\.\w+)', text))


def test_html_in_a_page_is_text() -> None:
    assert "<script>" not in html_of("# A\n\n<script>alert(1)</script>")


def test_headings_can_be_linked_to() -> None:
    assert '<h2 id="random-coincidences">' in html_of("## Random coincidences")
    assert anchor("What <code>dt_ps</code> is") == "what-dt_ps-is"


def test_a_terminal_gets_lines_no_longer_than_it_is() -> None:
    shown = laid_out("# Title\n\n" + "word " * 100, width=60)

    assert max(map(len, shown.splitlines())) <= 60
    assert "# Title" not in shown


def test_a_terminal_gets_the_names_of_figures() -> None:
    shown = laid_out("# Title\n\n![Four spectra](spectrum.png)\n", width=60)

    assert "Figure spectrum.png: Four spectra" in shown


def blocks(topic: str, language: str) -> list[str]:
    return [block[2] for block in FENCE.finditer(page(topic).markdown) if block[1] == language]


def test_the_query_shown_is_the_one_in_the_folder() -> None:
    shown = next(block for block in blocks("queries", "python") if "def query" in block)

    assert shown == (REPOSITORY / "queries" / "rates_by_minute.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("topic", ["tutorial", "detectors-toml", "other-digitizers"])
def test_a_detectors_toml_that_is_shown_can_be_read(topic: str, tmp_path: Path) -> None:
    path = tmp_path / "detectors.toml"
    path.write_text("".join(blocks(topic, "toml")), encoding="utf-8")

    known = load_detectors(path)

    assert topic == "other-digitizers" or next(iter(known)).energy == (0.1358, 0.112533, -5.77e-10)


def test_every_key_of_a_detector_is_explained() -> None:
    text = page("detectors-toml").markdown

    assert [field.name for field in fields(Detector) if f"`{field.name}`" not in text] == []


@pytest.mark.parametrize("table", [HITS, PAIRS, EVENTS, PEAKS], ids=lambda table: str(table.name))
def test_every_column_is_explained(table: Table) -> None:
    text = page("tables").markdown
    columns = {**table.columns, **table.optional}
    plain = {re.sub(r"_unc$", "", re.sub(r"_short_[ab]$|_factor_[ab]$", "_factor", name)) for name in columns}

    assert [name for name in sorted(plain) if f"`{name}`" not in text and name != "adc_factor"] == []
