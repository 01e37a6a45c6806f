"""The resource `pods`."""

from __future__ import annotations

from master.kinds.core.pod.binding import BINDING
from master.kinds.core.pod.claims import CLAIM
from master.kinds.core.pod.deletion import PodDeletion
from master.kinds.core.pod.ephemeral import EPHEMERAL_CONTAINERS
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.observing import POD_STATUS
from master.kinds.core.pod.strategy import SPECS, PodStrategy
from master.kinds.core.pod.table import PODS
from master.kinds.legacy.manifests import POD_V1BETA1
from master.objects.index import LABEL, NODE, OWNER
from master.registry.resource import Resource
from master.registry.subresource import Connection, Proxy, Served
from master.schema.schema import Interned, Typed

POD = Resource(
    kind="Pod",
    plural="pods",
    schema=Typed(Pod, interned=Interned("spec", SPECS)),
    served=(POD_V1BETA1,),
    short_names=("po",),
    categories=("all",),
    subresources=(
        POD_STATUS,
        BINDING,
        EPHEMERAL_CONTAINERS,
        Connection("log"),
        Connection("exec", verbs=("create", "get"), served=Served("PodExecOptions"), permission="create"),
        Connection("attach", verbs=("create", "get"), served=Served("PodAttachOptions"), permission="create"),
        Connection("portforward", verbs=("create", "get"), served=Served("PodPortForwardOptions"), permission="create"),
        Proxy("proxy", served=Served("PodProxyOptions")),
    ),
    strategy=PodStrategy(),
    deletion=PodDeletion(),
    table=PODS,
    fields={
        "spec.nodeName": lambda pod: pod.spec.node_name,
        "spec.restartPolicy": lambda pod: pod.spec.restart_policy,
        "spec.schedulerName": lambda pod: pod.spec.scheduler_name,
        "spec.serviceAccountName": lambda pod: pod.spec.service_account_name,
        "spec.hostNetwork": lambda pod: "true" if pod.spec.host_network else "false",
        "status.phase": lambda pod: pod.status.phase,
        "status.podIP": lambda pod: pod.status.pod_ip,
        "status.nominatedNodeName": lambda pod: pod.status.nominated_node_name,
    },
    indexes=(OWNER, LABEL, NODE, CLAIM),
    varying=("nodeName",),
    has_generation=True,
)
