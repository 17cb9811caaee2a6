"""The package `distributed`, which is not there without the extra `cluster`, and the lines that it logs."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from gammapolars.core.errors import UsageError

LOGGERS = ("distributed", "tornado", "asyncio")


def distributed() -> Any:
    """The package `distributed`, loaded when a cluster is asked for.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import cloudpickle  # noqa: F401
        import cryptography  # noqa: F401
        import distributed
    except ImportError as error:
        raise UsageError(
            f"a cluster needs further packages ({error.name or 'distributed'} is missing): "
            "pip install 'gammapolars[cluster]'"
        ) from None
    return distributed


def check_start() -> None:
    """Raise where Dask is set up to fork its workers: they would lack the threads of polars, and wait for ever.

    Raises:
        UsageError: it is.
    """
    distributed()
    from dask import config

    method = config.get("distributed.worker.multiprocessing-method")
    if method == "fork":
        raise UsageError(
            "Dask would fork its workers, which would then lack the threads of polars: set "
            "distributed.worker.multiprocessing-method to 'spawn' in Dask's configuration"
        )


def answers(client: Any, function: Callable[..., Any], *args: Any) -> dict[str, Any]:
    """The answer of each worker to a question, or the error that it raises; workers that are lost meanwhile have none.

    Args:
        client: connected to the scheduler.
        function: called in each worker, of a module that it has.
        args: of the function.
    """
    said = client.run(function, *args, on_error="return")
    lost = distributed().comm.CommClosedError
    return {worker: answer for worker, answer in said.items() if not isinstance(answer, lost)}


def log_level() -> int:
    """The level from which on Dask's own lines are shown: none are, where no traceback is asked for either."""
    return logging.INFO if os.environ.get("GAMMAPOLARS_TRACEBACK") else logging.CRITICAL + 1


@contextmanager
def quiet() -> Iterator[None]:
    """Without the lines that Dask logs and its warnings: what matters in them is an error of ours."""
    level = log_level()
    names = [name for name in logging.Logger.manager.loggerDict if name.partition(".")[0] in LOGGERS]
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module=r"(distributed|dask|tornado)\b")
        for logger in map(logging.getLogger, {*names, *LOGGERS}):
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(level)
        yield
