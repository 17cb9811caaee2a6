"""The command `init`: runs in, a commented experiment.toml and a detectors.toml out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from gammapolars.analysis.summaries import Summary
from gammapolars.commands.given import is_given
from gammapolars.commands.init.parse import InitOptions
from gammapolars.commands.init.runs import FoundRun, find_runs
from gammapolars.commands.init.template import Content, detectors_text, experiment_text
from gammapolars.commands.options import Reading
from gammapolars.core.records import Rows
from gammapolars.core.types import Key
from gammapolars.detectors import Detectors, load_detectors
from gammapolars.io.output import check_output, write_bytes


@dataclass(frozen=True, kw_only=True)
class InitSummary(Summary):
    """An experiment that was described.

    Attributes:
        runs: of each its `files`, the `sources` in its name, and its `role`: measurement, calibration, both or
            background.
        detectors: in the first hits: `board`, `channel` and `name`.
    """

    runs: Rows
    detectors: Rows


def init(options: InitOptions) -> InitSummary:
    """Describe the experiment that some runs belong to."""
    check_output(options.output, overwrite=options.overwrite)
    runs = find_runs(options)
    channels = {key: name for run in runs for key, name in run.channels.items()}
    channels = dict(sorted(channels.items()))
    path = options.new_detectors or options.detectors or options.output.parent / "detectors.toml"
    known = Detectors() if options.new_detectors else load_detectors(path)
    measured, sources = _measured(runs), _with_sources(runs)
    if options.new_detectors:
        write_bytes(detectors_text(channels).encode(), options.new_detectors)
    content = _content(options, runs, path, known, len(channels))
    write_bytes(experiment_text(content).encode(), options.output, overwrite=options.overwrite)
    rows = [
        {"files": list(run.names), "sources": list(run.sources), "role": _role(run, measured, sources)} for run in runs
    ]
    return InitSummary(
        inputs=tuple(name for run in runs for name in run.names), runs=rows, detectors=_rows(channels, known)
    ).saved(options.output, options.new_detectors)


def _with_sources(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """The runs for a calibration."""
    return [run for run in runs if run.sources and not run.is_background]


def _measured(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """The measurement: the runs without a source in their names; where there are none, those with sources."""
    others = [run for run in runs if not run.sources and not run.is_background]
    return others or _with_sources(runs) or list(runs)


def _role(run: FoundRun, measured: Sequence[FoundRun], sources: Sequence[FoundRun]) -> str:
    if run in measured:
        return "both" if run in sources else "measurement"
    return "calibration" if run in sources else "background"


def _content(
    options: InitOptions, runs: Sequence[FoundRun], detectors: Path, known: Detectors, channels: int
) -> Content:
    folder = options.output.parent
    measured, sources = _measured(runs), _with_sources(runs)
    given = [
        one.name for one in fields(Reading) if one.name not in ("detectors", "apart") and is_given(options, one.name)
    ]
    reading = {name: getattr(options, name) for name in given}
    reading |= {name: _from_folder(str(one), folder) for name, one in reading.items() if isinstance(one, Path)}
    return Content(
        file=options.output.name,
        runs=_names(measured, folder),
        calibration=_names(sources, folder),
        sources=list(dict.fromkeys(source for run in sources for source in run.sources)),
        background=_names([run for run in runs if run.is_background and run not in measured], folder),
        detectors=_from_folder(str(detectors), folder),
        calibrated=any(one.energy for one in known),
        channels=channels,
        reading=reading,
        apart=options.apart or _are_apart(measured),
        calibration_apart=_are_apart(sources) and not (options.apart or _are_apart(measured)),
    )


def _are_apart(runs: Sequence[FoundRun]) -> bool:
    """Whether there are several files, each a run of its own, which would be merged as files of one run."""
    return len(runs) > 1 and all(run.is_file for run in runs)


def _names(runs: Sequence[FoundRun], folder: Path) -> list[str]:
    return [_from_folder(name, folder) for run in runs for name in run.names]


def _from_folder(name: str, folder: Path) -> str:
    """A path from the folder of the file, with / on all systems; as it is, if it is absolute or on a server."""
    if "://" in name or Path(name).is_absolute():
        return name if "://" in name else Path(name).as_posix()
    return Path(os.path.relpath(name, folder)).as_posix()


def _rows(channels: dict[Key, str], known: Detectors) -> Rows:
    names = {(one.board, one.channel): one.name for one in known}
    return [
        {"board": board, "channel": channel, "name": names.get((board, channel)) or name or f"{board}/{channel}"}
        for (board, channel), name in channels.items()
    ]


def text(summary: InitSummary) -> list[str]:
    """The summary for people."""
    lines = []
    for run in summary.runs:
        role = {"both": "measurement and calibration"}.get(run["role"], run["role"])
        sources = f" ({', '.join(run['sources'])})" if run["sources"] else ""
        lines.append(f"{', '.join(run['files'])}: {role}{sources}")
    names = ", ".join(row["name"] for row in summary.detectors)
    lines += [f"detectors: {names or 'none in the first hits'}"]
    lines += [f"{output}: written" for output in summary.outputs]
    return [*lines, f"next: gammapolars run {summary.outputs[0]}"]
