"""Files read by uproot: ROOT files that are not read here directly, and RNTuples, as trees, cluster by cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.io.root.branches import Branch, Tree


@contextmanager
def opened_by_uproot(path: str | Path) -> Iterator[Any]:
    """A ROOT file opened by uproot, which afterwards has the same state as before.

    uproot makes classes of the types described in a file, and keeps them for all files to come: those of a damaged file
    would change how the next one is read.
    """
    import uproot

    before = dict(uproot.classes)
    versions = {
        name: dict(classes) for name, kind in before.items() if (classes := getattr(kind, "known_versions", None))
    }
    try:
        with uproot.open({str(path): None}) as file:  # as a plain name, `a.root:b.root` is b.root in a.root
            yield file
    finally:
        uproot.classes.clear()
        uproot.classes.update(before)
        for name, of_class in versions.items():
            before[name].known_versions.clear()
            before[name].known_versions.update(of_class)


RNTUPLE = "ROOT::RNTuple"
"""The class of an RNTuple in a file's list of keys."""


def rntuple_tree(path: Path, name: str, ntuple: Any) -> Tree:
    """An RNTuple's metadata, as uproot gives it, as those of a tree: its clusters take the place of baskets."""
    ends = [cluster.num_first_entry + cluster.num_entries for cluster in ntuple.cluster_summaries]
    entries = np.array([0, *ends], np.int64)
    none = np.empty(0, np.int64)
    branches, other = {}, []
    form = ntuple.to_akform()[0]
    for field, content in zip(form.fields, form.contents, strict=True):
        dtype = _dtype(content)
        if dtype is None:
            other.append(field)
        else:
            branches[field] = Branch(field, dtype, entries, none, none, embedded=True)
    return Tree(path, name, int(ntuple.num_entries), branches, "set in each page", tuple(other))


def read_field(ntuple: Any, name: str, first: int, last: int) -> npt.NDArray[Any]:
    """A flat field's values from entry `first` to `last`, from the clusters that hold them and no other.

    By clusters, because for a range of entries uproot reads the cluster after them too.
    """
    form = ntuple.to_akform()[0]
    column = int(form.content(name).form_key.removeprefix("column-"))
    begins = np.array([cluster.num_first_entry for cluster in ntuple.cluster_summaries])
    low, high = int(np.searchsorted(begins, first, side="right")) - 1, int(np.searchsorted(begins, last, side="left"))
    values: npt.NDArray[Any] = ntuple.read_cluster_range(column, low, high)
    return values[first - int(begins[low]) : last - int(begins[low])]


def _dtype(form: Any) -> np.dtype[Any] | None:
    """The type of the numbers in a field; None where it is not one number per entry."""
    if not hasattr(form, "primitive") or form.inner_shape:
        return None
    dtype = np.dtype(form.primitive)
    return dtype if dtype.kind in "iuf" else None
