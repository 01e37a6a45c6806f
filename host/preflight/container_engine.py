"""The container engine: there, answering, new enough, and with a storage driver that is meant for work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from host.preflight.facts import DENIED, Facts
from host.preflight.finding import Finding, error, warning

API_VERSION: Final = (1, 41)
"""Docker 20.10's: the oldest that agent/runtime speaks."""
_POOR_STORAGE: Final = {
    "vfs": "it copies every layer: slow, and several times the space",
    "devicemapper": "it was given up by Docker",
    "aufs": "it was given up by Docker",
}


def judge(facts: Facts) -> Iterator[Finding]:
    engine = facts.engine
    if engine is None or (engine.problem == DENIED and not facts.machine.root):
        return
    if engine.problem == "absent":
        yield error(
            "engine-socket",
            f"there is no engine: no socket {engine.socket}",
            "install one (apt-get install docker.io), or name its socket: engine_socket in agent.toml, --engine-socket",
        )
        return
    if engine.problem:
        yield error(
            "engine-answer",
            f"the engine behind {engine.socket} does not answer: {engine.problem}",
            "systemctl restart docker (or podman.socket); journalctl -u docker says why it ended",
        )
        return
    if engine.api_version < API_VERSION:
        have, need = (".".join(map(str, each)) for each in (engine.api_version, API_VERSION))
        yield error(
            "engine-version",
            f"{engine.name} {engine.version} speaks API {have} at most, the agent {need}",
            "install Docker 20.10 or newer, or Podman 4 or newer",
        )
    if engine.name == "Podman":
        yield warning(
            "engine-podman",
            f"the engine is Podman {engine.version}: its Docker API is used, and tried less than Docker",
            "use Docker where you can choose; else enable it for boots: systemctl enable --now podman.socket",
        )
    if why := _POOR_STORAGE.get(engine.storage_driver):
        yield warning(
            "engine-storage",
            f"the engine's storage driver is {engine.storage_driver}: {why}",
            'set "storage-driver": "overlay2" in /etc/docker/daemon.json on a file system that takes it',
        )
