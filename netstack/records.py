"""Records of pod links on disk: one small JSON file for each pod, replaced atomically.

A record is removed only after the link that it describes is gone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from hull import atomicfile
from netstack.desired import HostPort
from netstack.pods import PodLink


class PodRecords:
    """Pod links by pod uid, in memory and in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._pods: dict[str, PodLink] = {}
        for path in directory.iterdir():
            pod = _read(path)
            # The name of a record's file is the hash of its uid. Under any other name the record is damaged.
            if pod is not None and path == self._path(pod.uid):
                self._pods[pod.uid] = pod
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def all(self) -> tuple[PodLink, ...]:
        return tuple(self._pods.values())

    def put(self, pod: PodLink) -> None:
        if self._pods.get(pod.uid) == pod:
            return
        path = self._path(pod.uid)
        fields = {
            "uid": pod.uid,
            "address": str(pod.address),
            "namespace": pod.namespace,
            "identity": list(pod.identity),
            "ports": [_from_port(port) for port in pod.ports],
        }
        # Attaching the pod again makes a record that was lost in a power cut.
        atomicfile.write(path, json.dumps(fields | {"sum": _sum(fields)}), mode=0o644, durable=False)
        self._pods[pod.uid] = pod

    def remove(self, uid: str) -> None:
        self._path(uid).unlink(missing_ok=True)
        self._pods.pop(uid, None)

    def _path(self, uid: str) -> Path:
        return self._directory / f"{hashlib.sha256(uid.encode()).hexdigest()[:24]}.json"


def _read(path: Path) -> PodLink | None:
    """None for a file that a crash left half written. Attaching the pod later adopts its link again."""
    if path.suffix != ".json":
        return None
    try:
        fields = json.loads(path.read_text())
        # Records of release 0.1.0 have no checksum. With one bit changed, a link could get another pod's address.
        if fields.pop("sum", None) not in (None, _sum(fields)):
            return None
        device, inode = fields["identity"]
        return PodLink(
            fields["uid"],
            IPv4Address(fields["address"]),
            fields["namespace"],
            (int(device), int(inode)),
            # Releases before host ports wrote none.
            tuple(map(_to_port, fields.get("ports", ()))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _from_port(port: HostPort) -> dict[str, object]:
    address = {} if port.address is None else {"address": str(port.address)}
    return {"name": port.name, "protocol": port.protocol, "port": port.port, "pod_port": port.pod_port, **address}


def _to_port(fields: Mapping[str, Any]) -> HostPort:
    address = IPv4Address(fields["address"]) if "address" in fields else None
    return HostPort(fields["name"], fields["protocol"], int(fields["port"]), int(fields["pod_port"]), address)


def _sum(fields: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
