"""The REST server: TLS, authentication, limits, and the conversion of errors. Paths and verbs are in rest/.

Owns the socket and the requests in progress. One server per process.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from master.api.errors import ApiError, InternalError, RequestTimeout
from master.api.identity import ANONYMOUS
from master.api.join import JoinService
from master.api.resources import Resources
from master.api.rest import answers
from master.api.rest.authentication import authenticate
from master.api.rest.bodies import Reader
from master.api.rest.call import Call
from master.api.rest.computed import ComputedReads
from master.api.rest.health import Health
from master.api.rest.impersonation import impersonate, is_impersonated
from master.api.rest.openid import OpenId
from master.api.rest.paths import Paths
from master.api.rest.reads import Reads
from master.api.rest.routes import Routes, no_such_path
from master.api.rest.slots import Slots
from master.api.rest.subresources import Connectors, Proxies, Subresources
from master.api.rest.tls import Front
from master.api.rest.traffic import Traffic, code_of, sort_of
from master.api.rest.verbs import Verbs
from master.api.rest.writes import Writes
from master.cache import NotServed
from master.clock import Clock, SystemClock
from master.config import MasterConfig
from master.pki import Pki
from master.registry.subresource import Connection, Proxy
from master.store.interface import StoreError

if TYPE_CHECKING:
    from master.api.rest.metrics import Metrics

# Limits of concurrent requests. Watches and followed logs, which last long, are counted separately.
MAX_REQUESTS = 400
MAX_STREAMS = 10000
# Time for clients to close their connections when the server stops.
_SHUTDOWN_S = 0.5
# The rest of a refused body is read and dropped for this time; a client that still sends would miss the response.
_LINGER_S = 2.0
_BACKLOG = 512
log = logging.getLogger(__name__)


class ApiServer:
    """Serves the API on the configured address. With port 0 it uses a free one, which is in `port`.

    `prepare(port)` makes the objects that every cluster has, before the first request is answered.
    """

    def __init__(
        self,
        config: MasterConfig,
        resources: Resources,
        pki: Pki,
        join: JoinService,
        *,
        connectors: Connectors,
        proxies: Proxies | None = None,
        prepare: Callable[[int], Awaitable[None]],
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._resources = resources
        self._clock = clock or SystemClock()
        self.ready = asyncio.Event()
        self._requests = Slots(MAX_REQUESTS, what="requests", retry_after_s=1)
        self._streams = Slots(MAX_STREAMS, what="watches", retry_after_s=5)
        self._prepare = prepare
        self._traffic = Traffic()
        self._routes = Routes(resources.registry)
        reader = Reader(config.request_timeout_s, self._requests)
        reads = Reads(resources.pipeline.authorizer, resources.cache, self._clock)
        writes = Writes(resources.pipeline, resources.cache, reader, reads)
        subresources = Subresources(resources, reads, writes, connectors, proxies or {})
        self._verbs = Verbs(reads, writes, subresources, ComputedReads(resources, reads))
        address = f"{config.address}:{config.api_port}"
        self._paths = Paths(
            lambda: pki.ca_pem,
            join,
            resources.registry,
            address,
            resources.pipeline.authorizer,
            Health({"serving": self._serving, "store": self._storing}),
            self._metrics,
            reader,
            OpenId(resources.tokens, address),
        )
        self._front = Front(pki)
        self.port = config.api_port

    def _metrics(self) -> Metrics:
        from master.api.rest.metrics import Metrics

        return Metrics(self._traffic, self._resources.cache, self._requests, self._streams)

    async def run(self) -> None:
        """Creates the objects that every cluster has, then serves until cancelled. Raises OSError."""
        # Bound first, so that clients meanwhile wait in the backlog instead of being refused.
        address = (self._config.listen_address, self._config.api_port)
        try:
            listener = socket.create_server(address, backlog=_BACKLOG)
        except OSError as error:
            raise OSError(f"cannot listen on API port {address[0]}:{address[1]}: {error.strerror}") from error
        self.port = listener.getsockname()[1]
        try:
            await self._prepare(self.port)
            await self._serve(listener)
        finally:
            listener.close()

    async def _serve(self, listener: socket.socket) -> None:
        server = web.Server(
            self.handle,
            # A watch must end when its client disconnects.
            handler_cancellation=True,
            access_log=None,
            logger=_http_log(),
            keepalive_timeout=self._config.idle_timeout_s,
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            # The kernel closes a connection whose client reads nothing for this time.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._config.stalled_timeout_s * 1000))
            site = _Site(runner, listener, self._front.context, handshake_timeout_s=self._config.idle_timeout_s)
            await site.start()
            self.ready.set()
            log.info("serving the API on %s:%d", self._config.listen_address, self.port)
            await asyncio.Event().wait()
        finally:
            self.ready.clear()
            await runner.cleanup()

    async def _serving(self) -> str:
        """A check of health: whether the server has begun to serve and has not begun to stop."""
        return "" if self.ready.is_set() else "not ready"

    async def _storing(self) -> str:
        """A check of health: whether the store can be written."""
        try:
            await self._resources.store.check()
        except StoreError as error:
            return f"the store cannot be written: {error}"
        return ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handles any request. Errors become a Status."""
        try:
            return await self._dispatch(request)
        except ApiError as error:
            answer = answers.failure(error)
            if isinstance(error, RequestTimeout):
                # Do not wait for the rest of the request.
                answer.force_close()
            return answer
        except NotServed:
            # The kind went away during the request.
            return answers.failure(no_such_path())
        except (ConnectionError, asyncio.CancelledError):
            # The client has disconnected, or the server stops.
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return answers.failure(InternalError("an internal error occurred; the master's log has the details"))

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        target = self._routes.find(request.raw_path)
        # A join request has a bootstrap token, which does not identify a caller.
        if target.parts[0] == "sampan":
            caller = ANONYMOUS
        else:
            caller = authenticate(request, self._resources.tokens)
            if is_impersonated(request):
                caller = await impersonate(caller, request, self._resources.pipeline.authorizer)
        if not target.is_resource:
            with self._requests:
                return await self._paths.handle(request, caller, target.parts)
        if target.route is None:
            raise no_such_path()
        query = target.query
        call = Call(request, caller, target.route, query)
        # Only a GET, an upgrade or the proxy can last long. Other requests may have a body, and the reader frees their
        # slot meanwhile.
        follows = request.method == "GET" and (query.flag("watch") or query.flag("follow"))
        subresource = call.route.subresource
        streams = (
            follows
            or isinstance(subresource, Proxy)
            or ("Upgrade" in request.headers and isinstance(subresource, Connection))
        )
        return await self._counted(call, streams=streams)

    async def _counted(self, call: Call, *, streams: bool) -> web.StreamResponse:
        """Handles a request for a resource, within the limit of its sort, and counts it."""
        sort = sort_of(call, streams=streams)
        began = perf_counter()
        try:
            if streams:
                with self._streams, self._traffic.streaming(sort):
                    response = await self._verbs.handle(call)
            else:
                with self._requests:
                    response = await self._verbs.handle(call)
        except BaseException as error:
            self._traffic.count(sort, code_of(error), perf_counter() - began)
            raise
        self._traffic.count(sort, response.status, perf_counter() - began)
        return response


class _Site(web.SockSite):
    """A TLS socket with a time limit for the handshake, for which aiohttp has no parameter."""

    def __init__(
        self, runner: web.ServerRunner, listener: socket.socket, context: SSLContext, *, handshake_timeout_s: float
    ) -> None:
        super().__init__(runner, listener, ssl_context=context)
        self._handshake_timeout_s = handshake_timeout_s

    async def start(self) -> None:
        await web.BaseSite.start(self)
        assert self._runner.server is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server,
            sock=self._sock,
            ssl=self._ssl_context,
            backlog=_BACKLOG,
            ssl_handshake_timeout=self._handshake_timeout_s,
        )


def _http_log() -> logging.Logger:
    """A logger for aiohttp that turns the tracebacks of malformed and aborted requests into debug lines.

    Any client can cause such tracebacks.
    """

    def shorten(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            # The request is malformed, or the client disconnected during the response.
            message = error.message if isinstance(error, HttpProcessingError) else str(error)
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
            record.msg, record.args, record.exc_info = (
                "request cut off or malformed: %s",
                (message.split("\n")[0],),
                None,
            )
            return logger.isEnabledFor(logging.DEBUG)
        return True

    logger = logging.getLogger(f"{__name__}.http")
    logger.filters = [shorten]
    return logger
