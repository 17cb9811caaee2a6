"""Text of unknown origin on a terminal."""

import json

import pytest

from gammapolars.core.errors import InputError
from gammapolars.core.visible import HIDDEN, visible, visible_json

HOSTILE = ["\x1b[31m", "\x9b31m", "\u202e", "\u2066", "\n", "\r", "\x07", "\u2028", "\udcff", "\u200b", "\U000e0041"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_terminal_obeys_is_written_out(text: str) -> None:
    shown = visible(f"Ge{text}-1")
    assert not HIDDEN.search(shown)
    assert shown.isprintable()
    assert shown.startswith("Ge\\")
    assert not HIDDEN.search(str(InputError(f"{text}: no such file")))


@pytest.mark.parametrize("text", HOSTILE)
def test_json_holds_the_same_text(text: str) -> None:
    written = visible_json(json.dumps({text: text}, ensure_ascii=False))
    assert not HIDDEN.search(written)
    assert json.loads(written) == {text: text}


def test_letters_of_all_scripts_stay() -> None:
    assert visible("µs ± γ – Ge-Ä 日本 ½ σ²") == "µs ± γ – Ge-Ä 日本 ½ σ²"
