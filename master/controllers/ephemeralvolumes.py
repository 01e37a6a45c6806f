"""The claims of ephemeral volumes: each such volume of a pod gets a claim of its own, which is deleted with the pod.

A claim of that name that was not made for the pod is left alone; the pod waits, and an event says why.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

import msgspec

from master.api.errors import AlreadyExists, ApiError, NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Change, Entry
from master.clock import Clock
from master.component.boundclaims import claim_name, is_owned, not_owned
from master.component.events import EventRecorder, Involved
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.workqueue import WorkQueue
from master.kinds import PERSISTENTVOLUMECLAIM, POD
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.storage import PersistentVolumeClaimTemplate
from master.kinds.core.pod.volume import Volume
from master.objects.meta import ObjectMeta, OwnerReference
from master.schema.data import Untyped

_SOURCE: Final = "ephemeral-volume-controller"
_REASON: Final = "FailedBinding"


class EphemeralVolumes:
    """Makes the claims of pods."""

    name = "ephemeral volumes"

    def __init__(self, resources: Resources, clock: Clock, recorder: EventRecorder) -> None:
        self._resources = resources
        self._recorder = recorder
        self._caller = component("controller:ephemeral-volume-controller")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        await run_keyed(
            self._resources.cache,
            self._queue,
            watched=(POD, PERSISTENTVOLUMECLAIM),
            keys=_keys,
            sync=self._sync,
            first=(POD,),
            matters=_matters,
        )

    async def _sync(self, key: ObjectKey) -> None:
        pod = self._resources.cache.get(POD, *key)
        if pod is None or pod.metadata.deletion_timestamp:
            return
        for volume in pod.spec.volumes:
            if volume.ephemeral is not None and volume.ephemeral.volume_claim_template is not None:
                await self._ensure(pod, volume, volume.ephemeral.volume_claim_template)

    async def _ensure(self, pod: Pod, volume: Volume, template: PersistentVolumeClaimTemplate) -> None:
        namespace, name = pod.metadata.namespace, claim_name(pod, volume)
        present = self._resources.cache.get(PERSISTENTVOLUMECLAIM, namespace, name)
        if present is not None:
            if not is_owned(present, pod):
                self._warn(pod, not_owned(pod, name))
            return
        try:
            with contextlib.suppress(AlreadyExists):
                made = _claim(pod, name, template)
                await self._resources.create(self._caller, PERSISTENTVOLUMECLAIM, made, namespace=namespace)
        except NotFound:
            return  # the namespace is gone
        except ApiError as error:
            self._warn(pod, f"ephemeral volume {volume.name}: {error}")
            raise

    def _warn(self, pod: Pod, message: str) -> None:
        involved = Involved.of(POD, pod)
        self._recorder.record(_SOURCE, involved=involved, type="Warning", reason=_REASON, message=message)


def _claim(pod: Pod, name: str, template: PersistentVolumeClaimTemplate) -> Untyped:
    owner = OwnerReference(
        api_version="v1",
        kind="Pod",
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )
    meta = ObjectMeta(
        name=name,
        labels=template.metadata.labels,
        annotations=template.metadata.annotations,
        owner_references=(owner,),
    )
    spec = msgspec.json.decode(msgspec.json.encode(template.spec))
    return Untyped(metadata=meta, content={"spec": spec})


def _keys(entry: Entry) -> Iterable[ObjectKey]:
    """The pods that may lack a claim. Most pods have no ephemeral volume; their objects are not decoded for that."""
    if entry.kind is POD:
        return [(entry.namespace, entry.name)] if b'"ephemeral":' in entry.lean else []
    owners = (owner for owner in entry.meta.owner_references if owner.kind == "Pod" and owner.controller)
    return [(entry.namespace, owner.name) for owner in owners]


def _matters(change: Change) -> bool:
    """A new pod, whose volumes never change, or a claim that is gone."""
    return change.type == ("ADDED" if change.kind is POD else "DELETED")
