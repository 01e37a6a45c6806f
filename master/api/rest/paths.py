"""Paths that are not resources: health, metrics, version, discovery, OpenAPI, OpenID, the CA's certificate, joining."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from aiohttp import web

from master.api.errors import BadRequest, MethodNotAllowed, Unauthorized
from master.api.identity import Caller
from master.api.join import JoinService
from master.api.pipeline.authorization import Attributes, Authorizer
from master.api.rest import answers, bodies
from master.api.rest.aggregated import Aggregated, media_type, requested
from master.api.rest.bodies import Reader
from master.api.rest.discovery import Discovery
from master.api.rest.documents import Document, Kept, respond
from master.api.rest.health import Health
from master.api.rest.openid import OpenId
from master.api.rest.release import version
from master.api.rest.routes import no_such_path
from master.registry.registry import Registry

if TYPE_CHECKING:
    from master.api.rest.metrics import Metrics
    from master.api.rest.openapi import OpenApi

_JOIN = "/sampan/v1/join"
# A certificate request has a few hundred bytes. The limit is for unknown callers, who may send anything.
_MAX_JOIN_BYTES = 64 << 10


class Paths:
    """Handles requests for all paths that are not resources. `server`: host and port that clients should use."""

    def __init__(
        self,
        ca_pem: Callable[[], bytes],
        join: JoinService,
        registry: Registry,
        server: str,
        authorizer: Authorizer,
        health: Health,
        metrics: Callable[[], Metrics],
        reader: Reader,
        openid: OpenId,
    ) -> None:
        self._ca_pem = ca_pem
        self._join = join
        self._discovery = Discovery(registry, server)
        self._aggregated = Aggregated(registry, self._discovery)
        self._kept = Kept(registry)
        self._registry = registry
        self._authorizer = authorizer
        self._health = health
        self._make_metrics = metrics
        self._reader = reader
        self._openid = openid

    # Few clients ask for these, and to load them takes long. So they are made when they are first asked for.

    @cached_property
    def _openapi(self) -> OpenApi:
        from master.api.rest.openapi import OpenApi

        return OpenApi(self._registry)

    @cached_property
    def _metrics(self) -> Metrics:
        return self._make_metrics()

    async def handle(self, request: web.BaseRequest, caller: Caller, parts: list[str]) -> web.StreamResponse:
        """The response. Raises NotFound for an unknown path, and other ApiErrors."""
        path = "/" + "/".join(parts)
        if path == _JOIN:
            return await self._joining(request)
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        await self._authorizer.authorize(caller, Attributes("get", path=path))
        if path == "/sampan/v1/ca":
            return web.Response(body=self._ca_pem(), content_type="application/x-pem-file")
        health = await self._health.answer(parts, parse_qs(request.query_string, keep_blank_values=True))
        if health is not None:
            return health
        if parts[0] == "openapi":
            openapi = await self._openapi.answer(request, parts)
            if openapi is None:
                raise no_such_path()
            return openapi
        if path == "/metrics":
            return self._metrics.answer(request.headers.get("Accept", ""))
        openid = self._openid.answer(path)
        if openid is not None:
            return openid
        document = self._document(request, path, parts)
        if document is None:
            raise no_such_path()
        return respond(request, document)

    def _document(self, request: web.BaseRequest, path: str, parts: list[str]) -> Document | None:
        aggregated = requested(request.headers.get("Accept", "")) if path in ("/api", "/apis") else ""
        if not aggregated:
            return self._kept.get(path, lambda: _json(self._value(path, parts)))

        def make() -> Document:
            value = self._aggregated.document(aggregated, core=path == "/api")
            return Document.of(value, media_type(aggregated))

        return self._kept.get(f"{path} {aggregated}", make)

    def _value(self, path: str, parts: list[str]) -> Mapping[str, Any] | None:
        discovery = self._discovery
        if path == "/version":
            return version()
        if path == "/":
            others = ("/metrics", "/openapi/v2", "/openapi/v3", "/version", *self._openid.paths)
            return {"paths": sorted([*discovery.paths(), *self._health.paths(), *others])}
        match parts:
            case ["api"]:
                return discovery.api_versions()
            case ["apis"]:
                return discovery.groups()
            case ["api", version_name]:
                return discovery.resources("", version_name)
            case ["apis", group]:
                return discovery.group(group)
            case ["apis", group, version_name] if group:
                return discovery.resources(group, version_name)
            case _:
                return None

    async def _joining(self, request: web.BaseRequest) -> web.Response:
        """A machine with a bootstrap token asks to join as a node. The join service checks the token."""
        if request.method != "POST":
            raise MethodNotAllowed("joining is a POST")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Unauthorized: joining needs a bootstrap token (Authorization: Bearer id.secret)")
        value = bodies.parse(await self._reader.read(request, _MAX_JOIN_BYTES))
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


def _json(value: Mapping[str, Any] | None) -> Document | None:
    return None if value is None else Document.of(value)
