"""The door for whoever administers the master's host: certificates and backups, over a socket in the data directory.

Owns the socket `control`. What passes through it, such as the CA's key in a backup, is for those who can read the
files beside it: root and the master's own user; the kernel asks for the peer's user, no certificate is needed, so that
it is open also when certificates are what is wrong. Every answer is JSON; a refusal has a `message`.
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
    """Serves until cancelled."""

    pki: Pki
    trust: Trust
    identities: Identities
    store: SqliteStore
    cluster_id: str
    config_path: Path | None

    async def run(self) -> None:
        """Listen and serve."""
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
        if not _is_ours(request):
            return _answer(403, message="only root and the master's own user may")
        try:
            match request.method, request.path:
                case "GET", "/certs":
                    return _answer(200, **await self._certificates())
                case "POST", "/certs/rotate":
                    name = request.query.get("name", "")
                    return _answer(200, message=await self._rotate(name, finish="finish" in request.query))
                case "GET", "/backup":
                    return await self._backup(request)
            return _answer(404, message=f"nothing is called {request.method} {request.path}")
        except RotationRefused as error:
            return _answer(409, message=str(error))
        except ConnectionError:
            raise  # whoever asked is gone
        except (PkiError, StoreError, OSError) as error:
            log.error("%s %s: %s", request.method, request.path, error)
            return _answer(500, message=str(error))

    async def _certificates(self) -> dict[str, Any]:
        own = [
            {
                "name": each.name,
                "subject": each.subject,
                "issuer": each.issuer,
                "notAfter": each.not_after.isoformat(),
                "file": each.file,
            }
            for each in self.pki.describe()
        ]
        waiting = await self.trust.waiting() if self.pki.rotating else {}
        names = {each.fingerprint: each.certificate.issuer.rfc4514_string() for each in self.pki.authorities}
        nodes = [
            {
                "name": f"node/{each.name}",
                "subject": f"CN={node_user(each.name)}",
                "issuer": names.get(each.issuer, ""),
                "notAfter": each.not_after,
                "file": "",
            }
            for each in await self.identities.all()
            if not each.removed
        ]
        return {"certificates": own + nodes, "rotating": self.pki.rotating, "waiting": waiting}

    async def _rotate(self, name: str, *, finish: bool) -> str:
        """What was done, in a sentence."""
        if finish:
            if name != "ca":
                raise RotationRefused("--finish is for the CA only")
            await self.trust.finish()
            return f"the old CA is trusted no more; the hash that join commands carry is {self.pki.ca_hash} now"
        match name:
            case "ca":
                await self.trust.begin()
                return "a new CA is trusted beside the old one, and every node is told to renew its certificate"
            case "server" | "admin":
                self.pki.rotate(name)
                return f"the {name} certificate was made anew"
            case "all":
                self.pki.rotate("server")
                self.pki.rotate("admin")
                nodes = [each.name for each in await self.identities.all() if not each.removed]
                for node in nodes:
                    await self.trust.renew(node)
                return f"server and admin were made anew; {len(nodes)} nodes are told to renew theirs"
        node = name.removeprefix("node/")
        if not await self.trust.renew(node):
            raise RotationRefused(f"there is no certificate {name!r}: server, admin, ca, all, or a node's name")
        return f"node {node} is told to renew its certificate"

    async def _backup(self, request: web.BaseRequest) -> web.StreamResponse:
        """The archive; what can fail is done before the first byte."""
        source = backup.Source(self.pki, self.store, self.cluster_id, self.config_path)
        with contextlib.closing(await source.write()) as archive:
            response = web.StreamResponse()
            response.content_length = os.fstat(archive.fileno()).st_size
            await response.prepare(request)
            while chunk := await asyncio.to_thread(archive.read, 1 << 20):
                await response.write(chunk)
            return response


def _listen(data_dir: Path) -> socket.socket:
    """A socket that only its owner may connect to. Its address is short, however long the directory's name is."""
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


def _is_ours(request: web.BaseRequest) -> bool:
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None:
        return False
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return user in (0, os.geteuid())


def _answer(status: int, **document: Any) -> web.Response:
    return web.Response(status=status, body=json.dumps(document).encode(), content_type="application/json")
