"""Messages name `overwrite=True` in Python and `--overwrite` on the command line: by one function."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.core.wording import on_command_line, setting
from tests.commandline import gammapolars
from tests.house.test_imports import MODULES, nodes

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")

WHOLE_COMMAND = re.compile(r"'gammapolars [a-z]+[^']*'")
"""Advice to use the command line, which is good advice in Python, too."""

PAGES = ("report.lines", "report.live.document")
"""Modules of the page: it names commands, with their options in further strings, and has style sheets."""


def options_named(path: Path) -> Iterator[str]:
    """The options of the command line that strings of a module name without `setting`."""
    skipped = {id(part) for node in nodes(path) for other in _skipped(node) for part in ast.walk(other)}
    for node in nodes(path):
        if id(node) not in skipped and isinstance(node, ast.Constant | ast.JoinedStr):
            yield from (f"line {node.lineno}: {found}" for found in OPTION.findall(WHOLE_COMMAND.sub("", _text(node))))


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(_text(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def _skipped(node: ast.AST) -> Iterator[ast.AST]:
    """Calls of `setting`; docstrings; and constants in an f-string, which are looked at together."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setting":
        yield node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield from (part for part in node.values if isinstance(part, ast.Constant))


def test_options_are_named_by_one_function() -> None:
    modules = [name for name in MODULES if not name.startswith("commands") and name not in PAGES]

    assert [f"{name}: {found}" for name in modules for found in options_named(MODULES[name])] == []


def test_a_setting_is_named_for_its_reader() -> None:
    assert setting("--overwrite", "overwrite=True") == "overwrite=True"
    with on_command_line():
        assert setting("--overwrite", "overwrite=True") == "--overwrite"
    assert setting("--overwrite", "overwrite=True") == "overwrite=True"


def test_one_error_reads_differently_in_python_and_in_the_shell(tmp_path: Path) -> None:
    hits = pl.LazyFrame({"board": [0], "channel": [1], "timestamp_ps": [5], "adc": [7], "flags": [0]})
    path = tmp_path / "hits.csv"
    gp.save(hits, path)

    with pytest.raises(gp.OutputError) as raised:
        gp.save(hits, path)
    said = gammapolars("convert", path, "-o", path.with_suffix(".parquet")).code
    again = gammapolars("convert", path, "-o", path.with_suffix(".parquet"))

    assert str(raised.value) == f"{path}: already exists: choose another output, or add overwrite=True"
    assert said == 0
    assert again.error.endswith("hits.parquet: already exists: choose another output, or add --overwrite")
