"""`python -m gammapolars`."""

from gammapolars.commands import run

run()
