"""An agent of an older release does not start a pod whose settings it would ignore."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent.desired.state import DesiredState
from master import kinds
from master.admission.podtokens import with_token
from master.dispatch.items import Key, Section
from master.dispatch.outbox import Outbox
from master.dispatch.view import View
from master.dispatch.withheld import SINCE, VOLUME
from master.kinds.core.node import Node, NodeAddress, NodeSpec, NodeStatus
from master.kinds.core.pod.container import Container, ContainerStatus, EnvVar, EnvVarSource, SecurityContext
from master.kinds.core.pod.keys import FileKeySelector, KeyToPath, ResourceFieldSelector
from master.kinds.core.pod.model import Pod, PodSecurityContext, PodSpec, PodStatus, Sysctl
from master.kinds.core.pod.profiles import AppArmorProfile, SeccompProfile, SELinuxOptions
from master.kinds.core.pod.projected import DownwardAPIVolumeSource
from master.kinds.core.pod.volume import EmptyDirVolumeSource, SecretVolumeSource, Volume, VolumeDevice, VolumeMount
from master.objects.meta import ObjectMeta
from proto import contract
from proto.gen import desired_pb2, session_pb2

NODE = Node(
    metadata=ObjectMeta(name="node-0"),
    spec=NodeSpec(pod_cidr="10.244.0.0/24"),
    status=NodeStatus(addresses=(NodeAddress(type="InternalIP", address="10.0.0.1"),)),
)
OLD = SINCE - 1


class Change:
    kind: Any = kinds.POD
    type = "MODIFIED"

    def __init__(self, obj: Any) -> None:
        self.obj = obj


def pod(security: SecurityContext | None = None, **spec: Any) -> Pod:
    spec.setdefault("containers", (Container(name="app", image="web:1", security_context=security),))
    return Pod(
        metadata=ObjectMeta(name="web", namespace="default", uid="uid-1"), spec=PodSpec(node_name="node-0", **spec)
    )


def context(**fields: Any) -> Pod:
    return pod(security_context=PodSecurityContext(**fields))


def with_container(**fields: Any) -> Pod:
    return pod(containers=(Container(name="app", image="web:1", **fields),))


def ran(web: Pod) -> Pod:
    statuses = (ContainerStatus(name="app", container_id="docker://a"),)
    return msgspec.structs.replace(web, status=PodStatus(phase="Running", container_statuses=statuses))


def sent(view: View, version: int) -> desired_pb2.Pod:
    """The pod as an agent gets it in a snapshot."""
    outbox, state = Outbox(version=version), DesiredState()
    outbox.attach()
    for message in outbox.take(view, "node-0"):
        state.receive(session_pb2.DesiredMessage.FromString(message).cut)
    (only,) = state.dump(secrets=False).pods
    return only


def view_of(web: Pod) -> View:
    view = View("10.244.0.0/16", "10.96.0.0/16")
    view.load(1, [(kinds.NODE, NODE), (kinds.POD, web)])  # type: ignore[list-item]
    return view


ITEM = KeyToPath(key="k", path="p", mode=0o400)
SETTINGS = {
    "hostPID": pod(host_pid=True),
    "hostIPC": pod(host_ipc=True),
    "shareProcessNamespace": pod(share_process_namespace=True),
    "spec.hostUsers: false": pod(host_users=False),
    "runAsNonRoot": context(run_as_non_root=True),
    "runAsGroup without runAsUser": context(run_as_group=5),
    "supplementalGroups": context(supplemental_groups=(5,)),
    "supplementalGroupsPolicy": context(supplemental_groups_policy="Strict"),
    "fsGroup": context(fs_group=5),
    "sysctls": context(sysctls=(Sysctl(name="kernel.shm_rmid_forced", value="1"),)),
    "allowPrivilegeEscalation": pod(SecurityContext(allow_privilege_escalation=False)),
    "seccompProfile": pod(SecurityContext(seccomp_profile=SeccompProfile(type="Unconfined"))),
    "appArmorProfile": pod(SecurityContext(app_armor_profile=AppArmorProfile(type="RuntimeDefault"))),
    "seLinuxOptions": context(se_linux_options=SELinuxOptions(level="s0")),
    "emptyDir.mode": pod(volumes=(Volume(name="v", empty_dir=EmptyDirVolumeSource(mode=0)),)),
    "the owner of files": pod(volumes=(Volume(name="v", secret=SecretVolumeSource(secret_name="s", default_user=5)),)),
    "items[].mode": pod(volumes=(Volume(name="v", secret=SecretVolumeSource(secret_name="s", items=(ITEM,))),)),
    "fileKeyRef": with_container(
        env=(EnvVar(name="A", value_from=EnvVarSource(file_key_ref=FileKeySelector(volume_name="v"))),)
    ),
    "recursiveReadOnly": with_container(
        volume_mounts=(VolumeMount(name="v", mount_path="/v", read_only=True, recursive_read_only="Enabled"),)
    ),
    "volumeDevices": with_container(volume_devices=(VolumeDevice(name="v", device_path="/dev/xvda"),)),
    "mountPropagation": with_container(
        volume_mounts=(VolumeMount(name="v", mount_path="/v", mount_propagation="HostToContainer"),)
    ),
    "downwardAPI and projected volumes": pod(volumes=(Volume(name="v", downward_api=DownwardAPIVolumeSource()),)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_an_older_agent_ignores_keeps_the_pod_from_starting_there(name: str) -> None:
    view = view_of(SETTINGS[name])
    old, new = sent(view, OLD), sent(view, SINCE)
    assert [volume.name for volume in old.volumes if volume.unsupported] == [VOLUME]
    assert f"too old for {name}" in old.volumes[-1].unsupported
    assert not any(volume.unsupported for volume in new.volumes)
    assert sent(view, contract.PROTOCOL_VERSION) == new


@pytest.mark.parametrize(
    "web",
    [
        pytest.param(pod(), id="nothing"),
        pytest.param(context(run_as_user=5, run_as_group=5), id="user and group"),
        pytest.param(context(seccomp_profile=SeccompProfile(type="RuntimeDefault")), id="the engine's profile"),
        pytest.param(pod(SecurityContext(allow_privilege_escalation=True)), id="escalation allowed"),
    ],
)
def test_a_pod_that_an_older_agent_understands_is_sent_as_it_is(web: Pod) -> None:
    view = view_of(web)
    assert sent(view, OLD) == sent(view, SINCE)


def test_a_pod_that_has_run_goes_on_when_only_the_master_is_upgraded() -> None:
    web = ran(context(run_as_non_root=True))
    view = view_of(web)
    assert sent(view, OLD) == sent(view, SINCE)


def test_an_older_agent_gets_no_token() -> None:
    spec = with_token(PodSpec(containers=(Container(name="app", image="web:1"),)))
    web = pod(containers=spec.containers, volumes=spec.volumes)
    for view in (view_of(web), view_of(ran(web))):
        old, new = sent(view, OLD), sent(view, SINCE)
        assert not old.volumes and not old.containers[0].volume_mounts
        assert len(new.volumes) == len(new.containers[0].volume_mounts) == 1


def test_an_older_agent_gets_a_number_in_place_of_the_limit_of_its_node() -> None:
    source = EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.cpu"))
    env = (EnvVar(name="CPU", value_from=source),)
    view = view_of(ran(with_container(env=env)))
    assert [sent(view, version).containers[0].env[0].WhichOneof("source") for version in (OLD, SINCE)] == [
        "value",
        "resource",
    ]


def test_a_status_changes_nothing_for_the_present_session() -> None:
    web = context(run_as_non_root=True)
    view = view_of(web)
    dirty = view.apply(2, [Change(ran(web))])
    assert not dirty.nodes and not dirty.shared
    assert sent(view, OLD) == sent(view, SINCE)


def test_a_deleted_pod_is_forgotten_for_every_version() -> None:
    web = context(run_as_non_root=True)
    view = view_of(web)
    gone = Change(web)
    gone.type = "DELETED"
    view.apply(2, [gone])
    for version in (1, 2, 3):
        assert view.lookup("node-0", Key(Section.POD, "", "uid-1"), version) is None
