"""The credentials of a registry, from the host's Docker configuration: `~/.docker/config.json` of the agent's user.

Owns the call of a credential helper, which has a deadline. Docker's SDK reads the file and finds the entry.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from agent.runtime import sdk
from agent.runtime.errors import PullFailed
from agent.runtime.images import Credentials
from agent.runtime.references import DOCKER_HUB

_HELPER_S: Final = 30.0
_NO_CREDENTIALS: Final = b"credentials not found"
"""The helpers' own words; their exit code is the same for all errors (docker-credential-helpers)."""
_TOKEN_USER: Final = "<token>"


HOST_CONFIGURATION: Final = "the node's Docker configuration"
"""The source of credentials, in messages."""


def header(credentials: Credentials) -> str:
    """The value of the header X-Registry-Auth for these credentials."""
    entry = {"username": credentials.username, "password": credentials.password}
    return sdk.auth.encode_header(entry).decode()


async def registry_auth(host: str) -> str:
    """The value of the header X-Registry-Auth; empty: there are no credentials for this registry. Raises PullFailed."""
    try:
        config = sdk.auth.load_config()
        helper = config.get_credential_store(host)
        entry = await _from_helper(helper, host) if helper else None
        # Without its helpers, which the SDK would call on this thread.
        plain = sdk.auth.AuthConfig({"auths": config.auths})
        entry = entry or plain.resolve_authconfig(host)
    except (sdk.errors.DockerException, OSError, ValueError, LookupError, TypeError) as error:
        raise PullFailed(f"the Docker configuration of this node cannot be used for {host}: {error}") from error
    return sdk.auth.encode_header(entry).decode() if entry else ""


async def _from_helper(helper: str, host: str) -> dict[str, Any] | None:
    """What the program `docker-credential-HELPER` knows. Raises OSError, ValueError, LookupError, TypeError."""
    server = sdk.auth.INDEX_URL if host == DOCKER_HUB else host
    process = await asyncio.create_subprocess_exec(
        f"docker-credential-{helper}",
        "get",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_HELPER_S):
            output, _ = await process.communicate(server.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        if _NO_CREDENTIALS in output:
            return None
        raise ValueError(f"docker-credential-{helper}: {output.decode(errors='replace').strip()}")
    answer = json.loads(output)
    if answer["Username"] == _TOKEN_USER:
        return {"ServerAddress": server, "IdentityToken": answer["Secret"]}
    return {"ServerAddress": server, "Username": answer["Username"], "Password": answer["Secret"]}
