"""A line of text that is replaced while work goes on: in a terminal, in a notebook, and in a file of messages."""

import sys
import time

REFRESH_S = 0.2
"""How often the line is replaced, where that is possible."""

LINE_S = 10.0
"""How often another line is written, where it is not."""


class StatusLine:
    """A line on stderr.

    Terminals and notebooks replace it at a carriage return, and notebooks know no other control sequence: the rest of
    a longer line is covered by blanks. Elsewhere, as in a file of messages, there is a further line now and then.
    """

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")
        self._last = time.monotonic() - (REFRESH_S if self._in_place else 0.0)
        self._width = 0

    def is_due(self) -> bool:
        """Whether it is time to show something new."""
        now = time.monotonic()
        if now - self._last < (REFRESH_S if self._in_place else LINE_S):
            return False
        self._last = now
        return True

    def show(self, text: str, *, last: bool = False) -> None:
        """Replace the line; the last one stays."""
        end = "\n" if last or not self._in_place else ""
        begin = "\r" if self._in_place else ""
        print(f"{begin}{text.ljust(self._width)}", end=end, file=sys.stderr, flush=True)
        self._width = len(text)


def reading_text(rows: int, total: int | None, seconds: float, of: str = "hits") -> str:
    """How far a reading is: what has been read, of how much, how fast, and the time left.

    Args:
        rows: that have been read.
        total: all that there are; None: not known.
        seconds: since the reading began.
        of: the things counted.
    """
    rate = rows / seconds if seconds > 0 else 0.0
    left = f" of {total:,}, {max(total - rows, 0) / rate:.0f} s left" if total and rate else ""
    return f"{rows:,} {of}{left}, {rate / 1e6:.1f} million/s"
