"""A detectors.toml with new values in place of old ones, and all else of it byte for byte as it was."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gammapolars.detectors.clocks import CLOCK_KEYS, BoardClock, format_clock, values_of_clock
from gammapolars.detectors.model import Detector, Detectors
from gammapolars.detectors.toml import KEYS, format_detectors, parse_detectors, values_of
from gammapolars.detectors.values import format_key, format_value

Place = tuple[str, int]
"""The word of an array of tables and which table of it, from 0; or one of the following."""

TOP, OTHER = ("", 0), ("", 1)
"""Places of the lines before all tables, and of those in a table of another kind."""

KEYS_OF = {"detector": KEYS, "clock": CLOCK_KEYS}
"""The arrays of tables that are updated, with the keys of a table in their order."""

HEAD, REMARK, EMPTY = "[", "#", ""
"""Instead of a key, of statements that have none; no key of detectors.toml is called so."""

LINE = re.compile(r"[^\n]*\n|[^\n]+")


def updated_text(detectors: Detectors) -> str:
    """The text of detectors.toml for detectors, as near as can be to the text that they were read from.

    Keys whose values differ from that text are set where they are, new keys follow those that they belong to, and
    tables of new detectors are added at the end. Comments, order, spacing and line ends stay. There are at least the
    detectors and clocks of that text, with its columns and sources; without a text they are written as by
    `format_detectors`.
    """
    if not detectors.text:
        return format_detectors(detectors)
    before = parse_detectors(detectors.text)
    document = _Document(detectors.text)
    if detectors.drift != before.drift:
        document.put(TOP, "drift", detectors.drift)
    for place, old in enumerate(before):
        document.update(("detector", place), values_of(old), values_of(detectors.at(*old.key)))
    for place, clock in enumerate(before.clocks):
        document.update(
            ("clock", place), values_of_clock(clock), values_of_clock(detectors.clock(clock.board) or clock)
        )
    boards = {clock.board for clock in before.clocks}
    document.append("clock", [clock for clock in detectors.clocks if clock.board not in boards])
    keys = {old.key for old in before}
    document.append("detector", [detector for detector in detectors if detector.key not in keys])
    return "".join(statement.text for statement in document.statements)


@dataclass(frozen=True)
class _Statement:
    """A piece of TOML that is whole in itself: a key with its value, a table's head, a remark, an empty line.

    It is in the table of that place, or at `TOP` or `OTHER`; its key may be `HEAD`, `REMARK` or `EMPTY`.
    """

    text: str
    place: Place
    key: str


class _Document:
    """The statements of a detectors.toml: one is changed, added or removed, and all others stay as they are."""

    def __init__(self, text: str) -> None:
        self.statements = list(_statements(text))
        self._newline = "\r\n" if "\r\n" in text[: text.find("\n") + 1] else "\n"

    def update(self, place: Place, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Put the values of a table that are not the old ones."""
        for key, value in new.items():
            if value != old[key]:
                self.put(place, key, value)

    def put(self, place: Place, key: str, value: Any) -> None:
        """Set, add or remove (by None, or an empty text) a key of the table at a place."""
        word, number = place
        inline = self._at(TOP, word) if place != TOP else None
        at = self._at(place, key)
        if inline is not None:
            self._edit(inline, lambda document: _set(document[word][number], key, value))
        elif at is None:
            self._add(place, key, value)
        elif value in (None, ""):
            del self.statements[at]
        else:
            self._edit(at, lambda document: _set(document, key, value))

    def append(self, word: str, further: Iterable[Detector | BoardClock]) -> None:
        """Add tables of further detectors or clocks at the end: of the text, or of an array of inline tables."""
        inline = self._at(TOP, word)
        for one in further:
            if inline is not None:
                self._edit(inline, partial(_append, word, one))
            else:
                gap = self._newline if self.statements and self.statements[-1].key != EMPTY else ""
                table = format_clock(one) if isinstance(one, BoardClock) else format_detectors([one])
                text = gap + table.replace("\n", self._newline)
                self._insert(len(self.statements), _Statement(text, OTHER, HEAD))

    def _at(self, place: Place, *keys: str) -> int | None:
        """Which statement gives one of some keys of a table: the last of several."""
        places = (at for at, one in enumerate(self.statements) if one.place == place and one.key in keys)
        return max(places, default=None)

    def _edit(self, at: int, change: Callable[[Any], None]) -> None:
        import tomlkit

        document = tomlkit.parse(self.statements[at].text)
        change(document)
        self.statements[at] = replace(self.statements[at], text=tomlkit.dumps(document))

    def _add(self, place: Place, key: str, value: Any) -> None:
        """A line for a new key: after the last of those that are written before it, and indented as that is."""
        keys = KEYS_OF.get(place[0], {})
        line = format_key(key, value, keys.get(key, "")).replace("\n", self._newline)
        if place != TOP:
            order = list(keys)
            at = self._at(place, HEAD, *order[: order.index(key)])
            assert at is not None
            text = self.statements[at].text
            line = text[: len(text) - len(text.lstrip())] + line
        elif (at := self._at(TOP, "columns", "source", "detector", "clock")) is None:
            at = self._at(TOP, EMPTY)  # it ends the remarks on the whole file
            line += self._newline
        self._insert(0 if at is None else at + 1, _Statement(line, place, key))

    def _insert(self, at: int, statement: _Statement) -> None:
        if at and not self.statements[at - 1].text.endswith("\n"):
            last = self.statements[at - 1]
            self.statements[at - 1] = replace(last, text=last.text + self._newline)
        self.statements.insert(at, statement)


def _statements(text: str) -> Iterator[_Statement]:
    place, part, tables = TOP, "", dict.fromkeys(KEYS_OF, 0)
    for line in LINE.findall(text):
        part += line
        try:
            content = tomllib.loads(part)
        except tomllib.TOMLDecodeError:  # its text or array goes on
            continue
        key = next(iter(content), REMARK if part.strip() else EMPTY)
        if part.lstrip().startswith("["):
            place = (key, tables[key]) if key in tables else OTHER
            tables |= {key: tables[key] + 1} if key in tables else {}
            key = HEAD
        yield _Statement(part, place, key)
        part = ""


def _set(table: Any, key: str | int, value: Any) -> None:
    """Set a value of a table or an array; of an array of as many values only those that differ."""
    import tomlkit

    old = table[key] if isinstance(key, int) else table.get(key)
    if value in (None, ""):
        del table[key]
    elif isinstance(value, tuple) and isinstance(old, list) and len(old) == len(value):
        for place, one in enumerate(value):
            _set(old, place, one)
    elif old != value:
        table[key] = tomlkit.value(format_value(value))


def _append(word: str, one: Detector | BoardClock, document: Any) -> None:
    import tomlkit

    of_one = values_of_clock(one) if isinstance(one, BoardClock) else values_of(one)
    values = {key: value for key, value in of_one.items() if value not in (None, "")}
    document[word].append(tomlkit.value(format_value(values)))
