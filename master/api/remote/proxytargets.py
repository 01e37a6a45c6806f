"""The target of a request to a proxy: what its path says. Pure.

`/api/v1/namespaces/NS/pods/[SCHEME:]NAME[:PORT]/proxy[/PATH]` (k8s.io/apimachinery, pkg/util/net/port_split.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from master.api.errors import BadRequest
from master.api.rest.call import Call

_SCHEMES: Final = ("", "http", "https")


@dataclass(frozen=True, slots=True)
class ProxyTarget:
    """What the segment before `proxy` names, and the path behind it.

    `port`: a number or a name, or empty. `path`: encoded; empty, or with a slash at its start. `prefix`: what is before
    it, decoded.
    """

    scheme: str
    name: str
    port: str
    path: str
    prefix: str


def target_of(call: Call) -> ProxyTarget:
    """The target. Raises BadRequest."""
    route = call.route
    parts = route.name.split(":")
    if len(parts) > 3:
        parts = [""]
    scheme, name, port = parts if len(parts) == 3 else ("", *parts, "")[:3]
    if not name or scheme not in _SCHEMES:
        raise BadRequest(f'invalid {route.resource.singular} request "{route.name[:256]}"')
    raw = call.http.raw_path.partition("?")[0].lstrip("/")
    # api/v1/pods/NAME/proxy, or api/v1/namespaces/NS/pods/NAME/proxy
    depth = 7 if route.namespace else 5
    pieces = raw.split("/", depth)
    path = f"/{pieces[depth]}" if len(pieces) > depth else ""
    return ProxyTarget(scheme, name, port, path, "/" + unquote("/".join(pieces[:depth])))


def port_number(text: str) -> int:
    """The number of a port. Raises BadRequest."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 1 << 16):
        raise BadRequest(f'invalid port "{text[:64]}"')
    return int(text)
