"""Coincidences: pairs within time windows and what of them is chance, events, triples, add-back and vetoes.

Each takes a LazyFrame and gives a LazyFrame.
"""

from gammapolars.coincidences.add_back import AddBack, add_back
from gammapolars.coincidences.event_summary import event_summary
from gammapolars.coincidences.events import EventRule, events
from gammapolars.coincidences.regions import chance_pairs, nearest_chance_pairs
from gammapolars.coincidences.rule import AnyWindow, PairRule
from gammapolars.coincidences.tables import nearest, pairs
from gammapolars.coincidences.triples import triples
from gammapolars.coincidences.veto import Veto, Vetoes, veto

__all__ = [
    "AddBack",
    "AnyWindow",
    "EventRule",
    "PairRule",
    "Veto",
    "Vetoes",
    "add_back",
    "chance_pairs",
    "event_summary",
    "events",
    "nearest",
    "nearest_chance_pairs",
    "pairs",
    "triples",
    "veto",
]
