"""The content of a run or of a file of pairs, in words: the text that `gammapolars info` prints."""

from pathlib import Path
from typing import Any

from gammapolars.commands.info.run import InfoSummary
from gammapolars.commands.info.tables import PairsInfoSummary, TablesInfoSummary
from gammapolars.commands.layout import share, table
from gammapolars.commands.summaries import warnings
from gammapolars.core.units import PS_PER_S, format_ps


def text(summary: InfoSummary | PairsInfoSummary | TablesInfoSummary) -> list[str]:
    """The content of runs, of files of pairs or of other tables, for people."""
    if isinstance(summary, TablesInfoSummary):
        return [line for file in summary.files for line in _of_table(file)]
    return _of_pairs(summary) if isinstance(summary, PairsInfoSummary) else _of_runs(summary)


def _of_table(file: dict[str, Any]) -> list[str]:
    """The content of a file of spectra, a matrix or another table."""
    lines = [f"{file['name']}: {file['bytes']:,} bytes, {file['kind']}, {file['rows']:,} rows"]
    lines += _origin(file["provenance"]) if "provenance" in file else []
    rows = [
        [
            f"{row['board']}/{row['channel']}",
            f"{row['counts']:,.6g}",
            f"{row['bins']:,}",
            *("–" if row[name] is None else f"{row[name]:,.6g} s" for name in ("real_time_s", "live_time_s")),
        ]
        for row in file.get("spectra", [])
    ]
    lines += table(["detector", "counts", "bins", "real time", "live time"], rows)
    lines += [
        f"  {row['name']} ({row['board']}/{row['channel']}): {', '.join(row['known']) or 'nothing else'} given"
        for row in file.get("detectors", [])
    ]
    kinds = file["columns"]
    ranges = [
        [f"{row['column']} ({kinds[row['column']]})", *(_number(row[end]) for end in ("least", "largest"))]
        for row in file["ranges"]
    ]
    others = [
        f"{name} ({kind})" for name, kind in kinds.items() if name not in {row["column"] for row in file["ranges"]}
    ]
    lines += table(["column", "least", "largest"], ranges)
    return [*lines, *([f"  other columns: {', '.join(others)}"] if others else [])]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def _of_runs(summary: InfoSummary) -> list[str]:
    lines = []
    for file in summary.files:
        lines.append(f"{file['name']}: {file['bytes']:,} bytes, {file['hits']:,} hits")
        if "tree" in file:
            branches = ", ".join(f"{name} ({kind})" for name, kind in file["branches"].items())
            baskets = sorted(set(file["baskets"].values()))
            number = f"{baskets[0]} to {baskets[-1]}" if len(baskets) > 1 else f"{baskets[0]}"
            lines += [
                f"  tree {file['tree']}: {branches}",
                f"  compression {file['compression']}, {number} baskets per branch",
            ]
        else:
            lines.append("  columns: " + ", ".join(f"{name} ({kind})" for name, kind in file["columns"].items()))
        if "provenance" in file:
            lines += _origin(file["provenance"])
    for source in summary.sources:
        lines += _recorded(source)
    times = summary.times
    lines.append(f"{summary.hits:,} hits in {times.real_time_s:.6g} s")
    if times.first_timestamp_ps is not None and times.last_timestamp_ps is not None:
        first, last = times.first_timestamp_ps / PS_PER_S, times.last_timestamp_ps / PS_PER_S
        lines.append(f"  first at {first:.9f} s, last at {last:.9f} s after the digitizer was started")
    lines += table(
        ["detector", "hits", "rate"],
        [
            [f"{row['board']}/{row['channel']}", f"{row['hits']:,}", f"{row['rate_cps'] or 0:,.2f} /s"]
            for row in summary.detectors
        ],
    )
    lines += table(
        ["flag", "hits", "share"],
        [[name, f"{count:,}", share(count, summary.hits)] for name, count in summary.flags.items()],
    )
    step = format_ps(summary.largest_step_back_ps)
    lines.append(
        f"time order: {summary.inversions:,} inversions" + (f", up to {step} back" if summary.inversions else "")
    )
    return [*lines, *warnings(summary)]


def _recorded(source: dict[str, Any]) -> list[str]:
    """The metadata of a run besides its hits, in lines."""
    lines = []
    if source["passed_over"]:
        lines.append(f"{source['folder']}: the {source['stage'] or 'chosen'} files are read; not read:")
        lines += [f"  {line}" for line in source["passed_over"]]
    if recorded := source["recorded"]:
        boards = ", ".join(board["label"] or board["model"] or board["id"] for board in recorded["boards"])
        parts = {"from": recorded["start"], "to": recorded["stop"], "with": boards}
        words = [f"{word} {text}" for word, text in parts.items() if text]
        lines.append(f"recorded as {recorded['id'] or 'a run without a name'} " + " ".join(words))
    if times := source["live_times"]:
        live = ", ".join(
            f"channel {row['channel']} {row['live_time_s']:g} of {row['real_time_s']:g} s"
            for row in times["channels"]
            if None not in (row["live_time_s"], row["real_time_s"])
        )
        lines += [f"live times: {live}"] if live else []
    return lines + [f"spectrum: {_spectrum(row)}" for row in source["spectra"]]


def _spectrum(row: dict[str, Any]) -> str:
    """A file of spectra next to the hits, in a line."""
    name = Path(row["name"]).name
    if row["counts"] is None:
        return f"{name} (cannot be read)"
    live, real = row["live_time_s"], row["real_time_s"]
    times = f", live {live:g} of {real:g} s" if live is not None and real is not None else ""
    return f"{name} ({row['counts']:,.0f} counts{times})"


def _origin(origin: dict[str, Any]) -> list[str]:
    """A file's provenance in lines."""
    if "simulation" in origin:
        settings = origin["simulation"]
        sources = ", ".join(f"{name} {activity:g} Bq" for name, activity in settings.get("sources", {}).items())
        return [f"  simulated by gammapolars: {sources or 'background'}, seed {settings.get('seed')}"]
    packages = ", ".join(f"{package} {number}" for package, number in origin.get("versions", {}).items())
    inputs = ", ".join(f"{entry['name']} ({entry['bytes']:,} bytes)" for entry in origin.get("inputs", []))
    return [f"  made from {inputs} with {packages}", f"  with {_settings(origin.get('summary', {}))}"]


def _settings(summary: dict[str, Any]) -> str:
    """The plain numbers and texts of a summary, without its tables."""
    shown = ("window_ps", "gate")
    plain = {key: value for key, value in summary.items() if isinstance(value, str | int | float) or key in shown}
    return ", ".join(f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in plain.items())


def _of_pairs(summary: PairsInfoSummary) -> list[str]:
    random = "" if summary.random_pairs is None else f", {summary.random_pairs:,} more in random windows"
    several = len(summary.files) > 1
    lines = []
    for file in summary.files:
        counted = "" if several else f", {summary.pairs:,} pairs{random}"
        parts = f", {file['parts']:,} part{'s' if file['parts'] > 1 else ''}" if "parts" in file else ""
        lines.append(f"{file['name']}: {file['bytes']:,} bytes{parts}{counted}")
        lines.append("  columns: " + ", ".join(f"{name} ({kind})" for name, kind in file["columns"].items()))
        if "provenance" in file:
            lines += _origin(file["provenance"])
    lines += [f"{summary.pairs:,} pairs{random}"] if several else []
    rows = [
        [
            f"{row['board_a']}/{row['channel_a']} – {row['board_b']}/{row['channel_b']}"
            + (", random" if row.get("region") == "random" else ""),
            f"{row['pairs']:,}",
            f"{format_ps(row['least_dt_ps'])} to {format_ps(row['largest_dt_ps'])}",
        ]
        for row in summary.pairs_by_detectors.iter_rows(named=True)
    ]
    return lines + table(["detectors a – b", "pairs", "time differences"], rows)
