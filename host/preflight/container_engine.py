"""The container engine: present, answering, new enough, and with a storage driver for production."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from host.preflight.facts import DENIED, Facts
from host.preflight.finding import Finding, error, warning

API_VERSION: Final = (1, 41)
"""Docker 20.10's: the oldest that agent/runtime speaks."""
_POOR_STORAGE: Final = {
    "vfs": "it copies every layer: slow, and several times the space",
    "devicemapper": "Docker does not support it any more",
    "aufs": "Docker does not support it any more",
}


def judge(facts: Facts) -> Iterator[Finding]:
    engine = facts.engine
    if engine is None or (engine.problem == DENIED and not facts.machine.root):
        return
    if engine.problem == "absent":
        yield error(
            "engine-socket",
            f"there is no container engine: no socket {engine.socket}",
            "install one (apt-get install docker.io), or give its socket: engine_socket in agent.toml, --engine-socket",
        )
        return
    if engine.problem:
        yield error(
            "engine-answer",
            f"the engine behind {engine.socket} does not answer: {engine.problem}",
            "systemctl restart docker (or podman.socket); journalctl -u docker shows why it ended",
        )
        return
    if engine.api_version < API_VERSION:
        present, required = (".".join(map(str, version)) for version in (engine.api_version, API_VERSION))
        yield error(
            "engine-version",
            f"{engine.name} {engine.version} has API {present}, the agent needs {required}",
            "install Docker 20.10 or newer, or Podman 4 or newer",
        )
    if engine.name == "Podman":
        yield warning(
            "engine-podman",
            f"the engine is Podman {engine.version}: the agent uses its Docker API, which is tested less than Docker",
            "prefer Docker; otherwise enable Podman at boot: systemctl enable --now podman.socket",
        )
    if why := _POOR_STORAGE.get(engine.storage_driver):
        yield warning(
            "engine-storage",
            f"the engine's storage driver is {engine.storage_driver}: {why}",
            'set "storage-driver": "overlay2" in /etc/docker/daemon.json on a file system that supports it',
        )
