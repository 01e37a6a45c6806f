"""From a container's death to the start of its successor, by the engine's events.

Ours: the first death of a new pod. The floor: the events of the engine are followed, and the next container is created
and started with the SDK as soon as one has died.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from statistics import median
from threading import Thread
from typing import Any

import docker

from client.rest import RestClient
from lab.cluster import Cluster
from tests.bench import byhand
from tests.bench.figure import Figure
from tests.bench.lab import container_id, create_ready, delete_gone, pod
from tests.hosts import engine_of

ROUNDS = 9
GOAL_MS = 50.0
PATIENCE_S = 30.0

Event = dict[str, Any]


def measure(cluster: Cluster, client: RestClient, node: str) -> Iterator[Figure]:
    """Both take turns. The difference is what the agent adds until the engine has its call."""
    with engine_of(cluster, node) as engine, _events(cluster, node) as events:
        pairs = [(_ours(client, engine, events, node, number), _by_hand(engine, events)) for number in range(ROUNDS)]
    ours, floor = median(ours for ours, _ in pairs), median(floor for _, floor in pairs)
    yield Figure("agent", "restart_ratio", ours / floor, "x", goal=None, floor=1.0)
    yield Figure("agent", "restart_own_ms", ours - floor, "ms", goal=GOAL_MS, floor=floor)


def _ours(client: RestClient, engine: docker.APIClient, events: Queue[Event], node: str, number: int) -> float:
    """Milliseconds from the first death in a new pod to the next start."""
    name = f"victim-{number}"
    made = create_ready(client, pod(name, node))
    uid = made["metadata"]["uid"]
    engine.kill(container_id(made))
    gap = _gap(events, lambda event: event["Actor"]["Attributes"].get("io.sampan.pod.uid") == uid)
    delete_gone(client, name)
    return gap


def _by_hand(engine: docker.APIClient, events: Queue[Event]) -> float:
    """The same of containers that a loop starts."""
    sandbox = byhand.sandbox(engine)
    first = byhand.joined(engine, sandbox)
    engine.kill(first)
    died = _next(events, lambda event: event["Action"] == "die" and event["Actor"]["ID"] == first)
    second = byhand.joined(engine, sandbox)
    started = _next(events, lambda event: event["Action"] == "start" and event["Actor"]["ID"] == second)
    byhand.remove(engine, first, second, sandbox)
    return _ms(started) - _ms(died)


def _gap(events: Queue[Event], about: Callable[[Event], bool]) -> float:
    died = _next(events, lambda event: about(event) and event["Action"] == "die")
    started = _next(events, lambda event: about(event) and event["Action"] == "start")
    return _ms(started) - _ms(died)


def _next(events: Queue[Event], wanted: Callable[[Event], bool]) -> Event:
    while not wanted(event := events.get(timeout=PATIENCE_S)):
        pass
    return event


def _ms(event: Event) -> float:
    return float(event["timeNano"]) / 1e6


@contextmanager
def _events(cluster: Cluster, node: str) -> Iterator[Queue[Event]]:
    """The engine's events of containers, as they come."""
    events: Queue[Event] = Queue()
    with engine_of(cluster, node) as follower:
        stream = follower.events(decode=True, filters={"type": "container", "event": ["die", "start"]})
        thread = Thread(target=lambda: deque(map(events.put, stream), maxlen=0), name="events", daemon=True)
        thread.start()
        try:
            yield events
        finally:
            stream.close()
            thread.join(PATIENCE_S)
