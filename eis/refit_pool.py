"""Who does the work: this process, processes on this machine, or a cluster that is there already."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from importlib import import_module
from typing import Any

from eis.errors import ConfigError

LOOPBACK = "127.0.0.1"
NANNY = "distributed.nanny.pre-spawn-environ"
FINDS_S = 10.0
"""How long a scheduler is looked for (s)."""


class Here(Executor):
    """Does everything at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it, and return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed on, as every executor does
            future.set_exception(error)
        return future


@contextlib.contextmanager
def pool(workers: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Yield an executor.

    Parameters
    ----------
    workers : int
        Processes on this machine. One works in this process; more are a cluster of `dask.distributed` that listens
        on the loopback address alone, or, where that is not installed, a pool of processes.
    scheduler : str, optional
        Address of a scheduler of `dask.distributed`, such as ``tcp://10.0.0.5:8786``; its workers need this
        package and see the archive and the output under the same names.

    Raises
    ------
    ConfigError
        If there is no scheduler at that address, or dask is not installed.
    """
    if scheduler is None and workers <= 1:
        yield Here()
        return
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        if scheduler is not None:
            raise ConfigError(
                "A scheduler needs dask.distributed",
                where="--scheduler",
                mend="pip install 'interfacial-eis[archive]'.",
            ) from error
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as processes:
            try:
                yield processes
            finally:
                processes.shutdown(cancel_futures=True)
        return
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            stack.enter_context(_quiet_workers())
            cluster: Any = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    host=LOOPBACK,
                    dashboard_address=None,
                    worker_dashboard_address=None,
                    memory_limit=0,  # tasks are small; dask's own limit would kill a worker that compiles
                    silence_logs=logging.CRITICAL,  # a heartbeat that misses the scheduler at the end is no news
                )
            )
            client = stack.enter_context(distributed.Client(cluster))
        else:
            try:
                client = stack.enter_context(distributed.Client(scheduler, timeout=FINDS_S))
            except (OSError, TimeoutError, ValueError) as error:
                raise ConfigError(
                    f"There is no scheduler: {error}",
                    where="--scheduler",
                    mend="Give the address `dask scheduler` prints.",
                ) from error
        yield client.get_executor(pure=False)


def _quiet_workers() -> Any:
    """Let workers of ours get on with it while they are started.

    dask has them give back every free 64 kB at once, and as a side effect map each larger array anew: a fifth of
    their time would go to page faults. Nor is their stack of interest a hundred times a second.
    """
    config: Any = import_module("dask.config")
    ways = dict(config.get(NANNY))
    ways.pop("MALLOC_TRIM_THRESHOLD_", None)
    return config.set({NANNY: ways, "distributed.worker.profile.enabled": False})
