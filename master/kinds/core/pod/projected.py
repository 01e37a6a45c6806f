"""Volumes whose files the node makes from other objects than config maps and secrets: downward API and projected.

Nodes do not support bundles of certificates and certificates of pods: a pod with such a source waits, and the reason of
its containers names it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from master.kinds.core.pod.keys import KeyToPath, ObjectFieldSelector, ResourceFieldSelector
from master.objects.meta import LabelSelector, Model, always
from master.objects.scalars import Id, Mode, Required, number_within, refused

_WAITS = refused("the volume would have this source; the pod waits, and its containers say why")


class DownwardAPIVolumeFile(Model, frozen=True, kw_only=True):
    """A file whose content is a field of the pod or a resource of a container. `user` owns the file."""

    path: Required = always("")
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: Mode | None = None
    user: Id | None = None


class DownwardAPIVolumeSource(Model, frozen=True, kw_only=True):
    """Fields of the pod as files."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: Mode | None = None
    default_user: Id | None = None


class SecretProjection(Model, frozen=True, kw_only=True):
    """Keys of a secret as files."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class ConfigMapProjection(Model, frozen=True, kw_only=True):
    """Keys of a config map as files."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class DownwardAPIProjection(Model, frozen=True, kw_only=True):
    """Fields of the pod as files."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()


class ServiceAccountTokenProjection(Model, frozen=True, kw_only=True):
    """A token of the pod's service account, for `audience`, that expires after `expirationSeconds`."""

    audience: str = ""
    expiration_seconds: Annotated[int, number_within(600, 1 << 32)] | None = None
    path: Required = always("")
    user: Id | None = None


class ClusterTrustBundleProjection(Model, frozen=True, kw_only=True):
    """Certificates of authorities: one bundle by its name, or all of a signer that a selector selects."""

    name: str | None = None
    signer_name: str | None = None
    label_selector: LabelSelector | None = None
    optional: bool | None = None
    path: Required = always("")
    user: Id | None = None


class PodCertificateProjection(Model, frozen=True, kw_only=True):
    """A private key of the pod and a certificate that `signerName` issued for it."""

    signer_name: Required = always("")
    key_type: Required = always("")
    max_expiration_seconds: Annotated[int, number_within(3600, 7_862_400, bits=32)] | None = None
    credential_bundle_path: str = ""
    key_path: str = ""
    certificate_chain_path: str = ""
    user_annotations: dict[str, str] = field(default_factory=dict)
    user: Id | None = None


class VolumeProjection(Model, frozen=True, kw_only=True):
    """One source of a projected volume."""

    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = None
    config_map: ConfigMapProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None
    cluster_trust_bundle: Annotated[ClusterTrustBundleProjection, _WAITS] | None = None
    pod_certificate: Annotated[PodCertificateProjection, _WAITS] | None = None


class ProjectedVolumeSource(Model, frozen=True, kw_only=True):
    """Several sources in one directory."""

    sources: tuple[VolumeProjection, ...] = ()
    default_mode: Mode | None = None
    default_user: Id | None = None
