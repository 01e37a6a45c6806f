"""Joining: from a token and the CA's hash to an identity on disk.

Owns the exchange with the master's REST port. Synchronous, as it runs before the agent's event loop. The CA is fetched
unverified and accepted by its hash; the token is sent over a verified connection only.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from agent.config import AgentConfig
from agent.identity import files, keys
from agent.identity.errors import JoinRefused, MasterAway
from agent.identity.files import Identity
from client.errors import ConnectionFailed, TrustFailed
from client.trust import trusted_access
from proto import contract

JOIN_PATH: Final = "/sampan/v1/join"
RETRY_S: Final = 0.05
"""At first: the master may be about to start."""
SLOW_RETRY_S: Final = 1.0
PATIENCE_S: Final = 10.0
"""For this long retries come every RETRY_S, then every SLOW_RETRY_S."""

_TIMEOUT_S: Final = 10.0
_MAX_ANSWER_BYTES: Final = 1 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a machine needs to join: the token (`id.secret`) and the hash that pins the cluster's CA."""

    token: str
    ca_hash: str

    def __repr__(self) -> str:
        return f"Ticket({self.token.partition('.')[0]}.…)"


def read_ticket(path: Path) -> Ticket:
    """Read a file of two lines, token and hash. Raises JoinRefused when it is not that."""
    remedy = "expected two lines: the token and the CA's hash; `sampan token create` prints both"
    try:
        lines = path.read_text().split()
    except OSError as error:
        raise JoinRefused(f"{path}: {error.strerror}; {remedy}") from error
    except UnicodeDecodeError as error:
        raise JoinRefused(f"{path}: not a text file; {remedy}") from error
    if len(lines) != 2:
        raise JoinRefused(f"{path}: {remedy}")
    ticket = Ticket(lines[0], lines[1])
    try:
        _check(ticket)
    except JoinRefused as error:
        raise JoinRefused(f"{path}: {error}") from error
    return ticket


def _check(ticket: Ticket) -> None:
    """Check the form of token and hash. Raises JoinRefused."""
    if not re.fullmatch(contract.TOKEN_PATTERN, ticket.token):
        raise JoinRefused("the token is not of the form abcdef.0123456789abcdef")
    if not re.fullmatch(re.escape(contract.CA_HASH_PREFIX) + "[0-9a-fA-F]{64}", ticket.ca_hash):
        raise JoinRefused("the CA's hash is not of the form sha256:HEX")


def join(config: AgentConfig, ticket: Ticket, *, wait: bool) -> Identity:
    """Become a node. `wait`: keep trying until the master answers. Raises JoinRefused, MasterAway."""
    _check(ticket)
    key, request = _request(config)
    started = time.monotonic()
    warned = False
    while True:
        try:
            answer, authority = _ask(config, ticket, request)
            break
        except MasterAway as error:
            if not wait:
                raise
            waited_s = time.monotonic() - started
            if waited_s > 1 and not warned:
                log.warning("waiting for the master: %s", error)
                warned = True
            time.sleep(RETRY_S if waited_s < PATIENCE_S else SLOW_RETRY_S)
    identity = _identity(config.node_name, key, authority, answer)
    files.save(config.state_dir, identity)
    log.info("node %s: joined cluster %s", identity.node_name, identity.cluster_id)
    return identity


def _request(config: AgentConfig) -> tuple[str, str]:
    """The pending key and the certificate request for it; a key that cannot be read is replaced."""
    try:
        key = files.pending_key(config.state_dir, keys.make_key)
        return key, keys.make_request(key, config.node_name)
    except ValueError as error:
        path = config.state_dir / files.PENDING_KEY
        log.warning("%s: %s; making a new key", path, error)
        path.unlink()
        key = files.pending_key(config.state_dir, keys.make_key)
        return key, keys.make_request(key, config.node_name)


def _ask(config: AgentConfig, ticket: Ticket, request: str) -> tuple[dict[str, Any], str]:
    """One try. Returns the answer and the CA that it was verified with."""
    try:
        access = trusted_access(config.master, ticket.ca_hash)
    except ConnectionFailed as error:
        raise MasterAway(str(error)) from error
    except TrustFailed as error:
        raise JoinRefused(str(error)) from error
    authority = (access.authority or b"").decode()
    body = json.dumps({"nodeName": config.node_name, "csr": request})
    headers = {"Authorization": f"Bearer {ticket.token}", "Content-Type": "application/json"}
    url = urlsplit(config.master)
    context = ssl.create_default_context(cadata=authority)
    connection = http.client.HTTPSConnection(url.hostname or "", url.port or 443, timeout=_TIMEOUT_S, context=context)
    try:
        connection.request("POST", JOIN_PATH, body, headers)
        response = connection.getresponse()
        text = response.read(_MAX_ANSWER_BYTES)
    except ssl.SSLCertVerificationError as error:
        raise JoinRefused(f"{config.master} could not prove that it is the master: {error.verify_message}") from error
    except (OSError, http.client.HTTPException) as error:
        raise MasterAway(f"no answer from {config.master}: {error}") from error
    finally:
        connection.close()
    return _answer(response.status, text), authority


def _answer(status: int, text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    message = str(body.get("message", "")) or f"the master answered {status}"
    if status >= 500 or status == 429:
        raise MasterAway(message)
    if status not in (200, 201):
        raise JoinRefused(message)
    return body


def _identity(node_name: str, key: str, authority: str, answer: dict[str, Any]) -> Identity:
    try:
        certificate = str(answer["certificate"])
        life = keys.certified(certificate, key_pem=key, authority_pem=authority, node_name=node_name)
        return Identity(
            node_name=node_name,
            cluster_id=str(answer["clusterId"]),
            session_address=str(answer["sessionAddress"]),
            # The pinned CA: the answer must not make this node trust any other.
            ca=authority,
            certificate=certificate,
            key=key,
            not_before=life.not_before,
            not_after=life.not_after,
        )
    except (KeyError, ValueError) as error:
        raise JoinRefused(f"the master's answer to the join is not usable: {error!r}") from error
