"""The contract's calls without gRPC, one method each: a peer and a message in, a message out.

Owns the order of the checks (which peer, which session) and passes the work to sessions, nodes, reports and streams.
Refuses a call with a DispatchError, which server.py turns into a gRPC status.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from master.dispatch.accounttokens import AccountTokens
from master.dispatch.agentcalls import AgentCall
from master.dispatch.agentstreams import AgentStreams
from master.dispatch.departures import Departures
from master.dispatch.desired import DesiredState
from master.dispatch.errors import Denied, InvalidMessage, Stale
from master.dispatch.identities import Identities, Identity, with_certificate
from master.dispatch.join import certificate_of, issued_at
from master.dispatch.nodes import NodeDescription, Nodes
from master.dispatch.reports import Reports
from master.dispatch.sanity import (
    check_capacity,
    check_conditions,
    check_count,
    check_hello,
    check_pod_usages,
    check_usage,
)
from master.dispatch.sessions import Machine, Session, Sessions
from master.dispatch.trust import Trust
from master.pki import CsrRefused, Pki
from proto import contract
from proto.gen import session_pb2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Peer:
    """The caller, by the certificate of its connection."""

    node: str
    fingerprint: str
    certificate: str = ""
    """PEM."""


@dataclass(frozen=True, slots=True)
class MasterService:
    """The calls that the master serves to agents."""

    cluster_id: str
    identities: Identities
    sessions: Sessions
    nodes: Nodes
    desired: DesiredState
    reports: Reports
    streams: AgentStreams
    departures: Departures
    trust: Trust
    pki: Pki
    tokens: AccountTokens

    async def hello(self, peer: Peer, request: session_pb2.HelloRequest) -> session_pb2.HelloReply:
        """Opens a session."""
        version = contract.common_version(request.protocol_version, request.highest_protocol_version)
        if version is None:
            raise _no_common_version(request)
        if request.cluster_id != self.cluster_id:
            raise Denied("the agent belongs to another cluster; run `sampan reset` on its host, then join this cluster")
        check_hello(request)
        identity = await self._identity(peer)
        machine = Machine(request.node.machine_id, request.node.address)
        session = self.sessions.open(
            peer.node,
            machine,
            peer.fingerprint,
            removed=identity.removed,
            version=version,
            previous_id=request.previous_session_id,
            addresses=request.node.addresses,
        )
        try:
            await self._register(session, identity, request, version)
        except BaseException:
            self.sessions.close(session, "could not be opened")
            raise
        log.info("node %s: session %s from %s", session.node, session.id, machine.address)
        reply = session_pb2.HelloReply(
            protocol_version=version,
            cluster_id=self.cluster_id,
            session_id=session.id,
            periods=self.sessions.periods(),
            removed=identity.removed,
        )
        if version >= 2 and not identity.removed:
            self.trust.instruct(reply, request.trusted, identity, peer.fingerprint)
        return reply

    async def _register(
        self, session: Session, identity: Identity, request: session_pb2.HelloRequest, version: int
    ) -> None:
        if identity.removed:
            return
        known = identity.previous_fingerprint if session.fingerprint == identity.previous_fingerprint else ""
        trusted = tuple(request.trusted) if version >= 2 else ()
        changed = replace(identity, machine_id=request.node.machine_id, previous_fingerprint=known, trusted=trusted)
        if changed != identity and not await self.identities.replace(identity, changed):
            raise Stale(f"the identity of node {session.node} changed; say Hello again")
        await self.nodes.register(NodeDescription(session.node, identity.pod_cidr, request.node, request.capacity))
        current = await self.identities.get(session.node)
        if current is None or current.removed:
            # Deleted during the registration, which may have created the object again: delete that too.
            await self.nodes.unregister(session.node)
            raise Stale(f"node {session.node} was deleted meanwhile; say Hello again")

    def desired_stream(self, peer: Peer, request: session_pb2.DesiredRequest) -> AsyncIterator[bytes]:
        """The session's DesiredMessages, encoded."""
        return self.desired.stream(self._session(peer, request.session_id))

    async def heartbeat(self, peer: Peer, request: session_pb2.HeartbeatRequest) -> session_pb2.HeartbeatReply:
        """Notes that the agent is alive. The Node is written when the heartbeat reports something new."""
        session = self._session(peer, request.session_id)
        check_capacity(request.capacity)
        check_usage(request.usage)
        check_conditions(request.conditions)
        session.applied_revision = request.applied_revision
        if request.HasField("usage"):
            self.sessions.measured(session, request.usage)
        if request.HasField("pod_usages"):
            check_pod_usages(request.pod_usages)
            self.sessions.pods_measured(session, request.pod_usages)
        if not session.removed:
            await self.nodes.observed(peer.node, request.capacity, request.conditions)
        return session_pb2.HeartbeatReply(periods=self.sessions.periods())

    async def report_pods(self, peer: Peer, request: session_pb2.PodReport) -> session_pb2.PodReportReply:
        """Commits the statuses of pods."""
        session = self._session(peer, request.session_id)
        check_count("pod statuses", len(request.pods))
        unknown = await self.reports.pods(peer.node, request.pods, lambda: not session.end_reason)
        return session_pb2.PodReportReply(unknown=unknown)

    async def report_events(self, peer: Peer, request: session_pb2.EventReport) -> session_pb2.EventReply:
        """Records events."""
        self._session(peer, request.session_id)
        check_count("events", len(request.events))
        self.reports.record(peer.node, request.events)
        return session_pb2.EventReply()

    async def report_left(self, peer: Peer, request: session_pb2.LeftReport) -> session_pb2.LeftReply:
        """Frees the identity of a removed node whose agent has cleaned up."""
        session = self._session(peer, request.session_id)
        identity = await self._identity(peer)
        if not (session.removed and identity.removed):
            raise Stale(f"node {peer.node} has not been deleted; say Hello again")
        if not await self.identities.free(identity):
            raise Stale(f"the identity of node {peer.node} changed; say Hello again")
        self.sessions.forget(peer.node)
        return session_pb2.LeftReply()

    async def stream(self, peer: Peer, first: session_pb2.StreamUp, upstream: AgentCall) -> None:
        """Serves a log stream; `first` is its first message."""
        await self.streams.serve(self._session(peer, first.session_id), first, upstream)

    async def renew(self, peer: Peer, request: session_pb2.RenewRequest) -> session_pb2.RenewReply:
        """Signs a new certificate. The session goes on until the agent connects with the new certificate."""
        identity = await self._identity(peer)
        if identity.removed:
            raise Denied(f"node {peer.node} was deleted")
        try:
            certificate = self.pki.sign_node(request.csr, peer.node, trusted=identity.trusted)
        except CsrRefused as error:
            raise InvalidMessage(str(error)) from error
        known = replace(identity, previous_fingerprint=peer.fingerprint)
        renewed = with_certificate(known, certificate_of(certificate, self.pki))
        if not await self.identities.replace(identity, renewed):
            raise Stale(f"the identity of node {peer.node} changed; try again")
        return session_pb2.RenewReply(certificate=certificate, ca=self.pki.ca_pem.decode())

    async def token(self, peer: Peer, request: session_pb2.TokenRequest) -> session_pb2.TokenReply:
        """A token for a volume of one of the node's pods."""
        session = self._session(peer, request.session_id)
        if session.version < contract.TOKENS_SINCE:
            raise InvalidMessage(f"there are no tokens in sessions before version {contract.TOKENS_SINCE}")
        return self.tokens.issue(peer.node, request)

    async def membership(self, peer: Peer, request: session_pb2.MembershipRequest) -> session_pb2.MembershipReply:
        """The state of the peer's node in the cluster. With `uncordon`, first removes the cordon that a drain set."""
        identity = await self._asking(peer, request.machine)
        if request.uncordon:
            await self.departures.uncordon(identity)
        return self.departures.membership(identity)

    async def drain(self, peer: Peer, request: session_pb2.DrainRequest) -> session_pb2.DrainReply:
        """Drains the peer's node."""
        return await self.departures.drain(await self._asking(peer, request.machine))

    async def leave(self, peer: Peer, request: session_pb2.LeaveRequest) -> session_pb2.LeaveReply:
        """Removes the peer's node."""
        await self.departures.leave(await self._asking(peer, request.machine))
        return session_pb2.LeaveReply()

    async def _asking(self, peer: Peer, machine: session_pb2.Machine) -> Identity:
        """The identity of the peer's node, for a person at this machine. Raises Occupied for a copy of the machine."""
        identity = await self._identity(peer)
        self.departures.check(identity, machine)
        return identity

    def _session(self, peer: Peer, session_id: str) -> Session:
        session = self.sessions.require(peer.node, session_id, peer.fingerprint)
        self.sessions.beat(session)
        return session

    async def _identity(self, peer: Peer) -> Identity:
        """The peer's identity. Raises Denied unless the identity accepts the peer's certificate."""
        identity = await self.identities.get(peer.node)
        if identity is None:
            raise Denied(
                f"the cluster does not know node {peer.node}; its pods keep running. "
                "To join again, run `sampan reset` on its host, then join"
            )
        if peer.fingerprint == identity.fingerprint:
            return identity
        if peer.fingerprint == identity.previous_fingerprint:
            return identity  # the reply to its renewal was lost, or it has not reconnected yet
        if adopted := await self._renewed_since_the_backup(peer, identity):
            return adopted
        raise Denied(
            f"node {peer.node} has another certificate now, and this one is no longer accepted. If another machine "
            "has replaced this node, run `sampan reset` here"
        )

    async def _renewed_since_the_backup(self, peer: Peer, identity: Identity) -> Identity | None:
        """After a restore: the identity with the certificate that the node got after the backup was made.

        Our CA signed it, and it was the node's certificate; only the restored store does not know it.
        """
        span = await self.identities.restored() if peer.certificate else None
        if span is None or identity.removed:
            return None
        made_at, restored_at = span
        if not made_at <= issued_at(peer.certificate) <= restored_at:
            return None
        adopted = with_certificate(identity, certificate_of(peer.certificate, self.pki))
        if not await self.identities.replace(identity, adopted):
            raise Stale(f"the identity of node {peer.node} changed; try again")
        log.info("node %s: accepted its certificate, which is newer than the restored backup", peer.node)
        return await self.identities.get(peer.node)


def _no_common_version(request: session_pb2.HelloRequest) -> InvalidMessage:
    lowest, highest = request.protocol_version, request.highest_protocol_version
    agent = f"version {lowest}" if highest <= lowest else f"versions {lowest} to {highest}"
    older = "agent" if max(lowest, highest) < contract.OLDEST_PROTOCOL_VERSION else "master"
    return InvalidMessage(
        f"the agent speaks {agent} of the protocol, the master versions {contract.OLDEST_PROTOCOL_VERSION} to "
        f"{contract.PROTOCOL_VERSION}; upgrade the {older}"
    )
