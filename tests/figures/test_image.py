"""Figures as files: text stays text, and the same figure gives the same bytes."""

import re
import zlib
from pathlib import Path

import polars as pl
import pytest

from gammapolars.commands.figure_files import FIGURES, check_figure, save_figure
from gammapolars.core.errors import UsageError
from gammapolars.figures import image, matrix, spectrum
from gammapolars.figures.style import FigureStyle

TABLE = pl.DataFrame({"name": "left", "board": 0, "channel": 0, "energy_kev": [0.5, 1.5], "counts": [3.0, 9.0]})
SMALL = FigureStyle(size_cm=(8, 6), dpi=50)


@pytest.mark.slow
def test_pdf_has_its_fonts_as_truetype() -> None:
    data = image(spectrum(TABLE, style=SMALL), "pdf")

    assert data.startswith(b"%PDF")
    assert b"/FontFile2" in data  # TrueType; FontFile3 and Type3 are others
    assert b"/Type3" not in data
    assert b"CreationDate" not in data
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", data)
    assert box is not None
    assert [float(side) for side in box.groups()] == pytest.approx([8 / 2.54 * 72, 6 / 2.54 * 72], abs=0.1)


def test_svg_has_text_as_text_in_families_that_others_have() -> None:
    text = image(spectrum(TABLE, style=SMALL), "svg").decode()

    assert re.search(r"<text[^>]*>Energy spectra</text>", text)
    families = set(re.findall(r"font:[^;]*px ([^;\"]*)|font-family: ([^;\"]*)", text))
    assert all("sans-serif" in "".join(family) and "DejaVu Sans" in "".join(family) for family in families)


def test_colours_of_a_matrix_are_those_of_its_legend_in_svg() -> None:
    """A gradient is drawn there by a filter that few programs have, in other colours than elsewhere."""
    table = pl.DataFrame({"energy_kev_x": [1.0, 3.0], "energy_kev_y": [3.0, 1.0], "counts": [50.0, 50.0]})

    text = image(matrix(table, style=SMALL), "svg").decode()

    assert "<filter" not in text
    assert "#b5d5ea" in text  # the lightest of them
    assert "<tspan" in text  # the indices of E_γ1 and E_γ2


@pytest.mark.slow
def test_the_same_figure_gives_the_same_bytes_and_can_be_drawn_twice() -> None:
    plot = spectrum(TABLE, style=SMALL)

    for kind in ("png", "pdf", "svg"):
        assert image(plot, kind) == image(plot, kind)


def test_png_has_the_size_and_dots_that_were_asked_for() -> None:
    data = image(spectrum(TABLE, style=SMALL), "png")

    assert [int.from_bytes(data[at : at + 4]) for at in (16, 20)] == [157, 118]  # 8 and 6 cm at 50 per inch
    assert zlib.crc32(data[12:29]) == int.from_bytes(data[29:33])


@pytest.mark.parametrize("suffix", FIGURES)
def test_the_suffix_is_the_format(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"figure{suffix.upper()}"
    monkeypatch.setattr("gammapolars.figures.image", lambda _, kind: kind.encode())

    check_figure(path, overwrite=False)
    save_figure(spectrum(TABLE, style=SMALL), path, overwrite=False)

    assert path.read_text() == suffix.removeprefix(".")
    with pytest.raises(UsageError, match=r"figure\.gif: unknown suffix '\.gif': figures are written to \.png, \.pdf"):
        check_figure(tmp_path / "figure.gif", overwrite=False)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"theme": "poster"}, "unknown theme 'poster'"),
        ({"size_cm": (0.5, 9.0)}, "2 to 120 cm"),
        ({"size_cm": (100.0, 9.0), "dpi": 2000}, "more than 30000 pixels"),
        ({"font_size": 1.0}, "is not readable"),
        ({"bin": 0.0}, "wider than 0"),
        ({"dpi": 5}, "20 to 2400"),
        ({"range_y": (1.0, 1.0)}, "range of y"),
    ],
)
def test_what_cannot_be_drawn_is_refused(chosen: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FigureStyle(**chosen)  # type: ignore[arg-type]
