"""Pulls: pulls images by the engine, a few at a time. A registry that hangs does not keep the others waiting.

Owns the places of pulls in progress and their deadline, which every progress extends.
"""

from __future__ import annotations

import asyncio

from agent.runtime.client import EngineClient, Request
from agent.runtime.credentials import HOST_CONFIGURATION, header, registry_auth
from agent.runtime.errors import PullGivenUp
from agent.runtime.faults import EngineError
from agent.runtime.gate import Gate, Place
from agent.runtime.images import Credentials
from agent.runtime.pullfaults import pull_fault
from agent.runtime.references import Reference, parse


class Pulls:
    """Cancelling a pull closes its connection, by which the engine stops it."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._gate = Gate(client.limits.pulls, patience_s=client.limits.pull_stuck_s)

    async def pull(self, image: str, credentials: Credentials | None) -> float:
        """Returns when the engine has the image: the seconds that it took, once the pull had its place.

        Without credentials, those of the host's configuration are tried. Raises RuntimeFault, as pullfaults.py says.
        """
        reference = parse(image)
        now = asyncio.get_running_loop().time
        async with self._gate.entered() as place:
            began = now()
            auth = header(credentials) if credentials else await registry_auth(reference.host)
            try:
                problem = await self._followed(image, reference, auth, place)
            except EngineError as error:
                problem = error.message
        if problem:
            source = credentials.source if credentials else HOST_CONFIGURATION if auth else ""
            raise pull_fault(problem, image, reference, source=source)
        return now() - began

    async def _followed(self, image: str, reference: Reference, auth: str, place: Place) -> str:
        """Follow a pull to its end; returns the engine's text about its failure, empty if there is none."""
        progress_s = self._client.limits.pull_progress_s
        request = Request(
            "POST",
            "/images/create",
            f"pull {image}",
            parameters={"fromImage": reference.repository, "tag": reference.tag},
            headers={"X-Registry-Auth": auth} if auth else None,
        )
        problem = ""
        try:
            async with asyncio.timeout(progress_s) as deadline, self._client.stream(request) as body:
                async for value in body.values():
                    place.touch()
                    deadline.reschedule(asyncio.get_running_loop().time() + progress_s)
                    if isinstance(value, dict) and value.get("error"):
                        problem = str(value["error"])
        except TimeoutError as error:
            cause = f"the registry {reference.host} hangs"
            raise PullGivenUp(f"{cause}: no progress for {progress_s:g} s") from error
        return problem
