"""Restarts all containers of a pod when one of them has ended with an exit code of such a rule. A pure function.

Owns the order (Kubernetes: "Restart All Containers"): the others are killed, without grace period and hooks. Each
instance is marked as replaced, the one that triggered it last. Then the pod starts as at its beginning, with its init
containers, in the sandbox and with the volumes that it has.
"""

from __future__ import annotations

from agent.model import Container
from agent.pods.actions import MarkReplaced, RemoveContainer
from agent.pods.draft import Draft
from agent.pods.lifecycle import restart_wait_s, trigger
from agent.pods.observed import Instance


def restart_all(draft: Draft) -> bool:
    """Whether the pod's containers are being ended for their restart. Nothing is started meanwhile."""
    found = trigger(draft.pod, draft.observed)
    if found is None:
        return False
    container, ended = found
    others = [_is_done(draft, each, container) for each in draft.pod.planned_containers if each is not container]
    if not all(others):
        return True
    # As for any restart, there is a delay if it happens again and again.
    wait_s = restart_wait_s(container, ended, draft.memory, draft.now)
    if wait_s > 0:
        draft.wake(draft.now + wait_s)
    else:
        draft.add(MarkReplaced(container.name, ended.id))
    return True


def _is_done(draft: Draft, container: Container, why: Container) -> bool:
    """Whether nothing of the container runs, and its last end does not count."""
    match draft.observed.newest(container.name):
        case None | Instance(exited=True, replaced=True):
            return True
        case Instance(running=True) as newest:
            message = f"Stopping container {container.name}: all containers are restarted, as {why.name} has ended"
            draft.stop(container.name, newest, grace_s=0, message=message, replaces=True)
        case Instance(exited=True) as newest:
            draft.add(MarkReplaced(container.name, newest.id))
        case Instance() as newest:
            draft.add(RemoveContainer(newest.id))
    return False
