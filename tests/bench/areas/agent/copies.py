"""A file of 100 MB by `kubectl cp`, from a container and into it, against `docker cp` by the node's engine.

Both take turns and copy the same file between the same container and the same directory. The time of each is that of
the whole command. kubectl is the newest one of this machine (tests/clients).
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import docker

from client.rest import RestClient
from lab.cluster import Cluster
from lab.environment import clean_environment
from lab.kubectl import Kubectl
from tests.bench.figure import Figure
from tests.bench.lab import container_id, create_ready, delete_gone, pod
from tests.clients.programs import kubectls
from tests.hosts import engine_of

ROUNDS = 3
FILE_MB = 100
GOAL = 3.0
_SENT, _BACK = "/tmp/sent", "/tmp/back"


def measure(cluster: Cluster, client: RestClient, node: str) -> Iterator[Figure]:
    container = container_id(create_ready(client, pod("copied", node)))
    with TemporaryDirectory() as directory, engine_of(cluster, node) as engine:
        home, file = Path(directory), Path(directory, "file")
        kubectl = Kubectl(_newest(), cluster.kubeconfig, home)
        address = f"DOCKER_HOST=unix://{cluster.lab.engine(node).paths.engine_socket}"
        bare = ("/usr/bin/env", address, "docker", "cp")
        _fill(engine, container)
        ours, floor = kubectl.command("cp", f"copied:{_SENT}", str(file)), [*bare, f"{container}:{_SENT}", str(file)]
        yield _compared("cp_from_ratio", ours, floor, home, made=file)
        ours, floor = kubectl.command("cp", str(file), f"copied:{_BACK}"), [*bare, str(file), f"{container}:{_BACK}"]
        yield _compared("cp_to_ratio", ours, floor, home)
    delete_gone(client, "copied")


def _fill(engine: docker.APIClient, container: str) -> None:
    """Make the file in the container."""
    command = ["dd", "if=/dev/urandom", f"of={_SENT}", "bs=1000000", f"count={FILE_MB}"]
    engine.exec_start(engine.exec_create(container, command)["Id"])


def _compared(name: str, ours: list[str], floor: list[str], home: Path, *, made: Path | None = None) -> Figure:
    pairs = [(_taken(floor, home, made), _taken(ours, home, made)) for _ in range(ROUNDS)]
    bare, copied = median(bare for bare, _ in pairs), median(copied for _, copied in pairs)
    return Figure("agent", name, copied / bare, "x", goal=GOAL, floor=1.0)


def _taken(command: list[str], home: Path, made: Path | None) -> float:
    """Seconds of the command. `made`: the file that it makes."""
    if made is not None:
        made.unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run(command, env=clean_environment(HOME=str(home)), check=True, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - start
    assert made is None or made.stat().st_size == FILE_MB * 1_000_000, f"{command} did not copy the whole file"
    return taken


def _newest() -> Path:
    return max(kubectls(), key=_version)


def _version(binary: Path) -> tuple[int, ...]:
    answer = subprocess.run(
        [str(binary), "version", "--client", "-o", "json"], check=True, capture_output=True, text=True
    )
    version: str = json.loads(answer.stdout)["clientVersion"]["gitVersion"]
    return tuple(int(number) for number in version.lstrip("v").partition("-")[0].split("."))
