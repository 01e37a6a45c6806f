"""Objects that come and go through the API while the cluster's processes are killed, and what must be true afterwards.

A writer remembers only the acknowledged facts of each object. A request without an answer was either carried out or
not; the writer looks it up as soon as the API is back. Any other outcome (a write lost, undone, or refused without
cause) is an error, which `stop` raises.
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
"""The fields of an object that are compared. For a requested object: those that are known beforehand."""

_AWAY_S = 60.0
NAMESPACE = "/api/v1/namespaces/default"
APPS = ["steady", "group-0", "group-1", "group-2"]
"""Selectors of services. Some match no pods, or none yet."""
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "steady"}, "stringData": {"key": "word"}}
VOLUMES: list[dict[str, Any]] = [
    {"emptyDir": {}},
    {"emptyDir": {"medium": "Memory"}},
    {"secret": {"secretName": "steady"}},
]
NAMES_ITSELF = {"args": ["nc", "-ll", "-p", "8080", "-e", "/bin/sh", "-c", "read question; hostname"]}
"""A container that answers each question with its pod's name, and ends at once on SIGTERM."""


def facts(plural: str, document: Mapping[str, Any]) -> Facts | None:
    """The facts of an object of the API; None if it is being deleted."""
    meta, spec = document["metadata"], document.get("spec", {})
    if meta.get("deletionTimestamp"):
        return None
    match plural:
        case "configmaps":
            return {"uid": meta["uid"], "data": document.get("data")}
        case "services":
            return {"uid": meta["uid"], "clusterIP": spec["clusterIP"], "selector": spec.get("selector")}
        case "replicationcontrollers":
            return {"uid": meta["uid"], "replicas": spec["replicas"]}
        case _:
            return {"uid": meta["uid"]}


class Writer(threading.Thread):
    """Makes random writes, one after another, until it is stopped."""

    def __init__(self, cluster: Cluster, random: Random, *, pause_s: float) -> None:
        super().__init__(name=type(self).__name__, daemon=True)
        self.acknowledged: dict[str, Facts] = {}
        """Path → the facts that the API acknowledged. An object without an entry must not exist."""
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
        """Raises the first wrong outcome."""
        self._ending.set()
        self.join()
        self._client.close()
        if self._failure is not None:
            raise self._failure

    def choices(self) -> list[Callable[[], None]]:
        """The actions that are possible now; one that is listed twice is twice as likely."""
        raise NotImplementedError

    def paths(self, plural: str) -> list[str]:
        return sorted(path for path in self.acknowledged if f"/{plural}/" in path)

    def free(self, plural: str, stem: str) -> str:
        """The first free name. Names are reused, because leftovers of an earlier object must not reappear."""
        names = (f"{stem}-{number}" for number in itertools.count())
        return next(name for name in names if f"{NAMESPACE}/{plural}/{name}" not in self.acknowledged)

    def create(self, plural: str, document: dict[str, Any], **known: Any) -> None:
        path = f"{NAMESPACE}/{plural}/{document['metadata']['name']}"
        self.write(path, lambda: self._client.create(f"{NAMESPACE}/{plural}", document), known)

    def delete(self, path: str) -> None:
        uid = self.acknowledged[path]["uid"]
        self.write(path, lambda: self._client.delete(path, uid=uid), None)

    def write(self, path: str, act: Callable[[], Any], desired: Facts | None) -> None:
        """Make one write and check its outcome; a `desired` of None is a deletion."""
        self.writes += 1
        try:
            act()
        except (ConnectionFailed, ServerFailed):
            self.unanswered += 1
            self._settle(path, desired)
            return
        current = self.look(path)
        assert _agrees(current, desired), f"{path}: acknowledged {desired}, but the API has {current}"
        self._keep(path, current)

    def look(self, path: str) -> Facts | None:
        """The facts of the object now; waits for the API. None if there is no such object."""
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
                assert time.monotonic() < deadline, f"no answer of the API for {_AWAY_S:g} s: {error}"
                time.sleep(0.02)

    def _settle(self, path: str, desired: Facts | None) -> None:
        """After a request without an answer: the object must be as before or as requested."""
        before, current = self.acknowledged.get(path), self.look(path)
        assert current == before or _agrees(current, desired), f"{path}: {before}, perhaps {desired}; now {current}"
        self._keep(path, current)

    def _keep(self, path: str, current: Facts | None) -> None:
        if current is None:
            self.acknowledged.pop(path, None)
        else:
            self.acknowledged[path] = current


class Papers(Writer):
    """Writes config maps repeatedly, also with an old version, and creates and deletes services."""

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
        document = self._read(path)
        document["data"] = {"n": str(self.writes)}
        desired = {"uid": document["metadata"]["uid"], "data": document["data"]}
        self.write(path, lambda: self._client.replace(path, document), desired)

    def _replace_stale(self) -> None:
        """A patch lands between our read and our write: our write must be refused."""
        path = self._random.choice(self.paths("configmaps"))
        stale = self._read(path)
        data = {"n": str(self.writes)}
        desired = {"uid": stale["metadata"]["uid"], "data": data}
        self.write(path, lambda: self._client.patch(path, {"data": data}), desired)
        version = stale["metadata"]["resourceVersion"]
        if self._read(path)["metadata"]["resourceVersion"] == version:
            return  # the patch got no answer and was not carried out
        stale["data"] = {"n": "stale"}
        try:
            self._client.replace(path, stale)
        except (Conflict, ConnectionFailed, ServerFailed):
            return
        raise AssertionError(f"{path}: a write with the old version {version} replaced a newer one")

    def _read(self, path: str) -> dict[str, Any]:
        """The object with its version; it must be as acknowledged."""
        document = self._get(path)
        current = facts("configmaps", document)
        assert current == self.acknowledged[path], f"{path}: {self.acknowledged[path]} became {current}"
        return document


class Workloads(Writer):
    """Creates and deletes pods and replication controllers, and scales the controllers."""

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
        document = replication_controller(name, replicas, container=NAMES_ITSELF)
        self.create("replicationcontrollers", document, replicas=replicas)

    def _scale(self) -> None:
        path = self._random.choice(self.paths("replicationcontrollers"))
        replicas = self._random.randint(0, self.REPLICAS)
        desired = {"uid": self.acknowledged[path]["uid"], "replicas": replicas}
        self.write(path, lambda: self._client.patch(f"{path}/scale", {"spec": {"replicas": replicas}}), desired)


def _config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _agrees(current: Facts | None, desired: Facts | None) -> bool:
    """Whether the object has everything that was requested."""
    if current is None or desired is None:
        return current is desired
    return all(current.get(key) == value for key, value in desired.items())
