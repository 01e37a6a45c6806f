"""The kinds that the API serves, one folder for each group and one file for each kind.

A kind's file (or folder, for a large kind) has all that is peculiar to it: models, defaults, checks, table, deletion
and subresources, joined in a `Resource`. An entry in `ALL` adds the kind to the API. The docstrings of the models are
for users of the API: meaning, units, defaults and allowed values of the fields.

A kind whose fields the master does not read is a file in `data`, which `PASSIVE` finds by itself
(master/registry/passive.py); a few have rules in code as well (supplements.py). Nothing in the master acts on their
objects, except admission on limits, classes and new claims, and the controllers that belong to it.
"""

from pathlib import Path
from typing import Any

from master.kinds.apps.controllerrevision import CONTROLLERREVISION
from master.kinds.apps.daemonset import DAEMONSET
from master.kinds.apps.deployment import DEPLOYMENT
from master.kinds.apps.replicaset import REPLICASET
from master.kinds.apps.statefulset import STATEFULSET
from master.kinds.authentication.selfsubjectreview import SELFSUBJECTREVIEW
from master.kinds.authentication.tokenreview import TOKENREVIEW
from master.kinds.authorization.selfsubjectaccessreview import SELFSUBJECTACCESSREVIEW
from master.kinds.authorization.selfsubjectrulesreview import SELFSUBJECTRULESREVIEW
from master.kinds.authorization.subjectaccessreview import LOCALSUBJECTACCESSREVIEW, SUBJECTACCESSREVIEW
from master.kinds.batch.cronjob import CRONJOB
from master.kinds.batch.job import JOB
from master.kinds.core.configmap import CONFIGMAP
from master.kinds.core.endpoints import ENDPOINTS
from master.kinds.core.event import EVENT
from master.kinds.core.namespace import NAMESPACE
from master.kinds.core.node import NODE
from master.kinds.core.pod.resource import POD
from master.kinds.core.podtemplate import PODTEMPLATE
from master.kinds.core.replicationcontroller import REPLICATIONCONTROLLER
from master.kinds.core.secret import SECRET
from master.kinds.core.service.resource import SERVICE
from master.kinds.core.service.strategy import DEFAULT_RANGES, ServiceRanges, ServiceStrategy
from master.kinds.core.serviceaccount import SERVICEACCOUNT
from master.kinds.discovery.endpointslice import ENDPOINTSLICE
from master.kinds.metrics.nodemetrics import NODEMETRICS
from master.kinds.metrics.podmetrics import PODMETRICS
from master.kinds.supplements import SUPPLEMENTS
from master.registry import passive
from master.registry.registry import Registry
from master.registry.resource import Resource
from master.schema.data import Untyped

PASSIVE: tuple[Resource[Untyped], ...] = tuple(passive.load(Path(__file__).with_name("data"), SUPPLEMENTS))
_passive = {kind.kind: kind for kind in PASSIVE}
CERTIFICATESIGNINGREQUEST = _passive["CertificateSigningRequest"]
INGRESS = _passive["Ingress"]
INGRESSCLASS = _passive["IngressClass"]
LIMITRANGE = _passive["LimitRange"]
PERSISTENTVOLUME = _passive["PersistentVolume"]
PERSISTENTVOLUMECLAIM = _passive["PersistentVolumeClaim"]
PODDISRUPTIONBUDGET = _passive["PodDisruptionBudget"]
PRIORITYCLASS = _passive["PriorityClass"]
RUNTIMECLASS = _passive["RuntimeClass"]
SERVICECIDR = _passive["ServiceCIDR"]
STORAGECLASS = _passive["StorageClass"]

# Passive kinds that admission carries out.
WITH_ADMISSION: tuple[Resource[Untyped], ...] = (LIMITRANGE, PRIORITYCLASS, RUNTIMECLASS)

# Typed kinds on whose objects nothing acts yet.
WITHOUT_CONTROLLER: tuple[Resource[Any], ...] = (
    STATEFULSET,
    DAEMONSET,
    CONTROLLERREVISION,
    JOB,
    CRONJOB,
    PODTEMPLATE,
)

ALL: tuple[Resource[Any], ...] = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    ENDPOINTS,
    ENDPOINTSLICE,
    REPLICATIONCONTROLLER,
    REPLICASET,
    DEPLOYMENT,
    CONFIGMAP,
    SECRET,
    SERVICEACCOUNT,
    EVENT,
    *WITHOUT_CONTROLLER,
    SELFSUBJECTREVIEW,
    TOKENREVIEW,
    SELFSUBJECTACCESSREVIEW,
    SELFSUBJECTRULESREVIEW,
    SUBJECTACCESSREVIEW,
    LOCALSUBJECTACCESSREVIEW,
    NODEMETRICS,
    PODMETRICS,
    *PASSIVE,
)


def registry(ranges: ServiceRanges = DEFAULT_RANGES, *, lists_old: bool = False) -> Registry:
    """A registry with all built-in kinds.

    `ranges`: the cluster's ranges for services. `lists_old`: whether discovery lists old versions.
    """
    return Registry(ALL, strategies={SERVICE: ServiceStrategy(ranges)}, lists_old=lists_old)


__all__ = [
    "ALL",
    "CERTIFICATESIGNINGREQUEST",
    "CONFIGMAP",
    "CONTROLLERREVISION",
    "CRONJOB",
    "DAEMONSET",
    "DEPLOYMENT",
    "ENDPOINTS",
    "ENDPOINTSLICE",
    "EVENT",
    "INGRESS",
    "INGRESSCLASS",
    "JOB",
    "LIMITRANGE",
    "NAMESPACE",
    "NODE",
    "PASSIVE",
    "PERSISTENTVOLUME",
    "PERSISTENTVOLUMECLAIM",
    "POD",
    "PODDISRUPTIONBUDGET",
    "PODTEMPLATE",
    "PRIORITYCLASS",
    "REPLICASET",
    "REPLICATIONCONTROLLER",
    "RUNTIMECLASS",
    "SECRET",
    "SERVICE",
    "SERVICEACCOUNT",
    "SERVICECIDR",
    "STATEFULSET",
    "STORAGECLASS",
    "WITHOUT_CONTROLLER",
    "WITH_ADMISSION",
    "ServiceRanges",
    "registry",
]
