"""A few attacks of each kind every day; and that an attack notices what goes wrong."""

import random
import sys
from pathlib import Path

import pytest

from tests.attack import processes
from tests.attack.stage import Ended, Stage, judge, refused, set_up, succeeded
from tests.attack.worker import ATTACKS, LIMIT_S, run_case
from tests.commandline import Outcome
from tests.drawing import repetitions
from tests.fuzz import runner
from tests.fuzz.outcomes import Wrong

WORKER = (sys.executable, "-m", "tests.attack.worker")

DAILY = {"replace": 4, "nulls": 4, "pieces": 2, "ends": 3, "renames": 2, "options": 6, "escapes": 2, "odd": 4}
"""Of each kind that needs no process of its own; `python -m tests.attack` runs more than 1,000."""


@pytest.mark.parametrize(("kind", "number"), [(kind, number) for kind, most in DAILY.items() for number in range(most)])
def test_an_attack_comes_to_nothing(kind: str, number: int) -> None:
    assert "failure" not in (answer := run_case(kind, 1, number)), answer


@pytest.mark.slow
@pytest.mark.parametrize("kind", ATTACKS)
def test_more_attacks_come_to_nothing_either(kind: str) -> None:
    first = DAILY.get(kind, 0)
    number = repetitions(max(ATTACKS[kind][1] // 6, 2))
    found = runner.run(kind, range(first, first + number), seed=1, workers=1, limit_s=LIMIT_S, command=WORKER)

    assert found.failures == {}


# The attack itself: a check that cannot fail is none.


@pytest.mark.parametrize(
    ("code", "out", "err", "what"),
    [
        (0, "", "Traceback (most recent call last):\n  gammapolars", "a traceback"),
        (-6, "", "", "exit code -6"),
        (0, "\x1b[31m", "", "prints '\\x1b'"),
        (1, "", "Error: name\u202e", "prints '\\u202e'"),
        (1, "", "Error: unexpected KeyError: 'x'", "unexpected"),
        (0, "", "Error: no", "exit code 0"),
        (1, "", "Error: one\nError: two", "not one error"),
        (1, "", "killed", "not one error"),
        (2, "", "?", "neither an error"),
    ],
)
def test_a_command_that_ends_wrongly_is_noticed(code: int, out: str, err: str, what: str) -> None:
    with pytest.raises(Wrong) as wrong:
        judge(Outcome(code, out, err))

    assert what in str(wrong.value)


def test_what_is_lost_or_left_behind_is_noticed(tmp_path: Path) -> None:
    stage = set_up(tmp_path, random.Random(1))
    before = stage.contents()
    stage.unchanged(before)

    (tmp_path / ".out.csv.0123abcd.part").write_text("half")
    with pytest.raises(Wrong, match="left behind"):
        stage.nothing_hidden()
    with pytest.raises(Wrong, match="left behind"):
        stage.unchanged(before)
    (tmp_path / "d.toml").write_text("")
    with pytest.raises(Wrong, match=r"changed or lost: \['d\.toml'\]"):
        stage.unchanged(before, ".out.csv.0123abcd.part")


def test_the_wrong_outcome_is_noticed() -> None:
    with pytest.raises(Wrong, match="exit code 0"):
        refused(Outcome(0, "", ""))
    with pytest.raises(Wrong, match="says nothing of"):
        refused(Outcome(1, "", "Error: no"), "'adc'")
    with pytest.raises(Wrong, match="refused"):
        succeeded(Outcome(1, "", "Error: no"))
    with pytest.raises(Wrong, match="3,000 MB"):
        processes.small_enough(Ended(0, "", "", 3000 * 2**20, 1.0))


def test_a_process_that_does_not_end_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.attack.stage.PROCESS_S", 0.2)

    with pytest.raises(Wrong, match="no end within"):
        Stage(tmp_path, random.Random(1)).process("lines", limits="sleep 30;")
