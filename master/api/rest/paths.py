"""Paths that are not resources: health, version, discovery, the CA's certificate, joining."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from master.api.authorize import Attributes, authorize
from master.api.errors import BadRequest, MethodNotAllowed, Unauthorized
from master.api.identity import Caller
from master.api.join import JoinService
from master.api.rest import answers, bodies, discovery
from master.api.rest.bodies import Reader
from master.api.rest.routes import GROUP_VERSIONS, no_such_path

_JOIN = "/sampan/v1/join"
# A certificate request has a few hundred bytes. The limit is for unknown callers, who may send anything.
_MAX_JOIN_BYTES = 64 << 10


class Paths:
    """Handles requests for all paths that are not resources."""

    def __init__(
        self,
        ca_pem: Callable[[], bytes],
        join: JoinService,
        address: str,
        trouble: Callable[[], Awaitable[str]],
        reader: Reader,
    ) -> None:
        self._ca_pem = ca_pem
        self._join = join
        self._address = address
        self._trouble = trouble
        self._reader = reader

    async def handle(self, request: web.BaseRequest, caller: Caller, parts: list[str]) -> web.StreamResponse:
        """The response. Raises NotFound for an unknown path, and other ApiErrors."""
        path = "/" + "/".join(parts)
        if path == _JOIN:
            return await self._joining(request)
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        authorize(caller, Attributes("get", path=path))
        if path == "/sampan/v1/ca":
            return web.Response(body=self._ca_pem(), content_type="application/x-pem-file")
        if path in ("/healthz", "/livez"):
            return web.Response(text="ok")
        if path == "/readyz":
            trouble = await self._trouble()
            return web.Response(text=trouble or "ok", status=503 if trouble else 200)
        return self._discovery(path, parts)

    def _discovery(self, path: str, parts: list[str]) -> web.Response:
        if path == "/version":
            return answers.json(discovery.version())
        if path == "/":
            paths = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/readyz", "/version"]
            return answers.json({"paths": paths + [f"/apis/{group}/{version}" for group, version in _named()]})
        if path == "/api":
            return answers.json(discovery.api_versions(self._address))
        if path == "/apis":
            return answers.json(discovery.groups())
        if parts[0] == "api" and len(parts) == 2 and ("", parts[1]) in GROUP_VERSIONS:
            return answers.json(discovery.resources("", parts[1]))
        if parts[0] == "apis" and len(parts) == 3 and (parts[1], parts[2]) in _named():
            return answers.json(discovery.resources(parts[1], parts[2]))
        if parts[0] == "apis" and len(parts) == 2 and any(group == parts[1] for group, _ in _named()):
            return answers.json(discovery.group(parts[1]))
        raise no_such_path()

    async def _joining(self, request: web.BaseRequest) -> web.Response:
        """A machine with a bootstrap token asks to join as a node. The join service checks the token."""
        if request.method != "POST":
            raise MethodNotAllowed("joining is a POST")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Unauthorized: joining needs a bootstrap token (Authorization: Bearer id.secret)")
        value = bodies.parse(await self._reader.read(request, _MAX_JOIN_BYTES), "application/json")
        if not isinstance(value, dict):
            raise BadRequest("the body must be an object with nodeName and csr")
        if "dryRun" in request.query:
            return await self._prospect(token.strip(), value)
        name, csr = value.get("nodeName"), value.get("csr")
        if not isinstance(name, str) or not isinstance(csr, str):
            raise BadRequest("the body must be an object with nodeName and csr, both text")
        answer = await self._join.join(token.strip(), name, csr)
        return answers.json(
            {
                "certificate": answer.certificate,
                "ca": answer.ca,
                "clusterId": answer.cluster_id,
                "sessionAddress": answer.session_address,
            }
        )

    async def _prospect(self, token: str, value: dict[str, object]) -> web.Response:
        """The prospective result of a join. Machines request it before they write anything to their disk."""
        fields = [value.get(key, "") for key in ("nodeName", "address", "publicKey")]
        name, address, public_key = (field if isinstance(field, str) else "" for field in fields)
        prospect = await self._join.prospect(token, name, address, public_key)
        return answers.json(
            {
                "clusterCIDR": prospect.cluster_cidr,
                "serviceCIDR": prospect.service_cidr,
                "nameTaken": prospect.name_taken,
                "addressTakenBy": prospect.address_taken_by,
            }
        )


def _named() -> list[tuple[str, str]]:
    return [key for key in GROUP_VERSIONS if key[0]]
