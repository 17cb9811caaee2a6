"""Figures of spectra: of runs, pairs and files, over each other, net of a background, normalised and compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from gammapolars.analysis import run_spectra
from gammapolars.analysis.accumulators.paired_spectra import PairedSpectra
from gammapolars.commands.checks import refuse
from gammapolars.commands.plot.inputs import Drawing, Input, inputs_of, labels_of
from gammapolars.commands.plot.parse import PlotOptions
from gammapolars.core.errors import InputError, TableError, UsageError
from gammapolars.core.types import Key
from gammapolars.io.contents import HITS, PAIRS, SPECTRA, SUFFIXES, columns_of, scan_table
from gammapolars.io.provenance import detectors_of, of_file
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.spectra import fitting_bin_kev, per_second
from gammapolars.spectra.bins import UNIT_OF
from gammapolars.spectra.overlays import DETECTOR, CommonBins, even_width, in_common_bins, net_of, per_area, with_widths

if TYPE_CHECKING:
    from plotnine import ggplot
    from plotnine.composition import Compose

    from gammapolars.figures.style import FigureStyle

INPUT = "input"
"""The column that distinguishes curves."""

PER_SECOND = "counts per second"
WORDS = {"none": "counts", "live-time": PER_SECOND, "real-time": PER_SECOND, "area": "fraction of counts"}
"""The quantity on the y-axis, by the normalisation of spectra."""

OTHERS = {"live-time": "real-time or area", "real-time": "area"}
"""Other normalisations of spectra."""


@dataclass(frozen=True)
class Spectra:
    """The spectra of one input, by detector.

    Attributes:
        label: their name in the legend.
        table: `board`, `channel`, `adc` and `energy_kev` as far as they are known, `counts`, `variance`.
        times: how each was recorded.
        names: of the detectors.
        inputs: files that were read.
        warnings: about them.
    """

    label: str
    table: pl.DataFrame
    times: Mapping[Key, Measurement]
    names: Mapping[Key, str]
    inputs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def keys(self) -> list[Key]:
        """Their detectors."""
        return keys_in(self.table)

    def seconds(self, kind: str, *, net: bool = False) -> dict[Key, float]:
        """How long each detector was recorded, by live or real time; `net`: where a background is scaled by it.

        Raises:
            UsageError: it is not known, or 0.
        """
        found, word = dict[Key, float](), kind.replace("-", " ")
        others = "" if net and kind == "real-time" else f": normalise by {'real-time' if net else OTHERS[kind]}"
        for key in self.keys:
            known = self.times.get(key, Measurement())
            value = known.live_time_s if kind == "live-time" else known.real_time_s
            if not value:
                whose = "" if self.names[key] == self.label else f" of {self.names[key]}"
                why = "unknown" if value is None else "0"
                raise UsageError(f"{self.label}: the {word}{whose} is {why}{others}")
            found[key] = value
        return found


def _is_gated(one: Input) -> bool:
    """Whether a file of spectra was written by the command `gate`."""
    return one.content == SPECTRA and "gate" in (of_file(Path(one.name)) or {}).get("summary", {})


def keys_in(table: pl.DataFrame) -> list[Key]:
    """The detectors of a table of spectra."""
    return sorted((int(board), int(channel)) for board, channel in table.select(DETECTOR).unique().rows())


def draw(inputs: list[Input], options: PlotOptions, style: "FigureStyle") -> Drawing:
    """Spectra over each other, by input, run or detector.

    Raises:
        UsageError: nothing to compare, times that are not known, or bins that spectra cannot share.
    """
    refuse(options, {"--window": "window"}, "a figure of spectra needs no pairs")
    parts = [part for one in inputs for part in spectra_of(one, options)]
    apart = options.overlay != "detector"
    if options.compare and len(parts) < 2 and (apart or len(parts[0].keys) < 2):
        raise UsageError("--compare needs several spectra: add another input, or use --overlay detector")
    if options.compare and (bare := [part.label for part in parts if not part.table.height]):
        raise UsageError(f"{bare[0]}: contains no counts to compare")
    background, notes = _background(options), list[str]()
    every = _in_common_bins([*parts, *background], options, notes, apart=apart)
    parts, background = every[: len(parts)], every[len(parts) :]
    if background:
        parts = [_net(part, background[0], options, notes) for part in parts]
    parts = [_normalised(part, options, notes) for part in parts]
    return Drawing(
        _figure(*_over_each_other(parts, apart=apart), options, style, notes, is_gated=all(map(_is_gated, inputs))),
        inputs=tuple(dict.fromkeys(name for part in (*parts, *background) for name in part.inputs)),
        drawn=tuple(part.label for part in parts),
        notes=tuple(notes),
        warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.warnings)),
    )


def spectra_of(one: Input, options: PlotOptions) -> Iterator[Spectra]:
    """The spectra of an input: those of several runs stay apart."""
    if one.content == PAIRS:
        yield _of_pairs(one, options)
        return
    if one.content == SPECTRA:
        spectra = run_spectra.from_files([one.name], options.known, spectrum=options.spectrum)
    else:
        with options.recording([one.name]) as recording:
            spectra = run_spectra.from_runs(recording, reject=options.reject)
    for number, label in enumerate(_labels(one, spectra), 1):
        table = spectra.table.filter(run=number).drop("run")
        if not table.height and len(spectra.runs) > 1:
            continue
        times = {key[1:]: of for key, of in spectra.measurements.items() if key[0] == number}
        told = _names_in(Path(one.name)) if one.content == SPECTRA else {}
        names = {key: _name(key, options, told.get(key) or _detector(times.get(key))) for key in keys_in(table)}
        if one.content == SPECTRA and list(names) == [(0, 0)] and names[0, 0] == "0/0":
            names = {(0, 0): label}  # a file of one spectrum without a detector
        if one.content == SPECTRA:
            table = with_widths(table)
        inputs, warnings = (tuple(spectra.summary.get(name, ())) for name in ("inputs", "warnings"))
        yield Spectra(label, _known_axes(table), times, names, inputs, warnings)


def _labels(one: Input, spectra: run_spectra.SpectrumSet) -> list[str]:
    """The name of each run of an input in the legend."""
    if len(spectra.runs) == 1:
        return [one.label]
    if len(spectra.summary.get("inputs", ())) == 1:
        return [f"{one.label}, run {number}" for number in range(1, len(spectra.runs) + 1)]
    return labels_of(spectra.runs)


def _name(key: Key, options: PlotOptions, told: str) -> str:
    """A detector's name: from detectors.toml, from its file, or its numbers."""
    is_described = any(detector.key == key for detector in options.known)
    return ("" if is_described else told) or options.known.at(*key).name


def _detector(known: Measurement | None) -> str:
    return known.detector if known else ""


def _names_in(path: Path) -> dict[Key, str]:
    """The names of detectors that a table of spectra has, or was made with."""
    named = {detector.key: detector.name for detector in detectors_of(path)}
    if path.suffix.lower() in SUFFIXES and {*DETECTOR, "name"} <= set(columns_of(path)):
        rows = scan_table(path).select(*DETECTOR, "name").unique().collect().rows()
        named |= {(int(board), int(channel)): name for board, channel, name in rows}
    return named


def _of_pairs(one: Input, options: PlotOptions) -> Spectra:
    """The spectra of the hits in saved pairs."""
    with options.saved_pairs([one.name]) as saved:
        if saved is None:
            raise InputError(f"{one.name}: contains no pairs")
        saved.require_values()
        counts = PairedSpectra(fitting_bin_kev(saved.detectors) if saved.is_calibrated else None)
        summary = saved.summary(saved.count(counts.add_pairs))
        table = counts.table()
        names = {key: saved.detectors.at(*key).name for key in keys_in(table)}
        return Spectra(one.label, table, {}, names, summary["inputs"], summary["warnings"])


def _known_axes(table: pl.DataFrame) -> pl.DataFrame:
    """A table without the column of bin centres that no bin has."""
    axes = [name for name in ("adc", "energy_kev") if name in table.columns]
    empty = [name for name in axes if table[name].null_count() == table.height]
    return table if len(empty) == len(axes) else table.drop(empty)  # a table without bins keeps its columns


def _background(options: PlotOptions) -> list[Spectra]:
    """The spectra that are subtracted, if there are any.

    Raises:
        UsageError: they are of several runs.
    """
    if options.subtract is None:
        return []
    (one,) = inputs_of([options.subtract])
    if one.content not in (HITS, SPECTRA):
        raise UsageError(f"{one.name}: contains {one.content}, but --subtract takes a run or spectra")
    parts = list(spectra_of(one, options))
    if len(parts) > 1:
        raise UsageError(f"{one.name}: contains {len(parts)} runs, but --subtract takes one")
    return parts


def _in_common_bins(parts: Sequence[Spectra], options: PlotOptions, notes: list[str], *, apart: bool) -> list[Spectra]:
    """Spectra in bins that can be drawn: the same for all in one panel; notes say where they had others.

    Spectra of one detector each are drawn over each other, whatever their detectors' numbers.
    """
    parts = list(parts)
    if apart and len(parts) > 1 and all(len(part.keys) == 1 for part in parts):
        parts = [_as_detector(part, parts[0].keys[0]) for part in parts]
    split = [(number, key) for number, part in enumerate(parts) for key in part.keys]
    panels = [[one for one in split if one[1] == key] for key in dict.fromkeys(key for _, key in split)]
    tables: dict[tuple[int, Key], pl.DataFrame] = {}
    for panel in panels if apart else [split]:
        own = [_known_axes(parts[number].table.filter(board=key[0], channel=key[1])) for number, key in panel]
        labels = [parts[number].label for number, _ in panel]
        try:
            tables |= dict(zip(panel, _of_panel(own, labels, options, notes, apart=apart), strict=True))
        except TableError as error:
            raise UsageError(f"{' and '.join(dict.fromkeys(labels))}: {error}") from None
    joined = [[table for (place, _), table in tables.items() if place == number] for number in range(len(parts))]
    return [
        replace(part, table=pl.concat(own, how="diagonal_relaxed")) if own else part
        for part, own in zip(parts, joined, strict=True)
    ]


def _of_panel(
    tables: Sequence[pl.DataFrame], labels: Sequence[str], options: PlotOptions, notes: list[str], *, apart: bool
) -> Sequence[pl.DataFrame]:
    """The spectra of one panel in the same bins, even ones where empty channels are left out."""
    even = options.bin_width or even_width(tables)
    if len(tables) == 1 and even is None:
        return tables
    common = in_common_bins(tables, width=options.bin_width, apart=apart)
    _note_channels(common, tables, labels, notes)
    _note_bins(common, labels, options, notes)
    if common.width is None and common.axis == "energy_kev" and even:
        return in_common_bins(tables, width=even, apart=apart).tables
    return common.tables


def _as_detector(part: Spectra, key: Key) -> Spectra:
    """The one spectrum of an input as that of another detector."""
    (own,) = part.keys
    numbers = {name: pl.lit(number, part.table.schema[name]) for name, number in zip(DETECTOR, key, strict=True)}
    times = {key: part.times.get(own, Measurement())}
    return replace(part, table=part.table.with_columns(**numbers), times=times, names={key: part.names[own]})


def _note_channels(common: CommonBins, tables: Sequence[pl.DataFrame], labels: Sequence[str], notes: list[str]) -> None:
    """Where spectra with energies are drawn by channel, as others have none."""
    bare = [label for label, table in zip(labels, tables, strict=True) if "energy_kev" not in table.columns]
    if common.axis == "adc" and 0 < len(bare) < len(tables):
        _add(f"by ADC channel, because there are no energies in {', '.join(bare)}", notes)


def _note_bins(common: CommonBins, labels: Sequence[str], options: PlotOptions, notes: list[str]) -> None:
    if common.width is None or not common.rebinned or options.bin_width:  # which the axis shows
        return
    changed = dict.fromkeys(labels[place] for place in common.rebinned)
    which = "" if set(changed) == set(labels) else f": {', '.join(changed)}"
    _add(f"rebinned to bins of {common.width:g} {UNIT_OF[common.axis]}{which}", notes)


def _net(part: Spectra, background: Spectra, options: PlotOptions, notes: list[str]) -> Spectra:
    """Spectra less the background, scaled by live time; by real time, where spectra are normalised by that."""
    kind = "real-time" if options.normalise == "real-time" else "live-time"
    times = part.seconds(kind, net=True)
    try:
        of_background = replace(background, table=background.table.join(part.table, on=DETECTOR, how="semi"))
        own = of_background.seconds(kind, net=True)
        table = net_of(part.table, of_background.table, times, own)
    except TableError as error:
        raise UsageError(f"{part.label} minus {background.label}: {error}") from None
    scales = sorted({f"{times[key] / own[key]:.4g}" for key in part.keys}, key=float)
    factor = scales[0] if len(scales) == 1 else f"{scales[0]} to {scales[-1]}" if scales else "0"
    _add(f"{background.label} × {factor} subtracted (scaled by {kind.replace('-', ' ')})", notes)
    return replace(part, table=table)


def _normalised(part: Spectra, options: PlotOptions, notes: list[str]) -> Spectra:
    """Spectra per second, or in parts of their areas."""
    if options.normalise == "none":
        return part
    _add(f"normalised by {options.normalise.replace('-', ' ')}", notes)
    try:
        if options.normalise == "area":
            return replace(part, table=per_area(part.table))
        return replace(part, table=per_second(part.table, part.seconds(options.normalise)).collect())
    except TableError as error:
        raise UsageError(f"{part.label}: {error}") from None


def _add(note: str, notes: list[str]) -> None:
    if note not in notes:
        notes.append(note)


def _over_each_other(parts: Sequence[Spectra], *, apart: bool) -> tuple[pl.DataFrame, str | None]:
    """All spectra in one table, with the column that distinguishes curves, if there are several in a panel."""
    tables = []
    for part in parts:
        keys = {name: part.table.schema[name] for name in DETECTOR}
        rows = [(*key, name) for key, name in part.names.items()]
        names = pl.DataFrame(rows, pl.Schema({**keys, "name": pl.String()}), orient="row")
        named = part.table.join(names, on=DETECTOR, how="left", maintain_order="left")
        prefix = f"{part.label}, " if len(parts) > 1 else ""
        curve = pl.lit(part.label) if apart else pl.lit(prefix) + pl.col("name")
        tables.append(named.with_columns(curve.alias(INPUT)).drop([] if apart else [*DETECTOR, "name"]))
    frame = pl.concat(tables, how="diagonal_relaxed")
    if not apart:
        return frame, INPUT
    if len(parts) == 1:
        return frame.drop(INPUT), None
    if all(len(part.names) == 1 for part in parts) and frame["name"].n_unique() > 1:
        return frame.drop(*DETECTOR, "name"), INPUT  # of different detectors, in one panel
    return frame.with_columns(name=pl.col("name").first().over(DETECTOR)), INPUT  # as the first input calls them


def _figure(
    frame: pl.DataFrame,
    overlay: str | None,
    options: PlotOptions,
    style: "FigureStyle",
    notes: Sequence[str],
    *,
    is_gated: bool,
) -> "ggplot | Compose":
    from gammapolars.figures import plot

    is_net = frame.filter(pl.col("variance") != pl.col("counts")).height > 0
    counts = "net counts" if options.normalise == "none" and is_net else WORDS[options.normalise]
    note = "; ".join(notes) or None
    if is_gated:
        return plot.gated(frame, overlay=overlay, compare=options.compare, counts=counts, note=note, style=style)
    return plot.spectrum(frame, overlay=overlay, compare=options.compare, counts=counts, note=note, style=style)
