"""Detectors as people give them: a detectors.toml by its path, a detector by its name or its board and channel."""

from collections.abc import Iterable
from operator import index
from pathlib import Path
from typing import Any

from gammapolars.core.errors import UsageError
from gammapolars.core.types import Key
from gammapolars.detectors.model import MAX_NUMBER, Detector, Detectors
from gammapolars.detectors.toml import load_detectors

AnyDetectors = Detectors | str | Path
"""Detectors, or the path of their detectors.toml."""

AnyDetector = Detector | Key | str
"""A detector, its (board, channel), `board/channel` as text, or its name in detectors.toml."""


def detectors_of(detectors: AnyDetectors) -> Detectors:
    """Detectors as they are, or from a detectors.toml.

    Raises:
        InputError: there is no such file.
        DetectorsError: it is not a detectors.toml.
        UsageError: neither detectors nor a path.
    """
    if isinstance(detectors, Detectors):
        return detectors
    if isinstance(detectors, str | Path):
        return load_detectors(detectors)
    raise UsageError(f"detectors: give gp.load_detectors(...) or the path of a detectors.toml, not {_kind(detectors)}")


def detector_of(detector: AnyDetector, detectors: AnyDetectors | None = None) -> Detector:
    """A detector as it is, or looked up; one on a channel that is not described has a default name.

    Args:
        detector: itself, (board, channel), `0/3`, `3` (of board 0), or its name.
        detectors: where it is looked up; None: only numbers can be.

    Raises:
        UsageError: there is no such detector, or a number is impossible.
    """
    if isinstance(detector, Detector):
        return detector
    known = Detectors() if detectors is None else detectors_of(detectors)
    if isinstance(detector, str):
        return known.named(detector)
    try:
        board, channel = (index(number) for number in detector)
    except (TypeError, ValueError):
        raise UsageError(f"a detector is (board, channel), 'board/channel' or a name, not {detector!r}") from None
    if not (0 <= board <= MAX_NUMBER and 0 <= channel <= MAX_NUMBER):
        raise UsageError(f"there is no detector {board}/{channel}: boards and channels are 0 to {MAX_NUMBER}")
    return known.at(board, channel)


def key_of(detector: AnyDetector, detectors: AnyDetectors | None = None) -> Key:
    """The (board, channel) of a detector, given in any of these ways.

    Raises:
        UsageError: as for `detector_of`.
    """
    return detector_of(detector, detectors).key


def keys_of(detectors: AnyDetector | Iterable[AnyDetector], known: AnyDetectors | None = None) -> list[Key]:
    """The (board, channel) of one detector or several.

    Raises:
        UsageError: as for `detector_of`.
    """
    is_one = isinstance(detectors, Detector | str) or (
        isinstance(detectors, tuple) and all(isinstance(number, int) for number in detectors)
    )
    several: Any = [detectors] if is_one else detectors
    return [key_of(one, known) for one in several]


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
