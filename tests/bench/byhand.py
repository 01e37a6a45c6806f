"""Containers made with the engine's SDK alone, as an agent makes those of a pod: the floor of measurements."""

from __future__ import annotations

import docker

PAUSE, APP = "sampan/pause:1", "tomcat"


def sandbox(engine: docker.APIClient) -> str:
    """Create and start a sandbox without a network; returns its id."""
    made = str(engine.create_container(PAUSE, host_config=engine.create_host_config(network_mode="none"))["Id"])
    engine.start(made)
    return made


def joined(engine: docker.APIClient, to: str) -> str:
    """Create and start a container in the network of a sandbox; returns its id."""
    config = engine.create_host_config(network_mode=f"container:{to}")
    made = str(engine.create_container(APP, host_config=config)["Id"])
    engine.start(made)
    return made


def remove(engine: docker.APIClient, *containers: str) -> None:
    """Remove them with their volumes, in this order."""
    for container in containers:
        engine.remove_container(container, force=True, v=True)
