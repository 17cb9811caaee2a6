"""The results of `query`: of runs, of saved pairs, the description of a query, and the list of them."""

from dataclasses import dataclass
from typing import Any

from gammapolars.analysis.accounting import SelectionAccount
from gammapolars.analysis.preselection import PreselectionAccount
from gammapolars.analysis.saved_pairs import SavedPairsSummary
from gammapolars.analysis.summaries import Summary
from gammapolars.core.records import Part, Rows, optional
from gammapolars.core.units import Window


@dataclass(frozen=True, kw_only=True)
class QueryAccount(Part):
    """The account of hits and their times; null where a query chose by itself which hits to read, and how often.

    Attributes:
        hits_read: hits in the files.
        hits_used: hits that no flag rejected.
        hits_rejected: hits that some flag rejected.
        rejected: hits by flag name.
        hits_damaged: hits left out because the file is damaged there.
        hits_out_of_range: hits left out because no hit can have their values.
        hits_repeated: hits left out because they repeat another one, where those are to be dropped.
        left_out: where hits were left out: `file`, `what` is wrong there, `hits`, and the `kind`.
        selection: hits that thresholds, ranges and polygons removed, where there are such and each is counted.
        min_energy_kev: otherwise the threshold for all detectors (keV), if there is one.
        keep: and the file of polygons.
        real_time_s: from the first hit to the last (s).
        first_timestamp_ps: of the first hit (ps).
        last_timestamp_ps: of the last hit (ps).
        runs: where there are several, each one's number, name, hits and times.
    """

    hits_read: int | None = None
    hits_used: int | None = None
    hits_rejected: int | None = None
    rejected: dict[str, int] | None = None
    hits_damaged: int
    hits_out_of_range: int
    hits_repeated: int
    left_out: Rows
    selection: SelectionAccount | None = optional()
    min_energy_kev: float | None = optional()
    keep: str | None = optional()
    real_time_s: float | None = None
    first_timestamp_ps: int | None = None
    last_timestamp_ps: int | None = None
    runs: Rows | None = optional()


@dataclass(frozen=True, kw_only=True)
class QuerySummary(Summary):
    """The results of a query.

    Attributes:
        query: its name.
        arguments: of the query, by name.
        window_ps: of the pairs, [low, high], if it takes any (ps).
        random_ps: the windows of random coincidences among the pairs, [low, high] each (ps), if there are any.
        account: what was read.
        preselection: hits that add-back and vetoes took away, where there are such.
    """

    query: str
    arguments: dict[str, Any]
    window_ps: Window
    random_ps: tuple[Window, ...] | None = optional()
    account: QueryAccount
    preselection: PreselectionAccount | None = optional()


@dataclass(frozen=True, kw_only=True)
class SavedPairsQuerySummary(SavedPairsSummary):
    """The results of a query of saved pairs.

    Attributes:
        query: its name.
        arguments: of the query, by name.
    """

    query: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class QueryHelp(Summary):
    """The description of a query.

    Attributes:
        query: its name.
        path: of its file.
        description: its first words.
        parameters: `name`, `type`, whether it is `required`, its `default`, and its `description`.
        takes_pairs: whether it takes the run's pairs.
    """

    query: str
    path: str
    description: str
    parameters: Rows
    takes_pairs: bool


@dataclass(frozen=True, kw_only=True)
class QueryList(Summary):
    """The queries that can be named.

    Attributes:
        queries: of each its `name`, the first line of its `description`, its `path`, and whether it `is_shipped`, and
            so comes with gammapolars.
    """

    queries: Rows
