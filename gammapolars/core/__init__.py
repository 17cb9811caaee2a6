"""Shared by all rooms: errors, defaults, units, tables, flags."""
