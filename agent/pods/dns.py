"""A pod's names: its resolv.conf by Kubernetes' DNS policies, and its own name in a domain. Pure functions.

The order in which settings are merged, the limits and the texts of events are the kubelet's (pkg/kubelet/network/dns).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from agent.model import ClusterDns, DnsPolicy, Pod
from agent.pods.errors import ContainerConfigError
from agent.resolvconf import ResolvConf, is_loopback

MAX_NAMESERVERS: Final = 3
MAX_SEARCHES: Final = 32
MAX_SEARCH_CHARS: Final = 2048
MAX_HOSTNAME: Final = 64
"""Bytes of a host name, sethostname(2)."""
_CLUSTER_OPTIONS: Final = ("ndots:5",)
_MISSING: Final = (
    'kubelet does not have ClusterDNS IP configured and cannot create Pod using "{}" policy. '
    'Falling back to "Default" policy.'
)
_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class Formed:
    """A pod's resolv.conf, and what had to be left out or replaced, as reason and message of events."""

    conf: ResolvConf
    complaints: tuple[tuple[str, str], ...] = ()


def resolv_conf(pod: Pod, cluster: ClusterDns, host: ResolvConf) -> Formed:
    """The resolv.conf of a pod."""
    policy, complaints = pod.dns_policy, []
    if policy is DnsPolicy.CLUSTER_FIRST and pod.host_network:
        policy = DnsPolicy.DEFAULT
    if policy in (DnsPolicy.CLUSTER_FIRST, DnsPolicy.CLUSTER_FIRST_WITH_HOST_NET) and not cluster.address:
        complaints.append(("MissingClusterDNS", _MISSING.format(policy)))
        policy = DnsPolicy.DEFAULT
    match policy:
        case DnsPolicy.NONE:
            conf = ResolvConf()
        case DnsPolicy.DEFAULT:
            conf = _of_host(pod, cluster, host)
        case _:
            own = (f"{pod.namespace}.svc.{cluster.domain}", f"svc.{cluster.domain}", cluster.domain)
            conf = ResolvConf((cluster.address,), _unique((*own, *host.searches)), _CLUSTER_OPTIONS)
    conf, omitted = _within_limits(_with_own(conf, pod))
    return Formed(conf, (*complaints, *omitted))


def is_the_hosts(pod: Pod, cluster: ClusterDns) -> bool:
    """Whether the pod, in the host's network, has the settings of the host: the engine gives it those."""
    if not pod.host_network or pod.dns_config is not None or pod.dns_policy is DnsPolicy.NONE:
        return False
    return pod.dns_policy is not DnsPolicy.CLUSTER_FIRST_WITH_HOST_NET or not cluster.address


def hostname(pod: Pod) -> str:
    """The pod's short host name, or the one that overrides it."""
    return (pod.hostname_override or pod.hostname or pod.name)[:_LABEL].rstrip("-.")


def full_name(pod: Pod, cluster: ClusterDns) -> str:
    """The host name with its domain; empty if the pod has no subdomain or its name is overridden, or the cluster has no
    domain.
    """
    if pod.hostname_override or not pod.subdomain or not cluster.domain:
        return ""
    return f"{hostname(pod)}.{pod.subdomain}.{pod.namespace}.svc.{cluster.domain}"


def kernel_hostname(pod: Pod, cluster: ClusterDns) -> str:
    """What `hostname` prints in the pod. Raises ContainerConfigError if the name is too long for the kernel."""
    full = full_name(pod, cluster) if pod.set_hostname_as_fqdn else ""
    if len(full) > MAX_HOSTNAME:
        raise ContainerConfigError(
            f"Failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
            f"({MAX_HOSTNAME} characters is the max, {len(full)} characters requested)"
        )
    return full or hostname(pod)


def _of_host(pod: Pod, cluster: ClusterDns, host: ResolvConf) -> ResolvConf:
    """The host's settings. A pod does not reach resolvers on the host's loopback, but the node's DNS asks them."""
    if pod.host_network:
        return host
    reached = tuple(address for address in host.nameservers if not is_loopback(address))
    if host.nameservers and not reached and cluster.address:
        reached = (cluster.address,)
    return replace(host, nameservers=reached)


def _with_own(conf: ResolvConf, pod: Pod) -> ResolvConf:
    config = pod.dns_config
    if config is None:
        return conf
    options = {option.partition(":")[0]: option for option in conf.options}
    options |= {name: f"{name}:{value}" if value else name for name, value in config.options if name}
    return ResolvConf(
        _unique((*conf.nameservers, *config.nameservers)),
        _unique((*conf.searches, *config.searches)),
        tuple(options.values()),
    )


def _within_limits(conf: ResolvConf) -> tuple[ResolvConf, tuple[tuple[str, str], ...]]:
    complaints = []
    searches = conf.searches[:MAX_SEARCHES]
    while len(" ".join(searches)) > MAX_SEARCH_CHARS:
        searches = searches[:-1]
    if searches != conf.searches:
        line = " ".join(searches)
        complaints.append(
            f"Search Line limits were exceeded, some search paths have been omitted, the applied search line is: {line}"
        )
    nameservers = conf.nameservers[:MAX_NAMESERVERS]
    if nameservers != conf.nameservers:
        line = " ".join(nameservers)
        complaints.append(
            "Nameserver limits were exceeded, some nameservers have been omitted, "
            f"the applied nameserver line is: {line}"
        )
    return (
        replace(conf, nameservers=nameservers, searches=searches),
        tuple(("DNSConfigForming", text) for text in complaints),
    )


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
