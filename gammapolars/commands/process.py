"""The process around a command: errors become one line and an exit code, and interrupts are never lost."""

import contextlib
import os
import signal
import sys
import threading
import warnings
from typing import Any, NoReturn

import typer

from gammapolars.commands.app import app, load
from gammapolars.commands.completion import completing, prepare
from gammapolars.commands.streams import discard
from gammapolars.core.errors import GammapolarsError, WidthWarning
from gammapolars.core.interrupts import INTERRUPTED, TERMINATED, ended_by
from gammapolars.core.memory import reuse_freed_memory
from gammapolars.core.visible import visible

NO_MEMORY = ("Cannot allocate memory", "failed to map segment", "can't start new thread")
"""Messages of libraries, in errors of other kinds, where there is no memory for them."""

OUT_OF_MEMORY = "out of memory: choose a narrower window or use a machine with more memory"

WRONG_USAGE: Any = typer.BadParameter.__mro__[2]
"""Errors of typer, of click's kinds: the words are those of the command line, and may hold anything."""


def run() -> NoReturn:
    """The command `gammapolars`, in a process of its own: leaves it at once when all is done and written.

    Taking the interpreter and the libraries' threads down in order costs a tenth of a second, for nothing.
    """
    reuse_freed_memory()
    _end_as_by_interrupt(signal.SIGTERM)
    sys.unraisablehook = _pass_interrupts_on
    warnings.simplefilter("ignore", WidthWarning)  # commands that fit peaks for their own sake say so themselves
    if completing():
        discard(sys.stderr)  # it would be shown in the middle of the line that is completed
        prepare()
    code: int | str | None = 0
    try:
        main(*sys.argv[1:2])
    except SystemExit as end:
        code = end.code
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads it any more
        code = code or 1
    except OSError as error:
        code = code or 1
        _say(f"the output cannot be written to the terminal: {error.strerror}")
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _end_as_by_interrupt(number: int) -> None:
    """Let a signal end the process as Ctrl-C does: polars stops its work only for that one.

    Python's own handlers wait until the main thread is back from polars; the wakeup file is written at once.
    """
    if sys.platform == "win32":
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def pass_on() -> None:
        while signals := os.read(reading, 16):
            if number in signals:
                ended_by.add(number)
                os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=pass_on, name="signals", daemon=True).start()


def _pass_interrupts_on(lost: Any) -> None:
    """Send Ctrl-C again, a moment later, where Python loses it: it would print it and go on.

    In a callback of the garbage collector nothing can be raised, and in here neither.
    """
    if lost.exc_type is KeyboardInterrupt:
        threading.Timer(0.02, _interrupt).start()
    else:
        sys.__unraisablehook__(lost)


def _interrupt() -> None:
    """Send Ctrl-C to this process: on Windows `os.kill` would end it at once."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def main(command: str | None = None) -> None:
    """Parse and run one command: errors become one line on stderr and an exit code.

    Args:
        command: its name, where it is known to be the first word: no other command is then prepared.
    """
    try:
        load(command)
        code = app(prog_name="gammapolars", standalone_mode=False)
        if code == INTERRUPTED:  # typer exits without a word
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except WRONG_USAGE as error:
        error.message = "\n".join(map(visible, error.message.split("\n")))
        with contextlib.suppress(OSError):
            error.show()
        sys.exit(error.exit_code)
    except GammapolarsError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail_interrupted()
    except BrokenPipeError:
        discard(sys.stdout)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            discard(sys.stdout)
        _fail(f"{error.filename or 'an output'}: cannot be read or written: {error.strerror or error}", 1)
    except MemoryError:
        _fail(OUT_OF_MEMORY, 1)
    except Exception as error:
        if os.environ.get("GAMMAPOLARS_TRACEBACK"):
            raise
        _fail(_unexpected(error), 1)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # polars' own kind, which is no Exception
            raise
        _fail("polars stopped with an internal error: is an input file damaged?", 1)


def _unexpected(error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0]
    if any(sign in reason for sign in NO_MEMORY):
        return OUT_OF_MEMORY
    return (
        f"unexpected {type(error).__name__}: {reason} (set GAMMAPOLARS_TRACEBACK=1 to see where, and please report it)"
    )


def _fail_interrupted() -> NoReturn:
    if ended_by:
        _fail("terminated", TERMINATED)
    _fail("interrupted", INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    _say(message)
    sys.exit(code)


def _say(message: str) -> None:
    with contextlib.suppress(OSError):
        print(f"Error: {visible(' '.join(message.split()))}", file=sys.stderr, flush=True)
