"""Objects that come and go through the API while the cluster's processes are killed, and what must be true afterwards.

A writer remembers what was acknowledged of each object, and no more: a request without an answer was either carried out
or not, and the API is asked which as soon as it is back. Any other outcome (a write lost, undone, or refused without
cause) is kept, and raised when the writer is stopped.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from client.errors import Conflict, ConnectionFailed, NotFound, ServerFailed
from lab.cluster import Cluster
from tests.cluster.manifests import pod, replication_controller, service

Facts = Mapping[str, Any]
"""What is compared of an object; of one that is asked for, what is known beforehand."""

_AWAY_S = 60.0
NAMESPACE = "/api/v1/namespaces/default"
APPS = ["steady", "group-0", "group-1", "group-2"]
"""Labels of pods; some of them of none, or not yet."""
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "steady"}, "stringData": {"key": "word"}}
VOLUMES: list[dict[str, Any]] = [
    {"emptyDir": {}},
    {"emptyDir": {"medium": "Memory"}},
    {"secret": {"secretName": "steady"}},
]
NAMES_ITSELF = {"args": ["nc", "-ll", "-p", "8080", "-e", "/bin/sh", "-c", "read question; hostname"]}
"""A container that answers each question with its pod's name, and ends as soon as it is asked to."""


def facts(plural: str, found: Mapping[str, Any]) -> Facts | None:
    """Of an object of the API; None when it is on its way out."""
    meta, spec = found["metadata"], found.get("spec", {})
    if meta.get("deletionTimestamp"):
        return None
    match plural:
        case "configmaps":
            return {"uid": meta["uid"], "data": found.get("data")}
        case "services":
            return {"uid": meta["uid"], "clusterIP": spec["clusterIP"], "selector": spec.get("selector")}
        case "replicationcontrollers":
            return {"uid": meta["uid"], "replicas": spec["replicas"]}
        case _:
            return {"uid": meta["uid"]}


class Writer(threading.Thread):
    """Does one thing after another, at random, until it is stopped."""

    def __init__(self, cluster: Cluster, random: Random, *, pause_s: float) -> None:
        super().__init__(name=type(self).__name__, daemon=True)
        self.acknowledged: dict[str, Facts] = {}
        """Path → what the API has said yes to; an object that is not here is not there."""
        self.writes = 0
        self.unanswered = 0
        self._client = cluster.client()
        self._random = random
        self._pause_s = pause_s
        self._ending = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._ending.wait(self._random.uniform(0, self._pause_s)):
                self._random.choice(self.choices())()
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: `stop` raises it
            self._failure = error

    def stop(self) -> None:
        """Raises what went wrong."""
        self._ending.set()
        self.join()
        self._client.close()
        if self._failure is not None:
            raise self._failure

    def choices(self) -> list[Callable[[], None]]:
        """What may be done now; more often what stands there more often."""
        raise NotImplementedError

    def paths(self, plural: str) -> list[str]:
        return sorted(path for path in self.acknowledged if f"/{plural}/" in path)

    def free(self, plural: str, stem: str) -> str:
        """A name that is used again and again: what is left of an earlier object must not come back."""
        names = (f"{stem}-{number}" for number in itertools.count())
        return next(name for name in names if f"{NAMESPACE}/{plural}/{name}" not in self.acknowledged)

    def create(self, plural: str, made: dict[str, Any], **known: Any) -> None:
        path = f"{NAMESPACE}/{plural}/{made['metadata']['name']}"
        self.write(path, lambda: self._client.create(f"{NAMESPACE}/{plural}", made), known)

    def delete(self, path: str) -> None:
        uid = self.acknowledged[path]["uid"]
        self.write(path, lambda: self._client.delete(path, uid=uid), None)

    def write(self, path: str, act: Callable[[], Any], wanted: Facts | None) -> None:
        """One write, and what becomes of it; `wanted` None is a deletion."""
        self.writes += 1
        try:
            act()
        except (ConnectionFailed, ServerFailed):
            self.unanswered += 1
            self._settle(path, wanted)
            return
        found = self.look(path)
        assert _agrees(found, wanted), f"{path}: {wanted} was acknowledged, {found} is there"
        self._keep(path, found)

    def look(self, path: str) -> Facts | None:
        """The object as it is now; the API is waited for."""
        try:
            return facts(path.split("/")[-2], self._get(path))
        except NotFound:
            return None

    def _get(self, path: str) -> dict[str, Any]:
        deadline = time.monotonic() + _AWAY_S
        while True:
            try:
                return self._client.get(path)
            except (ConnectionFailed, ServerFailed) as error:
                assert time.monotonic() < deadline, f"the API is away for {_AWAY_S:g} s: {error}"
                time.sleep(0.02)

    def _settle(self, path: str, wanted: Facts | None) -> None:
        """Nobody answered: it is as before, or as was asked for."""
        before, found = self.acknowledged.get(path), self.look(path)
        assert found == before or _agrees(found, wanted), f"{path}: {before}, then perhaps {wanted}; now {found}"
        self._keep(path, found)

    def _keep(self, path: str, found: Facts | None) -> None:
        if found is None:
            self.acknowledged.pop(path, None)
        else:
            self.acknowledged[path] = found


class Papers(Writer):
    """Config maps that are written again and again, also with a version that is old, and services."""

    MOST = 5

    def __init__(self, cluster: Cluster, random: Random) -> None:
        super().__init__(cluster, random, pause_s=0.03)

    def choices(self) -> list[Callable[[], None]]:
        maps, services = self.paths("configmaps"), self.paths("services")
        made: list[Callable[[], None]] = []
        if len(maps) < self.MOST:
            made.append(self._create_map)
        if maps:
            made += [self._replace, self._replace, self._replace_stale, lambda: self.delete(self._random.choice(maps))]
        if len(services) < self.MOST:
            made.append(self._create_service)
        if services:
            made.append(lambda: self.delete(self._random.choice(services)))
        return made

    def _create_map(self) -> None:
        name = self.free("configmaps", "paper")
        data = {"n": str(self.writes)}
        self.create("configmaps", _config_map(name, data), data=data)

    def _create_service(self) -> None:
        app, name = self._random.choice(APPS), self.free("services", "front")
        self.create("services", service(name, app=app), selector={"app": app})

    def _replace(self) -> None:
        path = self._random.choice(self.paths("configmaps"))
        found = self._read(path)
        found["data"] = {"n": str(self.writes)}
        wanted = {"uid": found["metadata"]["uid"], "data": found["data"]}
        self.write(path, lambda: self._client.replace(path, found), wanted)

    def _replace_stale(self) -> None:
        """Read, written by somebody else, written: the second write must lose."""
        path = self._random.choice(self.paths("configmaps"))
        stale = self._read(path)
        data = {"n": str(self.writes)}
        wanted = {"uid": stale["metadata"]["uid"], "data": data}
        self.write(path, lambda: self._client.patch(path, {"data": data}), wanted)
        version = stale["metadata"]["resourceVersion"]
        if self._read(path)["metadata"]["resourceVersion"] == version:
            return  # nobody answered, and nothing was written
        stale["data"] = {"n": "stale"}
        try:
            self._client.replace(path, stale)
        except (Conflict, ConnectionFailed, ServerFailed):
            return
        raise AssertionError(f"{path}: what was read as version {version} was written over a newer one")

    def _read(self, path: str) -> dict[str, Any]:
        """The object, with its version; it must be what was acknowledged."""
        found = self._get(path)
        said = facts("configmaps", found)
        assert said == self.acknowledged[path], f"{path}: {self.acknowledged[path]} became {said}"
        return found


class Workloads(Writer):
    """Pods, and replication controllers that are scaled."""

    PODS, CONTROLLERS, REPLICAS = 3, 2, 3

    def __init__(self, cluster: Cluster, random: Random) -> None:
        super().__init__(cluster, random, pause_s=0.6)
        self._made = 0

    def choices(self) -> list[Callable[[], None]]:
        pods, controllers = self.paths("pods"), self.paths("replicationcontrollers")
        made: list[Callable[[], None]] = []
        if len(pods) < self.PODS:
            made.append(self._create_pod)
        if pods:
            made.append(lambda: self.delete(self._random.choice(pods)))
        if len(controllers) < self.CONTROLLERS:
            made.append(self._create_controller)
        if controllers:
            made += [self._scale, self._scale, lambda: self.delete(self._random.choice(controllers))]
        return made

    def _create_pod(self) -> None:
        self._made += 1
        source = self._random.choice(VOLUMES)
        container = {**NAMES_ITSELF, "volumeMounts": [{"name": "volume", "mountPath": "/volume"}]}
        volumes = [{"name": "volume", **source}]
        self.create("pods", pod(f"lone-{self._made}", container=container, volumes=volumes))

    def _create_controller(self) -> None:
        replicas = self._random.randint(0, self.REPLICAS)
        name = self.free("replicationcontrollers", "group")
        made = replication_controller(name, replicas, container=NAMES_ITSELF)
        self.create("replicationcontrollers", made, replicas=replicas)

    def _scale(self) -> None:
        path = self._random.choice(self.paths("replicationcontrollers"))
        replicas = self._random.randint(0, self.REPLICAS)
        wanted = {"uid": self.acknowledged[path]["uid"], "replicas": replicas}
        self.write(path, lambda: self._client.patch(f"{path}/scale", {"spec": {"replicas": replicas}}), wanted)


def _config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _agrees(found: Facts | None, wanted: Facts | None) -> bool:
    """Whether an object has all that was asked for."""
    if found is None or wanted is None:
        return found is wanted
    return all(found.get(key) == value for key, value in wanted.items())
