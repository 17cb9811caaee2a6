"""The live page of a large matrix in a browser: how large it is, and how long gates and drawing take in the script.

`python -m tests.benchmarks.live_page` prints: size of the page (MB), and median and longest time (ms) of a gate, of the
drawing of a gate, and of a drawing in which the matrix is seen from elsewhere.
"""

import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

import gammapolars as gp
from gammapolars.report.live.document import document
from gammapolars.report.live.section import Known
from tests.report.live.browsers import LivePage, opened, started

BINS = 4096
PAIRS = 2_500_000
LINES = 40


def large_matrix(pairs: int = PAIRS, bins: int = BINS) -> tuple[pl.DataFrame, Known]:
    """A symmetric matrix of lines on a continuum, about as many cells filled as there are pairs."""
    rng = np.random.default_rng(1)
    lines = rng.uniform(0.02 * bins, 0.98 * bins, LINES)
    is_line = rng.random((2, pairs)) < 0.35
    energies = np.where(is_line, rng.normal(rng.choice(lines, (2, pairs)), 1.0), rng.exponential(bins / 4, (2, pairs)))
    table = pl.DataFrame({"energy_kev_a": energies[0] % bins, "energy_kev_b": energies[1] % bins})
    known = Known(lines={float(line): f"X {line:.1f}" for line in lines}, fwhm={float(bins): 2.4})
    return gp.matrix(table.lazy(), bin_kev=1.0).collect(), known


def times(live: LivePage, name: str) -> float:
    """The latest time that the script took, in ms."""
    return float(live.page.get_attribute("#live", f"data-{name}-ms") or "nan")


def measured(path: Path) -> dict[str, list[float]]:
    """Times of gates all over the matrix, and of views of it."""
    found: dict[str, list[float]] = {"gate": [], "draw": [], "view": []}
    with started() as browser, opened(browser, path) as live:
        for low in np.linspace(0.03, 0.95, 30) * BINS:
            live.type_gate(
                round(low), round(low) + 6, [(round(low) - 12, round(low) - 6), (round(low) + 9, round(low) + 15)]
            )
            live.page.wait_for_timeout(60)
            found["gate"].append(times(live, "gate"))
            found["draw"].append(times(live, "draw"))
        for action in ("in", "in", "in", "out", "out", "all", "in", "all"):
            live.press(action)
            live.page.wait_for_timeout(150)
            found["view"].append(times(live, "draw"))
    return found


def main() -> None:
    """Measure, and print."""
    matrix, known = large_matrix()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(document(matrix, width=1.0, known=known), encoding="utf-8")
        print(f"{matrix.height:,} cells: {path.stat().st_size / 1e6:.2f} MB")
        for name, values in measured(path).items():
            print(f"{name}: {median(values):.1f} ms, at most {max(values):.1f} ms")


if __name__ == "__main__":
    main()
