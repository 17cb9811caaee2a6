"""Imports point one way, and the command line's help waits for none of the heavy packages."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from tests.commandline import python

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "gammapolars"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("core",),
    ("streaming", "detectors", "gates", "peaks", "gamma_lines"),
    ("io", "corrections", "activities", "identification", "lifetimes", "angular"),
    ("coincidences", "spectra", "figures", "simulate"),
    ("analysis",),
    ("calibration", "rates", "cluster"),
    ("report",),
    ("commands",),
)
"""The package's rooms by floors: a room imports rooms of lower floors only."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms} | {"__main__": len(FLOORS)}
"""`__main__` is the door, and no room."""

HEAVY = ("polars", "uproot", "pyarrow", "numpy", "plotnine", "pandas", "awkward", "matplotlib", "distributed")

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""The package's modules by their names in it; `__init__` is the package itself."""


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imported(path: Path) -> tuple[tuple[str, str], ...]:
    """Module and name of everything that a file imports, anywhere in it; no name for `import module`."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((node.module or "", alias.name) for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """The modules of this package that a file imports."""
    found = set()
    for module, name in imported(path):
        if module.partition(".")[0] != "gammapolars":
            continue
        inside = module.removeprefix("gammapolars").removeprefix(".")
        submodule = f"{inside}.{name}".removeprefix(".")
        found.add(submodule if submodule in MODULES else inside or "__init__")
    return found


def test_every_room_has_its_floor() -> None:
    assert {name.partition(".")[0] for name in MODULES} - {"__init__"} == set(FLOOR_OF)


def test_a_module_imports_from_lower_floors_and_its_own_room() -> None:
    assert [wrong for name in MODULES if name != "__init__" for wrong in wrong_imports(name)] == []


def wrong_imports(name: str) -> Iterator[str]:
    """The rooms that a module must not know; `__init__` is the list of public names."""
    room = name.partition(".")[0]
    for other in sorted({other.partition(".")[0] for other in own_imports(MODULES[name])} - {room}):
        if other == "__init__" or FLOOR_OF[other] >= FLOOR_OF[room]:
            yield f"{name} imports {other}"


def test_figures_know_neither_files_nor_commands() -> None:
    for name, path in MODULES.items():
        if name.partition(".")[0] == "figures":
            assert not {other.partition(".")[0] for other in own_imports(path)} & {"io", "commands"}, name


def test_no_modules_import_each_other() -> None:
    graph = {name: own_imports(path) - {name} for name, path in MODULES.items() if name != "__init__"}

    assert len(tuple(TopologicalSorter(graph).static_order())) >= len(graph)  # raises where there is a circle


def test_the_package_does_not_import_queries_or_tests() -> None:
    for name, path in MODULES.items():
        roots = {module.partition(".")[0] for module, _ in imported(path)}
        assert not roots & {"queries", "tests"}, name


def test_queries_import_the_public_names_alone() -> None:
    for path in (REPOSITORY / "queries").glob("*.py"):
        modules = {module for module, _ in imported(path)}
        ours = {module for module in modules if module.startswith("gammapolars")}
        assert ours <= {"gammapolars"}, path.name
        others = {module.partition(".")[0] for module in modules - ours}
        assert others <= {"polars", "numpy", "scipy", *sys.stdlib_module_names}, path.name


def test_unstable_interfaces_of_polars_are_used_in_streaming_alone() -> None:
    unstable = {"register_io_source", "collect_batches", "collect_async", "map_batches", "inspect_batches"}
    used = {
        name: found
        for name, path in MODULES.items()
        if (
            found := {
                word
                for node in nodes(path)
                for word in (
                    [node.attr] if isinstance(node, ast.Attribute) else [node.id] if isinstance(node, ast.Name) else []
                )
            }
            & unstable
        )
    }

    assert used == {"streaming.slices": {"register_io_source", "collect_batches"}}


def test_help_waits_for_no_heavy_package() -> None:
    program = f"""
import sys
loaded = lambda: sorted(set({HEAVY!r}) & set(sys.modules))
import gammapolars
print("import", loaded())
from gammapolars.commands import main
for words in (["--help"], ["coincidences", "--help"], ["query", "--help"], ["frobnicate"]):
    sys.argv = ["gammapolars", *words]
    try:
        main()
    except SystemExit:
        print(words, loaded())
gammapolars.scan
print("scan", "polars" in loaded())
"""

    lines = python(program).splitlines()
    assert "import []" in lines
    assert [line for line in lines if line.startswith("['") and not line.endswith("[]")] == []
    assert sum(line.endswith("] []") for line in lines) == 4
    assert lines[-1] == "scan True"  # the names work, and so does this test


def test_the_main_job_waits_for_no_fits_no_figures_and_no_cluster(tmp_path: Path) -> None:
    program = f"""
import sys
from gammapolars.commands import main
sys.argv = ["gammapolars", "coincidences", "data/co60-four-hpge.root", "-o", {str(tmp_path / "pairs.parquet")!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(sorted({{"pyarrow", "scipy", "iminuit", "plotnine", "pandas", "dask", "distributed"}} & set(sys.modules)))
"""

    assert python(program, REPOSITORY).splitlines()[-1] == "[]"


def test_gates_and_rates_wait_for_no_statistics_and_no_other_readers(tmp_path: Path) -> None:
    output = str(tmp_path / "gated.parquet")
    program = f"""
import sys
from gammapolars.commands import main
run = "data/co60-four-hpge.root"
for words in (["rates", run], ["gate", run, "--on", "2000", "--width", "20", "--unit", "adc", "-o", {output!r}]):
    sys.argv = ["gammapolars", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
print(sorted({{"scipy.stats", "scipy.signal", "uproot", "plotnine", "pandas"}} & set(sys.modules)))
"""

    assert python(program, REPOSITORY).splitlines()[-1] == "[]"
