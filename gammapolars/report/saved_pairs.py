"""The report of saved pairs: which results follow from pairs without their run, and which do not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from gammapolars import figures
from gammapolars.analysis.accumulators import Matrix, TimeDifferences
from gammapolars.analysis.accumulators.matrix import energy_axis
from gammapolars.analysis.accumulators.paired_spectra import PairedSpectra
from gammapolars.analysis.chance import SIDES
from gammapolars.analysis.saved_pairs import ENDS, SavedPairs, SavedPairTally
from gammapolars.core.types import Key
from gammapolars.core.units import Window
from gammapolars.core.versions import versions
from gammapolars.detectors import Detectors, named
from gammapolars.figures import png
from gammapolars.io.pairs import ADVICE
from gammapolars.report.analyse import Analysis
from gammapolars.report.content import PAGE
from gammapolars.report.drawing import ALT, against
from gammapolars.report.lines import Lines, lines_of, peak_table
from gammapolars.report.live import matrix_bin_kev
from gammapolars.report.live.report import live_section
from gammapolars.report.numbers import amount, count, with_uncertainty
from gammapolars.report.page import File, Image, Section, Table, figure, page
from gammapolars.report.sections import MATRIX, SPECTRA, TIME_DIFFERENCES
from gammapolars.spectra import fitting_bin_kev
from gammapolars.streaming.slices import batches_of

ALONE = (
    "This report is made from saved pairs. They do not contain count rates, live times, rejected hits or singles "
    f"spectra, nor the expected number of random coincidences; for those, {ADVICE}."
)


def analyse_pairs(saved: SavedPairs) -> tuple[Analysis, SavedPairTally]:
    """All that a report of saved pairs shows, read batch by batch; of single hits there is nothing.

    The spectra are those of the hits in pairs. With random windows, random coincidences are subtracted from them and
    from the matrix.
    """
    saved.require_values()
    detectors, calibrated = saved.detectors, saved.is_calibrated
    reach = max(_reach_ps(saved), 1)
    spectra = PairedSpectra(fitting_bin_kev(detectors) if calibrated else None)
    axis = energy_axis(detectors, matrix_bin_kev(detectors), calibrated=calibrated)
    # The pairs have their energies; without, two detectors are of different gain.
    matrix = Matrix(axis, axis, Detectors(), symmetric=True, unlike=not calibrated)
    differences, sums = TimeDifferences(reach), _Sums()
    tally = saved.count(spectra.add_pairs, matrix.add_pairs, differences.add_pairs, sums.add)
    table = sums.table(detectors)
    keys = {(row[f"board_{side}"], row[f"channel_{side}"]) for row in table.iter_rows(named=True) for side in "ab"}
    doubts = list[str]()
    own = spectra.table().with_columns(adc=pl.lit(None, pl.Float64)) if calibrated else pl.DataFrame()
    peaks = peak_table(own, detectors, doubts.append) if own.height else own.clear()
    analysis = Analysis(
        inputs=tuple(path.name for path in saved.files.paths),
        hits_read=0,
        hits_used=0,
        rejected={},
        window=saved.files.window or Window(-reach, reach),
        pairs=tally.number(random=False),
        chance_pairs_expected=math.nan,
        real_time_s=0.0,
        first_timestamp_ps=0,
        last_timestamp_ps=0,
        warnings=(*saved.doubts(energies=calibrated), *doubts),
        detectors=_detectors(keys, detectors, calibrated=calibrated),
        pairs_by_detectors=table,
        spectra=named(spectra.table(), detectors),
        rates=pl.DataFrame(),
        time_differences=differences.table(detectors),
        matrix=matrix.table(),
        matrix_bin=matrix.axes[0].width,
        peaks=peaks,
    )
    return analysis, tally


def _reach_ps(saved: SavedPairs) -> int:
    """The largest time difference, up or down."""
    batches = batches_of(saved.files.pairs.select(pl.col("dt_ps").abs()))
    return max((int(batch["dt_ps"].max() or 0) for batch in batches if batch.height), default=0)  # type: ignore[arg-type]


def _detectors(keys: set[Key], detectors: Detectors, *, calibrated: bool) -> pl.DataFrame:
    rows = [(board, channel, detectors.at(board, channel).name, calibrated) for board, channel in sorted(keys)]
    schema = {"board": pl.UInt16, "channel": pl.UInt16, "name": pl.String, "calibrated": pl.Boolean}
    return pl.DataFrame(rows, schema, orient="row")


class _Sums:
    """Pairs of each two detectors, prompt and random, and the number of random coincidences by their weights."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Key, Key], list[float]] = {}

    def add(self, pairs: pl.DataFrame) -> None:
        """Count some pairs."""
        random = pl.col("region") == "random" if "region" in pairs.columns else pl.lit(value=False)
        weight = -pl.col("weight").cast(pl.Float64) if "weight" in pairs.columns else pl.lit(0.0)
        sums = pairs.group_by(ENDS).agg(
            (~random).sum().alias("pairs"),
            random.sum().alias("random"),
            pl.when(random).then(weight).sum().alias("chance"),
            pl.when(random).then(weight**2).sum().alias("variance"),
        )
        for row in sums.select(*ENDS, "pairs", "random", "chance", "variance").rows():
            one, other = sorted([(row[0], row[1]), (row[2], row[3])])
            own = self._sums.setdefault((one, other), [0.0] * 4)
            for place, value in enumerate(row[4:]):
                own[place] += value or 0.0

    def table(self, detectors: Detectors) -> pl.DataFrame:
        """`board_a`, `channel_a`, `name_a`, the same `_b`, `pairs`; `random_pairs`, `chance_pairs`, `net_pairs`."""
        rows = [
            (*a, detectors.at(*a).name, *b, detectors.at(*b).name, int(n), int(r), chance, math.sqrt(v), n - chance,
             math.sqrt(n + v))
            for (a, b), (n, r, chance, v) in sorted(self._sums.items())
        ]  # fmt: skip
        measured = ("chance_pairs", "chance_pairs_unc", "net_pairs", "net_pairs_unc")
        schema = SIDES | {"pairs": pl.Int64(), "random_pairs": pl.Int64(), **dict.fromkeys(measured, pl.Float64())}
        return pl.DataFrame(rows, schema, orient="row")


def contents_of_pairs(
    analysis: Analysis, saved: SavedPairs, now: datetime, *, files: Sequence[File] = (), is_live: bool = True
) -> dict[str, bytes]:
    """The files of a report of saved pairs, by name, the page last.

    Args:
        analysis: of the pairs.
        saved: the pairs.
        now: the date that the page bears.
        files: further ones next to the page.
        is_live: whether gates can be drawn on the page's matrix.
    """
    lines = lines_of(analysis.spectra, analysis.peaks) if analysis.peaks.height else []
    labels = {line.energy_kev: f"{line.nuclide} {line.energy_kev:.1f}" for one in lines for line in one.seen}
    images = _drawn(analysis, labels)
    without_singles = replace(analysis, spectra=analysis.spectra.clear())
    live = live_section(without_singles, figure(images[MATRIX]), lines, labels) if is_live else None
    if live:
        images[MATRIX] = images[MATRIX]._replace(html=live.html)
    html = page(
        title=", ".join(analysis.inputs[:3]),
        subtitle=["Saved pairs", f"Report of {now:%Y-%m-%d %H:%M %Z}".rstrip()],
        tiles=_tiles(analysis, saved),
        warnings=(ALONE, *analysis.warnings),
        sections=_sections(analysis, saved, images, lines),
        foot=_foot(analysis, now),
        files=[*files, *(File(f"{name}.png", ALT[name]) for name in images)],
        script=live.script if live else "",
        style=live.style if live else "",
    )
    return {f"{name}.png": image.png for name, image in images.items()} | {PAGE: html.encode("utf-8")}


def _drawn(analysis: Analysis, labels: Mapping[float, str]) -> dict[str, Image]:
    return {
        TIME_DIFFERENCES: Image(
            png(figures.time_differences(analysis.time_differences, window=analysis.window)), ALT[TIME_DIFFERENCES]
        ),
        MATRIX: Image(png(figures.matrix(analysis.matrix, names=against(analysis))), ALT[MATRIX], narrow=True),
        SPECTRA: Image(png(figures.spectrum(analysis.spectra, lines=labels)), ALT[SPECTRA]),
    }


def _tiles(analysis: Analysis, saved: SavedPairs) -> list[tuple[str, str]]:
    tiles = [
        (count(analysis.pairs), f"pairs within {analysis.window}"),
        (count(analysis.detectors.height), "detectors"),
    ]
    if not saved.files.is_weighted:
        return tiles
    chance, unc = _total(analysis, "chance_pairs")
    return [*tiles, (with_uncertainty(chance, unc), "random coincidences, measured")]


def _total(analysis: Analysis, name: str) -> tuple[float, float]:
    """A number of all detector pairs, and its standard deviation."""
    table = analysis.pairs_by_detectors
    return float(table[name].sum()), math.sqrt(float((table[f"{name}_unc"] ** 2).sum()))


def _sections(
    analysis: Analysis, saved: SavedPairs, images: Mapping[str, Image], lines: Sequence[Lines]
) -> list[Section]:
    seen = [line for one in lines for line in one.seen if line.is_confirmed]
    nuclides = sorted({line.nuclide for line in seen})
    of_lines = [f"Lines of {', '.join(nuclides)} are seen."] if nuclides else []
    hits = "Only hits in pairs are shown, each once per pair; these are not singles spectra."
    axes = "energies" if "energy_kev_x" in analysis.matrix.columns else "pulse heights (ADC channels)"
    net = " Random coincidences are subtracted." if saved.files.is_weighted else ""
    return [
        Section("Coincidences", _words(analysis, saved), tables=[_table(analysis, saved)]),
        Section(
            "Time differences", ["The time of the second detector minus that of the first."], images[TIME_DIFFERENCES]
        ),
        Section("Coincidence matrix", [f"The two {axes} of each pair.{net}"], images[MATRIX]),
        Section("Spectra of hits in pairs", [hits + net, *of_lines], images[SPECTRA]),
    ]


def _words(analysis: Analysis, saved: SavedPairs) -> list[str]:
    """The number of pairs, and of random coincidences among them where it was measured."""
    within = f"within {analysis.window}" if saved.files.window else "in a window that is not recorded in the files"
    files = amount(len(analysis.inputs), "file")
    text = (
        f"{amount(analysis.pairs, 'pair')} from {amount(analysis.detectors.height, 'detector')} {within}, in {files}."
    )
    if not saved.files.is_weighted:
        return [
            f"{text} The number of random coincidences among them is unknown; pairs in random windows would measure it."
        ]
    (chance, chance_unc), (net, net_unc) = _total(analysis, "chance_pairs"), _total(analysis, "net_pairs")
    return [
        f"{text} The random windows give {with_uncertainty(chance, chance_unc)} random coincidences among them; "
        f"subtracting these leaves {with_uncertainty(net, net_unc)} true coincidences."
    ]


def _table(analysis: Analysis, saved: SavedPairs) -> Table:
    headings = ["detectors", "pairs", *(["random (measured)", "true"] if saved.files.is_weighted else [])]
    rows = []
    for row in analysis.pairs_by_detectors.sort("pairs", descending=True, maintain_order=True).iter_rows(named=True):
        measured = (
            [with_uncertainty(row[name], row[f"{name}_unc"]) for name in ("chance_pairs", "net_pairs")]
            if saved.files.is_weighted
            else []
        )
        rows.append((f"{row['name_a']} – {row['name_b']}", count(row["pairs"]), *measured))
    return Table(headings, rows, frozenset(headings[1:]))


def _foot(analysis: Analysis, now: datetime) -> list[tuple[str, str]]:
    return [
        ("Input", ", ".join(analysis.inputs)),
        ("Window", str(analysis.window)),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
        ("Written", now.isoformat(timespec="seconds")),
    ]
