"""The options on how a run is read, shared by all commands that read one."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from gammapolars.core import defaults

if TYPE_CHECKING:
    from gammapolars.commands.progress import Progress
    from gammapolars.detectors import Detectors
    from gammapolars.io import Runs

DetectorsFile = Annotated[
    Path | None, typer.Option("--detectors", help="detectors.toml: names, calibrations, offsets, columns.")
]


@dataclass(frozen=True)
class ReadingOptions:
    """How a run is read, as the command line tells it."""

    detectors: DetectorsFile = None
    tree: Annotated[
        str | None, typer.Option("--tree", help="The hits' tree in ROOT files, if it has another name.")
    ] = None
    stage: Annotated[
        str | None, typer.Option("--stage", help="Of a run's folder: raw, filtered or unfiltered files.")
    ] = None
    bin_layout: Annotated[
        str | None,
        typer.Option("--bin-layout", help="Of BIN files that do not tell: 0xCAE5, old, or energy,short,flags."),
    ] = None
    reorder: Annotated[
        str, typer.Option("--reorder", help="How far back in time a hit may lie and still be put in place.")
    ] = defaults.REORDER
    apart: Annotated[bool, typer.Option("--apart", help="Each file is a run of its own, as each folder is.")] = False
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out what is damaged, and count it, instead of stopping.")
    ] = False

    @cached_property
    def known(self) -> "Detectors":
        """What detectors.toml describes; nothing where none is given."""
        from gammapolars.detectors import Detectors, load_detectors

        return load_detectors(self.detectors) if self.detectors else Detectors()

    def open(self, names: list[str]) -> "Runs":
        """Find the files of the runs that are named."""
        from gammapolars.core.units import parse_ps
        from gammapolars.io import Losses, Reading, open_runs

        reading = Reading(
            tree=self.tree,
            bin_layout=self.bin_layout,
            columns=self.known.columns,
            losses=Losses(keep_going=self.keep_going),
        )
        return open_runs(*names, reading=reading, reorder_ps=parse_ps(self.reorder), stage=self.stage, apart=self.apart)

    @contextmanager
    def reading(self, names: list[str]) -> Iterator[tuple["Runs", "Progress"]]:
        """The runs that are named, and how far they have been read, shown on the terminal meanwhile."""
        from gammapolars.commands.progress import Progress

        opened = self.open(names)
        with Progress(opened.count) as progress:
            yield opened, progress


def reads_runs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options above, in place of its parameter `how`."""
    hints = get_type_hints(ReadingOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(ReadingOptions)
    ]

    @functools.wraps(command)
    def expanded(**given: Any) -> None:
        how = ReadingOptions(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        command(**given, how=how)

    own = inspect.signature(command).parameters.values()
    parameters = [
        part.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in own
        for part in (shared if parameter.name == "how" else [parameter])
    ]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return expanded
