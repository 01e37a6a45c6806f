"""A pod's node gets the volume behind a claim when both sides name each other, and learns why not before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from master import kinds
from master.dispatch.items import Key, Section
from master.dispatch.view import View
from master.kinds.core.pod.model import Pod
from master.objects.meta import ObjectMeta, OwnerReference
from master.schema.data import Untyped
from proto.gen import desired_pb2 as wire
from proto.gen import session_pb2

NODE = "node-0"
USED = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
EARLIER = {"namespace": "default", "name": "data", "uid": "c0"}


def pod(volume: dict[str, Any] = USED) -> Pod:
    body = {
        "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
        "spec": {"nodeName": NODE, "containers": [{"name": "app", "image": "web:1"}], "volumes": [volume]},
    }
    return msgspec.convert(body, Pod)


def claim(name: str = "data", volume: str = "disk", *, deleted: bool = False, owner: str = "") -> Untyped:
    owners = (OwnerReference(api_version="v1", kind="Pod", name="web", uid=owner, controller=True),) if owner else ()
    gone = "2026-01-01T00:00:00Z" if deleted else ""
    meta = ObjectMeta(name=name, namespace="default", uid="c1", deletion_timestamp=gone, owner_references=owners)
    return Untyped(kind="PersistentVolumeClaim", metadata=meta, content={"spec": {"volumeName": volume}})


def volume(for_claim: str = "data", **spec: Any) -> Untyped:
    reference = {"claimRef": {"namespace": "default", "name": for_claim, "uid": "c1"}}
    content = {"spec": {"hostPath": {"path": "/data"}, **reference, **spec}}
    return Untyped(kind="PersistentVolume", metadata=ObjectMeta(name="disk", uid="v1"), content=content)


def of_source(**spec: Any) -> Untyped:
    """The volume with these fields and without those that are None."""
    made = volume(**spec)
    content = {"spec": {name: value for name, value in made.content["spec"].items() if value is not None}}
    return msgspec.structs.replace(made, content=content)


class Change:
    kind: Any = kinds.POD

    def __init__(self, obj: Any, type: str = "MODIFIED") -> None:
        self.obj, self.type = obj, type


def view_of(*objects: Any) -> View:
    view = View("10.244.0.0/16", "10.96.0.0/16")
    view.load(1, [(kinds.POD, obj) for obj in objects])
    return view


def sent(view: View) -> wire.Volume:
    item = view.lookup(NODE, Key(Section.POD, "", "u1"))
    assert item is not None
    return session_pb2.Cut.FromString(item).pods[0].volumes[0]


@pytest.mark.parametrize(
    ("objects", "problem"),
    [
        pytest.param([], 'persistentvolumeclaim "data" not found', id="no claim"),
        pytest.param([claim(volume="")], "pod has unbound immediate PersistentVolumeClaims", id="unbound"),
        pytest.param([claim()], 'persistentvolume "disk" not found', id="no volume"),
        pytest.param(
            [claim(), volume("other")], "pod has unbound immediate PersistentVolumeClaims", id="of another claim"
        ),
        pytest.param(
            [claim(), volume(claimRef=None)], "pod has unbound immediate PersistentVolumeClaims", id="of nobody"
        ),
        pytest.param(
            [claim(), volume(claimRef=EARLIER)],
            "pod has unbound immediate PersistentVolumeClaims",
            id="of an earlier claim with the name",
        ),
        pytest.param([claim(deleted=True), volume()], 'persistentvolumeclaim "data" is being deleted', id="deleted"),
    ],
)
def test_a_pod_waits_and_its_node_knows_why(objects: list[Any], problem: str) -> None:
    assert sent(view_of(pod(), *objects)).waiting == problem


def test_a_volume_that_names_no_uid_is_for_whichever_claim_has_the_name() -> None:
    by_name = {"namespace": "default", "name": "data"}
    assert sent(view_of(pod(), claim(), volume(claimRef=by_name))).WhichOneof("source") == "host_path"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, wire.Volume(name="v", host_path=wire.Volume.HostPath(path="/data"))),
        (
            {"hostPath": None, "local": {"path": "/mnt/ssd"}},
            wire.Volume(
                name="v", host_path=wire.Volume.HostPath(path="/mnt/ssd", type="Directory"), owned_by_group=True
            ),
        ),
        (
            {"hostPath": None, "nfs": {"server": "s", "path": "/x", "readOnly": True}, "mountOptions": ["soft"]},
            wire.Volume(name="v", nfs=wire.Volume.Nfs(server="s", path="/x", read_only=True, mount_options=["soft"])),
        ),
        (
            {"hostPath": None, "csi": {"driver": "d"}},
            wire.Volume(name="v", unsupported="persistentVolumeClaim of csi"),
        ),
        (
            {"hostPath": None, "local": {"path": "/dev/sdb"}, "volumeMode": "Block"},
            wire.Volume(name="v", host_path=wire.Volume.HostPath(path="/dev/sdb", type="BlockDevice"), block=True),
        ),
        (
            {"volumeMode": "Block"},
            wire.Volume(name="v", unsupported="persistentVolumeClaim with volumeMode Block of hostPath"),
        ),
    ],
    ids=["hostPath", "local", "nfs", "another", "block", "a host path as a device"],
)
def test_the_source_of_the_volume_is_sent(spec: dict[str, Any], expected: wire.Volume) -> None:
    assert sent(view_of(pod(), claim(), of_source(**spec))) == expected


def test_a_claim_that_is_read_only_makes_all_mounts_read_only() -> None:
    used = {"name": "v", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}}
    for storage in (volume(), of_source(hostPath=None, local={"path": "/x"})):
        found = sent(view_of(pod(used), claim(), storage))
        assert found.read_only and not found.owned_by_group


def test_the_pod_is_sent_again_when_its_claim_is_bound_and_not_when_it_is_gone() -> None:
    view = view_of(pod(), claim(volume=""))
    assert not view.apply(2, [Change(volume())]).nodes
    dirty = view.apply(3, [Change(claim())])
    assert dirty.nodes == {NODE: {Key(Section.POD, "", "u1")}}
    assert sent(view).WhichOneof("source") == "host_path"
    assert view.apply(4, [Change(volume(), "DELETED")]).nodes
    assert sent(view).waiting
    view.apply(5, [Change(pod(), "DELETED")])
    assert not view.apply(6, [Change(volume())]).nodes


@pytest.mark.parametrize(
    ("owner", "problem"),
    [("u1", ""), ("", "PVC default/web-v was not created for pod default/web (pod is not owner)"), ("u2", "PVC ")],
)
def test_an_ephemeral_volume_needs_the_claim_that_was_made_for_the_pod(owner: str, problem: str) -> None:
    ephemeral = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
    assert "waiting for ephemeral volume controller" in sent(view_of(pod(ephemeral))).waiting
    found = sent(view_of(pod(ephemeral), claim("web-v", owner=owner), volume("web-v")))
    assert found.waiting.startswith(problem) and bool(found.waiting) is bool(problem)
