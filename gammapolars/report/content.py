"""What a report consists of: the figures as PNG, and the page that shows and explains them."""

import platform
from datetime import datetime
from importlib.metadata import version

from gammapolars import figures
from gammapolars.core.units import format_ps
from gammapolars.figures import png
from gammapolars.gamma_lines import in_cascade
from gammapolars.io.provenance import versions
from gammapolars.report import estimates, tables, text
from gammapolars.report.analyse import Analysis
from gammapolars.report.lines import ANNIHILATION, Lines, Spot, lines_of, spots_of
from gammapolars.report.numbers import about, count, duration, with_uncertainty
from gammapolars.report.page import Image, Section, page

PAGE = "index.html"

CHANCE = (
    "Random coincidences of two detectors: N = Σ r_a r_b w t, with the rates r_a and r_b of their used hits in slices "
    "t of the time in which both were recorded, and the total width w of the coincidence window. What lies within "
    "their dead time counts less, because true coincidences leave both dead. Several detector pairs are summed. True "
    "coincidences are the pairs less N."
)
MEASURED_CHANCE = (
    " Random windows hold no true coincidences: s times the pairs in them, with s the width of the window over theirs, "
    "are taken off instead, net = P - s R with the variance P + s² R, in the counts, the table and the matrix."
)
PROMPT = (
    "The position and width of a prompt peak are those of a Gaussian on a level of chance pairs, fitted by maximum "
    "likelihood to the core of the peak, as align does; peaks are searched as far as ±{reach}."
)
PEAKS = (
    "A peak is fitted with a Gaussian, a tail and a step on a smooth background, and is at least six standard "
    "deviations high; humps at Compton edges are left out. A nuclide is named only when all its main lines are seen in "
    "one spectrum. Searched: Na-22, K-40, Co-60, Cs-137, Eu-152 and 511 keV."
)


def contents(analysis: Analysis, now: datetime) -> dict[str, bytes]:
    """The files of a report, which bears the date `now`, by name, the page last."""
    steadiness = estimates.steadiness(analysis.rates)
    lines = lines_of(analysis.spectra)
    spots = spots_of(analysis, lines)
    images = {
        "rates.png": png(figures.rates(analysis.rates)),
        "spectra.png": png(figures.spectrum(analysis.spectra, lines=_line_labels(lines))),
        "time_differences.png": png(
            figures.time_difference(
                analysis.time_differences,
                analysis.window,
                chance=analysis.pairs_by_detectors,
                random=analysis.random_windows,
            )
        ),
        "matrix.png": png(figures.matrix(analysis.matrix, spots=_spot_labels(spots, lines))),
    }
    sections = (
        Section("The run", text.run(analysis), tables=[tables.detectors(analysis)]),
        Section("Rejected hits", text.rejected(analysis), tables=[tables.rejected(analysis)]),
        Section(
            "Rates",
            text.rates(analysis, steadiness),
            Image(images["rates.png"], "Count rate of each detector over time"),
        ),
        Section(
            "Spectra",
            text.spectra(analysis, lines),
            Image(images["spectra.png"], "Spectrum of each detector, log scale"),
        ),
        Section("Coincidences", text.coincidences(analysis), tables=[tables.pairs(analysis)]),
        Section(
            "Time differences",
            text.prompt(analysis),
            Image(images["time_differences.png"], "Histograms of the time differences of detector pairs"),
        ),
        Section(
            "Energies of pairs",
            text.matrix(analysis, lines, spots),
            Image(images["matrix.png"], "Matrix of the two energies of each pair, log colour scale", narrow=True),
        ),
    )
    html = page(
        title=_title(analysis),
        subtitle=[f"Report of {now:%Y-%m-%d %H:%M %Z}".rstrip()],
        tiles=_tiles(analysis),
        warnings=(*analysis.warnings, *(f"{one.name}: {doubt}" for one in lines for doubt in one.doubts)),
        sections=[section for section in sections if section.paragraphs or section.image],
        foot=_provenance(analysis, now),
    )
    return images | {PAGE: html.encode("utf-8")}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _title(analysis: Analysis) -> str:
    first, *others = analysis.inputs or ("no file",)
    return f"{first} and {count(len(others))} more" if others else first


def _tiles(analysis: Analysis) -> list[tuple[str, str]]:
    return [
        (count(analysis.hits_read), "hits read"),
        (count(analysis.hits_used), "hits used"),
        (str(analysis.detectors.height), "detectors"),
        (duration(analysis.real_time_s), "real time"),
        (count(analysis.pairs), f"pairs within {analysis.window}"),
        *_random_tiles(analysis),
    ]


def _random_tiles(analysis: Analysis) -> list[tuple[str, str]]:
    """The number of random coincidences: as measured first, where random windows were asked for."""
    expected = about(analysis.chance_pairs_expected), "random coincidences expected"
    net = analysis.summary.of_pairs.random if analysis.summary else None
    if net is None:
        return [expected]
    return [(with_uncertainty(net.chance_pairs, net.chance_pairs_unc), "random coincidences, measured"), expected]


def _line_labels(lines: list[Lines]) -> dict[float, str]:
    """Labels for the figure: the short name of the nuclide, or of annihilation, and the energy."""
    return {
        line.energy_kev: f"{line.nuclide} {line.energy_kev:.1f}" if "-" in line.nuclide else f"{line.energy_kev:.0f}"
        for detector in lines
        for line in detector.seen
    }


def _spot_labels(spots: list[Spot], lines: list[Lines]) -> dict[tuple[float, float], str]:
    """Labels for the strongest spots: the energies, after the nuclide where ENSDF knows them as its cascade."""
    nuclides: dict[float, set[str]] = {}
    for line in (line for detector in lines for line in detector.seen):
        nuclides.setdefault(line.energy_kev, set()).add(line.nuclide)
    labels = {}
    for x, y in ((spot.energy_x_kev, spot.energy_y_kev) for spot in spots[:8]):
        both = sorted(nuclides.get(x, set()) & nuclides.get(y, set()) - {ANNIHILATION})
        cascades = [nuclide for nuclide in both if in_cascade(nuclide, x, y)]
        labels[x, y] = " ".join([*cascades, f"{x:.0f}–{y:.0f}"])
    return labels


def _provenance(analysis: Analysis, now: datetime) -> list[tuple[str, str]]:
    """What the page was made from, and how."""
    packages = versions() | {"plotnine": version("plotnine"), "Python": platform.python_version()}
    span = f"{analysis.first_timestamp_ps:,} ps to {analysis.last_timestamp_ps:,} ps"
    return [
        ("Input", ", ".join(analysis.inputs) or "none"),
        ("Time stamps", span),
        *((_capital(name), value) for name, value in ({"window": str(analysis.window)} | analysis.parameters).items()),
        ("Chance", CHANCE + (MEASURED_CHANCE if analysis.random_windows else "")),
        ("Prompt peaks", PROMPT.format(reach=format_ps(analysis.search_ps))),
        ("Lines", PEAKS),
        ("Versions", ", ".join(f"{name} {number}" for name, number in packages.items())),
        ("Written", now.isoformat(timespec="seconds")),
    ]
