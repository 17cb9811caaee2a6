"""What is in a run or in a file of pairs, in words: the text that `gammapolars info` prints."""

from typing import Any

from gammapolars.commands.layout import share, table
from gammapolars.core.units import PS_PER_S, format_ps


def describe(found: dict[str, Any]) -> str:
    """What `inspect` found, for people."""
    lines = []
    for file in found["files"]:
        lines.append(f"{file['name']}: {file['bytes']:,} bytes, {file['hits']:,} hits")
        if "tree" in file:
            branches = ", ".join(f"{name} ({kind})" for name, kind in file["branches"].items())
            baskets = sorted(set(file["baskets"].values()))
            counted = f"{baskets[0]} to {baskets[-1]}" if len(baskets) > 1 else f"{baskets[0]}"
            lines += [
                f"  tree {file['tree']}: {branches}",
                f"  compression {file['compression']}, {counted} baskets a branch",
            ]
        else:
            lines.append("  columns: " + ", ".join(f"{name} ({kind})" for name, kind in file["columns"].items()))
        if "provenance" in file:
            lines += _origin(file["provenance"])
    for source in found["sources"]:
        lines += _recorded(source)
    lines.append(f"{found['hits']:,} hits in {found['real_time_s']:.6g} s")
    if found["hits"]:
        first, last = (found[f"{end}_timestamp_ps"] / PS_PER_S for end in ("first", "last"))
        lines.append(f"  first at {first:.9f} s, last at {last:.9f} s after the digitizer's start")
    lines += table(
        ["detector", "hits", "rate"],
        [
            [f"{row['board']}/{row['channel']}", f"{row['hits']:,}", f"{row['rate_cps'] or 0:,.2f} /s"]
            for row in found["detectors"]
        ],
    )
    lines += table(
        ["flag", "hits", "share"],
        [[name, f"{count:,}", share(count, found["hits"])] for name, count in found["flags"].items()],
    )
    step = format_ps(found["largest_step_back_ps"])
    lines.append(
        f"time order: {found['inversions']:,} inversions" + (f", up to {step} back" if found["inversions"] else "")
    )
    return "\n".join([*lines, *(f"Warning: {warning}" for warning in found["warnings"])])


def _recorded(source: dict[str, Any]) -> list[str]:
    """What is known of a run beside its hits, in lines."""
    lines = []
    if source["passed_over"]:
        lines.append(f"{source['folder']}: the {source['stage'] or 'chosen'} files are read, passed over are")
        lines += [f"  {line}" for line in source["passed_over"]]
    if recorded := source["recorded"]:
        boards = ", ".join(board["label"] or board["model"] or board["id"] for board in recorded["boards"])
        parts = {"from": recorded["start"], "to": recorded["stop"], "with": boards}
        told = [f"{word} {text}" for word, text in parts.items() if text]
        lines.append(f"recorded as {recorded['id'] or 'a run without name'} " + " ".join(told))
    if times := source["live_times"]:
        live = ", ".join(
            f"channel {row['channel']} {row['live_time_s']:g} of {row['real_time_s']:g} s"
            for row in times["channels"]
            if None not in (row["live_time_s"], row["real_time_s"])
        )
        lines += [f"live times: {live}"] if live else []
    return lines


def _origin(origin: dict[str, Any]) -> list[str]:
    """A file's provenance in lines."""
    if "simulation" in origin:
        settings = origin["simulation"]
        sources = ", ".join(f"{name} {activity:g} Bq" for name, activity in settings.get("sources", {}).items())
        return [f"  simulated by gammapolars: {sources or 'background'}, seed {settings.get('seed')}"]
    made = ", ".join(f"{package} {number}" for package, number in origin.get("versions", {}).items())
    inputs = ", ".join(f"{entry['name']} ({entry['bytes']:,} bytes)" for entry in origin.get("inputs", []))
    return [f"  made from {inputs} with {made}", f"  with {_settings(origin.get('summary', {}))}"]


def _settings(summary: dict[str, Any]) -> str:
    """The plain numbers and texts of a summary, without its tables."""
    plain = {key: value for key, value in summary.items() if isinstance(value, str | int | float) or key == "window_ps"}
    return ", ".join(f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in plain.items())


def describe_pairs(found: dict[str, Any]) -> str:
    """What `inspect_pairs` found, for people."""
    (file,) = found["files"]
    random = f", {found['random_pairs']:,} more in random windows" if "random_pairs" in found else ""
    lines = [f"{file['name']}: {file['bytes']:,} bytes, {found['pairs']:,} pairs{random}"]
    lines.append("  columns: " + ", ".join(f"{name} ({kind})" for name, kind in file["columns"].items()))
    if "provenance" in file:
        lines += _origin(file["provenance"])
    rows = [
        [
            f"{row['board_a']}/{row['channel_a']} – {row['board_b']}/{row['channel_b']}"
            + (", random" if row.get("region") == "random" else ""),
            f"{row['pairs']:,}",
            f"{format_ps(row['least_dt_ps'])} to {format_ps(row['largest_dt_ps'])}",
        ]
        for row in found["pairs_by_detectors"]
    ]
    return "\n".join(lines + table(["detectors a – b", "pairs", "time differences"], rows))
