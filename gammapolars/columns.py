"""The columns of other programs' tables: which one holds what, and in which unit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """Where a column of hits comes from in a foreign table.

    Attributes:
        name: what the foreign table calls it.
        unit: the unit that its values have there; None where they have ours, or none.
    """

    name: str
    unit: str | None = None
