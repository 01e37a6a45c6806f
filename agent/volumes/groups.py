"""Gives the files in local volumes to the groups of their pods (fsGroup), once for each pod.

Owns the changes in progress, and `groups/<volume>` in a pod's directory: a file with the path of the volume, written
when its files belong to the group. As in Kubernetes, nothing is changed while another pod of the node uses the volume.
A change may take longer than the preparation of the volumes, which then fails and finds it again at its next try.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.model import Pod, PodUid
from agent.volumes.calls import VolumeCalls
from agent.volumes.errors import VolumeError
from agent.volumes.ownership import give_tree
from hull import atomicfile


@dataclass(frozen=True, slots=True)
class _Change:
    task: asyncio.Task[None]
    stopped: threading.Event


class GroupChanges:
    """The changes of one node. `pods`: the directory of the pods' directories."""

    def __init__(self, pods: Path, calls: VolumeCalls) -> None:
        self._pods = pods
        self._calls = calls
        self._changes: dict[tuple[PodUid, str], _Change] = {}

    async def give(self, pod: Pod, volume: str, path: Path) -> None:
        """Give what is in a volume of the pod to its group. Raises VolumeError, also if it takes long."""
        marker, group = self._pods / pod.uid / "groups" / volume, pod.fs_group
        if group is None or await self._calls.own(pod.uid, marker.exists):
            return
        key = (pod.uid, volume)
        change = self._changes.get(key)
        if change is None:
            if await self._calls.own(pod.uid, partial(self._in_use, path)):
                await self._calls.own(pod.uid, partial(_mark, marker, path))
                return
            change = self._changes[key] = self._begin(path, group, on_mismatch=pod.fs_group_on_mismatch)
        await asyncio.wait({change.task}, timeout=self._calls.change_s)
        if not change.task.done():
            raise VolumeError(f'volume "{volume}": its files are still being given to group {group}')
        del self._changes[key]
        try:
            change.task.result()
        except OSError as error:
            text = f'volume "{volume}": its files cannot be given to group {group}: {error.strerror or error}'
            raise VolumeError(text) from error
        await self._calls.own(pod.uid, partial(_mark, marker, path))

    def forget(self, uid: PodUid) -> None:
        """Stop the changes for a pod."""
        for key in [key for key in self._changes if key[0] == uid]:
            change = self._changes.pop(key)
            change.stopped.set()
            change.task.cancel()

    def _begin(self, path: Path, group: int, *, on_mismatch: bool) -> _Change:
        stopped = threading.Event()
        giving = partial(give_tree, path, group, on_mismatch=on_mismatch, goes_on=lambda: not stopped.is_set())
        task = asyncio.create_task(self._calls.change(path, giving), name=f"group of {path}")
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return _Change(task, stopped)

    def _in_use(self, path: Path) -> bool:
        """Whether another pod has the volume."""
        return any(_text(marker) == str(path) for marker in self._pods.glob("*/groups/*"))


def _text(marker: Path) -> str:
    try:
        return marker.read_text()
    except OSError:
        return ""


def _mark(marker: Path, path: Path) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True)
    atomicfile.write(marker, str(path), durable=False)
