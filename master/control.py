"""The control socket for the administrator of the master's host: certificates and backups.

Owns the Unix socket `control` in the data directory. It serves root and the master's own user, who can read the files
beside it anyway, because a backup contains the CA's key. The kernel reports the peer's user and no certificate is
needed, so that the socket works also when the certificates are broken. Replies are JSON; an error has a `message`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from master import backup
from master.administration import SOCKET
from master.dispatch.identities import Identities
from master.dispatch.trust import Trust
from master.pki import Pki, PkiError, RotationRefused
from master.store.errors import StoreError
from master.store.sqlite import SqliteStore
from proto.contract import node_user

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Control:
    """Serves the control socket."""

    pki: Pki
    trust: Trust
    identities: Identities
    store: SqliteStore
    cluster_id: str
    config_path: Path | None

    async def run(self) -> None:
        """Serves until cancelled."""
        data_dir = self.pki.config.data_dir
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), handle_signals=False)
        await runner.setup()
        listener = _listen(data_dir)
        try:
            await web.SockSite(runner, listener).start()
            await asyncio.Event().wait()
        finally:
            (data_dir / SOCKET).unlink(missing_ok=True)
            await runner.cleanup()
            listener.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if not _is_permitted(request):
            return _answer(403, message="only root and the master's own user may do this")
        try:
            match request.method, request.path:
                case "GET", "/certs":
                    return _answer(200, **await self._certificates())
                case "POST", "/certs/rotate":
                    name = request.query.get("name", "")
                    return _answer(200, message=await self._rotate(name, finish="finish" in request.query))
                case "GET", "/backup":
                    return await self._backup(request)
            return _answer(404, message=f"unknown request: {request.method} {request.path}")
        except RotationRefused as error:
            return _answer(409, message=str(error))
        except ConnectionError:
            raise  # the client is gone
        except (PkiError, StoreError, OSError) as error:
            log.error("%s %s: %s", request.method, request.path, error)
            return _answer(500, message=str(error))

    async def _certificates(self) -> dict[str, Any]:
        own = [
            {
                "name": certificate.name,
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "notAfter": certificate.not_after.isoformat(),
                "file": certificate.file,
            }
            for certificate in self.pki.describe()
        ]
        waiting = await self.trust.waiting() if self.pki.rotating else {}
        names = {ca.fingerprint: ca.certificate.issuer.rfc4514_string() for ca in self.pki.authorities}
        nodes = [
            {
                "name": f"node/{identity.name}",
                "subject": f"CN={node_user(identity.name)}",
                "issuer": names.get(identity.issuer, ""),
                "notAfter": identity.not_after,
                "file": "",
            }
            for identity in await self.identities.all()
            if not identity.removed
        ]
        return {"certificates": own + nodes, "rotating": self.pki.rotating, "waiting": waiting}

    async def _rotate(self, name: str, *, finish: bool) -> str:
        """Rotates a certificate and returns a message about it. Raises RotationRefused, PkiError, StoreError."""
        if finish:
            if name != "ca":
                raise RotationRefused("--finish is for the CA only")
            await self.trust.finish()
            return f"the old CA is not trusted any more; the CA hash for join commands is now {self.pki.ca_hash}"
        match name:
            case "ca":
                await self.trust.begin()
                return "a new CA is trusted beside the old one, and every node is asked to renew its certificate"
            case "server" | "admin":
                self.pki.rotate(name)
                return f"the {name} certificate was renewed"
            case "all":
                self.pki.rotate("server")
                self.pki.rotate("admin")
                nodes = [identity.name for identity in await self.identities.all() if not identity.removed]
                for node in nodes:
                    await self.trust.renew(node)
                return f"the server and admin certificates were renewed; {len(nodes)} nodes are asked to renew theirs"
        node = name.removeprefix("node/")
        if not await self.trust.renew(node):
            raise RotationRefused(f"there is no certificate {name!r}: server, admin, ca, all, or a node's name")
        return f"node {node} is asked to renew its certificate"

    async def _backup(self, request: web.BaseRequest) -> web.StreamResponse:
        """Sends the archive. It is complete before the first byte is sent, so that an error can still be reported."""
        source = backup.Source(self.pki, self.store, self.cluster_id, self.config_path)
        with contextlib.closing(await source.write()) as archive:
            response = web.StreamResponse()
            response.content_length = os.fstat(archive.fileno()).st_size
            await response.prepare(request)
            while chunk := await asyncio.to_thread(archive.read, 1 << 20):
                await response.write(chunk)
            return response


def _listen(data_dir: Path) -> socket.socket:
    """A socket that only its owner may connect to. Its address is short even in a directory with a long path."""
    (data_dir / SOCKET).unlink(missing_ok=True)
    directory = os.open(data_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{SOCKET}")
        (data_dir / SOCKET).chmod(0o600)
        listener.listen()
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def _is_permitted(request: web.BaseRequest) -> bool:
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None:
        return False
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return user in (0, os.geteuid())


def _answer(status: int, **document: Any) -> web.Response:
    return web.Response(status=status, body=json.dumps(document).encode(), content_type="application/json")
