"""Whether another checkout gives the same outputs: every command line, run in both, compared word for word.

`python -m tests.outputs OTHER_CHECKOUT` shows that a change of the code changed nothing that a user sees. It runs the
command lines of `command_lines.py` (and, if GAMMAPOLARS_REAL_DATA names a folder of recorded runs, those of
`recorded.py`) in this checkout and in the other, on the same inputs, which the other checkout makes once by
`inputs.py`. Exit codes, what is printed and every file that is written must agree; only times that a clock measured,
dates and versions of packages may differ. What is changed on purpose stands in `keys.py`.

What differs runs once more, since sums of fractions may come out otherwise in the last digit when threads share the
work in another way: what is the same then is named, and does not count as different.
"""
