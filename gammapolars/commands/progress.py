"""How far a run has been read, on the terminal."""

import sys
import time
from collections.abc import Callable

REFRESH_S = 0.2


class Progress:
    """Hits, rate and time left on stderr while a run is read; silent where stderr is no terminal.

    Call it with the hits so far.

    Args:
        total: gives how many hits there are, if that is known; asked only if it is shown.
        of: the things counted, where these are not hits.
    """

    def __init__(self, total: Callable[[], int | None], of: str = "hits") -> None:
        self._of = of
        self._shown = sys.stderr.isatty()
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
        rate = hits / (now - self._started)
        left = ""
        if self._total and rate:
            left = f" of {self._total:,}, {(self._total - hits) / rate:.0f} s left"
        print(f"\r\033[K{hits:,} {self._of}{left}, {rate / 1e6:.1f} million/s", end="", file=sys.stderr, flush=True)
