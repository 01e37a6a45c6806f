"""The record of a lab: its subnet, its hosts, and the processes that were started, in one file, written atomically.

The record may be out of date: readers check whether a recorded process still runs, and removal uses only names. A lock,
held during a change, lets commands and threads change it one after another.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Literal

from hull import atomicfile
from hull.lockfile import exclusive
from hull.processes import ProcessRecord
from lab.environment import require_root
from lab.errors import LabError, NotFound
from lab.layout import Layout
from lab.wire import USUAL_MTU, Way, Wire

Role = Literal["master", "node"]
_VERSION = 1


@dataclass(frozen=True, slots=True)
class HostState:
    """One host. `processes`: the started daemons, by the names `master`, `agent`, `dockerd`, `containerd`.

    `cut`: whether its cable is unplugged; `wire`: the other faults of the cable.
    """

    name: str
    role: Role
    address: IPv4Address
    cut: bool = False
    processes: Mapping[str, ProcessRecord] = field(default_factory=dict)
    wire: Wire = field(default_factory=Wire)

    @property
    def off_master(self) -> bool:
        """Whether a cut prevents all traffic between this host and the master."""
        return self.cut or bool(self.wire.cuts - {Way.FROM_PEERS})

    def faults(self) -> tuple[str, ...]:
        """The faults of the host's cable, for people."""
        return ("cut", *self.wire.faults()) if self.cut else self.wire.faults()

    def with_process(self, name: str, record: ProcessRecord | None) -> "HostState":
        others = {key: value for key, value in self.processes.items() if key != name}
        return replace(self, processes=others if record is None else {**others, name: record})


@dataclass(frozen=True, slots=True)
class LabState:
    """One lab. `registry` runs in the underlay's namespace, on the bridge's address."""

    name: str
    subnet: IPv4Network
    hosts: tuple[HostState, ...]
    registry: ProcessRecord | None = None

    def host(self, name: str) -> HostState:
        for host in self.hosts:
            if host.name == name:
                return host
        raise NotFound(f'lab {self.name} has no host "{name}" (it has {", ".join(host.name for host in self.hosts)})')

    @property
    def master(self) -> HostState:
        return next(host for host in self.hosts if host.role == "master")

    @property
    def nodes(self) -> tuple[HostState, ...]:
        return tuple(host for host in self.hosts if host.role == "node")

    def with_host(self, changed: HostState) -> "LabState":
        return replace(self, hosts=tuple(changed if host.name == changed.name else host for host in self.hosts))


class StateFile:
    """The file `lab.json` of one lab."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def load(self) -> LabState:
        """The state. Raises NotFound if the lab does not exist, LabError if the file is not readable."""
        path = self._layout.state_file
        try:
            state = _decode(json.loads(path.read_text()))
            if state.name != self._layout.name:
                raise ValueError(f"it is of lab {state.name}")
        except FileNotFoundError:
            if not path.is_symlink():
                raise NotFound(f"there is no lab {self._layout.name}") from None
            raise LabError(f"{path} is a dangling link; `sampan down` removes the lab without it") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, LabError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise LabError(f"{path} is not readable ({reason}); `sampan down` removes the lab without it") from error
        return state

    def save(self, state: LabState) -> None:
        self._layout.directory.mkdir(parents=True, exist_ok=True)
        atomicfile.write(self._layout.state_file, json.dumps(_encode(state), indent=2) + "\n", durable=False)

    @property
    def lock_file(self) -> Path:
        """The lock that is held while the file is changed; another one than the lab's."""
        return self._layout.lock_file.with_suffix(".state")

    def update(self, change: Callable[[LabState], LabState]) -> LabState:
        """Read, change and write the state under the lock."""
        with exclusive(self.lock_file):
            state = change(self.load())
            self.save(state)
        return state

    def update_host(self, name: str, change: Callable[[HostState], HostState]) -> LabState:
        return self.update(lambda state: state.with_host(change(state.host(name))))


@contextmanager
def command_lock(layout: Layout) -> Iterator[None]:
    """The lock for commands that make, start or remove a lab. Raises Busy at once if another command holds it."""
    require_root()
    with exclusive(layout.lock_file, busy=f"another command works on lab {layout.name}; try again when it has ended"):
        yield


def _encode(state: LabState) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "name": state.name,
        "subnet": str(state.subnet),
        "registry": _encode_process(state.registry),
        "hosts": [
            {
                "name": host.name,
                "role": host.role,
                "address": str(host.address),
                "cut": host.cut,
                "wire": _encode_wire(host.wire),
                "processes": {name: _encode_process(record) for name, record in host.processes.items()},
            }
            for host in state.hosts
        ],
    }


def _decode(document: dict[str, Any]) -> LabState:
    if document["version"] != _VERSION:
        raise ValueError(f"version {document['version']} instead of {_VERSION}")
    hosts = tuple(
        HostState(
            name=host["name"],
            role=host["role"],
            address=IPv4Address(host["address"]),
            cut=host["cut"],
            wire=_decode_wire(host.get("wire", {})),
            processes={name: ProcessRecord(**record) for name, record in host["processes"].items()},
        )
        for host in document["hosts"]
    )
    registry = ProcessRecord(**document["registry"]) if document["registry"] else None
    return LabState(document["name"], IPv4Network(document["subnet"]), hosts, registry)


def _encode_wire(wire: Wire) -> dict[str, Any]:
    return {
        "cuts": sorted(wire.cuts),
        "lossPercent": wire.loss_percent,
        "rateMbit": wire.rate_mbit,
        "mtu": wire.mtu,
    }


def _decode_wire(document: dict[str, Any]) -> Wire:
    """With defaults for what the record of an earlier release lacks."""
    return Wire(
        cuts=frozenset(map(Way, document.get("cuts", ()))),
        loss_percent=document.get("lossPercent", 0.0),
        rate_mbit=document.get("rateMbit"),
        mtu=document.get("mtu", USUAL_MTU),
    )


def _encode_process(record: ProcessRecord | None) -> dict[str, int] | None:
    return {"pid": record.pid, "started": record.started} if record else None
