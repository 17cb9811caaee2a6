"""An oracle: what commands write of hostile runs, row for row against plain loops that know nothing but definitions.

    python -m tests.oracle                                2,000 runs, every tenth with a command in a process of its own
    python -m tests.oracle --cases 300 --seed 7
    python -m tests.oracle --case 1234                    one run alone; it is always the same
    python -m tests.oracle --case 1234 --write FOLDER     its files stay, and the commands are printed

Each case draws a run, or several, and how it was recorded: in one file or in many, merged or one after the other, in
folders as CoMPASS leaves them, in every format. Hits tie in time, lie picoseconds or weeks apart, close to the first
and the last time that there can be, out of order as far as they may be, twice, alone; detectors lie beyond each other's
numbers, are silent, rejected, uncalibrated, in groups, and late by anything from 1 ps to a week.

Of each the commands write hits, pairs (all, of start and stop, the nearest, with random windows), what add-back and
vetoes leave, events, their sums and triples, spectra and matrices; `tests/brute.py` says what is right.
"""
