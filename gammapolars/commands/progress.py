"""How far a run has been read, on the terminal."""

import sys
import time
from collections.abc import Callable

from gammapolars.core.status_line import REFRESH_S, reading_text
from gammapolars.core.wording import is_on_command_line


class Progress:
    """Hits, rate and time left on stderr while a run is read; silent where stderr is no terminal, and in Python.

    Call it with the hits so far.

    Args:
        total: gives how many hits there are, if that is known; asked only if it is shown.
        of: the things counted, where these are not hits.
    """

    def __init__(self, total: Callable[[], int | None], of: str = "hits") -> None:
        self._of = of
        self._shown = sys.stderr.isatty() and is_on_command_line()
        self._total = total() if self._shown else None
        self._started = self._last = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def tell(self, text: str) -> None:
        """Show the present step, in place of the hits."""
        if self._shown:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def __call__(self, hits: int) -> None:
        now = time.monotonic()
        if not self._shown or now - self._last < REFRESH_S:
            return
        self._last = now
        text = reading_text(hits, self._total, now - self._started, self._of)
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
