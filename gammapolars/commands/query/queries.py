"""Find, load and call a query: a module with `def query(hits: pl.LazyFrame, *, …) -> pl.LazyFrame`."""

import importlib.machinery
import importlib.util
import inspect
import re
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.commands.query.signature import ARGUMENTS, Parameter, Signature, signature_of
from gammapolars.commands.query_files import QUERIES, query_names, query_path, shipped_queries
from gammapolars.core.errors import GammapolarsError, QueryError, first_line


@dataclass(frozen=True)
class Query:
    """A loaded query.

    Attributes:
        name: the module's name.
        path: the file that it came from.
        description: the module's docstring.
        signature: the parameters that it asks for.
        function: the query itself.
    """

    name: str
    path: Path
    description: str
    signature: Signature
    function: Callable[..., pl.LazyFrame]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its settings on the command line."""
        return self.signature.options

    @property
    def takes_pairs(self) -> bool:
        """Whether it asks for pairs."""
        return self.signature.takes_pairs

    def run(self, hits: pl.LazyFrame | None, pairs: pl.LazyFrame | None, arguments: Mapping[str, Any]) -> pl.LazyFrame:
        """Call the query.

        Args:
            hits: of the run, where it asks for them.
            pairs: of the run, where it asks for them.
            arguments: its parameters, and the settings that it asks for.

        Raises:
            QueryError: it fails, or gives something else than a LazyFrame.
        """
        tables = {"hits": hits, "pairs": pairs}
        further = {name: tables[name] for name in self.signature.tables}
        try:
            result = self.function(tables[self.signature.first], **further, **arguments)
        except (Exception, SystemExit) as error:
            raise self.failed("query failed", error) from error
        if not isinstance(result, pl.LazyFrame):
            advice = ": leave out .collect()" if isinstance(result, pl.DataFrame) else ""
            raise QueryError(f"{self.path}: the query must return a LazyFrame, not {type(result).__name__}{advice}")
        return result

    def failed(self, what: str, error: BaseException, *, named: bool = True) -> QueryError:
        """An error of the query in one line, with the line of its file where it happened, if that is known."""
        return _failed(self.path, what, error, named=named)


def _failed(path: Path, what: str, error: BaseException, *, named: bool = True) -> QueryError:
    kind = f"{type(error).__name__}: " if named and not isinstance(error, GammapolarsError) else ""
    message = error.msg if isinstance(error, SyntaxError) else first_line(error)
    return QueryError(f"{path}: {what}: {kind}{message}{_place(error, path)}")


def _place(error: BaseException, path: Path) -> str:
    """The last line of a query's file that an error came through, in words."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == path.absolute():
        line = error.lineno
    elif isinstance(error, pl.exceptions.ColumnNotFoundError):
        line = _only_line_with(path, first_line(error))
    else:
        frames = reversed(traceback.extract_tb(error.__traceback__))
        line = next((frame.lineno for frame in frames if Path(frame.filename) == path.absolute()), None)
    return f" (line {line})" if line else ""


def _only_line_with(path: Path, message: str) -> int | None:
    """The line that names a column which polars missed when the plan was complete; None where several lines do."""
    name = re.search('"(.+?)"', message)
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    found = [number for number, line in lines if name and re.search(rf"""["']{re.escape(name[1])}["']""", line)]
    return found[0] if len(found) == 1 else None


def find(name: str, folder: Path = QUERIES) -> Path:
    """The file of a query given by name or path.

    Raises:
        QueryError: there is no such file; the message lists those that can be named.
    """
    path = query_path(name, folder)
    if path.is_file():
        return path
    if name.endswith(".py"):
        raise QueryError(f"{path}: no such file")
    own, shipped = query_names(folder), query_names(shipped_queries())
    near = get_close_matches(name, {*own, *shipped}, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else "name one of them or a .py file"
    listed = [f"in {folder}/: {', '.join(own)}"] if own else []
    if further := [one for one in shipped if one not in own]:
        listed.append(f"of gammapolars: {', '.join(further)}")
    raise QueryError(f"no query '{name}' ({'; '.join(listed) or 'none is available'}): {hint}")


class _Source(importlib.machinery.SourceFileLoader):
    """Compiles a query anew: a cached form could be that of an earlier text, and would be left in the user's folder."""

    def get_code(self, fullname: str) -> types.CodeType:
        return self.source_to_code(self.get_data(self.path), self.get_filename(fullname))


def load(path: Path) -> Query:
    """Import a query's module and read its signature.

    Raises:
        QueryError: the module fails, has no function `query`, or one with parameters that cannot be options.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path, loader=_Source(path.stem, str(path.absolute())))
    if spec is None or spec.loader is None:
        raise QueryError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _failed(path, "cannot be imported", error) from error
    function = getattr(module, "query", None)
    if not isinstance(function, types.FunctionType):
        raise QueryError(f"{path}: has no function 'query': define def query(hits: pl.LazyFrame, *, …) -> pl.LazyFrame")
    text = inspect.cleandoc(module.__doc__ or function.__doc__ or "")
    description = text.partition(ARGUMENTS)[0].strip()
    return Query(path.stem, path, description, signature_of(path, function), function)
