"""What other programs, and people, leave in files and in their names."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.attack.files import COMMANDS
from tests.attack.stage import Stage
from tests.fuzz.outcomes import Wrong
from tests.io.test_run_info import BOARD, RUN_INFO, settings
from tests.rootfiles import made_hits, write_hits

NASTY = [
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "\u202eevil", "\u2066x\u2069", "\r\nError: x", "\x08\x08"),
    *("\x7f", "=1+1", "+1", "-1", "@SUM(A1)", "\u200fabc", "tab\there"),
]

LONG_AGO = 10**9


def escapes(stage: Stage) -> None:
    """Control characters in names and in what is quoted never reach a terminal; formulas in CSV are marked."""
    rng = stage.rng
    nasty = rng.choice(NASTY)
    place = rng.choice(("file", "column", "provenance", "run.info", "settings.xml", "detector", "option", "folder"))
    hits = made_hits(40, seed=rng.randrange(100))
    path: Path | str = "run.parquet"
    words: list[str | Path] = []
    if place == "file":
        path = f"{nasty.replace('/', '_')}.parquet"
        hits.write_parquet(stage.folder / path)
    elif place == "column":
        path = "columns.parquet"
        hits.with_columns(pl.lit(1).alias(nasty)).rename({"adc": f"adc{nasty}"}).write_parquet(stage.folder / path)
    elif place == "provenance":
        path = "told.parquet"
        told = json.dumps({"inputs": [nasty], "gammapolars": nasty, nasty: nasty, "parameters": {nasty: nasty}})
        table = hits.to_arrow().replace_schema_metadata({b"gammapolars": told.encode(), nasty.encode(): nasty.encode()})
        pq.write_table(table, stage.folder / path)
    elif place in ("run.info", "settings.xml", "folder"):
        path = _run_folder(stage, hits, place, nasty)
    elif place == "detector":
        quoted = json.dumps(nasty, ensure_ascii=True).replace("\\u007f", "\\u007F").replace("\x7f", "\\u007F")
        (stage.folder / "odd.toml").write_text(
            f"[[detector]]\nname = {quoted}\nchannel = 0\nkind = {quoted}\nenergy = [0, 1]\n", encoding="utf-8"
        )
        words = ["--detectors", "odd.toml"]
    else:
        words = [rng.choice(("--window", "--reject", "--tree", "--stage", "--detectors", "--unknown")), nasty]
    before = stage.contents()
    for command in rng.sample(list(COMMANDS), 3):
        overwrite = ["--overwrite"] if COMMANDS[command] else []
        outcome = stage.run(command, path, *COMMANDS[command], *overwrite, *words)
        if outcome.code == 0 and command in ("spectrum", "rates"):
            _no_formulas(stage.folder / "out.csv")
    stage.run("info", path, "--json", *words)
    stage.unchanged(before, "out.parquet", "out.csv")


def _run_folder(stage: Stage, hits: pl.DataFrame, place: str, nasty: str) -> str:
    name = f"run{nasty.replace('/', '_')}" if place == "folder" else "run"
    folder = stage.folder / name / "RAW"
    folder.mkdir(parents=True)
    write_hits(folder / "DataR_run.root", hits)
    info, xml = RUN_INFO, settings(BOARD, BOARD)
    if place == "run.info":
        lines = info.splitlines()
        number = stage.rng.randrange(len(lines))
        lines[number] = lines[number].partition("=")[0] + "=" + nasty
        info = "\n".join([*lines, f"{nasty}={nasty}"])
    elif place == "settings.xml":
        words = xml.split("<value>")
        number = stage.rng.randrange(1, len(words))
        words[number] = nasty + words[number]
        xml = "<value>".join(words)
    (folder.parent / "run.info").write_text(info, encoding="utf-8")
    (folder.parent / "settings.xml").write_text(xml, encoding="utf-8")
    return name


def _no_formulas(path: Path) -> None:
    for column in pl.read_csv(path, infer_schema_length=None).get_columns():
        if column.dtype == pl.String:
            for text in column.drop_nulls().to_list():
                if text[:1] in ("=", "+", "-", "@"):
                    raise Wrong(f"a formula in {path.name}: {text!r}")


def odd(stage: Stage) -> None:
    """Files, links and names that make no sense come to one line."""
    words = stage.rng.choice(ODD)(stage)
    before = stage.contents("out.parquet")
    stage.run(*words)
    stage.unchanged(before, "out.parquet", "out.csv", "out")


def _told(stage: Stage) -> list[str]:
    """Provenance whose values have any types."""
    rng = stage.rng

    def value(depth: int = 0) -> object:
        kinds: list[object] = [None, True, -1, 10**400, 1e308, float("nan"), "", "x" * 300, {}, []]
        if depth > 2 or rng.random() < 0.5:
            return rng.choice(kinds)
        if rng.random() < 0.5:
            return [value(depth + 1) for _ in range(rng.randint(0, 3))]
        keys = ("inputs", "name", "size", "parameters", "hits_read", "warnings", "detectors", "x")
        return {key: value(depth + 1) for key in rng.sample(keys, 3)}

    keys = ("inputs", "outputs", "warnings", "parameters", "versions", "detectors", "command", "window_ps", "hits_read")
    told = (
        json.dumps({key: value() for key in keys}) if rng.random() < 0.8 else rng.choice(("", "[", "null", "5", '"x"'))
    )
    stored = pq.read_schema(stage.folder / "pairs.parquet").metadata or {}
    key = rng.choice([*stored, b"gammapolars"]) if stored else b"gammapolars"
    name = rng.choice(("pairs", "run", "matrix"))
    table = pq.read_table(stage.folder / f"{name}.parquet").replace_schema_metadata({key: told.encode()})
    pq.write_table(table, stage.folder / "told.parquet")
    return rng.choice(
        (["info", "told.parquet"], ["info", "told.parquet", "--json"], ["convert", "told.parquet", "-o", "out.csv"])
    )


def _huge_integers(stage: Stage) -> list[str]:
    number = stage.rng.choice(("0x" + "f" * 5000, "9" * 5000, "0b" + "1" * 20_000, "0o" + "7" * 9000, "1e99999"))
    key = stage.rng.choice(("board", "channel", "time_offset_ps", "energy", "fwhm"))
    value = f"[{number}]" if key in ("energy", "fwhm") else number
    (stage.folder / "odd.toml").write_text(f"[[detector]]\n{key} = {value}\n")
    return ["info", "run.parquet", "--detectors", "odd.toml"]


def _long_names(stage: Stage) -> list[str]:
    length = stage.rng.choice((200, 240, 245, 250, 251, 255, 256, 300, 5000))
    name = "n" * (length - 8) + ".parquet"
    return ["convert", "run.parquet", "-o", name] if length > 255 else ["convert", "run.parquet", "-o", f"out/{name}"]


def _loops(stage: Stage) -> list[str]:
    (stage.folder / "loop").symlink_to("loop")
    (stage.folder / "loop.parquet").symlink_to("loop.parquet")
    (stage.folder / "dangling.parquet").symlink_to("nowhere.parquet")
    (stage.folder / "self").symlink_to(".")
    name = stage.rng.choice(
        ("loop", "loop.parquet", "dangling.parquet", "self/self/self/run.parquet", "self", "loop/*")
    )
    return stage.rng.choice(
        (["info", name], ["info", "run.parquet", "--detectors", name], ["convert", name, "-o", "out.csv"])
    )


def _devices(stage: Stage) -> list[str]:
    device = stage.rng.choice(("/dev/zero", "/dev/null", "/dev/urandom", "/dev/full", "/proc/self/mem"))
    return stage.rng.choice(
        (
            ["info", device],
            ["info", "run.parquet", "--detectors", device],
            ["gate", "run.parquet", "--on", "1332", "--polygon", device, "-o", "out.csv"],
            ["peaks", device, "-o", "out.csv"],
            ["convert", "run.parquet", "-o", device],
            ["convert", "run.parquet", device, "-o", "out.csv"],
        )
    )


def _pipes(stage: Stage) -> list[str]:
    os.mkfifo(stage.folder / "pipe.parquet")
    os.mkfifo(stage.folder / "pipe.toml")
    return stage.rng.choice(
        (
            ["info", "pipe.parquet"],
            ["info", "run.parquet", "--detectors", "pipe.toml"],
            ["convert", "run.parquet", "-o", "pipe.parquet", "--overwrite"],
            ["gate", "matrix.parquet", "--on", "1332", "--polygon", "pipe.toml", "-o", "out.csv"],
        )
    )


def _wrong_kind(stage: Stage) -> list[str]:
    """A file of another kind under a name that promises something."""
    rng = stage.rng
    sources = ("run.parquet", "d.toml", "peaks.csv", "matrix.parquet", "spectrum.csv", "ch1.CALp", "lines.csv")
    suffix = rng.choice(
        (
            *(".root", ".BIN", ".CSV", ".csv", ".parquet", ".arrow", ".spe", ".chn", ".txt", ".mat", ".toml"),
            *(".n42", ".cnf", ".tka", ".mca", ".iec", ".spc", ".pcf"),
        )
    )
    data = (stage.folder / rng.choice(sources)).read_bytes()
    data = rng.choice((data, data[: len(data) // 2], b"", b"\xff\xfe" + data[:50], b"\xef\xbb\xbf" + data, bytes(1000)))
    name = f"other{suffix}"
    (stage.folder / name).write_bytes(data)
    os.utime(stage.folder / name, (LONG_AGO, LONG_AGO))
    return rng.choice(
        (
            ["info", name],
            ["peaks", name, "-o", "out.csv"],
            ["gate", name, "--on", "1332.5", "-o", "out.csv"],
            ["coincidences", name, "-o", "out.parquet"],
            ["coincidences", "run.parquet", "--detectors", name, "-o", "out.parquet"],
            ["efficiency", name, "--detectors", "source.toml", "-o", "out"],
        )
    )


def _mark(stage: Stage) -> list[str]:
    """A mark at the beginning, and line ends of another system."""
    text = (stage.folder / "d.toml").read_text(encoding="utf-8")
    codec = stage.rng.choice(("utf-8-sig", "utf-16", "utf-32", "latin-1"))
    (stage.folder / "marked.toml").write_bytes(text.replace("\n", "\r\n").encode(codec, errors="replace"))
    return ["coincidences", "run.parquet", "--detectors", "marked.toml", "-o", "out.parquet"]


def _folders(stage: Stage) -> list[str]:
    (stage.folder / "empty").mkdir()
    (stage.folder / "named.parquet").mkdir()
    (stage.folder / "named.toml").mkdir()
    return stage.rng.choice(
        (
            ["info", "empty"],
            ["info", "named.parquet"],
            ["info", "run.parquet", "--detectors", "named.toml"],
            ["convert", "run.parquet", "-o", "named.parquet", "--overwrite"],
            ["convert", "run.parquet", "-o", "empty", "--overwrite"],
            ["convert", "run.parquet", "-o", "run.parquet/out.parquet"],
            ["info", "run.parquet/"],
            ["info", ""],
            ["info", "."],
            ["convert", "run.parquet", "-o", ""],
        )
    )


def _odd_arrow(stage: Stage) -> list[str]:
    """Types that hits never have, in columns with their names."""
    kinds = [
        *(pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.int64()), pa.struct([("x", pa.int8())])),
        *(pa.decimal128(38, 5), pa.large_binary(), pa.duration("ns"), pa.time64("ns"), pa.bool_(), pa.float16()),
        pa.month_day_nano_interval(),
    ]
    rng = stage.rng
    name = rng.choice(("adc", "timestamp_ps", "board", "flags", "energy_kev", "run", "other"))
    table = made_hits(5).to_arrow()
    if name in table.column_names:
        table = table.drop_columns([name])
    table = table.append_column(name, pa.nulls(5, rng.choice(kinds)))
    with pa.OSFile(str(stage.folder / "odd.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    command = rng.choice(list(COMMANDS))
    return [command, "odd.arrow", *COMMANDS[command]]


ODD: tuple[Callable[[Stage], list[str]], ...] = (
    _told,
    _told,
    _huge_integers,
    _long_names,
    _loops,
    _devices,
    _pipes,
    _wrong_kind,
    _wrong_kind,
    _mark,
    _folders,
    _odd_arrow,
)
