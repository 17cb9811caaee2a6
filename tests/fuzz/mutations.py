"""What can happen to a file's bytes: a mutation is a pure function of the bytes and of a random generator."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

NUMBERS = (0, 1, -1, 2**7, 2**15 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
"""Lengths and counts that are wrong in the worst ways, cut to the width of the field that they replace."""

SNIPPETS = (
    *("", "0", "-1", "9" * 30, "65536", "4294967296", "9223372036854775807", "1e999", "nan", "-inf", "0x", "0xG"),
    *(";", ";;", ",", "=", ".", '"', "'", "\n", "\r\n", "\n\n", "\t", " ", "\0", "\ufeff", "é", "７", "$", "[", "]]"),
    *("{", "}", "<", ">", "&", "&amp;", "#", "\\", "\\u0000", "true", "[[detector]]\n", "x" * 3000, "9" * 5000),
)
"""What is put into texts."""

MOST_STEPS = 3


class Mutated(NamedTuple):
    """Changed bytes.

    Attributes:
        data: the bytes.
        steps: what was done, in words.
    """

    data: bytes
    steps: tuple[str, ...]


def mutated(
    data: bytes, other: bytes, rng: random.Random, *, text: bool = False, hot: Sequence[tuple[int, int]] = ()
) -> Mutated:
    """A file in which one thing is wrong, or a few.

    Args:
        data: the file's bytes.
        other: those of another file of the format, for splices.
        rng: decides all.
        text: whether numbers and words of the text are changed as well.
        hot: where the bytes lie on which the others' meaning depends: half of the changes are made there.
    """
    kinds = (*BYTES, *TEXTS) if text else BYTES
    steps = []
    for _ in range(rng.choice((1, 1, 1, 2, MOST_STEPS))):
        kind = rng.choice(kinds)
        place = _place(len(data), rng, hot)
        data = kind(data, place, rng, other)
        steps.append(f"{kind.__name__.strip('_')} at {place}")
    return Mutated(data, tuple(steps))


def _place(size: int, rng: random.Random, hot: Sequence[tuple[int, int]]) -> int:
    """A byte to begin at: anywhere, near the ends, or where it hurts most."""
    where = rng.random()
    if hot and where < 0.5:
        begin, end = rng.choice(hot)
        return min(rng.randrange(begin, max(end, begin + 1)), max(size - 1, 0))
    if where < 0.6:
        return rng.randrange(min(size, 300) or 1)
    if where < 0.7:
        return max(size - 1 - rng.randrange(300), 0)
    return rng.randrange(size or 1)


def _length(rng: random.Random, size: int) -> int:
    """A length: mostly short, sometimes of any part of the file."""
    return rng.choice((rng.randint(1, 8), rng.randint(1, 100), rng.randint(1, 4000), rng.randint(1, max(size, 1))))


def _flip_bits(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[min(place, len(changed) - 1)] ^= 1 << rng.randrange(8)
        place = min(place + rng.randrange(16), len(data) - 1)
    return bytes(changed)


def _set_bytes(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    new = rng.choice((b"\xff", b"\x00", rng.randbytes(1))) * rng.choice((1, 1, 2, 4))
    return data[:place] + new[: len(data) - place] + data[place + len(new) :]


def _randomise(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    length = min(_length(rng, len(data)), len(data) - place)
    return data[:place] + rng.randbytes(length) + data[place + length :]


def _zero(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    length = min(_length(rng, len(data)), len(data) - place)
    return data[:place] + bytes(length) + data[place + length :]


def _truncate(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    return data[:place]


def _insert(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    return data[:place] + rng.randbytes(_length(rng, 4000)) + data[place:]


def _delete(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    return data[:place] + data[place + _length(rng, len(data)) :]


def _duplicate(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    """A block stands twice, or is written over another of the same length."""
    length = _length(rng, len(data))
    block = data[place : place + length]
    if rng.random() < 0.5:
        return data[: place + length] + block + data[place + length :]
    target = rng.randrange(len(data) or 1)
    return data[:target] + block[: len(data) - target] + data[target + len(block) :]


def _number(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    """A number that counts something becomes another one."""
    width = rng.choice((2, 4, 4, 8, 8))
    value = rng.choice(NUMBERS) & (2 ** (8 * width) - 1)
    new: bytes = value.to_bytes(width, rng.choice(("big", "little")))
    return data[:place] + new[: len(data) - place] + data[place + width :]


def _splice(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    """The beginning of one file and the end of another one."""
    return data[:place] + other[rng.randrange(len(other) or 1) :]


def _text(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    """Something that does not belong there stands in a text."""
    new = rng.choice(SNIPPETS).encode()
    return data[:place] + new + data[place + rng.choice((0, 0, 1, len(new))) :]


def _word(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    """A word or a number of a text becomes something else, up to the separators around it."""
    separators = b";,=\n \t<>\"'[]"
    begin = end = place
    while begin > 0 and data[begin - 1] not in separators:
        begin -= 1
    while end < len(data) and data[end] not in separators:
        end += 1
    return data[:begin] + rng.choice(SNIPPETS).encode() + data[end:]


def _line(data: bytes, place: int, rng: random.Random, other: bytes) -> bytes:
    """A line is left out, or stands elsewhere as well."""
    begin = data.rfind(b"\n", 0, place) + 1
    end = data.find(b"\n", place) + 1 or len(data)
    if rng.random() < 0.5:
        return data[:begin] + data[end:]
    target = data.rfind(b"\n", 0, rng.randrange(len(data) or 1)) + 1
    return data[:target] + data[begin:end] + data[target:]


Change = Callable[[bytes, int, random.Random, bytes], bytes]
"""Called with the bytes, a place in them, the generator and another file's bytes."""

BYTES: tuple[Change, ...] = (
    *(_flip_bits, _flip_bits, _set_bytes, _number, _number, _randomise, _zero),
    *(_truncate, _insert, _delete, _duplicate, _splice),
)
TEXTS: tuple[Change, ...] = (_text, _text, _word, _word, _line)
