"""Options that several commands have."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gammapolars.commands.declared import DETECTORS, FILE, RUNS
from gammapolars.core import defaults

if TYPE_CHECKING:
    from gammapolars import io
    from gammapolars.analysis import recording, saved_pairs
    from gammapolars.detectors import Detectors

Runs = Annotated[
    list[str], typer.Argument(metavar="RUN", help="Files or patterns of one run, or folders of one run each."), RUNS
]
Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN", help="Runs, as for other commands; or spectra: .spe, .chn, .n42, .cnf, .txt and others."
    ),
    RUNS,
]
SpectrumName = Annotated[str | None, "Which spectrum, of a file that holds several: b0_ch3, or a TH1."]
DetectorsFile = Annotated[Path | None, "detectors.toml: names, calibrations, offsets, columns.", DETECTORS]
LinesFile = Annotated[Path | None, "Your own table of gamma lines, .csv, instead of the package's.", FILE]
WindowOption = Annotated[str, "Coincidence window: 250ns for |dt| ≤ 250 ns, or LOW:HIGH."]
RandomOption = Annotated[
    list[str] | None, "Window of chance pairs, to be subtracted: 1us:3us, or auto. May be repeated."
]
BackgroundOption = Annotated[
    list[str] | None,
    typer.Option(metavar="LOW:HIGH", help="Beside the line: what lies below it; or auto. May be repeated."),
]
SecondBackgroundOption = Annotated[
    list[str] | None, typer.Option("--and-background", metavar="LOW:HIGH", help="Beside the second line, or auto.")
]
SubtractBackground = Annotated[bool, "Subtract the two-dimensional background that follows from the projections."]
PeakRegion = Annotated[
    list[str] | None,
    typer.Option(metavar="LOW:HIGH", help="Where the projections have peaks, for that background; otherwise searched."),
]
Reject = Annotated[str, "Flags that reject a hit: names, a mask such as 0x480, or none."]
AddBackOption = Annotated[str | None, "Sum what detectors of one group saw within this time, such as 100ns."]
VetoOption = Annotated[
    list[str] | None, "Drop hits that came with one of a kind of detector: BGO=200ns. May be repeated."
]


OF_HITS = {
    "--tree": "tree",
    "--stage": "stage",
    "--bin-layout": "bin_layout",
    "--bits": "bits",
    "--reorder": "reorder",
    "--apart": "apart",
    "--drop-duplicates": "drop_duplicates",
}
"""How hits are read, by option: pairs are read as they were saved."""

OF_COINCIDENCES = {"--random": "random", "--reject": "reject"}
"""What makes pairs of hits, by option: saved pairs were made as another command was asked to."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How runs are read."""

    detectors: DetectorsFile = None
    tree: Annotated[str | None, "The hits' tree in ROOT files, if it has another name."] = None
    stage: Annotated[str | None, "Of a run's folder: raw, filtered or unfiltered files."] = None
    bin_layout: Annotated[str | None, "Of BIN files that do not tell: 0xCAE5, old, or energy,short,flags."] = None
    bits: Annotated[str | None, "Of a counter of time that rolls over without a flag, and its step: 31:8ns."] = None
    reorder: Annotated[str, "How far back in time a hit may lie and still be put in place."] = defaults.REORDER
    apart: Annotated[bool, "Each file is a run of its own, as each folder is."] = False
    drop_duplicates: Annotated[bool, "Of hits with one board, channel and time keep the first alone."] = False
    keep_going: Annotated[bool, "Leave out what is damaged, and count it, instead of stopping."] = False

    @cached_property
    def known(self) -> "Detectors":
        """What detectors.toml describes; nothing where none is given."""
        return described_by(self.detectors)

    def open(self, names: list[str]) -> "io.Runs":
        """Find the files of the runs that are named."""
        from gammapolars.core.units import parse_ps
        from gammapolars.detectors.columns import rollover_ps
        from gammapolars.io import Losses, open_runs
        from gammapolars.io import Reading as FileReading

        reading = FileReading(
            tree=self.tree,
            bin_layout=self.bin_layout,
            columns=self.known.columns,
            rollover_ps=rollover_ps(self.bits, self.known.columns) if self.bits else None,
            losses=Losses(keep_going=self.keep_going),
        )
        return open_runs(
            *names,
            reading=reading,
            reorder_ps=parse_ps(self.reorder),
            stage=self.stage,
            apart=self.apart,
            drop_duplicates=self.drop_duplicates,
        )

    @contextmanager
    def recording(self, names: list[str]) -> Iterator["recording.Recording"]:
        """The runs that are named; how far they have been read is shown on the terminal meanwhile."""
        from gammapolars.analysis.recording import Recording
        from gammapolars.commands.progress import Progress

        runs = self.open(names)
        with Progress(runs.count) as progress:
            yield Recording(runs, self.known, progress, many_pairs=isinstance(self, Pairing) and self.many_pairs)

    @contextmanager
    def saved_pairs(self, names: list[str]) -> Iterator["saved_pairs.SavedPairs | None"]:
        """The saved pairs that are named, in place of runs; None where they are no pairs."""
        from gammapolars.analysis.saved_pairs import SavedPairs
        from gammapolars.commands.checks import refuse
        from gammapolars.commands.progress import Progress
        from gammapolars.io.pair_files import open_pairs

        if files := open_pairs(names):
            refuse(self, OF_HITS, f"{files.name} holds pairs, and no single hits")
            with Progress(lambda: None, of="pairs") as progress:
                yield SavedPairs(files, self.known, progress)
        else:
            yield None


@dataclass(frozen=True, kw_only=True)
class Recording(Reading):
    """Runs, and how they are read."""

    names: Runs


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Whether pairs are looked for however many there are."""

    many_pairs: Annotated[bool, "Go on where more than 10 pairs a hit, or 10^10 in all, are expected."] = False


@dataclass(frozen=True, kw_only=True)
class Saving:
    """Whether outputs replace what is there."""

    overwrite: Annotated[bool, "Replace an output that exists."] = False


def described_by(path: Path | None) -> "Detectors":
    """What a detectors.toml describes; nothing where none is given."""
    from gammapolars.detectors import Detectors, load_detectors

    return load_detectors(path) if path else Detectors()
