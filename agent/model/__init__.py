"""What the master wants of this node: plain frozen values. What the node reports is in statuses.py.

Owns the types that travel between session, pods, runtime and volumes. Does not know protobuf (agent/wire converts),
Docker or the kernel. Quantities carry their unit in the name; times are seconds since the epoch (UTC), 0.0 means "not
known".
"""

from agent.model.containers import (
    Container,
    ContainerPort,
    EnvFrom,
    EnvVar,
    FileKey,
    KeyRef,
    Profile,
    PullPolicy,
    Resources,
    RestartPolicy,
    RestartRule,
    SecurityContext,
    VolumeMount,
)
from agent.model.desired import ClusterDns, ConfigMap, Desired, Secret, ServiceEnv, ServiceEnvPort
from agent.model.identity import ObjectRef, PodUid
from agent.model.pods import DnsConfig, DnsPolicy, HostAlias, HostPort, Pod, PodPhase, Sysctl
from agent.model.requests import ConnectionRequest, LogOptions, LogRequest, ProcessRequest
from agent.model.resourcefields import ResourceField
from agent.model.volumes import (
    DownwardFile,
    DownwardSource,
    EmptyDir,
    FileSource,
    FilesVolume,
    HostPath,
    KeysSource,
    KeyToPath,
    Nfs,
    TokenSource,
    UnsupportedVolume,
    Volume,
    VolumeSource,
    WaitingVolume,
)

__all__ = [
    "ClusterDns",
    "ConfigMap",
    "ConnectionRequest",
    "Container",
    "ContainerPort",
    "Desired",
    "DnsConfig",
    "DnsPolicy",
    "DownwardFile",
    "DownwardSource",
    "EmptyDir",
    "EnvFrom",
    "EnvVar",
    "FileKey",
    "FileSource",
    "FilesVolume",
    "HostAlias",
    "HostPath",
    "HostPort",
    "KeyRef",
    "KeyToPath",
    "KeysSource",
    "LogOptions",
    "LogRequest",
    "Nfs",
    "ObjectRef",
    "Pod",
    "PodPhase",
    "PodUid",
    "ProcessRequest",
    "Profile",
    "PullPolicy",
    "ResourceField",
    "Resources",
    "RestartPolicy",
    "RestartRule",
    "Secret",
    "SecurityContext",
    "ServiceEnv",
    "ServiceEnvPort",
    "Sysctl",
    "TokenSource",
    "UnsupportedVolume",
    "Volume",
    "VolumeMount",
    "VolumeSource",
    "WaitingVolume",
]
