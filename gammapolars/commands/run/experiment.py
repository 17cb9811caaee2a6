"""An experiment.toml: the steps of an analysis, each with the options of its command."""

import tomllib
from collections.abc import Container, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any, get_type_hints

from gammapolars.commands.app import load
from gammapolars.commands.command import OPTIONS
from gammapolars.commands.declared import Reads, Writes, declared
from gammapolars.commands.given import note_given
from gammapolars.commands.options import Pairing, Reading
from gammapolars.commands.query_files import QUERIES, shipped_queries
from gammapolars.commands.run.kinds import KINDS
from gammapolars.commands.run.record import Record
from gammapolars.commands.run.steps import Step, check_steps
from gammapolars.commands.run.values import keys_of, table_of, unknown, value_of
from gammapolars.core.errors import InputError
from gammapolars.core.small_files import read_small

GENERAL = ("runs", "detectors", "output", "common")
"""The keys of the file that are no step."""

OUTPUT = "analysis"
"""The folder of all outputs, where none is given."""

OWN = ("name", "runs", "from")
"""The keys of a step that are no options of its command."""


COMMON = {one.name for kind in (Reading, Pairing) for one in fields(kind) if one.name != "detectors"} | {
    *("window", "random", "reject", "add_back", "veto")
}
"""The options that steps may have in common: how runs are read, and how pairs are found."""


@dataclass(frozen=True)
class Experiment:
    """The steps of an analysis.

    Attributes:
        file: the experiment.toml.
        output: the folder of all outputs.
        steps: in the order in which they are done.
    """

    file: Path
    output: Path
    steps: tuple[Step, ...]

    def record(self) -> Record:
        """The record of the steps that were done.

        Raises:
            InputError: it is damaged.
        """
        return Record(self.output / f"{self.file.stem}.steps.json", self.file)


def load_experiment(file: Path) -> Experiment:
    """Read an experiment.toml.

    Raises:
        InputError: it cannot be read, has an unknown key or a value of a wrong type, or its steps contradict.
    """
    document = _document(file)
    if strange := [key for key in document if key not in (*GENERAL, *KINDS)]:
        raise unknown(strange[0], [*GENERAL, *KINDS], str(file))
    reader = _Reader(file, document)
    steps = tuple(reader.steps())
    if not steps:
        raise InputError(f"{file}: has no steps: write a table such as [coincidences] or [report]")
    check_steps(file, steps)
    return Experiment(file, reader.output, steps)


def _document(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_small(file).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        hint = " (write paths of Windows with /, or in single quotes)" if "escape" in str(error).lower() else ""
        raise InputError(f"{file}: cannot be read as TOML: {error}{hint}") from None
    except InputError as error:
        if file.exists():
            raise
        raise InputError(f"{error}: write one with 'gammapolars init RUN... -o {file}'") from None


class _Reader:
    """Makes steps of tables; the detectors.toml and the pairs that one writes are the input of those after it."""

    def __init__(self, file: Path, document: Mapping[str, Any]) -> None:
        self._file, self._document = file, document
        runs, detectors = document.get("runs", []), document.get("detectors")
        self._runs: list[str] = value_of(runs, list[str], f"{file}: runs")
        self._detectors = None if detectors is None else value_of(detectors, Path, f"{file}: detectors")
        self._pairs: str | None = None
        self._common = table_of(document, "common", str(file))
        self._output: str = value_of(document.get("output", OUTPUT), Path, f"{file}: output")
        if strange := [key for key in self._common if key not in COMMON]:
            raise unknown(strange[0], sorted(COMMON), f"{file}: [common]")

    @property
    def output(self) -> Path:
        """The folder of all outputs."""
        return self._file.parent / self._output

    def steps(self) -> Iterator[Step]:
        """The steps in their order.

        Raises:
            InputError: as for `load_experiment`.
        """
        names = set[str]()
        for command, kind in KINDS.items():
            tables = self._document.get(command, [])
            if isinstance(tables, dict):
                tables = [tables]
            if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
                raise InputError(f"{self._file}: {command} must be a table: write [{command}] in a line of its own")
            for table in tables:
                name = self._name(command, table, names)
                names.add(name)
                step = self._step(name, command, table)
                yield step
                if kind.measures:
                    self._detectors = step.parameters["output"]
                if command == "coincidences":
                    self._pairs = step.parameters["output"]

    def _name(self, command: str, table: Mapping[str, Any], taken: Container[str]) -> str:
        """The name of a step: as given; else the command, a gate with its energy, or a query, numbered where needed."""
        name, usual = table.get("name"), command
        if command == "query":
            name, usual = None, Path(str(name)).stem
        elif command == "gate" and isinstance(table.get("on"), int | float):
            usual = f"gate-{table['on']:g}"
        if name is None:
            numbered = (f"{usual}-{number}" for number in count(2))
            name = usual if usual not in taken else next(one for one in numbered if one not in taken)
        if not (isinstance(name, str) and name and all(letter.isalnum() or letter in " .+-_" for letter in name)):
            raise InputError(f"{self._file}: [{command}] name must be of letters, digits and . + - _, not {name!r}")
        if name in taken:
            raise InputError(f"{self._file}: two steps have the name '{name}': give them different names")
        return name

    def _step(self, name: str, command: str, table: Mapping[str, Any]) -> Step:
        """A step with all options: its own, those that are common, and the input that follows from steps before."""
        load(command)
        record: Any = OPTIONS[(command,)]
        where, keys, hints = f"{self._file}: [{command}]", keys_of(record), get_type_hints(record, include_extras=True)
        inputs = next(one for one, marker in declared(record, Reads).items() if marker.what == "runs")
        allowed = [key for key in keys if key not in (inputs, "overwrite", "asked")]
        strange = {key: value for key, value in table.items() if key not in (*OWN, *allowed)}
        if strange and command != "query":
            raise unknown(next(iter(strange)), [*OWN, *allowed], where)
        runs, are_runs = self._input(command, table, where)
        own = {keys[key]: value_of(table[key], hints[keys[key]], f"{where} {key}") for key in table if key in allowed}
        common = {
            key: value_of(value, hints[key], f"{self._file}: [common] {key}")
            for key, value in self._common.items()
            if key in hints and are_runs and key not in KINDS[command].without
        }
        usual = KINDS[command].output
        output = value_of(usual if name == command else name + Path(usual).suffix, hints["output"], where)
        values: dict[str, Any] = {"detectors": self._detectors, "output": output} | common | own | {inputs: runs}
        values |= {key: self._inside(values[key]) for key in declared(record, Writes) if values.get(key) is not None}
        parameters = {
            one.name: one.default for one in fields(record) if one.name not in ("overwrite", "asked")
        } | values
        if missing := [key for key, value in parameters.items() if value is MISSING]:
            raise InputError(f"{where} has no {missing[0]}, which must be given")
        options = self._options(record, parameters, inputs)
        if command == "query":
            return Step(name, command, note_given(options, own), parameters | {"parameters": strange}, strange)
        return Step(name, command, note_given(options, own), parameters)

    def _options(self, record: Any, parameters: Mapping[str, Any], inputs: str) -> Any:
        """The options of a command, with paths from the present folder."""
        paths = declared(record, Reads) | declared(record, Writes)
        values = {
            key: self._placed(value, as_path=key != inputs) if key in paths else value
            for key, value in parameters.items()
        }
        if "asked" in record.__dataclass_fields__:  # its parameters follow when it is run
            values |= {"asked": None, "name": self._query(parameters["name"])}
        return record(**values, overwrite=True)

    def _query(self, name: str | None) -> str:
        """The name, or the file, of a query: the user's own lie in a folder next to the file of the experiment."""
        if name is None:
            raise InputError(f"{self._file}: [query] has no name, which must be given")
        if name.endswith(".py"):
            return str(joined(self._file.parent, name))
        own, shipped = (folder / f"{name}.py" for folder in (self._file.parent / QUERIES, shipped_queries()))
        return str(shipped if shipped.is_file() and not own.is_file() else own)

    def _input(self, command: str, table: Mapping[str, Any], where: str) -> tuple[list[str], bool]:
        """The input of a step, and whether it is runs."""
        needs_hits = {"runs", "second", "and"} & table.keys()
        wanted = table.get("from", "runs" if needs_hits else KINDS[command].reads)
        if wanted not in ("runs", "pairs"):
            raise InputError(f"{where} from must be 'runs' or 'pairs', not {wanted!r}")
        if "from" in table and wanted == "pairs" and self._pairs is None:
            raise InputError(f"{where} reads saved pairs, but there is no step [coincidences] that saves them")
        if wanted == "pairs" and self._pairs is not None:
            return [self._pairs], False
        runs: list[str] = value_of(table.get("runs", self._runs), list[str], f"{where} runs")
        if not runs:
            raise InputError(f"{where} has no runs: give some at the top of the file: runs = ['run.root']")
        return runs, True

    def _inside(self, value: Any) -> Any:
        """An output, which lies in the folder of outputs, from the folder of the file; or several."""
        if isinstance(value, list):
            return [self._inside(one) for one in value]
        return str(joined(Path(self._output), value))

    def _placed(self, value: Any, *, as_path: bool) -> Any:
        """A path, or paths, of the file from the present folder."""
        if value is None:
            return None
        if isinstance(value, list):
            return [self._placed(one, as_path=as_path) for one in value]
        place = joined(self._file.parent, value)
        return Path(place) if as_path else str(place)


def joined(folder: Path, path: str) -> Path | str:
    """A path that starts in a folder; the names of files on servers stay."""
    return path if "://" in path else folder / path
