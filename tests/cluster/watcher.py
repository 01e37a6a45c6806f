"""A client that watches while the master stops and starts. In the end it must have seen what exists."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from client.errors import ClientError, Gone
from lab.cluster import Cluster
from tests.cluster.churn import NAMESPACE, Facts

ROOT_CA: Final = "kube-root-ca.crt"
"""The config map that the master makes in each namespace."""


class Watcher(threading.Thread):
    """Follows the config maps as a client does: resumes at its last version, and lists again after 410 Gone."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="Watcher", daemon=True)
        self.seen: dict[str, Facts] = {}
        self._client = cluster.client()
        self._version = 0
        self._floor = 0
        self._ending = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        path = f"{NAMESPACE}/configmaps"
        try:
            while not self._ending.is_set():
                try:
                    if not self._version:
                        self._list(path)
                    self._follow(path)
                except Gone:
                    self._version, self._floor = 0, self._version
                except ClientError:
                    self._ending.wait(0.05)
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: `stop` raises it
            self._failure = error

    def stop(self) -> dict[str, Facts]:
        """The last state that it saw. Raises the error that ended it."""
        self._ending.set()
        self.join()
        self._client.close()
        if self._failure is not None:
            raise self._failure
        return self.seen

    def _list(self, path: str) -> None:
        listed = self._client.get(path)
        self.seen = {
            f"{path}/{item['metadata']['name']}": _seen(item)
            for item in listed["items"]
            if item["metadata"]["name"] != ROOT_CA
        }
        self._version = int(listed["metadata"]["resourceVersion"])
        assert self._version >= self._floor, f"the list has version {self._version}, older than {self._floor}"

    def _follow(self, path: str) -> None:
        # Watches of one second, so that the last one ends soon after `stop`.
        query = {"timeoutSeconds": "1"}
        for event in self._client.watch(path, resource_version=str(self._version), query=query, timeout_s=5.0):
            version = int(event.resource_version)
            assert version >= self._version, f"an event of version {version} came after {self._version}"
            self._version = version
            if event.kind != "BOOKMARK" and event.object["metadata"]["name"] != ROOT_CA:
                where = f"{path}/{event.object['metadata']['name']}"
                self.seen.pop(where, None) if event.kind == "DELETED" else self.seen.update(
                    {where: _seen(event.object)}
                )


def _seen(config_map: Mapping[str, Any]) -> Facts:
    return {"uid": config_map["metadata"]["uid"], "data": config_map.get("data")}
