"""The agent's process: start, stop and exit code.

Containers, links and rules stay when the agent ends; they are removed only when the Node was deleted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from pathlib import Path
from types import FrameType
from typing import Final, Literal

from agent.clock import SystemClock
from agent.config import AgentConfig
from agent.config import load as load_config
from agent.errors import AgentError
from agent.identity import files
from agent.identity.errors import JoinRefused
from agent.identity.files import Identity

EXIT_STOPPED: Final = 0
EXIT_REMOVED: Final = 6
"""The Node was deleted and this machine is clean; it must join again to be a node."""

ConfigureLog = Callable[[Literal["text", "json", "journal"], str, str], None]
Supervised = Callable[[], AbstractAsyncContextManager[None]]
"""A context that is entered when the node has started and left when it stops. Notifies the supervisor of both, and
regularly that the event loop is alive."""

log = logging.getLogger(__name__)

_UMASK: Final = 0o022


class AgentFailed(AgentError):
    """The agent cannot continue; the message is one line."""


def run(
    config_path: Path,
    join_token_file: Path | None = None,
    *,
    configure_log: ConfigureLog | None = None,
    supervised: Supervised = nullcontext,
) -> int:
    """Run until SIGTERM or SIGINT, or until the Node is deleted; returns the exit code.

    Raises AgentError, SettingsError.

    `configure_log` is called with the configuration's log_format, log_level and node_name.
    """
    # What is made for containers must be readable for their users, whatever umask the agent was started with. Files
    # that others must not read have a mode of their own.
    os.umask(_UMASK)
    config = load_config(config_path)
    if configure_log is not None:
        configure_log(config.log_format, config.log_level, config.node_name)
    # gRPC's core writes to stderr, past our log. What matters arrives as exceptions too.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    with files.locked(config.state_dir):
        identity = files.load(config.state_dir)
        _check(config, identity)
        if identity is None:
            identity = _join(config, config_path, join_token_file)
        try:
            return asyncio.run(_serve(config, identity, supervised))
        except BaseExceptionGroup as errors:
            failure = _first(errors)
            if not isinstance(failure, AgentError):
                log.critical("the agent failed", exc_info=errors)
            raise failure from errors


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of the group: the others followed from it."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _check(config: AgentConfig, identity: Identity | None) -> None:
    if identity is not None and identity.node_name != config.node_name:
        raise AgentFailed(
            f"{config.state_dir} holds the identity of node {identity.node_name}, but node_name is "
            f"{config.node_name}; use another state_dir, or the old name"
        )


def _join(config: AgentConfig, config_path: Path, join_token_file: Path | None) -> Identity:
    if join_token_file is None:
        raise JoinRefused(
            f"this machine is not a node yet ({config.state_dir} holds no identity); run `sampan join` first, "
            "or start with --join-token-file"
        )
    from agent.identity import apart

    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with apart.Join(config_path, join_token_file) as joining:
            import agent.assembly  # noqa: F401 - the slowest import, while the join is in progress

            joining.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    identity = files.load(config.state_dir)
    if identity is None:
        raise AgentFailed(f"{config.state_dir}: the identity that was just written has disappeared; start again")
    return identity


def _stop(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM during the join: there is nothing to shut down yet."""
    raise SystemExit(EXIT_STOPPED)


async def _serve(config: AgentConfig, identity: Identity, supervised: Supervised) -> int:
    """Run the node until a signal stops it or it has left the cluster."""
    from agent.assembly import assemble
    from agent.desired import disk

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        node, session, shutdown = assemble(config, identity, SystemClock(), stack)
        left = False

        async def hold_session() -> None:
            nonlocal left
            await node.started()
            await session.run()
            left = True
            stopping.set()

        async def supervise() -> None:
            """Ready once all parts run and the engine has been asked; a missing master does not delay it."""
            await node.started()
            async with supervised():
                await stopping.wait()

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(node.run(), name="node"),
                group.create_task(hold_session(), name="session"),
                group.create_task(supervise(), name="supervisor"),
            ]
            await stopping.wait()
            if not left:
                await shutdown.run()
            for task in tasks:
                task.cancel()
    if not left:
        log.info("node %s: agent stopped; its containers keep running", config.node_name)
        return EXIT_STOPPED
    disk.wipe(config.state_dir)
    files.wipe(config.state_dir)
    log.warning("node %s: removed; join again", config.node_name)
    return EXIT_REMOVED
