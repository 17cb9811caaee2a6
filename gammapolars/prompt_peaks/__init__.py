"""Prompt peaks of time differences: where true coincidences stand, how wide they are, and the chance level beside.

`searching` finds a peak in far time differences, `fitting` fits the core of one to the pairs themselves, `measuring`
takes its numbers from a histogram without a model. Lifetimes are fitted with their peak, of the same `shape`, at once.
"""
