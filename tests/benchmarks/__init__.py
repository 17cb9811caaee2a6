"""Speed and memory of gammapolars beside other ways to do the same: `python -m tests.benchmarks`.

Needs the benchmark extra (`pip install '.[benchmark]'`) and a quiet machine. Nothing here is a timed test; what the
contestants must agree on is checked in every run, and by `tests/house/test_benchmarks.py` on a small file.
"""
