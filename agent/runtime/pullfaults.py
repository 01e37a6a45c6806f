"""The cause of a failed pull, from the engine's text: pure functions.

Owns the causes that people must tell apart: the registry's host, its proxy, TLS, credentials, a missing image, the rate
limit, the node's disk. The engine answers 404 and 500 for all of them, so only the text identifies the cause.
"""

from __future__ import annotations

import re
from typing import Final

from agent.runtime.errors import ImageNotFound, InvalidImageName, PullDenied, PullFailed, RuntimeFault
from agent.runtime.references import Reference, divided

_CAUSES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("no space is left on the node's disk", ("no space left on device", "disk quota exceeded")),
    ("the node's disk is read-only", ("read-only file system",)),
    ("the node's disk fails", ("input/output error",)),
    ("the registry {host} limits the rate of pulls", ("toomanyrequests", "too many requests", "rate limit")),
    ("the proxy to the registry {host} cannot be used", ("proxyconnect", "proxy authentication required")),
    (
        "the registry {host} and this node do not agree on TLS",
        (
            "x509:",
            "tls:",
            "server gave http response to https client",
            "http request to an https server",
            "malformed http response",
        ),
    ),
    (
        "the registry {host} cannot be reached",
        (
            "no such host",
            "server misbehaving",
            "name resolution",
            "connection refused",
            "connection reset",
            "no route to host",
            "host is down",
            "host is unreachable",
            "network is unreachable",
            "i/o timeout",
            "tls handshake timeout",
            "client.timeout exceeded",
            "deadline exceeded",
            "request canceled",
            "timed out",
            ": eof",
            "unexpected eof",
        ),
    ),
    (
        "the registry {host} fails",
        (
            "internal server error",
            "bad gateway",
            "service unavailable",
            "gateway timeout",
            "gateway time-out",
        ),
    ),
)
"""In this order: the first that matches. Texts in lower case."""
_OTHER_PLATFORM: Final = ("no matching manifest for", "no match for platform", "for architecture ")
_MISSING_OR_DENIED: Final = (
    "pull access denied",
    "requested access to the resource is denied",
    "does not exist or no pull access",
)
_DENIED: Final = (
    "unauthorized",
    "not authorized",
    "authorization failed",
    "authentication required",
    "no basic auth credentials",
    "denied",
    "forbidden",
)
_MISSING: Final = ("manifest unknown", "name unknown", "not found", "does not exist", "not known to registry")


def pull_fault(text: str, image: str, reference: Reference, *, source: str) -> RuntimeFault:
    """The RuntimeFault for a failed pull; its message names the cause, and ends with the engine's text.

    `source`: where the credentials come from that were sent; empty if there were none.
    """
    lower = _without_names(text.lower(), reference)

    def message(cause: str) -> str:
        return f"{cause.format(host=reference.host)}: {text}"

    if "invalid reference format" in lower or "must be lowercase" in lower:
        return InvalidImageName(message(f'Failed to apply default image tag "{image}": not an image reference'))
    for cause, texts in _CAUSES:
        if any(each in lower for each in texts):
            return PullFailed(message(cause))
    credentials = f"with the credentials of {source}" if source else "without credentials"
    if any(each in lower for each in _OTHER_PLATFORM):
        return ImageNotFound(message("the registry {host} does not have it for this node's platform"))
    if any(each in lower for each in _MISSING_OR_DENIED):
        return PullDenied(message(f"the registry {{host}} does not have it, or denies access {credentials}"))
    if any(each in lower for each in _DENIED):
        return PullDenied(message(f"the registry {{host}} denies access {credentials}"))
    if any(each in lower for each in _MISSING):
        return ImageNotFound(message("the registry {host} does not have it"))
    return PullFailed(text)


def _without_names(text: str, reference: Reference) -> str:
    """The text without the image's name, which may read like a cause: `manifest for team/tls:1 not found`."""
    _, path = divided(reference.repository.lower())
    text = re.sub(rf"/v2/(?:library/)?{re.escape(path)}/\w+/", "/", text)
    places = (f"{reference.host}/library/{path}", f"{reference.host}/{path}", path)
    for name in (*(f"{place}:{reference.tag}".lower() for place in places), *places[:2]):
        text = text.replace(name, "")
    return text
