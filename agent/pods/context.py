"""What the workers of all pods share.

Owns nothing: the manager makes the parts, and the workers' actions use them.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.clock import Clock
from agent.pods.interface import PodNetwork, PodsConfig, TokenIssuer
from agent.pods.pullrecords import PullRecords
from agent.pods.room import Room
from agent.probes.interface import Prober
from agent.runtime.interface import Runtime
from agent.volumes.manager import Volumes


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The parts of the node that actions use."""

    runtime: Runtime
    network: PodNetwork
    volumes: Volumes
    config: PodsConfig
    clock: Clock
    prober: Prober
    tokens: TokenIssuer
    room: Room
    pull_records: PullRecords
