"""How a node leaves the cluster: requests to the master outside of any session, and the clean-up of its machine.

For the command line: the node's standing, drain, leave, and `clean`, which removes everything that an agent made on
this machine and needs no master. It reports what it cannot remove and touches nothing that is not ours. Every step can
be interrupted and repeated; the identity is removed last.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable
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
from hull import sweep
from hull.errors import HullError
from hull.trees import remove_tree
from proto import contract
from proto.contract import Labels
from proto.gen import desired_pb2, observed_pb2, session_pb2

ANSWER_S: Final = 5.0
# A placeholder: a teardown needs names only, no addresses (RFC 5737).
_NOWHERE: Final = IPv4Network("192.0.2.0/24")

T = TypeVar("T")


class Forgotten(IdentityError):
    """The master does not accept this machine as that node: it was removed, or another node has its name."""


class AnotherMachine(IdentityError):
    """The node is another machine: this one is a copy of it, or the other way round, with the same certificate."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the Node object."""

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
        return any(condition.type == "Ready" and condition.status == "True" for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Remaining:
    """Pods (`namespace/name`) that are still on the node; `unmanaged`: those that no controller replaces."""

    pods: tuple[str, ...]
    unmanaged: tuple[str, ...]


def standing(config: AgentConfig, identity: Identity, *, uncordon: bool = False) -> Standing:
    """Ask the master at the identity's session address. `uncordon`: the node stays, so undo the cordon
    if `drain` made it.

    Raises MasterAway, Forgotten, AnotherMachine.
    """
    from agent.session.channel import Master

    async def ask(master: Master) -> Standing:
        reply = await master.membership(_machine(config), ANSWER_S, uncordon=uncordon)
        conditions = tuple(Condition(c.type, c.status, c.reason, c.message) for c in reply.conditions)
        return Standing(reply.registered, reply.removed, reply.unschedulable, conditions)

    return _asked(identity, ask)


def drain(config: AgentConfig, identity: Identity) -> Remaining:
    """Cordon the node and delete its pods with their grace periods; repeat until none is left. As `standing`."""
    from agent.session.channel import Master

    async def ask(master: Master) -> Remaining:
        reply = await master.drain(_machine(config), ANSWER_S)
        return Remaining(tuple(map(_named, reply.pods)), tuple(map(_named, reply.unmanaged)))

    return _asked(identity, ask)


def leave(config: AgentConfig, identity: Identity) -> None:
    """Have the Node deleted; no error if it is removed already. Otherwise as `standing`."""
    from agent.session.channel import Master

    async def ask(master: Master) -> None:
        await master.leave(_machine(config), ANSWER_S)

    _asked(identity, ask)


def report_left(config: AgentConfig, identity: Identity) -> bool:
    """Report that nothing is left on this machine; only after `leave` and `clean`. Returns whether the node's name and
    pod CIDR are free now. Raises MasterAway.
    """
    from agent.session.channel import Master

    async def ask(master: Master) -> None:
        machine = _machine(config)
        info = observed_pb2.NodeInfo(
            machine_id=machine.machine_id,
            boot_id=machine.boot_id,
            address=machine.address or str(_NOWHERE[1]),
            addresses=machine.addresses,
        )
        hello = session_pb2.HelloRequest(
            protocol_version=contract.OLDEST_PROTOCOL_VERSION,
            highest_protocol_version=contract.PROTOCOL_VERSION,
            cluster_id=identity.cluster_id,
            node=info,
        )
        reply = await master.hello(hello, ANSWER_S)
        if reply.removed:
            await master.report_left(session_pb2.LeftReport(session_id=reply.session_id), ANSWER_S)

    # Refused: the agent has reported it before it ended, or the master accepts nothing from this node any more.
    with contextlib.suppress(Forgotten, AnotherMachine):
        _asked(identity, ask)
    try:
        return not standing(config, identity).removed
    except AnotherMachine:
        return False
    except Forgotten:
        return True


def clean(config: AgentConfig, *, cluster_id: str = "") -> tuple[str, ...]:
    """Remove containers, links, rules, mounts and state of this node, but not its identity. Returns a line for each
    thing that could not be removed.

    `cluster_id`: remove only containers of that cluster; empty (not known any more): all with this node's name. The
    state directory must be locked.
    """
    problems: list[str] = []
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("containers", lambda: asyncio.run(_remove_containers(config, cluster_id))),
        ("links and rules", _remove_network),
        ("mounts", lambda: sweep.unmount_below(config.state_dir.resolve(), itself=False)),
        ("state", lambda: _remove_state(config.state_dir)),
    )
    for what, step in steps:
        try:
            step()
        except (AgentError, HullError, OSError) as error:
            problems.append(f"{what}: {' '.join(str(error).split())}")
    return tuple(problems)


def forget(config: AgentConfig, *, directory: bool) -> None:
    """Remove the identity, as the last step; `directory`: also the state directory if it is empty. Raises OSError."""
    files.wipe(config.state_dir)
    (config.state_dir / "machine-id").unlink(missing_ok=True)
    (config.state_dir / files.LOCK).unlink(missing_ok=True)
    if directory and not any(config.state_dir.iterdir()):
        config.state_dir.rmdir()


def _asked(identity: Identity, ask: Callable[..., Awaitable[T]]) -> T:
    """Make one request on a connection of its own; session errors become identity errors."""
    from agent.session.channel import Master
    from agent.session.errors import Occupied, Refused, SessionError
    from agent.wire.errors import WireError

    async def request() -> T:
        async with Master(identity) as master:
            return await ask(master)

    try:
        return asyncio.run(request())
    except Occupied as error:
        raise AnotherMachine(str(error)) from error
    except Refused as error:
        raise Forgotten(str(error)) from error
    except (SessionError, WireError) as error:
        raise MasterAway(f"no answer from the master at {identity.session_address}: {error}") from error


def _named(ref: desired_pb2.ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}"


def _machine(config: AgentConfig) -> session_pb2.Machine:
    """What identifies this machine, as far as known: on a full disk it may have no id of its own."""
    machine = session_pb2.Machine(boot_id=host.boot_id())
    with contextlib.suppress(OSError):
        machine.machine_id = host.machine_id(config.state_dir)
    # Without the configuration the node's address is not known.
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
        records = await runtime.list(labels)
        for record in records:
            if record.labels.get(Labels.CONTAINER):
                await runtime.containers.remove(record.id)
        # Sandboxes last: the containers use their namespaces.
        for record in records:
            if not record.labels.get(Labels.CONTAINER):
                await runtime.sandboxes.remove(record.id)
    finally:
        await runtime.close()


def _remove_network() -> None:
    """Remove links and chains by their names: the records in the state directory may be damaged."""
    from netstack.desired import NodeSettings
    from netstack.errors import NetstackError
    from netstack.node import NodeNetwork

    # /run is in memory: the disk may be full.
    with tempfile.TemporaryDirectory(prefix="sampan-clean-", dir="/run") as scratch:
        settings = NodeSettings("", IPv4Address(_NOWHERE[1]), _NOWHERE, _NOWHERE, _NOWHERE, Path(scratch))
        network = NodeNetwork(settings)
        try:
            network.teardown()
        except NetstackError as error:
            raise AgentError(str(error)) from error
        finally:
            network.close()


def _remove_state(state_dir: Path) -> None:
    """Remove all but the lock, the identity and the machine's id. Continues after a failure; raises the first one."""
    failures: list[OSError] = []
    kept = {files.LOCK, files.IDENTITY, files.PENDING_KEY, "machine-id"}
    for path in state_dir.iterdir():
        if path.name in kept:
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink()
        except OSError as error:
            failures.append(error)
    if failures:
        raise failures[0]
