"""The detectors of an experiment, and the properties of each."""

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from gammapolars.core.digits import plus_minus
from gammapolars.core.errors import DetectorsError, UnknownDetectorError, UsageError
from gammapolars.core.overview import Overview, Section, columns_of
from gammapolars.core.types import Key
from gammapolars.core.units import format_ps
from gammapolars.core.wording import setting
from gammapolars.detectors.clocks import BoardClock
from gammapolars.detectors.columns import Column
from gammapolars.detectors.sources import CalibrationSource

MAX_NUMBER = 2**16 - 1

_POWERS = ("", " adc", *(f" adc^{order}" for order in range(2, 32)))

Coefficients = tuple[float, ...]
Covariance = tuple[Coefficients, ...]


@dataclass(frozen=True, repr=False)
class Detector:
    """One (board, channel) and its properties.

    Attributes:
        board: the digitizer board's number, 0 to 65535.
        channel: the board's input, 0 to 65535.
        name: its name in figures and summaries; by default `board/channel`.
        energy: coefficients of the energy polynomial in keV, lowest order first: E = Σ c_i adc^i. None: uncalibrated.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²).
        time_offset_ps: how much later its timestamps are than those of other detectors; subtracted before pairing.
        kind: `HPGe`, `NaI`, `LaBr3`, …
        notes: any other remarks.
        energy_covariance: of the coefficients in `energy`, a square table; None: not known.
        energy_range: lowest and highest ADC channel of the fit of `energy`: outside this range it is extrapolated.
        efficiency: coefficients of the full-energy-peak efficiency, ln ε = Σ p_i (ln E/MeV)^i, lowest order first.
        efficiency_covariance: of the coefficients in `efficiency`, a square table.
        efficiency_range: lowest and highest energy (keV) of the fit of `efficiency`.
        time_walk_ps: the additional delay of small pulses: t = Σ b_i adc^(-i/2), i from 1; subtracted as well.
        time_walk_range: lowest and highest ADC channel of the fit of the walk; outside, the value at the nearest end is
            used.
        time_fwhm_ps: time resolution of this detector by itself (FWHM).
        threshold_adc: hits with a smaller adc, as recorded, are not used.
        threshold_kev: hits of a lower energy are not used.
        range_adc: only hits whose adc, as recorded, lies in this range are used; both ends belong to it.
        range_kev: only hits of energies in this range are used.
        theta_deg: polar angle of its direction from the source, 0 to 180 degrees.
        phi_deg: azimuth of that direction, degrees.
        group: detectors of one group, such as the crystals of a clover, are summed by add-back.
    """

    board: int
    channel: int
    name: str = ""
    energy: Coefficients | None = None
    fwhm: Coefficients | None = None
    time_offset_ps: int = 0
    kind: str = ""
    notes: str = ""
    energy_covariance: Covariance | None = None
    energy_range: tuple[float, float] | None = None
    efficiency: Coefficients | None = None
    efficiency_covariance: Covariance | None = None
    efficiency_range: tuple[float, float] | None = None
    time_walk_ps: Coefficients | None = None
    time_walk_range: tuple[float, float] | None = None
    time_fwhm_ps: float | None = None
    threshold_adc: float | None = None
    threshold_kev: float | None = None
    range_adc: tuple[float, float] | None = None
    range_kev: tuple[float, float] | None = None
    theta_deg: float | None = None
    phi_deg: float | None = None
    group: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"{self.board}/{self.channel}")

    def __repr__(self) -> str:
        given = (one.name for one in fields(self) if getattr(self, one.name) != one.default)
        return f"Detector({', '.join(f'{name}={getattr(self, name)!r}' for name in given)})"

    @property
    def key(self) -> tuple[int, int]:
        """Its (board, channel), as in hits."""
        return (self.board, self.channel)

    @property
    def limits_adc(self) -> tuple[float, float]:
        """The lowest and the highest adc of its hits that are used; infinite where there is no limit."""
        return _limits(self.threshold_adc, self.range_adc)

    @property
    def limits_kev(self) -> tuple[float, float]:
        """The lowest and the highest energy (keV) of its hits that are used; infinite where there is no limit."""
        return _limits(self.threshold_kev, self.range_kev)


def limits_of(detector: Detector) -> tuple[tuple[float, float], tuple[float, float]]:
    """The limits of a detector's hits that are used, in ADC channels and in keV."""
    return detector.limits_adc, detector.limits_kev


def _limits(threshold: float | None, within: tuple[float, float] | None) -> tuple[float, float]:
    """Limits by a threshold and a range: both hold."""
    low, high = within or (-math.inf, math.inf)
    return (low if threshold is None else max(low, threshold)), high


@dataclass(frozen=True, repr=False)
class Detectors(Overview):
    """An experiment's detectors, found by (board, channel) or by name: `detectors[0, 3]`, `detectors["HPGe-1"]`.

    Attributes:
        all: the detectors.
        columns: the columns of another program's files, by the names of a table of hits.
        sources: calibration sources of known activity.
        drift: the file with the drift of the gains, as detectors.toml names it; None: gains are constant.
        folder: the folder of detectors.toml, for relative file names.
        text: of the detectors.toml that they were read from, whose comments an update keeps; empty: from none.
        clocks: of boards with clocks that run fast or slow.
    """

    all: tuple[Detector, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict, hash=False)
    sources: tuple[CalibrationSource, ...] = ()
    drift: str | None = None
    folder: Path = field(default=Path(), compare=False)
    text: str = field(default="", compare=False, repr=False)
    clocks: tuple[BoardClock, ...] = ()
    _by_key: dict[tuple[int, int], Detector] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_key: dict[tuple[int, int], Detector] = {}
        names: set[str] = set()
        for detector in self.all:
            if detector.key in by_key:
                raise DetectorsError(f"board {detector.board} channel {detector.channel} is described twice: keep one")
            if detector.name in names:
                raise DetectorsError(f"two detectors are named '{detector.name}': rename one")
            by_key[detector.key] = detector
            names.add(detector.name)
        for place, source in enumerate(self.sources):
            if source.name in {other.name for other in self.sources[:place]}:
                raise DetectorsError(f"two sources are named '{source.name}': give them different names")
        for place, clock in enumerate(self.clocks):
            if clock.board in {other.board for other in self.clocks[:place]}:
                raise DetectorsError(f"the clock of board {clock.board} is described twice: keep one [[clock]]")
        object.__setattr__(self, "_by_key", by_key)
        if channel := self.columns.get("channel"):
            named = replace(channel, names={detector.name: detector.key for detector in self.all})
            object.__setattr__(self, "columns", {**self.columns, "channel": named})

    @property
    def drift_path(self) -> Path | None:
        """Where the table of drift lies, if there is one."""
        return None if self.drift is None else self.folder / self.drift

    def in_folder(self, folder: Path) -> "Detectors":
        """The same for a detectors.toml in another folder, where the name of the drift's file is another one."""
        if self.drift is None or Path(self.drift).is_absolute() or self.folder.resolve() == folder.resolve():
            return replace(self, folder=folder)
        path = (self.folder / self.drift).resolve()
        try:
            return replace(self, folder=folder, drift=Path(os.path.relpath(path, folder.resolve())).as_posix())
        except ValueError:  # on another drive
            return replace(self, folder=folder, drift=str(path))

    def _sections(self) -> Iterator[Section]:
        """A row for each detector, then the sources."""
        yield columns_of([_words(detector) for detector in self.all]) if self.all else Section((), (), "none")
        for source in self.sources:
            activity = plus_minus(source.activity_bq, source.activity_bq_unc)
            yield Section((), (), f"Source {source.name}: {activity} Bq on {source.reference_date:%Y-%m-%d}")

    def __iter__(self) -> Iterator[Detector]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __contains__(self, detector: object) -> bool:
        """Whether a detector is described: itself, its name, `board/channel` as text, or (board, channel)."""
        if isinstance(detector, Detector):
            return detector in self.all
        return isinstance(detector, str | tuple) and self.get(detector) is not None

    def __getitem__(self, detector: "str | Key") -> Detector:
        """The detector with a name, or on a channel: `"HPGe-1"`, `"0/3"`, or `0, 3`.

        Raises:
            UsageError: none is described; it is a KeyError, too.
        """
        if (found := self.get(detector)) is None:
            is_key = isinstance(detector, tuple) and len(detector) == 2
            raise self._unknown("/".join(map(str, detector)) if is_key else str(detector))
        return found

    def get(self, detector: "str | Key", default: Detector | None = None) -> Detector | None:
        """The same, or a default where none is described."""
        if isinstance(detector, str):
            by_name = next((one for one in self.all if one.name == detector), None)
            return by_name or self._by_key.get(_numbers(detector) or (-1, -1), default)
        is_key = isinstance(detector, tuple) and all(isinstance(number, int) for number in detector)
        return self._by_key.get(detector, default) if is_key else default

    def __bool__(self) -> bool:
        return True  # one without detectors may still have columns, sources or a drift

    def at(self, board: int, channel: int) -> Detector:
        """The detector on a channel; one with a default name where the file describes none."""
        return self._by_key.get((board, channel)) or Detector(board, channel)

    def clock(self, board: int) -> BoardClock | None:
        """The clock of a board; None where it is the one that others are compared with."""
        return next((clock for clock in self.clocks if clock.board == board), None)

    def source(self, name: str) -> CalibrationSource:
        """The calibration source with a name; or of a nuclide, where there is one of it.

        Raises:
            UsageError: there is none, or there are several.
        """
        by_name = [source for source in self.sources if source.name == name]
        sources = by_name or [source for source in self.sources if source.nuclide == name]
        if len(sources) == 1:
            return sources[0]
        names = ", ".join(source.name for source in self.sources)
        advice = f"name one of {names}" if names else "describe it in a [[source]] table of detectors.toml"
        raise UsageError(f"{'several sources are' if sources else 'no source is'} called '{name}': {advice}")

    def replacing(self, detector: Detector) -> "Detectors":
        """The same with one detector in place of the one on its channel, or added."""
        others = [detector if one.key == detector.key else one for one in self.all]
        return replace(self, all=tuple(others if detector.key in self._by_key else [*others, detector]))

    def named(self, name: str) -> Detector:
        """The detector with a name, or at `board/channel`, or at `channel` of board 0.

        Raises:
            UsageError: no detector has this name.
        """
        if found := self.get(name):
            return found
        if key := _numbers(name):
            return self.at(*key)
        raise self._unknown(name)

    def _unknown(self, name: str) -> UnknownDetectorError:
        names = ", ".join(detector.name for detector in self.all)
        others = f", or a name in detectors.toml ({names})" if names else setting("", "; `detectors` describes names")
        return UnknownDetectorError(f"unknown detector '{name}': write board/channel, such as 0/3{others}")


def _words(detector: Detector) -> dict[str, str]:
    """The properties of a detector that are read off a screen, in words; those that are not known are empty."""
    energy, offset = detector.energy, detector.time_offset_ps
    time_fwhm, group = detector.time_fwhm_ps, detector.group
    return {
        "name": detector.name,
        "board/channel": f"{detector.board}/{detector.channel}",
        "kind": detector.kind,
        "energy (keV)": " + ".join(f"{c:.6g}{_POWERS[n]}" for n, c in enumerate(energy or ())).replace("+ -", "- "),
        "time offset": format_ps(offset) if offset else "",
        "time FWHM": "" if time_fwhm is None else format_ps(round(time_fwhm)),
        "group": group,
        "hits used": _hits_used(detector),
    }


def _hits_used(detector: Detector) -> str:
    """The limits of the hits of a detector that are used, in words; empty where all are."""
    words = []
    for unit, least, both in (
        ("adc", detector.threshold_adc, detector.range_adc),
        ("keV", detector.threshold_kev, detector.range_kev),
    ):
        words += [] if least is None else [f"≥ {least:g} {unit}"]
        words += [] if both is None else [f"{both[0]:g} to {both[1]:g} {unit}"]
    return ", ".join(words)


def _numbers(text: str) -> Key | None:
    """The (board, channel) in `board/channel`, or in `channel` of board 0; None where the text is neither."""
    match = re.fullmatch(r"(?:(\d{1,5})/)?(\d{1,5})", text)
    key = (int(match[1] or 0), int(match[2])) if match else (MAX_NUMBER + 1, 0)
    return key if max(key) <= MAX_NUMBER else None
