"""Saving tables: the suffix of an output gives its format, and pairs go into a dataset where there is none."""

from pathlib import Path

from gammapolars.core.errors import UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.io.columnar import Metadata
from gammapolars.io.dataset_output import check_dataset, means_dataset, save_dataset
from gammapolars.io.formats import FORMATS, WRITERS, Writer, format_of
from gammapolars.io.output import check_output, complete_or_nothing
from gammapolars.io.pairs import OF_PAIRS
from gammapolars.io.plan_sources import check_not_scanned
from gammapolars.io.write_errors import naming_output


def check_writable(
    path: str | Path,
    *,
    overwrite: bool = False,
    layout: str | None = None,
    text: bool = False,
    of_pairs: bool = False,
) -> None:
    """Raise at once if `save` could not write this output later.

    Args:
        path: the output.
        overwrite: whether it may exist.
        layout: its form, if it is not our own.
        text: whether the table has a column of text, such as names, which trees in ROOT files have no place for.
        of_pairs: whether it is one of pairs, which a name without a suffix makes a dataset: a folder of parts.

    Raises:
        OutputError: it exists already, or its folder is missing.
        UsageError: its suffix or layout is unknown.
    """
    path = Path(path)
    if of_pairs and layout is None and means_dataset(path):
        check_dataset(path, overwrite=overwrite)
        return
    _writer(path, layout)
    if text and (form := format_of(path)) and form.numbers_only:
        others = ", ".join(suffix for suffix in WRITERS if not FORMATS[suffix].numbers_only)
        raise UsageError(
            f"{path}: the table contains text, but a ROOT tree stores only numbers: tables are written to {others}"
        )
    check_output(path, overwrite=overwrite)


def _writer(path: Path, layout: str | None) -> Writer:
    form = format_of(path)
    if layout is None:
        if form is None or form.save is None:
            raise UsageError(f"{path}: unknown suffix '{path.suffix}': tables are written to {', '.join(WRITERS)}")
        return form.save
    if form is not None and layout in form.layouts:
        return form.layouts[layout]
    if suffixes := [suffix for suffix, one in FORMATS.items() if layout in one.layouts]:
        raise UsageError(f"{path}: the layout {layout} exists only for {', '.join(suffixes)} files")
    layouts = dict.fromkeys(name for one in FORMATS.values() for name in one.layouts)
    raise UsageError(f"unknown layout '{layout}': choose from {', '.join(layouts)}")


def save(
    frame: AnyFrame,
    path: str | Path,
    *,
    layout: str | None = None,
    overwrite: bool = False,
    metadata: Metadata | dict[str, str] | None = None,
) -> None:
    """Stream a table into a file; the suffix gives the format, and the file appears only when it is complete.

    Args:
        frame: any frame of polars, lazy or not.
        path: ends in .parquet, .arrow, .csv or .root; pairs are written to a folder of Parquet files where it has no
            suffix.
        layout: `compass-pairs` for a ROOT tree `Data_C` that holds each pair in both orders.
        overwrite: whether a file of this name is replaced.
        metadata: provenance, for the formats that can carry it; a function is called when all rows are written.

    Raises:
        OutputError: the output already exists, cannot be written, or is the file that the frame is scanned from.
        UsageError: its suffix or layout is unknown.
    """
    frame = lazy(frame, "table")
    path = Path(path)
    texts = metadata if callable(metadata) else lambda: metadata or {}
    to_dataset = layout is None and means_dataset(path) and OF_PAIRS.issubset(frame.collect_schema())
    check_writable(path, overwrite=overwrite, layout=layout, of_pairs=to_dataset)
    if to_dataset:
        save_dataset(frame, path, overwrite=overwrite, metadata=texts)
        return
    if overwrite:
        check_not_scanned(frame, path)
    with complete_or_nothing(path, overwrite=overwrite) as hidden, naming_output(hidden, path):
        _writer(path, layout)(frame, hidden, texts)
