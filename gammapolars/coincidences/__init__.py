"""Coincidences: pairs of hits of different detectors within time windows, and how many of them chance makes."""

from gammapolars.coincidences.chance import chance_pairs, nearest_chance_pairs
from gammapolars.coincidences.rule import AnyWindow, Key, PairRule
from gammapolars.coincidences.tables import nearest, pairs

__all__ = ["AnyWindow", "Key", "PairRule", "chance_pairs", "nearest", "nearest_chance_pairs", "pairs"]
