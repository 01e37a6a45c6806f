"""The zone of a cluster: answers to questions, by Kubernetes' DNS specification 1.1.0 (kubernetes/dns, docs).

Pure: values in, values out. It answers names below the cluster's domain, and the reverse names of addresses that belong
to the cluster; for all others it has no answer (None), and a forwarder is asked. Records of pods
(`10-244-1-5.default.pod`) are made of their name, because a node does not know the pods of the others: CoreDNS does so
too, in the mode that kubeadm sets. Questions of type ANY do not come here: resolver.py answers them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from netstack.dns import records
from netstack.dns.cluster import Port, Service, ServiceKey, Settings
from netstack.dns.message import IN, Question, Rcode, Record, Type
from netstack.dns.names import Name, folded, name_of

TTL_S: Final = 5
"""Seconds for which clients may keep an answer: endpoints come and go."""
VERSION: Final = "1.1.0"
"""The version of the specification."""

_REVERSE: Final = name_of("in-addr.arpa")
_SERVICES, _PODS, _VERSION = b"svc", b"pod", b"dns-version"
_NS: Final = (b"ns", b"dns")
_WEIGHT: Final = 100
"""Shared by the records of one SRV answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question. `alias`: the answers end with a CNAME to this name, which has to be resolved too."""

    answers: tuple[Record, ...] = ()
    additionals: tuple[Record, ...] = ()
    authorities: tuple[Record, ...] = ()
    rcode: int = Rcode.NOERROR
    alias: Name | None = None


class Zone:
    """The present content. `put` and `remove` cost as much as their service has endpoints."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.serial = 0
        """Counts the changes."""
        self._services: dict[ServiceKey, Service] = {}
        self._sizes: dict[str, int] = defaultdict(int)
        """The number of services of each namespace."""
        self._by_cluster_ip: dict[IPv4Address, set[ServiceKey]] = defaultdict(set)
        self._by_endpoint: dict[IPv4Address, set[ServiceKey]] = defaultdict(set)
        """Headless services."""
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Replace the settings. Raises ValueError if the domain is not a name."""
        self._origin = folded(name_of(settings.domain))
        self.settings = settings

    def put(self, service: Service) -> None:
        """Add or replace a service."""
        self.remove(service.key)
        self._services[service.key] = service
        self._sizes[service.namespace] += 1
        for index, address in self._indexed(service):
            index[address].add(service.key)

    def remove(self, key: ServiceKey) -> None:
        """Remove a service, if it is there."""
        self.serial = (self.serial + 1) % (1 << 32)
        service = self._services.pop(key, None)
        if service is None:
            return
        self._sizes[service.namespace] -= 1
        if not self._sizes[service.namespace]:
            del self._sizes[service.namespace]
        for index, address in self._indexed(service):
            index[address].discard(key)
            if not index[address]:
                del index[address]

    def answer(self, question: Question) -> Answer | None:
        """The answer; None if the question is about a name of the world outside."""
        name = folded(question.name)
        if question.klass != IN:
            return None
        if name[-len(self._origin) :] == self._origin:
            found = self._below(question, name[: -len(self._origin)])
            return self._completed(question, found, self._origin)
        zone = self._reverse_zone(name)
        return None if zone is None else self._completed(question, self._reverse(question, name), zone)

    # --- names of the cluster ----------------------------------------------------------------------------------------

    def _below(self, question: Question, labels: Name) -> Answer | None:
        """The answer for the labels before the domain; None if there is no such name."""
        match labels:
            case ():
                return self._apex(question)
            case (label,) if label == _VERSION:
                return _of(question, records.txt(question.name, VERSION, TTL_S))
            case _ if labels == _NS:
                return _of(question, records.a(question.name, self.settings.address, TTL_S))
            case (b"dns",) | (b"svc",) | (b"pod",):
                return Answer()
            case (*rest, kind) if kind == _PODS:
                return _pod(question, tuple(rest))
            case (*rest, namespace, kind) if kind == _SERVICES:
                return self._in_namespace(question, tuple(rest), namespace.decode("latin-1"))
        return None

    def _apex(self, question: Question) -> Answer:
        host = (*_NS, *self._origin)
        if question.type == Type.SOA:
            return Answer((self._soa(question.name, self._origin),))
        if question.type == Type.NS:
            glue = records.a(host, self.settings.address, TTL_S)
            return Answer((records.ns(question.name, host, TTL_S),), (glue,))
        return Answer()

    def _in_namespace(self, question: Question, labels: Name, namespace: str) -> Answer | None:
        if namespace not in self._sizes:
            return None
        if not labels:
            return Answer()
        service = self._services.get((namespace, labels[-1].decode("latin-1")))
        if service is None:
            return None
        match labels[:-1]:
            case ():
                return self._service(question, service)
            case (port, protocol) if port[:1] == protocol[:1] == b"_":
                return self._srv(question, service, port[1:].decode("latin-1"), protocol[1:].decode("latin-1"))
            case (label,) if label[:1] == b"_":
                protocols = {port.protocol for port in _ports(service)}
                return Answer() if label[1:].decode("latin-1") in protocols else None
            case (label,):
                text = label.decode("latin-1")
                hosts = [endpoint for endpoint in service.endpoints if endpoint.label == text]
                return _addresses(question, (host.address for host in hosts)) if hosts else None
        return None

    def _service(self, question: Question, service: Service) -> Answer:
        if service.external_name:
            target = name_of(service.external_name)
            record = records.cname(question.name, target, TTL_S)
            return Answer((record,), alias=None if question.type == Type.CNAME else target)
        if service.cluster_ip is not None:
            return _addresses(question, (service.cluster_ip,))
        return _addresses(question, (endpoint.address for endpoint in service.endpoints))

    def _srv(self, question: Question, service: Service, port: str, protocol: str) -> Answer | None:
        """The targets of a named port: the service itself, or each endpoint of a headless one."""
        own = (service.name.encode(), service.namespace.encode(), _SERVICES, *self._origin)
        targets: dict[tuple[Name, int], IPv4Address] = {}
        if service.cluster_ip is not None:
            numbers = [each.number for each in service.ports if (each.name, each.protocol) == (port, protocol)]
            targets = {(own, number): service.cluster_ip for number in numbers}
        elif service.headless:
            for endpoint in service.endpoints:
                for each in endpoint.ports:
                    if (each.name, each.protocol) == (port, protocol):
                        targets[(endpoint.label.encode(), *own), each.number] = endpoint.address
        if not targets:
            return None
        if question.type != Type.SRV:
            return Answer()
        weight = max(1, _WEIGHT // len(targets))
        return Answer(
            tuple(records.srv(question.name, name, number, TTL_S, weight=weight) for name, number in targets),
            tuple(records.a(name, address, TTL_S) for (name, _), address in targets.items()),
        )

    # --- addresses ---------------------------------------------------------------------------------------------------

    def _reverse_zone(self, name: Name) -> Name | None:
        """The zone of a reverse name, if its address belongs to the cluster."""
        if name[-len(_REVERSE) :] != _REVERSE or not len(_REVERSE) < len(name) <= len(_REVERSE) + 4:
            return None
        octets = _octets(name[: -len(_REVERSE)])
        if octets is None:
            return None
        for network in self.settings.networks:
            # A zone ends at an octet. A part of the network that begins in the middle of one is several zones.
            count = max(1, -(-network.prefixlen // 8))
            if len(octets) >= count and _address(octets) in network:
                return name[-(count + len(_REVERSE)) :]
        # An endpoint may be outside of the cluster's networks: its name alone is ours.
        return name if len(octets) == 4 and _address(octets) in self._by_endpoint else None

    def _reverse(self, question: Question, name: Name) -> Answer | None:
        octets = _octets(name[: -len(_REVERSE)]) or ()
        if len(octets) < 4:
            return Answer()  # names of addresses may be below it
        address = _address(octets)
        names = [_service_name(key, self._origin) for key in sorted(self._by_cluster_ip.get(address, ()))]
        for key in sorted(self._by_endpoint.get(address, ())):
            own = _service_name(key, self._origin)
            labels = (each.label for each in self._services[key].endpoints if each.address == address)
            names += [(label.encode(), *own) for label in labels]
        if address == self.settings.address and not names:
            names.append((*_NS, *self._origin))
        if not names:
            return None
        return _of(question, *(records.ptr(question.name, target, TTL_S) for target in dict.fromkeys(names)))

    def _indexed(self, service: Service) -> Iterable[tuple[dict[IPv4Address, set[ServiceKey]], IPv4Address]]:
        if service.cluster_ip is not None:
            return ((self._by_cluster_ip, service.cluster_ip),)
        if service.headless:
            return tuple((self._by_endpoint, address) for address in {each.address for each in service.endpoints})
        return ()

    # --- answers without records -------------------------------------------------------------------------------------

    def _completed(self, question: Question, found: Answer | None, zone: Name) -> Answer:
        """The answer, with the SOA record if it has no records (RFC 2308)."""
        if found is not None and found.answers:
            return found
        # Its owner has the case of the question, so that it shares the question's bytes.
        own = question.name[len(question.name) - len(zone) :]
        rcode = Rcode.NXDOMAIN if found is None else Rcode.NOERROR
        return Answer(authorities=(self._soa(own, zone),), rcode=rcode)

    def _soa(self, owner: Name, zone: Name) -> Record:
        host, mailbox = (*_NS, *self._origin), (b"hostmaster", *zone)
        return records.soa(owner, host, mailbox, serial=self.serial, ttl=TTL_S)


def _service_name(key: ServiceKey, origin: Name) -> Name:
    return (key[1].encode(), key[0].encode(), _SERVICES, *origin)


def _ports(service: Service) -> tuple[Port, ...]:
    if service.cluster_ip is not None:
        return tuple(port for port in service.ports if port.name)
    return tuple(port for endpoint in service.endpoints for port in endpoint.ports if port.name)


def _addresses(question: Question, addresses: Iterable[IPv4Address]) -> Answer:
    return _of(question, *(records.a(question.name, address, TTL_S) for address in dict.fromkeys(addresses)))


def _of(question: Question, *found: Record) -> Answer:
    """Those of the records that the question asks for."""
    return Answer(tuple(record for record in found if record.type == question.type))


def _pod(question: Question, labels: Name) -> Answer | None:
    """`10-244-1-5.default.pod`. A namespace without services is not known here, so each one is accepted."""
    if len(labels) == 1:
        return Answer()
    if len(labels) > 2:
        return None
    try:
        address = IPv4Address(labels[0].decode("ascii").replace("-", "."))
    except ValueError:
        return None
    return _addresses(question, (address,))


def _octets(labels: Name) -> tuple[int, ...] | None:
    """The first octets of an address, from the labels of a reverse name."""
    try:
        octets = tuple(
            int(label) for label in reversed(labels) if label.isdigit() and str(int(label)).encode() == label
        )
    except ValueError:
        return None
    return octets if len(octets) == len(labels) and all(octet < 256 for octet in octets) else None


def _address(octets: tuple[int, ...]) -> IPv4Address:
    return IPv4Address(bytes((*octets, 0, 0, 0, 0)[:4]))
