"""`python -m gammapolars`."""

from gammapolars.cli import run

run()
