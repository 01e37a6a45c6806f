"""The master's process: its start, its end and its exit code.

Owns only start and stop. Certificates and admin.kubeconfig are made before anything that takes long to load, because
the process that started the master waits for them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from master import memory
from master.config import MasterConfig
from master.config import load as load_config
from master.datadir import RESTORING, MasterFailed, locked
from proto import contract

if TYPE_CHECKING:
    from master.pki import Pki

EXIT_STOPPED: Final = 0
VERSION: Final = contract.VERSION
"""The release, for the command line."""

_MAX_DESCRIPTORS: Final = 1 << 16

ConfigureLog = Callable[[Literal["text", "json", "journal"], str], None]
Supervised = Callable[[], AbstractAsyncContextManager[None]]
"""Entered when the API answers and left when it stops: tells the supervisor that the master is ready and alive."""

log = logging.getLogger(__name__)


def run(config_path: Path, *, configure_log: ConfigureLog | None = None, supervised: Supervised = nullcontext) -> int:
    """Runs until SIGTERM or SIGINT and returns the exit code. Raises MasterFailed, SettingsError.

    `configure_log` gets log_format and log_level of the configuration.
    """
    memory.prepare()
    config = load_config(config_path)
    if configure_log is not None:
        configure_log(config.log_format, config.log_level)
    # gRPC's core writes to stderr and not to our log; what matters also arrives as errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    _allow_descriptors()
    with locked(config.data_dir):
        if (config.data_dir / RESTORING).exists():
            raise MasterFailed(
                f"data directory {config.data_dir}: a restore was interrupted; run `sampan restore` again"
            )
        from master.pki import Pki, PkiError

        try:
            pki = Pki.prepare(config)
        except PkiError as error:
            raise MasterFailed(str(error)) from error
        except OSError as error:
            raise MasterFailed(f"{error.filename or config.data_dir}: {error.strerror}") from error
        return _serve(config, pki, config_path, supervised)


def _allow_descriptors() -> None:
    """Raises the limit of open files: each client needs one, and the usual limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    desired = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < desired:
        resource.setrlimit(resource.RLIMIT_NOFILE, (desired, hard))


def _serve(config: MasterConfig, pki: Pki, config_path: Path, supervised: Supervised) -> int:
    from master.store.sqlite import SqliteStore

    # The store's thread checks the file while the other modules are loaded.
    store = SqliteStore.opening(config.data_dir / "store.db")

    import uvloop

    from master import assembly

    async def until_stopped() -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await assembly.serve(config, pki, store, stopping, config_path, supervised)

    try:
        uvloop.run(until_stopped())
    except (*assembly.KNOWN_FAILURES, BaseExceptionGroup) as error:
        failure = _first(error)
        if isinstance(failure, assembly.KNOWN_FAILURES):
            raise MasterFailed(str(failure)) from failure
        log.critical("the master failed", exc_info=error)
        raise failure from error
    log.info("master stopped")
    return EXIT_STOPPED


def _first(error: BaseException) -> BaseException:
    """The first error of a group; the others usually follow from it."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
