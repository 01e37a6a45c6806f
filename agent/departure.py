"""A node's own word to the master outside of any session, and the cleaning of its machine.

For the command line: how the node stands, drain, leave, and `clean`, which removes everything that an agent made here
and needs no master for it. What it cannot remove it says; what is not ours it does not touch. Every step may be
interrupted and done again; who the node was is forgotten last.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final, TypeVar

from agent import host
from agent.config import AgentConfig
from agent.errors import AgentError
from agent.identity import files
from agent.identity.errors import IdentityError, MasterAway
from agent.identity.files import Identity
from proto import contract
from proto.contract import Labels
from proto.gen import desired_pb2, observed_pb2, session_pb2

ANSWER_S: Final = 5.0
_MOUNTS: Final = Path("/proc/self/mountinfo")
# Stands in where addresses do not matter: a teardown goes by names only (RFC 5737).
_NOWHERE: Final = IPv4Network("192.0.2.0/24")

T = TypeVar("T")


class Forgotten(IdentityError):
    """The master does not take this machine for that node: it was removed, or another one has its name."""


class AnotherMachine(IdentityError):
    """The node is another machine than this one: one of them is a copy of the other, certificate and all."""


@dataclass(frozen=True, slots=True)
class Condition:
    """As the Node object has it."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How the master sees the node."""

    registered: bool
    removed: bool
    unschedulable: bool
    conditions: tuple[Condition, ...]

    @property
    def ready(self) -> bool:
        return any(each.type == "Ready" and each.status == "True" for each in self.conditions)


@dataclass(frozen=True, slots=True)
class Remaining:
    """Pods (`namespace/name`) that are still on the node; those of them that nobody replaces."""

    pods: tuple[str, ...]
    unmanaged: tuple[str, ...]


def standing(config: AgentConfig, identity: Identity, *, uncordon: bool = False) -> Standing:
    """Ask the master at the identity's session address. `uncordon`: the node stays, and takes pods again where it was
    `drain` that kept it from that.

    Raises MasterAway, Forgotten, AnotherMachine.
    """
    from agent.session.channel import Master

    async def ask(master: Master) -> Standing:
        reply = await master.membership(_machine(config), ANSWER_S, uncordon=uncordon)
        conditions = tuple(Condition(c.type, c.status, c.reason, c.message) for c in reply.conditions)
        return Standing(reply.registered, reply.removed, reply.unschedulable, conditions)

    return _asked(identity, ask)


def drain(config: AgentConfig, identity: Identity) -> Remaining:
    """Cordon the node and delete its pods with their grace; asked again until none remains. As `standing`."""
    from agent.session.channel import Master

    async def ask(master: Master) -> Remaining:
        reply = await master.drain(_machine(config), ANSWER_S)
        return Remaining(tuple(map(_named, reply.pods)), tuple(map(_named, reply.unmanaged)))

    return _asked(identity, ask)


def leave(config: AgentConfig, identity: Identity) -> None:
    """Have the Node deleted. A node that is removed already is fine. As `standing`."""
    from agent.session.channel import Master

    async def ask(master: Master) -> None:
        await master.leave(_machine(config), ANSWER_S)

    _asked(identity, ask)


def report_left(config: AgentConfig, identity: Identity) -> bool:
    """Say that nothing is left here, after `leave` and `clean` only: whether the name and the pod CIDR are free now.

    Raises MasterAway.
    """
    from agent.session.channel import Master

    async def ask(master: Master) -> None:
        asking = _machine(config)
        info = observed_pb2.NodeInfo(
            machine_id=asking.machine_id,
            boot_id=asking.boot_id,
            address=asking.address or str(_NOWHERE[1]),
            addresses=asking.addresses,
        )
        hello = session_pb2.HelloRequest(
            protocol_version=contract.PROTOCOL_VERSION, cluster_id=identity.cluster_id, node=info
        )
        reply = await master.hello(hello, ANSWER_S)
        if reply.removed:
            await master.report_left(session_pb2.LeftReport(session_id=reply.session_id), ANSWER_S)

    # Refused: the agent said so before it ended, or the master wants no more of us now.
    with contextlib.suppress(Forgotten, AnotherMachine):
        _asked(identity, ask)
    try:
        return not standing(config, identity).removed
    except AnotherMachine:
        return False
    except Forgotten:
        return True


def clean(config: AgentConfig, *, cluster_id: str = "") -> tuple[str, ...]:
    """Remove containers, links, rules, mounts and state of this node, but its identity; what could not be, as lines.

    `cluster_id`: only containers of that cluster; empty, when it is not known any more: all of this node's name. The
    state directory must be locked.
    """
    problems: list[str] = []
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("containers", lambda: asyncio.run(_remove_containers(config, cluster_id))),
        ("links and rules", _remove_network),
        ("mounts", lambda: _unmount(config.state_dir)),
        ("state", lambda: _remove_state(config.state_dir)),
    )
    for what, step in steps:
        try:
            step()
        except (AgentError, OSError, subprocess.SubprocessError) as error:
            problems.append(f"{what}: {' '.join(str(error).split())}")
    return tuple(problems)


def forget(config: AgentConfig, *, directory: bool) -> None:
    """Forget who this node was: the last step. And the `directory`, once it is empty. Raises OSError."""
    files.wipe(config.state_dir)
    (config.state_dir / "machine-id").unlink(missing_ok=True)
    (config.state_dir / files.LOCK).unlink(missing_ok=True)
    if directory and not any(config.state_dir.iterdir()):
        config.state_dir.rmdir()


def _asked(identity: Identity, ask: Callable[..., Awaitable[T]]) -> T:
    """One connection, one question; the session's errors as those of an identity."""
    from agent.session.channel import Master
    from agent.session.errors import Occupied, Refused, SessionError
    from agent.wire.errors import WireError

    async def converse() -> T:
        async with Master(identity) as master:
            return await ask(master)

    try:
        return asyncio.run(converse())
    except Occupied as error:
        raise AnotherMachine(str(error)) from error
    except Refused as error:
        raise Forgotten(str(error)) from error
    except (SessionError, WireError) as error:
        raise MasterAway(f"no answer from the master at {identity.session_address}: {error}") from error


def _named(ref: desired_pb2.ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}"


def _machine(config: AgentConfig) -> session_pb2.Machine:
    """What this machine is, as far as that is known: a full disk may keep it from having an id of its own."""
    machine = session_pb2.Machine(boot_id=host.boot_id())
    with contextlib.suppress(OSError):
        machine.machine_id = host.machine_id(config.state_dir)
    # Where the configuration is gone, nobody knows which address the agent was to have.
    if config.node_address or config.master_host:
        with contextlib.suppress(OSError):
            machine.address = host.node_address(config)
        with contextlib.suppress(OSError):
            machine.addresses.extend(host.addresses())
    return machine


async def _remove_containers(config: AgentConfig, cluster_id: str) -> None:
    from agent.runtime.docker import DockerRuntime

    labels = {Labels.NODE: config.node_name} | ({Labels.CLUSTER: cluster_id} if cluster_id else {})
    runtime = DockerRuntime(config.engine_socket)
    try:
        found = await runtime.list(labels)
        # Sandboxes last: the others live in their namespaces.
        for record in sorted(found, key=lambda each: each.labels.get(Labels.CONTAINER, "") == ""):
            await runtime.remove(record.id)
    finally:
        await runtime.close()


def _remove_network() -> None:
    """By the names of links and chains: what the state directory says of them may be damaged."""
    from netstack.desired import NodeSettings
    from netstack.errors import NetstackError
    from netstack.node import NodeNetwork

    # In memory, as the disk may be full.
    with tempfile.TemporaryDirectory(prefix="sampan-clean-", dir="/run") as scratch:
        settings = NodeSettings("", IPv4Address(_NOWHERE[1]), _NOWHERE, _NOWHERE, _NOWHERE, Path(scratch))
        network = NodeNetwork(settings)
        try:
            network.teardown()
        except NetstackError as error:
            raise AgentError(str(error)) from error
        finally:
            network.close()


def _unmount(state_dir: Path) -> None:
    """Volumes in memory; the one mounted last first."""
    for directory in reversed(list(_mounts_below(state_dir))):
        subprocess.run(["umount", "--lazy", str(directory)], check=True, capture_output=True, timeout=30)


def _mounts_below(directory: Path) -> Iterator[Path]:
    root = directory.resolve()
    for line in _MOUNTS.read_text().splitlines():
        # Blanks and the like stand there as \\040 (proc(5)).
        where = Path(line.split()[4].encode().decode("unicode_escape"))
        if where != root and where.is_relative_to(root):
            yield where


def _remove_state(state_dir: Path) -> None:
    """All but the lock and who the node is. Goes on after what cannot be removed, and raises the first of it."""
    failures: list[OSError] = []
    kept = {files.LOCK, files.IDENTITY, files.PENDING_KEY, "machine-id"}
    for path in state_dir.iterdir():
        if path.name in kept:
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            failures.append(error)
    if failures:
        raise failures[0]
