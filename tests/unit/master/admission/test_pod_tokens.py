"""A new pod gets the volume with the token of its service account, as Kubernetes' admission gives it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from master import kinds
from master.admission.podtokens import PATH, with_token
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.serviceaccount import ServiceAccount
from master.objects.meta import ObjectMeta
from proto.contract import ACCESS_VOLUME_PREFIX as PREFIX

MOUNT = {"name": "own", "mountPath": PATH}


def spec_of(**fields: Any) -> PodSpec:
    return msgspec.convert({"containers": [{"name": "app", "image": "web:1"}], **fields}, PodSpec)


def mounts(spec: PodSpec) -> dict[str, list[str]]:
    containers = (*spec.init_containers, *spec.containers)
    return {each.name: [mount.name for mount in each.volume_mounts] for each in containers}


def test_the_volume_is_that_of_kubernetes() -> None:
    spec = with_token(spec_of())
    (volume,) = spec.volumes
    assert volume.name.startswith(PREFIX) and len(volume.name) == len(PREFIX) + 5
    assert msgspec.json.decode(msgspec.json.encode(volume.projected)) == {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                    ]
                }
            },
        ],
    }
    (mount,) = spec.containers[0].volume_mounts
    assert (mount.name, mount.mount_path, mount.read_only) == (volume.name, PATH, True)


def test_every_container_mounts_it_unless_it_mounts_something_else_there() -> None:
    other = {"name": "b", "image": "i", "volumeMounts": [MOUNT]}
    spec = spec_of(
        initContainers=[{"name": "i", "image": "i"}],
        containers=[{"name": "a", "image": "i"}, other],
        volumes=[{"name": "own", "emptyDir": {}}],
    )
    name = with_token(spec).volumes[-1].name
    assert mounts(with_token(spec)) == {"i": [name], "a": [name], "b": ["own"]}
    only = spec_of(containers=[other], volumes=[{"name": "own", "emptyDir": {}}])
    assert with_token(only) is only


def test_a_volume_of_that_name_is_used_again() -> None:
    spec = spec_of(volumes=[{"name": f"{PREFIX}mine", "emptyDir": {}}])
    assert with_token(spec).volumes == spec.volumes
    assert mounts(with_token(spec)) == {"app": [f"{PREFIX}mine"]}
    assert with_token(with_token(spec_of())) == with_token(spec_of())


@pytest.mark.parametrize(
    ("of_pod", "of_account", "mounted"),
    [(None, None, True), (None, False, False), (False, True, False), (True, False, True), (None, True, True)],
)
async def test_the_pod_decides_before_its_account(
    resources: Resources, me: Caller, of_pod: bool | None, of_account: bool | None, mounted: bool
) -> None:
    account = ServiceAccount(metadata=ObjectMeta(name="robot"), automount_service_account_token=of_account)
    await resources.create(me, kinds.SERVICEACCOUNT, account, namespace="default")
    spec = replace(spec_of(), service_account_name="robot", automount_service_account_token=of_pod)
    made = await resources.create(me, kinds.POD, Pod(metadata=ObjectMeta(name="p"), spec=spec), namespace="default")
    assert bool(made.spec.volumes) is mounted
    assert [len(names) for names in mounts(made.spec).values()] == [int(mounted)]


async def test_pods_of_one_template_share_one_spec(resources: Resources, me: Caller) -> None:
    names = []
    for name in ("a", "b"):
        pod = Pod(metadata=ObjectMeta(name=name), spec=spec_of())
        made = await resources.create(me, kinds.POD, pod, namespace="default")
        assert (made.spec.service_account_name, made.spec.service_account) == ("default", "default")
        names.append(made.spec.volumes[0].name)
    assert names[0] == names[1]
