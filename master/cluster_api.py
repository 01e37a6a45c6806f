"""The API of a cluster: the pipeline with authorization and admission, and the server with all that kinds need."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from master import bootstrap, kinds
from master.accounts.tokens import AccountTokens
from master.admission.defaultclasses import DefaultIngressClass, DefaultStorageClass
from master.admission.defaulttolerations import DefaultTolerations
from master.admission.limitranges import LimitRanges
from master.admission.namespaces import NamespaceLifecycle
from master.admission.nodeidentity import NodeIdentity
from master.admission.podaccounts import PodAccounts
from master.admission.podpriorities import PodPriorities
from master.admission.requester import Requester
from master.admission.runtimeclasses import RuntimeClasses
from master.admission.volumeprotection import ProtectVolumes
from master.api.join import JoinService
from master.api.pipeline.authorization import MastersOnly
from master.api.pipeline.pipeline import Pipeline
from master.api.resources import Resources
from master.api.rest.subresources import Connector, ProxyConnector
from master.api.server import ApiServer
from master.api.usages import Usages
from master.cache import Cache
from master.clock import Clock, SystemClock
from master.config import MasterConfig
from master.kinds.core.nodeproxy import NodeProxy, NodeQueries
from master.kinds.core.pod.connections import Connections
from master.kinds.core.pod.exec import PodProcess
from master.kinds.core.pod.log import PodLog
from master.kinds.core.pod.logs import LogSource
from master.kinds.core.pod.portforward import PodPortForward
from master.kinds.core.pod.processes import Processes
from master.kinds.core.pod.proxy import PodProxy, ProxyToPods
from master.kinds.core.service.proxy import ServiceProxy
from master.pki import Pki
from master.registry.registry import Registry
from master.store.interface import Store


def resources(
    store: Store,
    cache: Cache,
    registry: Registry,
    *,
    clock: Clock | None = None,
    token_key: EllipticCurvePrivateKey | None = None,
    usages: Usages | None = None,
) -> Resources:
    """The objects of a cluster. `cache` has the resources of `registry`.

    `token_key` signs the tokens of service accounts. Without it they are valid as long as this process runs. `usages`:
    what the nodes use; without it, the API shows no node's usage.
    """
    clock = clock or SystemClock()
    tokens = AccountTokens(token_key or generate_private_key(SECP256R1()), cache, clock)
    # In the order of Kubernetes (pkg/kubeapiserver/options/plugins.go). The last two are Sampan's own.
    admission = (
        NamespaceLifecycle(),
        LimitRanges(),
        PodAccounts(),
        PodPriorities(),
        DefaultTolerations(),
        DefaultStorageClass(),
        ProtectVolumes(),
        RuntimeClasses(),
        DefaultIngressClass(),
        NodeIdentity(),
        Requester(),
    )
    pipeline = Pipeline(store, cache, registry, authorizer=MastersOnly(), admission=admission, clock=clock)
    return Resources(store, cache, registry, pipeline, clock, tokens, usages)


def server(
    config: MasterConfig,
    resources: Resources,
    pki: Pki,
    logs: LogSource,
    join: JoinService,
    *,
    processes: Processes | None = None,
    connections: Connections | None = None,
    queries: NodeQueries | None = None,
    clock: Clock | None = None,
) -> ApiServer:
    """The server of these objects. It makes those that every cluster has when it starts.

    Without `processes` there is no exec and no attach, without `connections` no port-forward and no proxy of pods and
    services, and without `queries` no proxy of nodes.
    """
    connectors: dict[tuple[str, str], Connector] = {(kinds.POD.resource, "log"): PodLog(logs)}
    proxies: dict[str, ProxyConnector] = {}
    if processes is not None:
        connectors[kinds.POD.resource, "exec"] = PodProcess(processes, command=True)
        connectors[kinds.POD.resource, "attach"] = PodProcess(processes, command=False)
    if connections is not None:
        connectors[kinds.POD.resource, "portforward"] = PodPortForward(connections)
        pods = ProxyToPods(connections)
        proxies[kinds.POD.resource] = PodProxy(resources.cache, pods)
        proxies[kinds.SERVICE.resource] = ServiceProxy(resources.cache, pods)
    if queries is not None:
        proxies[kinds.NODE.resource] = NodeProxy(resources.cache, queries, logs)
    return ApiServer(
        config,
        resources,
        pki,
        join,
        connectors=connectors,
        proxies=proxies,
        prepare=lambda port: bootstrap.ensure(resources, config, port=port),
        clock=clock,
    )
