"""The live section of a page: its content, the data for it, and the script that brings it to life."""

import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

import polars as pl

from gammapolars.core.quantities import BY_COLUMN, ENERGY
from gammapolars.gates import DEFAULT_KEV, WIDTH_FWHM
from gammapolars.report.live.packing import Packed

SCRIPTS = ("data", "gate", "scale", "spectrum", "matrix", "gates", "page", "paint", "events")
"""The files of the script, in this order."""

NOTE = (
    "Gates can be drawn on this matrix if JavaScript is enabled and the browser is Chrome or Edge 93, Firefox 113, "
    "Safari 16.4, or later."
)


class LiveSection(NamedTuple):
    """Parts of a page for a matrix with gates.

    Attributes:
        html: in place of the figure of the matrix.
        script: the text of a <script> at the end of the page.
        style: belongs into the page's <style>.
    """

    html: str
    script: str
    style: str


class Known(NamedTuple):
    """Further facts about a matrix.

    Attributes:
        file: where the command `gate` finds it.
        lines: labels of gamma lines by their energies (keV).
        fwhm: of lines by their energies (keV), those of the worst detector.
        singles: name and spectrum of each detector, with bin centres in the unit of the matrix.
        detectors: names among which the page may choose, where it is served and can ask for other matrices.
        made: the command that writes the file.
    """

    file: str = "matrix.parquet"
    lines: Mapping[float, str] = {}
    fwhm: Mapping[float, float] = {}
    singles: Sequence[tuple[str, pl.DataFrame]] = ()
    detectors: Sequence[str] = ()
    made: str = ""


@cache
def script(*further: str) -> str:
    """The text of the script: all its files, and further ones, in a function of its own."""
    folder = files(__name__.rpartition(".")[0])
    parts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in (*further, *SCRIPTS)]
    return '"use strict";\n(() => {\n' + "".join(parts) + "})();\n"


@cache
def style() -> str:
    """The text of the style sheet."""
    return files(__name__.rpartition(".")[0]).joinpath("live.css").read_text(encoding="utf-8")


def section_of(packed: Packed, still: str, known: Known) -> LiveSection:
    """The live section of a matrix.

    Args:
        packed: the matrix, with the spectra of single detectors that are known.
        still: HTML that is shown until the script has run, and in print.
        known: further facts.
    """
    body = f'<div class="live" id="live">\n<div class="live-still">{still}</div>\n<p class="live-note">{NOTE}</p>\n'
    html = body + _app(packed, known) + _data(packed, known) + "</div>\n"
    return LiveSection(html, script("served") if known.detectors else script(), style())


def _data(packed: Packed, known: Known) -> str:
    quantity = BY_COLUMN[packed.cells.axes[0].column[:-2]]
    of_energy = quantity == ENERGY
    head: dict[str, Any] = packed.head | {
        "column": quantity.column,
        "unit": quantity.drawn_unit,
        "titles": [quantity.axis_title(name) for name in ("", " x", " y")],
        "file": shlex.quote(known.file),
        "lines": [{"energy": energy, "label": label} for energy, label in sorted(known.lines.items())]
        if of_energy
        else [],
        "fwhm": sorted(known.fwhm.items()) if of_energy else [],
        "usual": DEFAULT_KEV / WIDTH_FWHM if of_energy else 4 * packed.cells.axes[0].width,
    }
    text = json.dumps(head, allow_nan=False).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="live-head">{text}</script>\n'
        f'<script type="application/octet-stream" id="live-data">{packed.data}</script>\n'
    )


def _app(packed: Packed, known: Known) -> str:
    """The part that is shown once the script runs."""
    symmetric, widths = packed.cells.symmetric, {axis.width for axis in packed.cells.axes}
    quantity = BY_COLUMN[packed.cells.axes[0].column[:-2]]
    unit, bins = quantity.drawn_unit, " × ".join(f"{width:g}" for width in sorted(widths))
    side = _select("side", "gate on", [("x", "x"), ("y", "y")])
    times = _select("times", "bins", [("1", "×1"), ("2", "×2"), ("4", "×4"), ("8", "×8")])
    made = f', written by <code id="live-made">{escape(known.made)}</code>' if known.made else ""
    coarser = (
        f"<p>To keep this page small, its bins are {2**packed.cells.doublings} times as wide as those of "
        f"<code>{escape(known.file)}</code>: counts in narrow gates differ from those of the command.</p>\n"
        if packed.cells.doublings
        else ""
    )
    singles = "".join(
        f'<label><input type="checkbox" data-single> {escape(name)}</label> ' for name in packed.head["singles"]
    )
    return f"""<div class="live-app">
<div class="live-bar live-screen" role="toolbar" aria-label="Gates and view">
{_toggle("gate", "Gate", "g: drag to draw a gate", pressed=True)}
{_toggle("background", "Background", "b: drag to add a background region")}
{_toggle("zoom", "Zoom", "z: drag to zoom (Shift-drag always zooms)")}
{_toggle("log", "Log", "l: logarithmic scale", pressed=True)}
{_button("in", "+", "+: zoom in")}{_button("out", "−", "-: zoom out")}{_button("all", "All", "0, double-click: all")}
{times} {side}
</div>
{_served(known)}<div><canvas id="live-total" tabindex="0" role="img" aria-label="Spectrum of all pairs, on which gates
 are drawn: the arrow keys move the gate by one bin, with Shift only its upper limit; numbers go into the fields below"
></canvas></div>
<div class="live-bar live-screen">
<label>Gate <input id="live-low" inputmode="decimal" aria-label="Gate from ({unit})"></label>
<label>to <input id="live-high" inputmode="decimal" aria-label="Gate to ({unit})"> {unit}</label>
<label>Background <input id="live-background" placeholder="LOW:HIGH, LOW:HIGH"></label>
{_button("auto", "Auto", "a: on both sides of the gate")}{_button("bare", "None", "no background")}
{_button("clear", "Clear", "Delete: remove the gate")}
</div>
{f'<div class="live-bar live-screen">Singles spectra, scaled: {singles}</div>' if singles else ""}
<p class="live-message" role="status" id="live-message"></p>
<p class="live-result"><output id="live-result" aria-live="polite">No gate yet.</output></p>
<div><canvas id="live-net" tabindex="0" role="img" aria-label="Spectrum in coincidence with the gate"></canvas></div>
<p class="live-readout live-screen" id="live-readout"></p>
<div class="live-bar live-screen">
{_toggle("overlay", "All pairs, scaled", "for comparison: the spectrum of all pairs", pressed=True)}
{_button("csv", "Save CSV", "the gated spectrum with variances")}{_button("png", "Save PNG", "both spectra")}
</div>
<div class="live-command"><p>The equivalent command, in whole bins of {bins} {unit}, to be run in the folder
of <code>{escape(known.file)}</code>{made}:
<code id="live-command"></code> {_button("copy", "Copy", "copy the command")}</p>
<p class="quiet">A gate on the run itself (<code>gammapolars gate RUN</code>) has exact limits and uses the energy of
each hit, so its counts can differ by those in the bins at the limits.</p></div>
{coarser}<div class="live-bar live-screen">
<label>Name <input id="live-name" maxlength="80"></label>{_button("keep", "Keep this gate", "Enter: add to the list")}
{_button("previous", "‹", "p: previous gate")}{_button("next", "›", "n: next gate")}
</div>
{_rows("list", "Kept gates (also stored in the page's address)", ["name", f"gate ({unit})", "net counts", "", ""])}
{_rows("bins", "Highest bins in coincidence with the gate", [quantity.axis_title(), "net counts", "nearby line"])}
<div class="live-map{" live-square" if symmetric else ""}"><canvas id="live-matrix" tabindex="0" role="img"
 aria-label="Matrix of the two energies of each pair"></canvas></div>
<p class="quiet live-screen">Click to set a gate of ± FWHM with a background on both sides; drag to zoom; double-click
to show everything. The mouse wheel zooms the plot that was clicked last. Keys: the arrows move the gate by one bin
(with Shift only its upper limit, with Alt only its lower limit); g, b and z select what dragging does; a sets a
background on both sides; l toggles the logarithmic scale; + and − zoom; 0 shows everything; Enter keeps the gate; n and
p step through the kept gates; Delete removes the gate.</p>
</div>
"""


def _served(known: Known) -> str:
    """The choices that a served page can ask for."""
    if not known.detectors:
        return ""
    boxes = {
        side: "".join(
            f'<label><input type="checkbox" data-side="{side}" value="{escape(name)}"> {escape(name)}</label> '
            for name in known.detectors
        )
        for side in "xy"
    }
    headings = ["energy (keV)", "FWHM (keV)", "net area", "identification"]
    return f"""<details class="live-screen"><summary>Detectors, time difference, fits</summary>
<div class="live-bar">x: {boxes["x"]}</div><div class="live-bar">y: {boxes["y"]}</div>
<div class="live-bar"><label>Time difference <input id="live-dt" placeholder="0ns:50ns"></label>
<button type="button" id="live-ask">Show these pairs</button>
<button type="button" id="live-fit">Fit the peaks in coincidence, with exact gate limits</button></div>
{_rows("fits", "Peaks in coincidence with the gate, with uncertainties", headings)}</details>
"""


def _button(act: str, text: str, hint: str) -> str:
    return f'<button type="button" data-live="{act}" title="{escape(hint)}">{text}</button>'


def _toggle(act: str, text: str, hint: str, *, pressed: bool = False) -> str:
    state = "true" if pressed else "false"
    return f'<button type="button" data-live="{act}" aria-pressed="{state}" title="{escape(hint)}">{text}</button>'


def _select(name: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    texts = "".join(f'<option value="{value}">{text}</option>' for value, text in options)
    return f'<label>{label} <select id="live-{name}">{texts}</select></label>'


def _rows(name: str, caption: str, headings: Sequence[str]) -> str:
    head = "".join(f"<th>{text}</th>" for text in headings)
    return (
        f'<div class="scroll"><table hidden><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f'<tbody id="live-{name}"></tbody></table></div>\n'
    )
