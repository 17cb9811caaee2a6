"""What commands print: progress on a terminal, summaries as text or JSON."""

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

from gammapolars.queries import Query
from gammapolars.units import Window, format_ps

REFRESH_S = 0.2


class Progress:
    """Hits, rate and time left on stderr while a run is read; silent where stderr is no terminal.

    Call it with the hits so far.

    Args:
        total: gives how many hits there are, if that is known; asked only if it is shown.
    """

    def __init__(self, total: Callable[[], int | None]) -> None:
        self._shown = sys.stderr.isatty()
        self._total = total() if self._shown else None
        self._started = self._last = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __call__(self, hits: int) -> None:
        now = time.monotonic()
        if not self._shown or now - self._last < REFRESH_S:
            return
        self._last = now
        rate = hits / (now - self._started)
        left = ""
        if self._total and rate:
            left = f" of {self._total:,}, {(self._total - hits) / rate:.0f} s left"
        print(f"\r\033[K{hits:,} hits{left}, {rate / 1e6:.1f} million/s", end="", file=sys.stderr, flush=True)


def print_summary(summary: dict[str, Any], text: Callable[[dict[str, Any]], str], *, as_json: bool) -> None:
    """A command's summary on stdout: as one JSON object, or as `text` tells it to people."""
    print_json(summary) if as_json else print(text(summary))


def print_json(summary: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(summary, ensure_ascii=False, allow_nan=False))


def share(part: float, whole: float) -> str:
    """A part in per cent of the whole."""
    return f"{100 * part / whole:.2f} %" if whole else "–"


def coincidence_text(summary: dict[str, Any]) -> str:
    """The summary of `coincidences` for people."""
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *policies_text(summary),
        *rejected_text(summary),
        *left_out_text(summary),
        f"{summary['pairs']:,} pairs within {Window(*summary['window_ps'])}, "
        f"{summary['chance_pairs_expected']:,.1f} expected by chance",
        *random_text(summary),
        *_pairs_table(summary["pairs_by_detectors"]),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        *(f"{output}: written" for output in summary.get("outputs_beside", ())),
        f"{summary['output']}: written in {summary['elapsed_s']:.2f} s"
        f" ({summary['hits_per_s'] / 1e6:.1f} million hits/s)",
    ]
    return "\n".join(lines)


def random_text(summary: dict[str, Any]) -> list[str]:
    """What random windows tell, in lines."""
    if "random_ps" not in summary:
        return []
    windows = ", ".join(str(Window(*window)) for window in summary["random_ps"])
    return [
        f"{summary['random_pairs']:,} pairs in the random windows {windows}: "
        f"{plus_minus(summary['chance_pairs'], summary['chance_pairs_unc'])} of the pairs are by chance, "
        f"{plus_minus(summary['net_pairs'], summary['net_pairs_unc'])} net"
    ]


def _pairs_table(rows: list[dict[str, Any]]) -> list[str]:
    """Pairs by their detectors, in lines."""
    net = bool(rows) and "net_pairs" in rows[0]
    head = ["detectors", "pairs", "by chance", *(["measured", "net"] if net else [])]
    return table(
        head,
        [
            [
                f"{row['name_a']} – {row['name_b']}",
                f"{row['pairs']:,}",
                f"{row['chance_pairs_expected']:,.1f}",
                *([f"{row['chance_pairs']:,.1f}", plus_minus(row["net_pairs"], row["net_pairs_unc"])] if net else []),
            ]
            for row in rows
        ],
    )


def spectra_text(summary: dict[str, Any]) -> str:
    """The summary of `spectrum` for people."""

    def seconds(value: float | None) -> str:
        return "not known" if value is None else f"{value:,.6g} s"

    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        *left_out_text(summary),
        *table(
            ["detector", "counts", "real time", "live time"],
            [
                [row["name"], f"{row['counts']:,.0f}", seconds(row["real_time_s"]), seconds(row["live_time_s"])]
                for row in summary["spectra"]
            ],
        ),
        *(
            [f"{summary['slices']:,} slice{'s' if summary['slices'] > 1 else ''} of {format_ps(summary['slice_ps'])}"]
            if summary["slices"]
            else []
        ),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        *(f"{output}: written" for output in summary["outputs"]),
    ]
    return "\n".join(lines)


def matrix_text(summary: dict[str, Any]) -> str:
    """The summary of `matrix` for people."""
    width, unit = (summary["bin_adc"], "adc") if summary["bin_kev"] is None else (summary["bin_kev"], "keV")
    bins = f"{summary['counts']:,.0f} counts in bins of {width:g} {unit}"
    return f"{coincidence_text(summary)}\n{bins}; channel n lies at {summary['channel_0']:g} + {width:g} n {unit}"


def chosen_matrix_text(summary: dict[str, Any]) -> str:
    """The summary of `matrix` for people, of chosen detectors and axes."""
    widths = " × ".join(
        f"{width:g} {unit}" for width, unit in zip((summary["bin_x"], summary["bin_y"]), summary["units"], strict=True)
    )
    counts = f"{summary['counts']:,.6g} counts in bins of {widths}, {summary['axes']} on x:y"
    for side, first, unit in zip("xy", summary["channel_0"], summary["units"], strict=True):
        counts += f"; channel n of {side} lies at {first:g} + {summary[f'bin_{side}']:g} n {unit}"
    if "pairs" in summary:
        return f"{coincidence_text(summary)}\n{counts}"
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        *left_out_text(summary),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        counts,
        f"{summary['output']}: written",
    ]
    return "\n".join(lines)


def rejected_text(summary: dict[str, Any]) -> list[str]:
    """How many hits each flag rejected, in lines."""
    return [
        f"  rejected: {count:,} {name} ({share(count, summary['hits_read'])})"
        for name, count in summary["rejected"].items()
        if count
    ]


def policies_text(summary: dict[str, Any]) -> list[str]:
    """How many hits add-back and vetoes took away, in lines; none where there were neither."""
    names = {
        "hits_added_back": "added back to others",
        "hits_vetoed": "vetoed",
        "hits_vetoing": "of veto detectors",
    }
    return [line for key, name in names.items() for line in gone_text(summary, key, name)]


def gone_text(summary: dict[str, Any], key: str, name: str) -> list[str]:
    """How many hits went one way, and by which detector, in lines; none where there were none."""
    count = summary.get(key, 0)
    by_detector = summary.get(key.removeprefix("hits_"), {})
    each = ", ".join(f"{detector} {number:,}" for detector, number in by_detector.items())
    return [f"  {name}: {count:,} ({share(count, summary['hits_read'])}): {each}"] if count else []


def left_out_text(summary: dict[str, Any]) -> list[str]:
    """What could not be read, if anything, in lines."""
    whole = summary["hits_read"]
    return [
        f"  left out: {summary[key]:,} {name} ({share(summary[key], whole)})"
        for key, name in (("hits_damaged", "damaged"), ("hits_out_of_range", "out of range"))
        if summary[key]
    ]


def plus_minus(number: float, unc: float) -> str:
    """A number with its uncertainty, to two digits of the latter: `1,234.56 ± 0.12`."""
    if not (math.isfinite(unc) and unc > 0):
        return f"{number:,.6g}"
    places = max(0, 1 - math.floor(math.log10(unc)))
    return f"{number:,.{places}f} ± {unc:,.{places}f}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Aligned columns: the first to the left, numbers to the right."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  " + "  ".join(cells).rstrip()

    return [line(row) for row in [head, *rows]]


def bracketed(value: float, uncertainty: float) -> str:
    """A value with its uncertainty in units of the last digit, as physicists write it: `121.7817(3)`.

    The uncertainty has two digits, or one where the second is a zero that the value has no digit for; a value without
    uncertainty stands alone.
    """
    if not (math.isfinite(uncertainty) and uncertainty > 0):
        return f"{value:g}"
    mantissa, _, power = f"{uncertainty:.1e}".partition("e")
    digits, places = mantissa.replace(".", ""), 1 - int(power)
    if digits.endswith("0") and math.isclose(round(value, places - 1), value, rel_tol=1e-12):
        digits, places = digits[0], places - 1
    if places <= 0:
        return f"{round(value, places):.0f}({int(digits) * 10**-places})"
    return f"{value:.{places}f}({digits})"


def query_help(query: Query) -> str:
    """What a query does, and its parameters."""
    lines = [f"{query.name} ({query.path})", "", query.description, ""]
    for parameter in query.parameters:
        default = "needed" if parameter.required else f"default {parameter.default!r}"
        lines.append(f"  --{parameter.name.replace('_', '-')} {parameter.type.__name__.upper()}  ({default})")
    if query.takes_pairs:
        lines.append("  takes the run's pairs: --window, --reject and --detectors apply")
    return "\n".join(lines).rstrip()
