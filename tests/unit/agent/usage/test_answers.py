"""Queries about the node that are answered with the pages of usage."""

from __future__ import annotations

import json

from agent.queries import Queries, Query
from agent.usage.cadvisor import Facts
from agent.usage.figures import Snapshot
from agent.usagepages import add_pages
from tests.unit.agent.usage.test_pages import STATE


def make() -> tuple[Queries, list[Snapshot]]:
    """Queries, and the snapshots of which they show the last one."""
    queries, snapshots = Queries({}), [Snapshot("node-1")]
    add_pages(queries, lambda: snapshots[-1], facts=lambda: Facts("m", "b"), version="v9.9.9")
    return queries, snapshots


async def test_a_page_shows_the_last_measurement_and_obeys_parameters() -> None:
    queries, snapshots = make()
    snapshots.append(STATE.snapshot)
    whole = await queries.answer(Query("/stats/summary"))
    assert (whole.status, whole.content_type) == (200, "application/json")
    assert "fs" in json.loads(whole.body)["node"]
    part = await queries.answer(Query("/stats/summary", "only_cpu_and_memory=true"))
    assert "fs" not in json.loads(part.body)["node"]


async def test_metrics_have_the_facts_of_the_machine_and_the_process() -> None:
    queries, _ = make()
    assert b'machine_cpu_cores{boot_id="b",machine_id="m"' in (await queries.answer(Query("/metrics/cadvisor"))).body
    own = (await queries.answer(Query("/metrics"))).body.decode()
    resident = int(next(line for line in own.splitlines() if line.startswith("process_resident_memory")).split()[1])
    assert 'sampan_build_info{version="v9.9.9"} 1' in own and resident > 1 << 20
    assert (await queries.answer(Query("/metrics/probes"))).status == 404
