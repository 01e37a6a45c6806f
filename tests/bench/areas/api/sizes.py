"""How many objects, clients and rounds the area `api` uses. `FULL` is what the goals are for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Times are in seconds."""

    get_rounds: int = 15
    get_s: float = 0.5
    get_clients: int = 16
    create_rounds: int = 8
    create_s: float = 2.0
    create_clients: int = 64
    list_rounds: int = 15
    few_pods: int = 10_000
    """Pods of the lists, the watches and the first start; as many are deleted with their namespace."""
    big_list_pods: int = 50_000
    many_pods: int = 100_000
    """Pods of the second start and of the memory for each pod."""
    big_lists: int = 16
    small_lists: int = 20
    watchers: int = 1_000
    changes: int = 30
    bindings: int = 2_000
    applies: int = 1_000
    starts: int = 3
    """Starts with `few_pods`. With `many_pods` there is only one, as it takes long."""
    settle_s: float = 6.0
    """Wait before memory is measured, after the master has become idle. It returns free memory every 5 s."""


FULL = Sizes()
SMALL = Sizes(
    get_rounds=3,
    create_rounds=3,
    create_s=1.0,
    few_pods=1_000,
    big_list_pods=2_000,
    many_pods=4_000,
    watchers=100,
    changes=10,
    bindings=300,
    applies=100,
    starts=1,
)
"""For work on the area itself. The values mean nothing."""
