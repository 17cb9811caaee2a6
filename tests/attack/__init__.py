"""Attacks: commands among files that must not be lost, with values, times, options and streams that cannot be.

    python -m tests.attack                                more than 1,000 cases of all kinds
    python -m tests.attack --kind options --cases 100
    python -m tests.attack --kind options --case 17       one case alone; it is always the same
    python -m tests.attack --kind options --case 17 --write FOLDER

Whatever is tried, a command ends within its time with a result or with one clear line and an exit code that it knows,
without a traceback or anything unexpected; what lay there before is as it was to the last byte, and nothing half done
is left. Each kind says what else has to be right.

The kinds:
    replace     an output that is an input or recorded data, by name, another spelling or a link
    nulls       values that are missing, columns of other types
    pieces      a column `run` that is not in blocks
    ends        times and offsets at the ends of what there can be, and beyond
    renames     several outputs, one of which cannot take its name
    options     absurd numbers, texts and times in any option of any command
    escapes     control characters in names of files, columns, detectors and in what other programs wrote
    odd         provenance, files and links that make no sense
    bombs       small files that claim to be large
    segments    many small files of one run
    killed      processes that are killed, terminated or interrupted
    streams     standard streams that are closed, full, narrow or gone
    limits      little memory, few open files, full disks
"""
