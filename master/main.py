"""The master's process: what is made in which order, what ends it, and its exit code.

Owns start and stop only. Certificates and admin.kubeconfig come first, before anything that takes long to load: a
starter waits for them.
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

from master.config import MasterConfig
from master.config import load as load_config
from master.datadir import RESTORING, MasterFailed, locked
from proto import contract

if TYPE_CHECKING:
    from master.pki import Pki

EXIT_STOPPED: Final = 0
VERSION: Final = contract.VERSION
"""The release, for the command line."""

_MOST_DESCRIPTORS: Final = 1 << 16

ConfigureLog = Callable[[Literal["text", "json", "journal"], str], None]
Supervised = Callable[[], AbstractAsyncContextManager[None]]
"""Entered when the API answers, left when it stops: the supervisor is told, and that the loop is alive meanwhile."""

log = logging.getLogger(__name__)


def run(config_path: Path, *, configure_log: ConfigureLog | None = None, supervised: Supervised = nullcontext) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Raises MasterFailed, SettingsError.

    `configure_log` is given the configuration's log_format and log_level.
    """
    config = load_config(config_path)
    if configure_log is not None:
        configure_log(config.log_format, config.log_level)
    # gRPC's core writes past every log to stderr; what matters of it comes as errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    _allow_descriptors()
    with locked(config.data_dir):
        if (config.data_dir / RESTORING).exists():
            raise MasterFailed(f"data directory {config.data_dir}: a restore was cut short; run `sampan restore` again")
        from master.pki import Pki, PkiError

        try:
            pki = Pki.prepare(config)
        except PkiError as error:
            raise MasterFailed(str(error)) from error
        except OSError as error:
            raise MasterFailed(f"{error.filename or config.data_dir}: {error.strerror}") from error
        return _serve(config, pki, config_path, supervised)


def _allow_descriptors() -> None:
    """Each client is a descriptor, and the usual limit is 1024: take what the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve(config: MasterConfig, pki: Pki, config_path: Path, supervised: Supervised) -> int:
    import uvloop

    from master import assembly

    async def until_stopped() -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await assembly.serve(config, pki, stopping, config_path, supervised)

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
    """What went wrong first; the rest followed from it."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
