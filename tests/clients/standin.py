"""Stands in for nodes, as a master on loopback has none: new pods become ready, and those that run once succeed."""

from __future__ import annotations

import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.clients.api import Api

_PERIOD_S: Final = 0.2


@contextmanager
def nodes_standin(api: Api) -> Iterator[None]:
    """All pods that are Pending get the status that a node would report, until the end of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=_report, args=(api, stop), name="stand-in for nodes")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _report(api: Api, stop: threading.Event) -> None:
    while not stop.wait(_PERIOD_S):
        try:
            for pod in api.get("/api/v1/pods")["items"]:
                if pod["status"].get("phase", "Pending") == "Pending":
                    meta = pod["metadata"]
                    api.merge(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status", _status(pod))
        except (urllib.error.HTTPError, OSError):
            continue  # the pod is gone already, or the master restarts


def _status(pod: dict[str, Any]) -> dict[str, Any]:
    once = pod["spec"]["restartPolicy"] == "Never"
    kinds = ("Initialized", "PodScheduled") if once else ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    conditions = [{"type": kind, "status": "True"} for kind in kinds]
    return {"status": {"phase": "Succeeded" if once else "Running", "conditions": conditions}}
