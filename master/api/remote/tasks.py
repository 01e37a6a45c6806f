"""The end of the tasks that carry a stream: they are cancelled, and nothing goes on before all of them have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any


async def end_tasks(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and wait for them. Their results and exceptions are left to the caller."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
