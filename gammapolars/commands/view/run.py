"""The command `view`: a page with a live matrix, only on this machine."""

import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.saved_pairs import SavedPairs
from gammapolars.analysis.summaries import PairSummary, Summary
from gammapolars.coincidences import PairRule
from gammapolars.commands.checks import refuse
from gammapolars.commands.options import OF_SELECTION
from gammapolars.commands.view.pairs import PairsOfPage
from gammapolars.commands.view.parse import ViewOptions
from gammapolars.commands.view.server import Answers, PageServer
from gammapolars.core.errors import OutputError, UsageError
from gammapolars.core.visible import visible
from gammapolars.io import save
from gammapolars.io.matrix_files import is_matrix, scan_matrix
from gammapolars.io.pair_files import open_pairs
from gammapolars.io.provenance import of_file
from gammapolars.report.live import live_cells, pack, policy
from gammapolars.report.live.document import Page, page_of
from gammapolars.report.live.section import Known


@dataclass(frozen=True, kw_only=True)
class ViewSummary(Summary):
    """A page that was served.

    Attributes:
        url: where it was.
    """

    url: str


def view(options: ViewOptions) -> ViewSummary:
    """Serve the page until Ctrl-C is pressed, or nobody has looked at it for long.

    Raises:
        OutputError: the port is taken.
        UsageError: nothing that makes a matrix.
    """
    with opened(options) as shown:
        try:
            server = shown.server(options.port)
        except (OSError, OverflowError) as error:
            raise OutputError(f"port {options.port} cannot be opened: {error}: choose another --port") from None
        lines = [f"Warning: {warning}" for warning in shown.warnings] + [f"{server.url} (Ctrl-C ends it)"]
        print("\n".join(map(visible, lines)), file=sys.stderr, flush=True)
        if options.browser:
            webbrowser.open(server.url)
        server.serve_until_idle(60 * options.idle_min)
    return ViewSummary(inputs=tuple(options.names), warnings=shown.warnings, url=server.url)


class Shown(NamedTuple):
    """The page served.

    Attributes:
        page: itself.
        answers: to the requests of its script.
        warnings: about the input.
    """

    page: Page
    answers: Answers
    warnings: tuple[str, ...]

    def server(self, port: int = 0) -> PageServer:
        """The server of the page."""
        allowed = policy([self.page.style], [self.page.script], connect="'self'")
        return PageServer(self.page.html, allowed, self.answers, port)


@contextmanager
def opened(options: ViewOptions) -> Iterator[Shown]:
    """The page for the input that is named."""
    name, title = options.names[0], ", ".join(Path(one).name for one in options.names)
    if len(options.names) == 1 and is_matrix(name):
        refuse(options, OF_SELECTION, f"{name} is a matrix, which no longer contains single hits or pairs")
        yield Shown(_of_matrix(Path(name), title), {}, ())
        return
    with _pairs(options) as (pairs, warnings):
        known = Known(detectors=tuple(pairs.names), made=pairs.command({}))
        page = page_of(pairs.packed({}), title, known)
        yield Shown(page, {"matrix": pairs.matrix, "gate": pairs.gate}, warnings)


def _of_matrix(path: Path, title: str) -> Page:
    """The page of a stored matrix, in the bins given by its file."""
    table = scan_matrix(path).collect()
    bins = (of_file(path) or {}).get("summary", {}).get("bins")
    widths = [one.get("width") for one in bins if isinstance(one, dict)] if isinstance(bins, list) else []
    known = [width for width in widths if isinstance(width, float) and width > 0]
    cells = live_cells(table, (known[0], known[1]) if len(known) == 2 else None)
    return page_of(pack(cells), title, Known(file=str(path)))


@contextmanager
def _pairs(options: ViewOptions) -> Iterator[tuple[PairsOfPage, tuple[str, ...]]]:
    """The saved pairs that are named, and their doubts; those of runs lie in a folder that is removed in the end."""
    with options.saved_pairs(options.names) as saved:
        if saved:
            saved.require_values()
            yield PairsOfPage(saved, options.bin_kev, tuple(map(str, saved.files.paths))), saved.doubts()
            return
    with tempfile.TemporaryDirectory(prefix="gammapolars-") as folder:
        path = Path(folder) / "pairs.parquet"
        warnings = _save_pairs(options, path)
        files = open_pairs([path])
        if files is None:
            raise UsageError(f"{options.names[0]}: contains no pairs")
        yield PairsOfPage(SavedPairs(files, options.known), options.bin_kev, ("pairs.parquet",)), warnings


def _save_pairs(options: ViewOptions, path: Path) -> tuple[str, ...]:
    """Save the pairs of runs, as `coincidences` does; its warnings."""
    with options.recording(options.names) as recording:
        rule = passes.with_random(
            recording, PairRule(options.window, reject=recording.masks(options.reject)), options.random or ()
        )
        hits, pairs = HitTally(), PairTally(rule.window)
        reading = passes.PairPass(recording, rule, [hits, pairs])

        def summary() -> PairSummary:
            return passes.summarise(reading, hits, pairs)

        save(reading.pairs(), path, metadata=lambda: summary().provenance(recording))
        return tuple(summary().warnings)


def text(summary: ViewSummary) -> Sequence[str]:
    """The summary for people."""
    return [f"{summary.url} was served"]
