"""Answers queries about this node with the pages of usage (agent/usage/pages.py), as a kubelet does on its port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.queries import Answer, Handler, Queries, Query
from agent.usage.cadvisor import Facts
from agent.usage.figures import Snapshot
from agent.usage.ownmetrics import of_this_process
from agent.usage.pages import PAGES, Page, Show, State


def add_pages(queries: Queries, snapshot: Callable[[], Snapshot], *, facts: Callable[[], Facts], version: str) -> None:
    """Answer the paths of PAGES. `version`: of this agent."""

    def state() -> State:
        return State(snapshot(), facts(), of_this_process(version))

    for path, show in PAGES.items():
        queries.add(path, _handler(show, state))


def _handler(show: Show, state: Callable[[], State]) -> Handler:
    def page(parameters: str) -> Page:
        return show(state(), parameters)

    async def answer(query: Query) -> Answer:
        # On a thread: the metrics of 100 pods take 50 ms.
        made = await asyncio.to_thread(page, query.parameters)
        return Answer(made.body, made.content_type)

    return answer
