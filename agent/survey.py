"""What this machine can do of what the agent needs, for whoever asks before there is an agent (`sampan check`).

Owns the choice of what is asked of netstack and of the identity; judges nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.identity import files


@dataclass(frozen=True, slots=True)
class Rules:
    """One variant of iptables: why it does not work (empty: it does), and the rules of others (`table: line`)."""

    problem: str = ""
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kernel:
    """What was tried: why each feature does not work (empty: it does), by name; the variants of iptables; and which
    of them our rules would go to (empty: none)."""

    features: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, Rules] = field(default_factory=dict)
    chosen: str = ""


def kernel() -> Kernel:
    """Try everything, in a throw-away namespace; needs root. Takes half a second."""
    from netstack import trial

    variants = {name: Rules(each.problem, each.foreign) for name, each in trial.variants().items()}
    return Kernel(trial.features(), variants, trial.chosen())


def member_of(state_dir: Path) -> str:
    """Name of the node that this machine is, by its identity on disk; empty when it is none. Raises Unreadable."""
    identity = files.load(state_dir)
    return identity.node_name if identity else ""


def pending_key_hash(state_dir: Path) -> str:
    """Hash of the key of a join that was begun and not finished; empty when there is none that can be read."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key((state_dir / files.PENDING_KEY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return ""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
