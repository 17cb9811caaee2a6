"""Options that several commands have."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from gammapolars.commands.cluster import OF_CLUSTER, OnCluster, engine_of, note_use
from gammapolars.commands.completion import flags
from gammapolars.commands.declared import DETECTORS, FILE, RUNS
from gammapolars.commands.help_pages import OUTPUT, PAIRS, READING
from gammapolars.commands.notes import argument, choice, option
from gammapolars.core import defaults

if TYPE_CHECKING:
    from gammapolars import io
    from gammapolars.analysis import recording, saved_pairs
    from gammapolars.corrections import Selection
    from gammapolars.detectors import AnyDetectors, Detectors

Runs = Annotated[
    list[str], argument("RUN", "Files or patterns (*.root) of one run, or folders that hold one run each."), RUNS
]
Inputs = Annotated[
    list[str],
    argument("RUN", "Runs, as for other commands; or spectrum files: .spe, .chn, .n42, .cnf, .txt and others."),
    RUNS,
]
SpectrumName = Annotated[
    str | None,
    option("NAME", "Spectrum to take from a file that holds several: b0_ch3, or the name of a TH1.", under=READING),
]
DetectorsFile = Annotated[Path | None, "detectors.toml: names, calibrations, time offsets, columns.", DETECTORS]
LinesFile = Annotated[Path | None, "Your own table of gamma lines (.csv), in place of the built-in one.", FILE]
WindowOption = Annotated[
    str, option("WINDOW", "Coincidence window: 250ns for |dt| <= 250 ns, or LOW:HIGH.", under=PAIRS)
]
RandomOption = Annotated[
    list[str] | None,
    option(
        "LOW:HIGH",
        "Time window of random coincidences, which are subtracted: 1us:3us, or auto. May be repeated.",
        under=PAIRS,
    ),
]
BackgroundOption = Annotated[
    list[str] | None,
    option("LOW:HIGH", "Background region next to the line, in keV, or auto. May be repeated."),
]
SecondBackgroundOption = Annotated[
    list[str] | None,
    option("LOW:HIGH", "Background region next to the second line, or auto. May be repeated.", "--and-background"),
]
SubtractBackground = Annotated[bool, "Subtract the two-dimensional background estimated from the projections."]
PeakRegion = Annotated[
    list[str] | None,
    option("LOW:HIGH", "Peak region of the projections, for this background; searched if not given. May be repeated."),
]
Reject = Annotated[
    str,
    option("FLAGS", "Flags that reject a hit: names, a mask such as 0x480, or none.", under=READING, complete=flags),
]
AddBackOption = Annotated[
    str | None,
    option("TIME", "Add up the hits of one group of detectors within this time, such as 100ns.", under=PAIRS),
]
VetoOption = Annotated[
    list[str] | None,
    option(
        "KIND=TIME",
        "Drop hits in coincidence with a detector of this kind: BGO=200ns. May be repeated.",
        under=PAIRS,
    ),
]


OF_SELECTION = {"--min-energy": "min_energy", "--keep": "keep"}
"""Which hits are used, besides the thresholds in detectors.toml, by option."""

OF_HITS = {
    "--tree": "tree",
    "--stage": "stage",
    "--bin-layout": "bin_layout",
    "--bits": "bits",
    "--reorder": "reorder",
    "--apart": "apart",
    "--drop-duplicates": "drop_duplicates",
    **OF_SELECTION,
}
"""How hits are read, by option: pairs are read as they were saved."""

OF_COINCIDENCES = {"--random": "random", "--reject": "reject"}
"""Settings for pairs of hits, by option: saved pairs were made as another command was asked to."""


Options = TypeVar("Options", bound="Reading")

LOSSES = "_losses"
"""Where options keep the collector of damage that Python gives: it is no option."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How runs are read."""

    HEADING = READING

    detectors: DetectorsFile = None
    tree: Annotated[str | None, option("NAME", "Tree of hits in ROOT files, if it has an unusual name.")] = None
    stage: Annotated[
        str | None,
        choice("raw|filtered|unfiltered", "Files of a run folder: raw, filtered or unfiltered.", metavar="STAGE"),
    ] = None
    bin_layout: Annotated[
        str | None,
        option("LAYOUT", "Record layout of BIN files without a header: 0xCAE5, old, or energy,short,flags."),
    ] = None
    bits: Annotated[
        str | None,
        option("BITS:STEP", "Bits and step of a time counter that rolls over without a flag: 31:8ns."),
    ] = None
    reorder: Annotated[str, option("TIME", "Put hits back in place that are out of time order by up to this much.")] = (
        defaults.REORDER
    )
    apart: Annotated[bool, "Treat each file as a run of its own."] = False
    drop_duplicates: Annotated[bool, "Keep only the first of hits with the same board, channel and time."] = False
    min_energy: Annotated[float | None, option("KEV", "Use only hits of at least this energy, in all detectors.")] = (
        None
    )
    keep: Annotated[
        Path | None,
        "Use only hits that lie in a polygon of this file, or in any of several: .toml or .csv.",
        FILE,
    ] = None
    keep_going: Annotated[bool, "Skip damaged data and report how much was skipped."] = False

    @cached_property
    def known(self) -> "Detectors":
        """The content of detectors.toml; nothing where none is given."""
        return described_by(self.detectors)

    @cached_property
    def selection(self) -> "Selection | None":
        """Which hits are used: as detectors.toml and options say; None: all."""
        from gammapolars.corrections import Selection

        return Selection.of(self.known, self.min_energy, self.keep)

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
            losses=self.__dict__.get(LOSSES) or Losses(keep_going=self.keep_going),
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
        with Progress(runs.count) as progress, engine_of(self, progress) as engine:
            many_pairs = isinstance(self, Pairing) and self.many_pairs
            recording = Recording(
                runs, self.known, progress, selection=self.selection, many_pairs=many_pairs, engine=engine
            )
            yield recording
            if engine:
                note_use(self, engine, recording.account)

    @contextmanager
    def saved_pairs(self, names: list[str]) -> Iterator["saved_pairs.SavedPairs | None"]:
        """The saved pairs that are named, in place of runs; None where they are no pairs."""
        from gammapolars.analysis.saved_pairs import SavedPairs
        from gammapolars.commands.checks import refuse
        from gammapolars.commands.progress import Progress
        from gammapolars.io.pair_files import open_pairs

        if files := open_pairs(names):
            of_cluster = OF_CLUSTER if isinstance(self, OnCluster) else {}
            refuse(self, OF_HITS | of_cluster, f"{files.name} contains pairs, but no single hits")
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

    HEADING = PAIRS

    many_pairs: Annotated[bool, "Go on even if more than 10 pairs per hit, or 10^10 in all, are expected."] = False


@dataclass(frozen=True, kw_only=True)
class Saving:
    """Whether outputs replace existing files."""

    HEADING = OUTPUT

    overwrite: Annotated[bool, "Replace outputs that exist."] = False


def described_by(detectors: "AnyDetectors | None") -> "Detectors":
    """The content of a detectors.toml; nothing where none is given."""
    from gammapolars.detectors import Detectors, detectors_of

    return Detectors() if detectors is None else detectors_of(detectors)


def with_losses(options: Options, losses: "io.Losses | None") -> Options:
    """The same options of a command that reads runs, with a collector of damage."""
    options.__dict__[LOSSES] = losses  # not one of the fields: it is no option
    return options
