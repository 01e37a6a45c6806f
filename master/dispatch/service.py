"""The contract's calls, one method each, free of gRPC: a speaker and a message in, a message out.

Owns the order of checks (who speaks, which session) and hands the work to sessions, nodes, reports and streams. What
it refuses is a DispatchError; server.py turns that into a status on the wire.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from master.dispatch.departures import Departures
from master.dispatch.desired import DesiredState
from master.dispatch.errors import Denied, Misfit, Stale
from master.dispatch.identities import Identities, Identity, with_certificate
from master.dispatch.join import certificate_of, issued_at
from master.dispatch.nodes import Described, Nodes
from master.dispatch.reports import Reports
from master.dispatch.sanity import check_capacity, check_conditions, check_count, check_hello
from master.dispatch.sessions import Machine, Session, Sessions
from master.dispatch.streams import LogStreams, Upstream
from master.dispatch.trust import Trust
from master.pki import CsrRefused, Pki
from proto import contract
from proto.gen import session_pb2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who calls, by the certificate of the connection."""

    node: str
    fingerprint: str
    certificate: str = ""
    """PEM."""


@dataclass(frozen=True, slots=True)
class MasterService:
    """What agents can ask of the master."""

    cluster_id: str
    identities: Identities
    sessions: Sessions
    nodes: Nodes
    desired: DesiredState
    reports: Reports
    streams: LogStreams
    departures: Departures
    trust: Trust
    pki: Pki

    async def hello(self, speaker: Speaker, request: session_pb2.HelloRequest) -> session_pb2.HelloReply:
        """Open a session."""
        version = contract.common_version(request.protocol_version, request.highest_protocol_version)
        if version is None:
            raise _no_common_version(request)
        if request.cluster_id != self.cluster_id:
            raise Denied("the agent belongs to another cluster; `sampan reset` there, then join this one")
        check_hello(request)
        identity = await self._identity(speaker)
        machine = Machine(request.node.machine_id, request.node.address)
        session = self.sessions.open(
            speaker.node,
            machine,
            speaker.fingerprint,
            removed=identity.removed,
            previous_id=request.previous_session_id,
            addresses=request.node.addresses,
        )
        try:
            await self._settle(session, identity, request, version)
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
            self.trust.tell(reply, request.trusted, identity, speaker.fingerprint)
        return reply

    async def _settle(
        self, session: Session, identity: Identity, request: session_pb2.HelloRequest, version: int
    ) -> None:
        if identity.removed:
            return
        known = identity.previous_fingerprint if session.fingerprint == identity.previous_fingerprint else ""
        trusted = tuple(request.trusted) if version >= 2 else ()
        changed = replace(identity, machine_id=request.node.machine_id, previous_fingerprint=known, trusted=trusted)
        if changed != identity and not await self.identities.replace(identity, changed):
            raise Stale(f"the identity of node {session.node} changed; say Hello again")
        await self.nodes.register(Described(session.node, identity.pod_cidr, request.node, request.capacity))
        current = await self.identities.get(session.node)
        if current is None or current.removed:
            # Deleted while it was being registered: the object that was made of it in between must not stay.
            await self.nodes.unregister(session.node)
            raise Stale(f"node {session.node} was deleted meanwhile; say Hello again")

    def desired_stream(self, speaker: Speaker, request: session_pb2.DesiredRequest) -> AsyncIterator[bytes]:
        """Encoded DesiredMessages."""
        return self.desired.stream(self._session(speaker, request.session_id))

    async def heartbeat(self, speaker: Speaker, request: session_pb2.HeartbeatRequest) -> session_pb2.HeartbeatReply:
        """The agent is alive; its node is written when it says something new."""
        session = self._session(speaker, request.session_id)
        check_capacity(request.capacity)
        check_conditions(request.conditions)
        session.applied_revision = request.applied_revision
        if not session.removed:
            await self.nodes.observed(speaker.node, request.capacity, request.conditions)
        return session_pb2.HeartbeatReply(periods=self.sessions.periods())

    async def report_pods(self, speaker: Speaker, request: session_pb2.PodReport) -> session_pb2.PodReportReply:
        """Commit statuses."""
        session = self._session(speaker, request.session_id)
        check_count("pod statuses", len(request.pods))
        unknown = await self.reports.pods(speaker.node, request.pods, lambda: not session.end_reason)
        return session_pb2.PodReportReply(unknown=unknown)

    async def report_events(self, speaker: Speaker, request: session_pb2.EventReport) -> session_pb2.EventReply:
        """Hand events on."""
        self._session(speaker, request.session_id)
        check_count("events", len(request.events))
        self.reports.record(speaker.node, request.events)
        return session_pb2.EventReply()

    async def report_left(self, speaker: Speaker, request: session_pb2.LeftReport) -> session_pb2.LeftReply:
        """Free the identity of a node that has cleaned up."""
        session = self._session(speaker, request.session_id)
        identity = await self._identity(speaker)
        if not (session.removed and identity.removed):
            raise Stale(f"node {speaker.node} has not been deleted; say Hello again")
        if not await self.identities.free(identity):
            raise Stale(f"the identity of node {speaker.node} changed; say Hello again")
        self.sessions.forget(speaker.node)
        return session_pb2.LeftReply()

    async def stream(self, speaker: Speaker, first: session_pb2.StreamUp, upstream: Upstream) -> None:
        """One log stream, from its first message on."""
        self._session(speaker, first.session_id)
        await self.streams.serve(speaker.node, first.stream_id, upstream)

    async def renew(self, speaker: Speaker, request: session_pb2.RenewRequest) -> session_pb2.RenewReply:
        """A new certificate in the old one's place; the session goes on until the agent connects with it."""
        identity = await self._identity(speaker)
        if identity.removed:
            raise Denied(f"node {speaker.node} was deleted")
        try:
            certificate = self.pki.sign_node(request.csr, speaker.node, trusted=identity.trusted)
        except CsrRefused as error:
            raise Misfit(str(error)) from error
        known = replace(identity, previous_fingerprint=speaker.fingerprint)
        renewed = with_certificate(known, certificate_of(certificate, self.pki))
        if not await self.identities.replace(identity, renewed):
            raise Stale(f"the identity of node {speaker.node} changed; try again")
        return session_pb2.RenewReply(certificate=certificate, ca=self.pki.ca_pem.decode())

    async def membership(self, speaker: Speaker, request: session_pb2.MembershipRequest) -> session_pb2.MembershipReply:
        """How the master sees the speaker's node, which may have to be uncordoned before."""
        identity = await self._asking(speaker, request.machine)
        if request.uncordon:
            await self.departures.uncordon(identity)
        return self.departures.standing(identity)

    async def drain(self, speaker: Speaker, request: session_pb2.DrainRequest) -> session_pb2.DrainReply:
        """Empty the speaker's node."""
        return await self.departures.drain(await self._asking(speaker, request.machine))

    async def leave(self, speaker: Speaker, request: session_pb2.LeaveRequest) -> session_pb2.LeaveReply:
        """Remove the speaker's node."""
        await self.departures.leave(await self._asking(speaker, request.machine))
        return session_pb2.LeaveReply()

    async def _asking(self, speaker: Speaker, machine: session_pb2.Machine) -> Identity:
        """Of the node that a person at this machine asks for."""
        identity = await self._identity(speaker)
        self.departures.check(identity, machine)
        return identity

    def _session(self, speaker: Speaker, session_id: str) -> Session:
        session = self.sessions.require(speaker.node, session_id, speaker.fingerprint)
        self.sessions.beat(session)
        return session

    async def _identity(self, speaker: Speaker) -> Identity:
        """The speaker's identity, when this very certificate is the one that stands there."""
        identity = await self.identities.get(speaker.node)
        if identity is None:
            raise Denied(
                f"the cluster does not know node {speaker.node}; what runs there is left alone. "
                "To join anew: `sampan reset` there, then join"
            )
        if speaker.fingerprint == identity.fingerprint:
            return identity
        if speaker.fingerprint == identity.previous_fingerprint:
            return identity  # the answer to its renewal was lost, or it has not reconnected yet
        if adopted := await self._renewed_since_the_backup(speaker, identity):
            return adopted
        raise Denied(
            f"node {speaker.node} has another certificate now; this one is no longer accepted. Where another machine "
            "has taken the node's place, `sampan reset` cleans this one"
        )

    async def _renewed_since_the_backup(self, speaker: Speaker, identity: Identity) -> Identity | None:
        """After a restore: the identity with the certificate that the node got after the backup was made.

        It was ours then, as it is signed by our CA; the store has only forgotten it.
        """
        span = await self.identities.restored() if speaker.certificate else None
        if span is None or identity.removed:
            return None
        made_at, restored_at = span
        if not made_at <= issued_at(speaker.certificate) <= restored_at:
            return None
        adopted = with_certificate(identity, certificate_of(speaker.certificate, self.pki))
        if not await self.identities.replace(identity, adopted):
            raise Stale(f"the identity of node {speaker.node} changed; try again")
        log.info("node %s: its certificate is younger than the backup that was restored, and taken over", speaker.node)
        return await self.identities.get(speaker.node)


def _no_common_version(request: session_pb2.HelloRequest) -> Misfit:
    lowest, highest = request.protocol_version, request.highest_protocol_version
    agent = f"version {lowest}" if highest <= lowest else f"versions {lowest} to {highest}"
    older = "agent" if max(lowest, highest) < contract.OLDEST_PROTOCOL_VERSION else "master"
    return Misfit(
        f"the agent speaks {agent} of the protocol, the master versions {contract.OLDEST_PROTOCOL_VERSION} to "
        f"{contract.PROTOCOL_VERSION}; upgrade the {older}"
    )
