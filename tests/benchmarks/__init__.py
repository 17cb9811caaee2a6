"""Speed and memory of gammapolars beside other ways to do the same: `python -m tests.benchmarks`.

Needs the benchmark extra (`pip install '.[benchmark]'`) and a quiet machine. Nothing here is a timed test; what the
contestants must agree on is checked in every run, and by `tests/house/test_benchmarks.py` on a small file.

More cores, on paper: `coincidences` of 2·10^7 hits in CoMPASS's basket layout takes about 1.3 s of processor time in
one process. By `perf record` on two cores, 27 % of it is inflating, 9 % polars' code and 15 % numpy's, all of which
run beside the interpreter; 21 % is the kernel's: reading, and memory that is new to the process. The interpreter
itself takes 10 %, 0.14 s, which no two threads do at once. Opening the run and summing up, 0.06 s, have nothing
beside them. So 15 % are serial (Amdahl): on 8 cores 0.20 s + 1.1 s / 8 = 0.34 s, 60 million hits/s and 1.9 times as
fast as 2 cores. The longest stage that keeps the order of hits on a thread of its own, counting recorded times and
close hits, takes 0.18 s, and so limits nothing below 8 cores. Beyond that, hits are shared among processes
(`--workers`).
"""
