"""Fuzzing: valid files of every format are damaged in many ways, and read by the functions that the commands use.

    python -m tests.fuzz                                  10,000 cases of each format, as before a release
    python -m tests.fuzz --format csv --seconds 60
    python -m tests.fuzz --format csv --case 1234         one case alone; it is always the same
    python -m tests.fuzz --format csv --case 1234 --write FOLDER

Every case must come to a correct result or to one clear error, without leave to go on and with it (`--keep-going`).
Anything else is a failure: a crash, a hang, a traceback, another exception, an error that does not name the file, too
much memory (1.5 GB more than at the start), and an answer that is wrong. What is right is told by independent readers:
of one line, one record or one TOML document, or by the hits that the valid file holds. Some cases go through whole
commands, in the worker's process or in one of their own.

The columns of the table that is printed:
    read        without leave to go on the whole file was read
    refused     it was an error
    partial     it was, but with leave to go on hits were read; those left out are counted, or a note tells of them
    unnoticed   values are others than in the valid file, and the format has nothing by which anybody could tell

What cannot be noticed, and is no failure:
    ROOT        other values in baskets that are stored plain or by ZSTD, which have no checksum (those of zlib, LZ4 and
                LZMA have one); a branch of which no basket is left, where the metadata are lost
    CSV, BIN    other values that a hit can have; of records with waveforms it is estimated how many were lost
    Parquet     other values, as neither pages nor footers have checksums that are looked at; the number of hits is
    and Arrow   right, and all columns of which neither a byte nor the footer has changed. A footer may name another
                column, or lead to another place
    spectra     other counts
"""
