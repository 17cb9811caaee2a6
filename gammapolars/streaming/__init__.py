"""Slices of a stream of hits that are complete in themselves: time order, clocks, and times that start again."""
