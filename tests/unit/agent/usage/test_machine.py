"""The machine and its links by the texts of /proc."""

from __future__ import annotations

from pathlib import Path

from agent.usage.figures import Counters, Machine, Traffic
from agent.usage.links import default_link, traffic
from agent.usage.machine import MachineFiles, machine
from tests.unit.agent.usage.texts import PROC, Kernel

K = 1024


def test_a_machine(tmp_path: Path) -> None:
    found = MachineFiles(lambda: 9.0, proc=Kernel(tmp_path, 2).proc).read()
    assert (found.at, found.booted_at, found.cores, found.default_link) == (9.0, 1_700_000_000, 2, "eth0")
    assert (found.memory_total_bytes, found.swap_total_bytes) == (1000 * K, 100 * K)
    assert (found.processes, found.max_processes) == (345, 32768)
    memory = found.memory
    assert (memory.memory_bytes, memory.working_set_bytes, memory.rss_bytes) == (600 * K, 400 * K, 150 * K)
    assert (memory.swap_bytes, memory.faults, memory.major_faults, memory.oom_kills) == (10 * K, 5000, 50, 4)


def test_processor_time_is_that_of_processes_and_interrupts_without_stolen_time() -> None:
    found = machine({"stat": PROC["stat"].encode()}, at=0.0, ticks=100)
    assert found.cpu_ns == (100 + 10 + 50 + 5 + 15) * 10_000_000


def test_files_that_are_missing_give_no_figures() -> None:
    assert machine({}, at=1.0, ticks=100) == Machine(at=1.0)


def test_links() -> None:
    links = traffic(PROC["net/dev"].encode())
    assert links.keys() == {"lo", "eth0", "sp0123"}
    assert links["eth0"] == Traffic(Counters(5000, 50, 1, 2), Counters(7000, 70, 3, 4))
    assert links["sp0123"].turned == Traffic(Counters(3000, 30, 0, 5), Counters(2000, 20, 0, 0))


def test_the_default_link_is_that_of_the_route_with_the_lowest_metric() -> None:
    assert default_link(PROC["net/route"].encode()) == "eth0"
    assert default_link(b"Iface\tDestination\n") == ""
