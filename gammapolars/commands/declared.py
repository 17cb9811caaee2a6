"""Inputs and outputs of a command, as its options declare them: no output ever replaces an input."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from gammapolars.commands.query_files import query_path

if TYPE_CHECKING:
    from gammapolars.io.recorded import Recorded

Marker = TypeVar("Marker", "Reads", "Writes")


@dataclass(frozen=True)
class Reads:
    """In the `Annotated` of a field: it names input of the command.

    Attributes:
        what: files; runs, by names, patterns or folders; a detectors.toml with the table of drift that it names; files
            after an equals sign; or a query by its name.
    """

    what: Literal["files", "runs", "detectors", "assignments", "query"] = "files"


@dataclass(frozen=True)
class Writes:
    """In the `Annotated` of a field: it names a file, or a folder, that the command writes.

    Attributes:
        updates: an input that it may replace: the detectors.toml, or the table of drift that this names.
        hits: whether it may be a table of hits, which could be read as a run.
    """

    updates: Literal["nothing", "detectors", "drift"] = "nothing"
    hits: bool = False


FILE, RUNS, DETECTORS, OUTPUT, HITS = Reads(), Reads("runs"), Reads("detectors"), Writes(), Writes(hits=True)


def declared(record: type, kind: type[Marker]) -> dict[str, Marker]:
    """The fields of a class of options that are marked as inputs, or outputs."""
    hints = get_type_hints(record, include_extras=True)
    return {
        field.name: marker
        for field in fields(record)
        for marker in _notes(hints[field.name])
        if isinstance(marker, kind)
    }


def check_declared(record: type) -> None:
    """Raise where a field names files and it is not said whether they are read or written.

    Raises:
        TypeError: there is such a field.
    """
    hints = get_type_hints(record, include_extras=True)
    known = declared(record, Reads).keys() | declared(record, Writes).keys()
    for field in fields(record):
        if field.name not in known and Path in _types(hints[field.name]):
            raise TypeError(f"{record.__name__}.{field.name} names files: mark it with Reads or Writes")


def _notes(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if hasattr(hint, "__metadata__") else ()


def _types(hint: Any) -> Iterator[Any]:
    """The types that a hint is made of."""
    if hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    yield hint
    for part in get_args(hint) if get_origin(hint) else ():
        yield from _types(part)


@contextmanager
def guarded_outputs(options: Any) -> Iterator[None]:
    """While a command runs, no input is replaced; its outputs appear together at the end.

    Outputs whose names follow from other options are the property `further_outputs` of the options, and inputs that no
    field names are `further_inputs`.

    Raises:
        OutputError: an output is a file that is read, or one that was recorded.
        UsageError: two outputs are the same file.
    """
    marked = declared(type(options), Writes)
    outputs = [(name, path) for name in marked for path in _values(getattr(options, name))]
    if not outputs:
        yield
        return
    from gammapolars.io.output import check_apart
    from gammapolars.io.protection import protecting
    from gammapolars.io.transaction import outputs_together

    further = tuple(getattr(options, "further_outputs", ()))
    updates = [(marked[name].updates, path) for name, path in outputs] + [("drift", path) for path in further]
    protection = inputs_of(options, updates)
    with protecting(protection), outputs_together():
        paths = [*(path for _, path in outputs), *further]
        for path in paths:
            protection.check(path)
        check_apart(*paths)
        yield


def inputs_of(options: Any, updates: Sequence[tuple[str, Path]] = ()) -> "Recorded":
    """The files that a command reads, which are not to be replaced.

    Args:
        options: of the command.
        updates: files that it may replace, of the detectors.toml and its table of drift, each with its kind.
    """
    from gammapolars.core.file_identity import same_file
    from gammapolars.io.recorded import read_by

    names, files = list[str](), list[Path](getattr(options, "further_inputs", ()))
    for name, marker in declared(type(options), Reads).items():
        for value in _values(getattr(options, name)):
            if marker.what == "runs":
                names.append(value)
            elif not isinstance(value, str | Path):  # detectors that Python gives
                files += [] if value.drift_path is None else [value.drift_path]
            elif marker.what == "detectors":
                of = (("detectors", Path(value)), *(("drift", path) for path in _drift_tables(Path(value))))
                files += [
                    file for kind, file in of if not same_file(file, [path for to, path in updates if to == kind])
                ]
            else:
                files.append(_file(value, marker))
    to_hits = any(marker.hits for marker in declared(type(options), Writes).values())
    return read_by(names, files, to_hits=to_hits)


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _file(value: Any, marker: Reads) -> Path:
    """The file that an option's value names."""
    if marker.what == "query":
        return query_path(value)
    return Path(value.partition("=")[2]) if marker.what == "assignments" else Path(value)


def _drift_tables(detectors: Path) -> list[Path]:
    """The table that a detectors.toml names, if it can be read."""
    from gammapolars.core.errors import GammapolarsError
    from gammapolars.detectors import load_detectors

    try:
        table = load_detectors(detectors).drift_path
    except GammapolarsError:  # reported when the command reads it
        return []
    return [] if table is None else [table]
