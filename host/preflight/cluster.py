"""Asks a master before anybody joins: does it answer, what does its clock say, is it the right one, and what would
become of a join. The token goes over a connection that was verified by the CA's hash, and no other.
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


@dataclass(frozen=True, slots=True)
class _Met:
    """The first contact, unverified: the CA that it sent, and the certificate that it showed."""

    authority: bytes
    shown: bytes
    clock_ahead_s: float | None


def host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or API_PORT


def ask(url: str, ca_hash: str, token: str, body: Mapping[str, str]) -> tuple[Master, Cidrs | None]:
    """What the master says; the cluster's networks when the token was good."""
    found = Master(url)
    try:
        met = _meet(url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return replace(found, problem=str(error) or type(error).__name__), None
    found = replace(found, clock_ahead_s=met.clock_ahead_s, validity=validity(met, datetime.now(UTC)))
    authority = _trusted(met, ca_hash)
    if ca_hash and not authority:
        found = replace(found, distrust=_distrust(url, met, ca_hash))
    if not (ca_hash and token) or found.distrust or found.validity:
        return found, None
    try:
        status, answer = _try_join(url, authority, token, body)
    except ssl.SSLCertVerificationError as error:
        return replace(found, distrust=f"{url} does not prove to be the master: {error.verify_message}"), None
    except (OSError, http.client.HTTPException, ValueError) as error:
        return replace(found, problem=str(error) or type(error).__name__), None
    if status == http.client.UNAUTHORIZED:
        return replace(found, refusal=str(answer.get("message", "the token was refused"))), None
    if status != http.client.OK:
        return found, None  # a master of an earlier release, or a name that is judged here too
    found = replace(
        found, name_taken=str(answer.get("nameTaken", "")), address_taken_by=str(answer.get("addressTakenBy", ""))
    )
    return found, _cidrs(answer)


def _meet(url: str) -> _Met:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, port = host_and_port(url)
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    try:
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True) or b""
        begun = time.time()
        connection.request("GET", CA_PATH)
        answer = connection.getresponse()
        ended = time.time()
        body = answer.read(_MOST_BYTES)
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"it answered {answer.status} to {CA_PATH}: is it a Sampan master?")
    return _Met(body, shown, _ahead(answer.headers.get("Date"), begun, ended))


def _ahead(date: str | None, begun: float, ended: float) -> float | None:
    """Seconds that this host is ahead. The header has whole seconds, cut off: half of one in the mean."""
    try:
        told = parsedate_to_datetime(date or "").timestamp() + 0.5
    except ValueError:
        return None
    return (begun + ended) / 2 - told


def validity(met: _Met, now: datetime) -> str:
    """Why a certificate of the master's is not good now; empty: they are."""
    from cryptography import x509

    try:
        certificates = {
            "its CA": x509.load_pem_x509_certificate(met.authority),
            "its own": x509.load_der_x509_certificate(met.shown),
        }
    except ValueError:
        return ""
    for whose, certificate in certificates.items():
        if now < certificate.not_valid_before_utc:
            return f"{whose} begins at {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
        if now > certificate.not_valid_after_utc:
            return f"{whose} ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def _trusted(met: _Met, ca_hash: str) -> bytes:
    """The one authority with this hash; empty when the master did not send it."""
    try:
        return authorities(met.authority).get(ca_hash.strip().lower(), b"")
    except ValueError:
        return b""


def _distrust(url: str, met: _Met, ca_hash: str) -> str:
    try:
        found = " or ".join(authorities(met.authority))
    except ValueError:
        found = ""
    if not found:
        return f"{url} sent no certificate as its CA"
    return f"the CA of {url} is {found}, not {ca_hash}: another cluster, or somebody in between"


def _try_join(url: str, authority: bytes, token: str, body: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    context = ssl.create_default_context(cadata=authority.decode())
    host, port = host_and_port(url)
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", JOIN_PATH, json.dumps(dict(body)), headers)
        answer = connection.getresponse()
        found = json.loads(answer.read(_MOST_BYTES))
    finally:
        connection.close()
    return answer.status, found if isinstance(found, dict) else {}


def _cidrs(answer: Mapping[str, Any]) -> Cidrs | None:
    try:
        return Cidrs(IPv4Network(answer["clusterCIDR"]), IPv4Network(answer["serviceCIDR"]), asked=True)
    except (KeyError, ValueError):
        return None
