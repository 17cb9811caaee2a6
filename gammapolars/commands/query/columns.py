"""Columns that a query asks for and that its input does not have: the error says what is missing, and what to do."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gammapolars.commands.query.queries import Query
from gammapolars.core.errors import GammapolarsError, InputError, TableError


@dataclass(frozen=True)
class MissingColumns:
    """Columns that the hits or the pairs of an input do not have.

    Attributes:
        source: the input.
        causes: by the names of hits' columns, what the input lacks, and what to do.
    """

    source: str
    causes: Mapping[str, tuple[str, str]]

    @contextmanager
    def explained(self, query: Query) -> Iterator[None]:
        """Where a query fails because it asks for one of them, the error says what the input lacks.

        Raises:
            InputError: it does.
        """
        try:
            yield
        except GammapolarsError as error:
            cause = error.__cause__ or error
            known = self.causes if isinstance(cause, pl.exceptions.PolarsError | TableError) else {}
            text = str(cause).partition("valid columns")[0]
            for name, (lack, advice) in known.items():
                if found := re.search(rf"\b{name}(_[abc])?\b", text):
                    raise InputError(
                        f"{self.source}: has no {lack}, but query '{query.name}' uses {found[0]}: {advice}"
                    ) from None
            raise


def missing_columns(
    source: str, columns: Collection[str], detectors: Path | None, *, calibrated: bool
) -> MissingColumns:
    """The columns that an input does not have.

    Args:
        source: its name.
        columns: that it has.
        detectors: the detectors.toml that is given.
        calibrated: whether there are energies.
    """
    causes = {}
    if not calibrated:
        calibrate = f"no detector in {detectors} has an energy calibration: add one with gammapolars calibrate"
        give = "give a detectors.toml with energy calibrations with --detectors"
        causes["energy_kev"] = ("energies", calibrate if detectors else give)
    if not {"adc_short", "adc_short_a"} & {*columns}:
        causes["adc_short"] = ("short-gate charges", "pulse shapes need data that were recorded with them")
    if not {"adc", "adc_a"} & {*columns}:
        causes["adc"] = ("ADC values", "it contains energies only")
    return MissingColumns(source, causes)
