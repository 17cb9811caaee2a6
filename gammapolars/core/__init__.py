"""What every room knows: errors, defaults, units, tables, flags."""
