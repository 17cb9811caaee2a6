"""Defaults of commands and functions; free of imports, for the command line's help."""

WINDOW = "250ns"

REJECT = "saturation,pile_up,fake_event"

REORDER = "1ms"

SEARCH = "10us"

LEAST_SIGNIFICANCE = 4.0
