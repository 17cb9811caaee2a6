"""Events out of hits: building, sums over crystals, vetoes, triples; each a LazyFrame to a LazyFrame."""

from gammapolars.event_building.adding_back import AddBack, add_back
from gammapolars.event_building.building import EventRule, events
from gammapolars.event_building.summary import event_summary
from gammapolars.event_building.threefold import triples
from gammapolars.event_building.vetoing import Veto, Vetoes, veto

__all__ = ["AddBack", "EventRule", "Veto", "Vetoes", "add_back", "event_summary", "events", "triples", "veto"]
