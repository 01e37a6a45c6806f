"""Asks the master for tokens of service accounts, over the session that is open."""

from __future__ import annotations

from typing import Final

from agent.errors import AgentError, MasterAway
from agent.model import Pod, TokenSource
from agent.session.channel import Master
from agent.session.errors import SessionError
from agent.wire.errors import Garbled
from proto import contract
from proto.gen import session_pb2

TIMEOUT_S: Final = 10.0
_LONGEST_S: Final = 1 << 32


class NoToken(AgentError):
    """The master gives no token now."""


class SessionTokens:
    """Implements TokenIssuer of agent/pods."""

    def __init__(self) -> None:
        self._session: tuple[Master, str, int] | None = None

    def opened(self, master: Master, hello: session_pb2.HelloReply) -> None:
        """A session has begun."""
        self._session = master, hello.session_id, hello.protocol_version

    def closed(self) -> None:
        """The session has ended."""
        self._session = None

    async def issue(self, pod: Pod, source: TokenSource) -> tuple[bytes, float]:
        """A token of the pod's account, and its lifetime in seconds. Raises NoToken, MasterAway."""
        if self._session is None:
            raise MasterAway("no session with the master")
        master, session_id, version = self._session
        if version < contract.TOKENS_SINCE:
            raise NoToken("the master gives no tokens; upgrade it")
        request = session_pb2.TokenRequest(
            session_id=session_id,
            pod_uid=pod.uid,
            namespace=pod.namespace,
            pod=pod.name,
            audience=source.audience,
            expiration_s=source.expiration_s,
        )
        try:
            reply = await master.token(request, TIMEOUT_S)
        except (SessionError, Garbled) as error:
            raise NoToken(str(error)) from error
        if not reply.token or not 0 < reply.lifetime_s <= _LONGEST_S:
            raise NoToken(f"the master's token is valid for {reply.lifetime_s} s")
        return reply.token.encode(), float(reply.lifetime_s)
