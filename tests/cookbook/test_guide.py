"""The guide lists the cookbook."""

from pathlib import Path

import pytest

from gammapolars.commands.guide.pages import page
from gammapolars.commands.query import queries
from tests.commandline import REPOSITORY

QUERIES = sorted((REPOSITORY / "queries").glob("*.py"))


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_each_query_is_listed_by_its_first_line(path: Path) -> None:
    first = queries.load(path).description.partition("\n")[0]

    assert f"| `{path.stem}` | {first} |\n" in page("queries").markdown
    assert first.endswith(".")
