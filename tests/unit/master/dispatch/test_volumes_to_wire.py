"""Conversion of volumes and their mounts to messages: one row for each rule."""

from __future__ import annotations

import pytest

from master.dispatch import convert
from master.dispatch.volumes import volume_message
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.keys import KeyToPath, ObjectFieldSelector, ResourceFieldSelector
from master.kinds.core.pod.projected import (
    ClusterTrustBundleProjection,
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    ProjectedVolumeSource,
    SecretProjection,
    ServiceAccountTokenProjection,
    VolumeProjection,
)
from master.kinds.core.pod.storage import ImageVolumeSource, PersistentVolumeClaimVolumeSource
from master.kinds.core.pod.volume import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)
from proto.gen import desired_pb2 as wire

PROJECTED = wire.Volume.Projected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param(Volume(name="v"), wire.Volume(name="v", empty_dir=wire.Volume.EmptyDir()), id="none"),
        pytest.param(
            Volume(name="v", empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit="1Mi", mode=0)),
            wire.Volume(name="v", empty_dir=wire.Volume.EmptyDir(medium="Memory", size_limit_bytes=1 << 20, mode=0)),
            id="emptyDir",
        ),
        pytest.param(
            Volume(name="v", image=ImageVolumeSource(reference="data:1", pull_policy="Always")),
            wire.Volume(name="v", image=wire.Volume.Image(reference="data:1", pull_policy="Always")),
            id="image",
        ),
        pytest.param(
            Volume(name="v", host_path=HostPathVolumeSource(path="/data")),
            wire.Volume(name="v", host_path=wire.Volume.HostPath(path="/data")),
            id="hostPath",
        ),
        pytest.param(
            Volume(name="v", config_map=ConfigMapVolumeSource(name="c", items=(KeyToPath(key="k", path="p", mode=0),))),
            wire.Volume(
                name="v",
                config_map=wire.Volume.Keys(
                    name="c", items=[wire.KeyToPath(key="k", path="p", mode=0)], default_mode=0o644
                ),
            ),
            id="configMap",
        ),
        pytest.param(
            Volume(name="v", secret=SecretVolumeSource(secret_name="s", default_mode=0o400, optional=True)),
            wire.Volume(name="v", secret=wire.Volume.Keys(name="s", default_mode=0o400, optional=True)),
            id="secret",
        ),
        pytest.param(
            Volume(
                name="v",
                downward_api=DownwardAPIVolumeSource(
                    default_mode=0o400,
                    items=(
                        DownwardAPIVolumeFile(path="a", field_ref=ObjectFieldSelector(field_path="metadata.labels")),
                        DownwardAPIVolumeFile(
                            path="b",
                            mode=0,
                            resource_field_ref=ResourceFieldSelector(resource="limits.memory", container_name="app"),
                        ),
                    ),
                ),
            ),
            wire.Volume(
                name="v",
                projected=PROJECTED(
                    default_mode=0o400,
                    sources=[
                        PROJECTED.Source(
                            downward=PROJECTED.Downward(
                                items=[
                                    PROJECTED.File(path="a", field_path="metadata.labels"),
                                    PROJECTED.File(
                                        path="b", mode=0, resource=wire.ResourceField(resource="memory", divisor=1)
                                    ),
                                ]
                            )
                        )
                    ],
                ),
            ),
            id="downwardAPI",
        ),
        pytest.param(
            Volume(
                name="v",
                projected=ProjectedVolumeSource(
                    sources=(
                        VolumeProjection(config_map=ConfigMapProjection(name="c", optional=True)),
                        VolumeProjection(secret=SecretProjection(name="s", items=(KeyToPath(key="k", path="p"),))),
                        VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="t", audience="x")),
                    )
                ),
            ),
            wire.Volume(
                name="v",
                projected=PROJECTED(
                    default_mode=0o644,
                    sources=[
                        PROJECTED.Source(config_map=wire.Volume.Keys(name="c", default_mode=0o644, optional=True)),
                        PROJECTED.Source(
                            secret=wire.Volume.Keys(
                                name="s", default_mode=0o644, items=[wire.KeyToPath(key="k", path="p")]
                            )
                        ),
                        PROJECTED.Source(token=PROJECTED.Token(path="t", audience="x", expiration_s=3600)),
                    ],
                ),
            ),
            id="projected",
        ),
        pytest.param(
            Volume(
                name="v",
                projected=ProjectedVolumeSource(
                    sources=(
                        VolumeProjection(config_map=ConfigMapProjection(name="c")),
                        VolumeProjection(cluster_trust_bundle=ClusterTrustBundleProjection(name="b", path="p")),
                    )
                ),
            ),
            wire.Volume(name="v", unsupported="projected.clusterTrustBundle"),
            id="a source that is not supported",
        ),
        pytest.param(
            Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="c")),
            wire.Volume(name="v", unsupported="persistentVolumeClaim"),
            id="not supported",
        ),
    ],
)
def test_volumes(volume: Volume, expected: wire.Volume) -> None:
    assert volume_message(volume, [Container(name="app")]) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, ""), ("None", ""), ("HostToContainer", "HostToContainer"), ("Bidirectional", "Bidirectional")],
)
def test_mount_propagation(given: str | None, expected: str) -> None:
    mount = VolumeMount(name="v", mount_path="/v", mount_propagation=given)
    (sent,) = convert.container_message(Container(volume_mounts=(mount,))).volume_mounts
    assert sent.propagation == expected


def test_the_owner_of_a_file_is_its_own_or_that_of_its_volume() -> None:
    keys = (KeyToPath(key="k", path="p", user=0), KeyToPath(key="l", path="q"))
    items = [wire.KeyToPath(key="k", path="p", user=0), wire.KeyToPath(key="l", path="q")]
    made = wire.Volume.Keys(name="s", items=items, default_mode=0o644, user=5)
    secret = SecretVolumeSource(secret_name="s", items=keys, default_user=5)
    assert volume_message(Volume(name="v", secret=secret)).secret == made
    config_map = ConfigMapVolumeSource(name="s", items=keys, default_user=5)
    assert volume_message(Volume(name="v", config_map=config_map)).config_map == made

    name = ObjectFieldSelector(field_path="metadata.name")
    files = tuple(DownwardAPIVolumeFile(path=path, field_ref=name, user=user) for path, user in (("a", None), ("b", 6)))
    downward = PROJECTED.Downward(
        items=[PROJECTED.File(path=path, field_path="metadata.name", user=user) for path, user in (("a", 5), ("b", 6))]
    )
    fields = DownwardAPIVolumeSource(items=files, default_user=5)
    assert volume_message(Volume(name="v", downward_api=fields)).projected.sources[0].downward == downward

    token = ServiceAccountTokenProjection(path="t", user=7)
    parts = (
        VolumeProjection(secret=SecretProjection(name="s", items=keys)),
        VolumeProjection(config_map=ConfigMapProjection(name="s", items=keys)),
        VolumeProjection(downward_api=DownwardAPIProjection(items=files)),
        VolumeProjection(service_account_token=token),
    )
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=parts, default_user=5))
    sources = volume_message(volume).projected.sources
    assert [sources[0].secret, sources[1].config_map, sources[2].downward] == [made, made, downward]
    assert sources[3].token.user == 7
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=parts[3:]))
    assert volume_message(volume).projected.sources[0].token.user == 7
