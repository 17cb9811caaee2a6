"""`python -m gammapolars`."""

from gammapolars.cli import main

main()
