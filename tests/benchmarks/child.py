"""Run one command and print what it needed as JSON: `python child.py COMMAND...`.

It imports little, to be small itself.
"""

import json
import os
import sys
import time


def main() -> None:
    start = time.perf_counter()
    process = os.posix_spawn(
        sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    needed = {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / unit}
    print(json.dumps(needed))
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
