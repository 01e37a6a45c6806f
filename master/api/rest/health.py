"""Health: whether the server lives (`/livez`, `/healthz`) and can serve all requests (`/readyz`), in single checks.

The texts are those of Kubernetes, which tools and people read: one line for each check, and one for the result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

Check = Callable[[], Awaitable[str]]
"""Returns what is wrong; empty if nothing is."""


async def _ping() -> str:
    """The server answers, which is all that this check is about."""
    return ""


class Health:
    """Answers requests for health. `readiness`: the checks by name that `/readyz` makes besides `ping`.

    A restart does not mend a disk that cannot be written, so `/livez` ignores it.
    """

    def __init__(self, readiness: Mapping[str, Check]) -> None:
        alive: Final = {"ping": _ping}
        self._checks: dict[str, Mapping[str, Check]] = {
            "healthz": alive,
            "livez": alive,
            "readyz": {**alive, **readiness},
        }

    def paths(self) -> list[str]:
        """All paths."""
        return [path for name, checks in self._checks.items() for path in _paths(name, checks)]

    async def answer(self, parts: list[str], query: Mapping[str, list[str]]) -> web.Response | None:
        """The response of a path, `readyz` or `readyz/ping`; None for an unknown path."""
        checks = self._checks.get(parts[0])
        if checks is None or len(parts) > 2:
            return None
        if len(parts) == 1:
            return await _all(parts[0], checks, set(query.get("exclude", ())), verbose="verbose" in query)
        check = checks.get(parts[1])
        return None if check is None else await _one(check)


def _paths(name: str, checks: Mapping[str, Check]) -> list[str]:
    return [f"/{name}", *(f"/{name}/{check}" for check in checks)]


async def _one(check: Check) -> web.Response:
    trouble = await check()
    return web.Response(text=trouble or "ok", status=503 if trouble else 200)


async def _all(name: str, checks: Mapping[str, Check], excluded: set[str], *, verbose: bool) -> web.Response:
    """All checks but the excluded ones. A failure shows all lines."""
    lines, failed = [], False
    for check, run in checks.items():
        if check in excluded:
            lines.append(f"[+]{check} excluded: ok")
        elif trouble := await run():
            lines.append(f"[-]{check} failed: {trouble}")
            failed = True
        else:
            lines.append(f"[+]{check} ok")
    if unknown := sorted(excluded - checks.keys()):
        names = ", ".join(f'"{check}"' for check in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
    if not failed and not verbose:
        return web.Response(text="ok")
    lines.append(f"{name} check {'failed' if failed else 'passed'}")
    return web.Response(text="\n".join(lines) + "\n", status=503 if failed else 200)
