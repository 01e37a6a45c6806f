"""The cause of a failed pull, from the engine's text: pure functions.

Owns the causes that people must tell apart: the registry's host, TLS, credentials, a missing image, the rate limit, the
node's disk. The engine answers 404 and 500 for all of them, so only the text identifies the cause.
"""

from __future__ import annotations

from typing import Final

from agent.runtime.errors import ImageNotFound, InvalidImageName, PullFailed, RuntimeFault
from agent.runtime.references import Reference

_CAUSES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("no space is left on the node's disk", ("no space left on device", "disk quota exceeded")),
    ("the node's disk is read-only", ("read-only file system",)),
    ("the registry {host} limits the rate of pulls", ("toomanyrequests", "too many requests", "rate limit")),
    (
        "the registry {host} and this node do not agree on TLS",
        ("x509:", "tls:", "server gave http response to https client", "http request to an https server"),
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
            "network is unreachable",
            "i/o timeout",
            "client.timeout exceeded",
            "deadline exceeded",
            "timed out",
            ": eof",
        ),
    ),
)
"""In this order: the first that matches. Texts in lower case."""
_MISSING_OR_DENIED: Final = ("pull access denied", "requested access to the resource is denied")
_DENIED: Final = ("unauthorized", "authentication required", "no basic auth credentials", "denied", "forbidden")
_MISSING: Final = ("manifest unknown", "name unknown", "not found", "does not exist")


def pull_fault(text: str, image: str, reference: Reference, *, source: str) -> RuntimeFault:
    """The RuntimeFault for a failed pull; its message names the cause, and ends with the engine's text.

    `source`: where the credentials come from that were sent; empty if there were none.
    """
    # Without the image's name, which may read like a cause: `manifest for team/tls:1 not found`.
    lower = text.lower().replace(f"{reference.repository}:{reference.tag}".lower(), "")

    def message(cause: str) -> str:
        return f'Failed to pull image "{image}": {cause.format(host=reference.host)}: {text}'

    if "invalid reference format" in lower or "must be lowercase" in lower:
        return InvalidImageName(message("this is not an image reference"))
    for cause, texts in _CAUSES:
        if any(each in lower for each in texts):
            return PullFailed(message(cause))
    credentials = f"with the credentials of {source}" if source else "without credentials"
    if any(each in lower for each in _MISSING_OR_DENIED):
        return ImageNotFound(message(f"the registry {{host}} does not have it, or denies access {credentials}"))
    if any(each in lower for each in _DENIED):
        return PullFailed(message(f"the registry {{host}} denies access {credentials}"))
    if any(each in lower for each in _MISSING):
        return ImageNotFound(message("the registry {host} does not have it"))
    return PullFailed(f'Failed to pull image "{image}": {text}')
