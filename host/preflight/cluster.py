"""Asks a master before the host joins: whether it answers, its time, whether it is the right one, and whether it would
accept a join. The token is sent only over a connection that was verified by the CA's hash.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Network
from typing import Any, Final
from urllib.parse import urlsplit

from client.trust import CA_PATH, authorities
from host.config import API_PORT
from host.preflight.facts import Cidrs, Master

JOIN_PATH: Final = "/sampan/v1/join?dryRun=All"
_TIMEOUT_S: Final = 5.0
_MOST_BYTES: Final = 1 << 20
"""The longest response body that is read."""


@dataclass(frozen=True, slots=True)
class _Contact:
    """The first contact, unverified: the CA that the master sent, and the certificate of the connection."""

    authority: bytes
    certificate: bytes
    clock_ahead_s: float | None


def host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or API_PORT


def ask(url: str, ca_hash: str, token: str, body: Mapping[str, str]) -> tuple[Master, Cidrs | None]:
    """The master's answers; the cluster's networks when the token was valid."""
    master = Master(url)
    try:
        contact = _connect(url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return replace(master, problem=str(error) or type(error).__name__), None
    validity_problem = validity(contact, datetime.now(UTC))
    master = replace(master, clock_ahead_s=contact.clock_ahead_s, validity=validity_problem)
    authority = _trusted(contact, ca_hash)
    if ca_hash and not authority:
        master = replace(master, distrust=_distrust(url, contact, ca_hash))
    if not (ca_hash and token) or master.distrust or master.validity:
        return master, None
    try:
        status, answer = _try_join(url, authority, token, body)
    except ssl.SSLCertVerificationError as error:
        return replace(master, distrust=f"{url} cannot prove that it is the master: {error.verify_message}"), None
    except (OSError, http.client.HTTPException, ValueError) as error:
        return replace(master, problem=str(error) or type(error).__name__), None
    if status == http.client.UNAUTHORIZED:
        return replace(master, refusal=str(answer.get("message", "the token was refused"))), None
    if status != http.client.OK:
        return master, None  # a master of an earlier release, or a name that the preflight refuses as well
    master = replace(
        master, name_taken=str(answer.get("nameTaken", "")), address_taken_by=str(answer.get("addressTakenBy", ""))
    )
    return master, _cidrs(answer)


def _connect(url: str) -> _Contact:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, port = host_and_port(url)
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    try:
        connection.connect()
        certificate = connection.sock.getpeercert(binary_form=True) or b""
        begun = time.time()
        connection.request("GET", CA_PATH)
        answer = connection.getresponse()
        ended = time.time()
        body = answer.read(_MOST_BYTES)
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"it answered {answer.status} to {CA_PATH}: is it a Sampan master?")
    return _Contact(body, certificate, _ahead(answer.headers.get("Date"), begun, ended))


def _ahead(date: str | None, begun: float, ended: float) -> float | None:
    """By how many seconds this host is ahead. The header's seconds are rounded down, by half a second on average."""
    try:
        time_there = parsedate_to_datetime(date or "").timestamp() + 0.5
    except ValueError:
        return None
    return (begun + ended) / 2 - time_there


def validity(contact: _Contact, now: datetime) -> str:
    """Why a certificate of the master is not valid now; empty if both are."""
    from cryptography import x509

    try:
        certificates = {
            "its CA": x509.load_pem_x509_certificate(contact.authority),
            "its own": x509.load_der_x509_certificate(contact.certificate),
        }
    except ValueError:
        return ""
    for whose, certificate in certificates.items():
        if now < certificate.not_valid_before_utc:
            return f"{whose} begins at {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
        if now > certificate.not_valid_after_utc:
            return f"{whose} ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def _trusted(contact: _Contact, ca_hash: str) -> bytes:
    """The one authority with this hash; empty when the master did not send it."""
    try:
        return authorities(contact.authority).get(ca_hash.strip().lower(), b"")
    except ValueError:
        return b""


def _distrust(url: str, contact: _Contact, ca_hash: str) -> str:
    try:
        hashes = " or ".join(authorities(contact.authority))
    except ValueError:
        hashes = ""
    if not hashes:
        return f"{url} sent no certificate as its CA"
    return f"the CA of {url} is {hashes}, not {ca_hash}: another cluster, or a man in the middle"


def _try_join(url: str, authority: bytes, token: str, body: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    context = ssl.create_default_context(cadata=authority.decode())
    host, port = host_and_port(url)
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", JOIN_PATH, json.dumps(dict(body)), headers)
        answer = connection.getresponse()
        document = json.loads(answer.read(_MOST_BYTES))
    finally:
        connection.close()
    return answer.status, document if isinstance(document, dict) else {}


def _cidrs(answer: Mapping[str, Any]) -> Cidrs | None:
    try:
        return Cidrs(IPv4Network(answer["clusterCIDR"]), IPv4Network(answer["serviceCIDR"]), asked=True)
    except (KeyError, ValueError):
        return None
