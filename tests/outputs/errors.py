"""Command lines that end with an error, whose one line and exit code are outputs as well."""

from tests.outputs.command_line import CommandLine

TEXTS = {
    "missing-file": "coincidences @nothing.root -o pairs.parquet",
    "missing-pattern": "info '@nothing*.root'",
    "missing-detectors": "spectrum @nai.root --detectors @nothing.toml -o s.csv",
    "missing-option": "coincidences @nai.root",
    "unknown-option": "rates @nai.root --colour red",
    "unknown-command": "fission @nai.root",
    "unknown-suffix": "coincidences @nai.root -o pairs.xls",
    "unknown-detector": "coincidences @nai.root --detectors @nai.toml --start NaI-9 --stop NaI-5 -o pairs.csv",
    "unknown-flag": "spectrum @nai.root --reject sunshine -o s.csv",
    "unknown-source": "calibrate @eu152.root --source Xx-999 -o d.toml",
    "unknown-query": "query fission @nai.root -o x.csv",
    "unknown-nuclide": "lines Xx-999",
    "wrong-window": "coincidences @nai.root --window 250 -o pairs.csv",
    "turned-window": "coincidences @nai.root --window 2us:1us -o pairs.csv",
    "overlapping-window": "coincidences @nai.root --random 100ns:1us -o pairs.csv",
    "wrong-source": "calibrate @nai.root --source Eu-152 -o d.toml",
    "wrong-axes": "matrix @nai.root --axes dt:time -o m.csv",
    "wrong-gate": "gate @nai.root --on 692 --background 680:700 -o gated.csv",
    "wrong-options": "gate @matrix.root --on 1332.5 --random auto -o gated.csv",
    "cut-root": "coincidences @cut.root -o pairs.parquet",
    "cut-parquet": "info @cut.parquet",
    "flawed-line": "coincidences @flawed.csv -o pairs.csv",
    "unsorted": "coincidences @unsorted.parquet -o pairs.csv",
    "no-run": "info @peaks.csv",
    "same-twice": "coincidences @nai.root @nai.root -o pairs.csv",
    "two-of-one-name": "coincidences @nai.root -o same.csv --rates same.csv",
    "no-directions": "angular @co60.root --detectors @co60.toml --on 1173.2 --and 1332.5 -o w.csv",
}


def with_errors() -> list[CommandLine]:
    """All of them; the last write over outputs that exist, with leave and without."""
    return [
        *(CommandLine(f"error-{name}", text, fails=True) for name, text in TEXTS.items()),
        CommandLine("error-exists", "convert @run -o nai.root", copies=("nai.root",), fails=True),
        CommandLine(
            "error-exists-csv",
            "lifetime nai.root --start 0/4 --stop 0/5 --window=-1us:1us -o peaks.csv",
            copies=("peaks.csv", "nai.root"),
            fails=True,
        ),
        CommandLine("overwrite", "rates nai.root -o peaks.csv --overwrite --json", copies=("peaks.csv", "nai.root")),
        CommandLine("keep-going", "coincidences @cut.root --keep-going -o pairs.parquet --json"),
    ]
