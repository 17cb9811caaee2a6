"""Files of queries: those in the folder queries/ of the user, and those that come with the package."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

QUERIES = Path("queries")
"""Where a query named without a path is looked for first, below the present folder."""


def shipped_queries() -> Path:
    """The folder of the queries that come with the package: in it, or in a checkout next to it."""
    package = Path(__file__).parents[1]
    installed = package / "queries"
    return installed if installed.is_dir() else package.parent / "queries"


def query_path(name: str, folder: Path = QUERIES) -> Path:
    """Where a query given by name or path lies, if there is one: the user's own comes first."""
    if name.endswith(".py"):
        return Path(name)
    own = folder / f"{name}.py"
    shipped = shipped_queries() / own.name
    return shipped if shipped.is_file() and not own.is_file() else own


def query_names(folder: Path) -> list[str]:
    """The names of a folder's queries."""
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


@dataclass(frozen=True)
class QueryFile:
    """A query that a name stands for.

    Attributes:
        name: of the query.
        path: of its file.
        is_shipped: whether it comes with the package.
    """

    name: str
    path: Path
    is_shipped: bool

    @property
    def summary(self) -> str:
        """The first line of its docstring, read without importing it; nothing where there is none."""
        try:
            module = ast.parse(self.path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            return ""
        functions = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "query"]
        texts = (ast.get_docstring(module), *map(ast.get_docstring, functions))
        return next((text for text in texts if text), "").partition("\n")[0]


def query_files(folder: Path = QUERIES) -> Iterator[QueryFile]:
    """All queries that can be named: the user's own, and then those of the package that have other names."""
    own = query_names(folder)
    yield from (QueryFile(name, folder / f"{name}.py", is_shipped=False) for name in own)
    shipped = shipped_queries()
    names = [name for name in query_names(shipped) if name not in own]
    yield from (QueryFile(name, shipped / f"{name}.py", is_shipped=True) for name in names)


def replaces_shipped(path: Path) -> bool:
    """Whether a user's query is used in place of another one of this name that comes with the package."""
    shipped = shipped_queries() / path.name
    if path.parent != QUERIES or not shipped.is_file():
        return False
    return path.read_bytes() != shipped.read_bytes()
