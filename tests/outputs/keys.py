"""What differs on purpose: here it is written down before a comparison with a checkout that is older.

`renamed` of CHANGES maps a command's name, or `*` for all, to old path -> new path of keys in its JSON summary:

    renamed={"coincidences": {"chance_pairs": "chance.pairs", "pairs_by_detectors[].name_a": "pairs_by_detectors[].a"}}

A path's parts are divided by points; `rows[]` stands for each item of a list, `rejected.*` for each value of an object.
None in place of a new path: the key is gone. Entries hold in their order, those of `*` first: a list or object that
gets another name does so in an entry of its own, before the entries on what it holds. The same map is applied to the
`summary` in the provenance of the files that the command writes; `provenance` is the name for the rest of that entry.

`added` maps the same names to paths of keys that are new: they are left out where the older checkout lacks them.
`rewritten` maps them to functions that make the new form of a summary out of the old one, after renaming; for more than
other names. `texts` are changes of what is printed: a pattern, what stands there now, and why.
"""

from typing import Any

from gammapolars.core.quantities import BY_WORD
from tests.outputs.changes import Changes, TextChange

Summary = dict[str, Any]


def _listed(summary: Summary | None) -> Summary | None:
    """Names of outputs in one list; None: a file of a simulation, whose provenance has no summary."""
    if summary is None:
        return None
    names = [summary.pop("output", None), *summary.pop("outputs_beside", ()), summary.pop("truth", None)]
    if any(names):
        summary["outputs"] = [name for name in names if name]
    return summary


def _calibrate(summary: Summary) -> Summary:
    summary.pop("outputs", None)  # where the residuals, figures and the table of drift stand, too
    return summary


def _events(summary: Summary) -> Summary:
    return summary | {"window_ps": [0, summary["window_ps"]]}


def _lifetime(summary: Summary) -> Summary:
    ends = {name: summary[name] for name in ("start_gate", "stop_gate") if summary[name]}
    return summary | {name: {"low": low, "high": high, "background": []} for name, (low, high) in ends.items()}


def _matrix(summary: Summary) -> Summary:
    """The bins of both axes in one list, however the matrix was asked for."""
    if "bins" in summary:
        return summary
    bin_kev, bin_adc, first = (summary.pop(name, None) for name in ("bin_kev", "bin_adc", "channel_0"))
    width = bin_adc if bin_kev is None else bin_kev
    widths = [summary.pop(f"bin_{side}", width) for side in "xy"]
    axes = summary.get("axes", "adc:adc" if bin_kev is None else "energy:energy")
    centres = first if isinstance(first, list) else [first] * 2
    bins = []
    for side, word, width, centre in zip("xy", axes.split(":"), widths, centres, strict=True):
        quantity = BY_WORD[word]
        column = f"{quantity.column}_{side}"
        bins.append({"quantity": word, "column": column, "unit": quantity.unit, "width": width, "channel_0": centre})
    summary.pop("units", None)
    return {"axes": axes, "x": [], "y": [], "symmetric": True, "polygons": []} | summary | {"bins": bins}


def _peaks(summary: Summary) -> Summary:
    """A list, as in `gate`; in place of a list and how many they are."""
    del summary["peaks"]
    return summary | ({"peaks": summary.pop("table")} if "table" in summary else {})


def _provenance(entry: Summary) -> Summary:
    """Without times of inputs that are not known: of pairs that a query takes they are, now."""
    for one in entry.get("inputs", ()):
        for name in ("first_timestamp_ps", "last_timestamp_ps"):
            if one.get(name, 0) is None:
                del one[name]
    return entry


CHANGES = Changes(
    renamed={"query": {"window": None, "reject": None}},
    added={
        "*": (
            *("inputs", "outputs", "warnings", "elapsed_s", "hits_per_s"),
            *("hits_read", "hits_used", "hits_rejected", "rejected", "hits_damaged", "hits_out_of_range", "left_out"),
            "hits_repeated",
            *("real_time_s", "first_timestamp_ps", "last_timestamp_ps", "runs", "window_ps"),
        ),
        "calibrate": ("drift.inputs",),
        "gate": ("net_of_chance", "gated_detectors", "polygons"),
        "lines": ("least",),
        "provenance": ("inputs[].first_timestamp_ps", "inputs[].last_timestamp_ps"),
    },
    rewritten={
        "*": _listed,
        "calibrate": _calibrate,
        "events": _events,
        "lifetime": _lifetime,
        "matrix": _matrix,
        "peaks": _peaks,
        "provenance": _provenance,
    },
    texts=(
        TextChange(
            "detectors import",
            r"( *--overwrite +Replace an output that exists\.\n)",
            r"\1  --json               Print the summary as one JSON object.\n",
            "every command prints its summary as JSON where that is asked",
        ),
    ),
)

NONE = Changes()
"""With `--exact`: nothing differs on purpose."""
