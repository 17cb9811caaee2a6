"""What commands print: progress on a terminal, summaries as text or JSON."""

import json
from collections.abc import Callable
from typing import Any

from gammapolars.commands.layout import plus_minus, share, table
from gammapolars.core.units import Window


def print_summary(summary: dict[str, Any], text: Callable[[dict[str, Any]], str], *, as_json: bool) -> None:
    """A command's summary on stdout: as one JSON object, or as `text` tells it to people."""
    print_json(summary) if as_json else print(text(summary))


def print_json(summary: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(summary, ensure_ascii=False, allow_nan=False))


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
