"""Absurd values in any option of any command."""

import typing
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from gammapolars.commands.app import load
from gammapolars.commands.command import OPTIONS
from gammapolars.commands.declared import Reads, Writes
from tests.attack.stage import Stage
from tests.commands.test_json_forms import CALLS, words_of

NUMBERS = [
    *("0", "-1", "-0.0", "1e-300", "1e-9", "1e9", "1e300", "1e308", "-1e308", "nan", "inf", "-inf", "5e-324", "1", "3"),
    *("2.5", "9223372036854775807", "-9223372036854775808", "9" * 400, "0x7f", "1_0", "١٢", "1e", "1,2"),
]

COUNTS = [
    *("0", "-1", "1", "2", "1000000000000", "9223372036854775807", "9223372036854775808", "9" * 400, "1.5", "1e3", "x"),
]

TIMES = [
    *(
        "0ps",
        "1ps",
        "-1ns",
        "1s",
        "53d",
        "4611686018427387904ps",
        "4611686018427387905ps",
        "1e99s",
        "0.1ps",
        "nan",
        "5",
    ),
    *("1 ns", "ns", "1ns:", ":1ns", "1ns:2ns:3ns", "2us:1us", "-1us:1us", "1e-300s", "1e300s", f"{'9' * 400}ps"),
    "٣ns",
]

TEXTS = [
    *("", " ", "-", "--", ":", ",", "=", "0/0", "99999/0", "-1/0", "HPGe-1", "HPGe-1,HPGe-1", "auto", "none", "0x480"),
    *("0x1ffffffff", "Co-60", "Zz-999", "a" * 5000, "\x1b[31m", "😀", "1:2", "energy:dt", "time:time", "../..", "*"),
    *("[", "BGO=", "=1ns", "HPGe=1ns,min_adc=1e9", "HPGe=1ns,min_kev=nan", "1,2=3,4", "1173.2,1332.5=4,2,0", "nan:nan"),
    *("0:1e300", "-inf:inf", "1e308:1.1e308", "radware", "keV", "adc", "first", "summary", "2000-13-45", "9999-12-31"),
]


@cache
def _known() -> dict[tuple[str, ...], list[tuple[str, Any]]]:
    """The options of each command that name no files: their flags and types."""
    load()
    found = {}
    for words, record in OPTIONS.items():
        hints = typing.get_type_hints(record, include_extras=True)
        known = []
        for field in fields(record):
            kind, *notes = typing.get_args(hints[field.name]) or (hints[field.name],)
            named = any(isinstance(note, Reads | Writes) for note in notes)
            if not named and Path not in (kind, *typing.get_args(kind)) and field.name != "words":
                known.append((_flag(field.name, notes), kind))
        found[words] = known
    return found


def _flag(name: str, notes: list[Any]) -> str:
    for note in notes:
        given = (*(getattr(note, "param_decls", None) or ()), str(getattr(note, "default", "")))
        if flag := next((one for one in given if one.startswith("--")), ""):
            return flag.split("/")[0]
    return f"--{name.replace('_', '-')}"


def absurd(stage: Stage) -> None:
    """A command that works, with one or two options whose values nobody would give."""
    rng = stage.rng
    words = words_of(rng.choice(list(CALLS)))
    command = tuple(words[:2]) if words[0] == "detectors" else (words[0],)
    known = _known()[command]
    for flag, kind in rng.sample(known, min(len(known), rng.choice((1, 1, 2)))):
        kinds = {kind, *typing.get_args(kind)}
        kinds |= {inner for one in kinds for inner in typing.get_args(one)}
        if bool in kinds:
            words += [flag]
            continue
        values = NUMBERS if float in kinds else COUNTS if int in kinds else [*TIMES, *TEXTS, *NUMBERS]
        value = rng.choice(values)
        if flag in words:
            place = words.index(flag)
            words[place : place + 2] = [f"{flag}={value}"]
        else:
            words += [f"{flag}={value}"]
    output = words[words.index("-o") + 1] if "-o" in words else ""
    before = stage.contents()
    outcome = stage.run(*words)
    written = {output, *(name for name in stage.contents() if name not in before)} if outcome.code == 0 else set()
    stage.unchanged(before, *written)
