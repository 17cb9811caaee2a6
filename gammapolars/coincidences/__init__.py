"""Coincidences: pairs within time windows and their random part, events, triples, add-back and vetoes.

Each takes a LazyFrame and gives a LazyFrame.
"""

from gammapolars.coincidences.add_back import AddBack as AddBack
from gammapolars.coincidences.add_back import add_back as add_back
from gammapolars.coincidences.event_summary import event_summary as event_summary
from gammapolars.coincidences.events import EventRule as EventRule
from gammapolars.coincidences.events import events as events
from gammapolars.coincidences.regions import chance_pairs as chance_pairs
from gammapolars.coincidences.regions import nearest_chance_pairs as nearest_chance_pairs
from gammapolars.coincidences.rule import AnyWindow as AnyWindow
from gammapolars.coincidences.rule import PairRule as PairRule
from gammapolars.coincidences.tables import nearest as nearest
from gammapolars.coincidences.tables import pairs as pairs
from gammapolars.coincidences.triples import triples as triples
from gammapolars.coincidences.veto import Veto as Veto
from gammapolars.coincidences.veto import Vetoes as Vetoes
from gammapolars.coincidences.veto import veto as veto
