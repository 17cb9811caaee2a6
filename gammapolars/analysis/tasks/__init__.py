"""Passes cut into tasks that any process can carry out, and put together again: the same results, hit for hit."""
