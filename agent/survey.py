"""What `sampan check` asks about this machine before an agent runs here.

Collects facts from netstack and from the identity on disk. Does not judge them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.identity import files


@dataclass(frozen=True, slots=True)
class Rules:
    """One variant of iptables: why it does not work (empty: it works), and other programs' rules (`table: line`)."""

    problem: str = ""
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kernel:
    """The features by name with the reason why one does not work (empty: it works), the variants of iptables, and the
    variant that our rules would go to (empty: none)."""

    features: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, Rules] = field(default_factory=dict)
    chosen: str = ""


def kernel() -> Kernel:
    """Try every feature in a throw-away namespace; needs root. Takes half a second."""
    from netstack import trial

    variants = {name: Rules(variant.problem, variant.foreign) for name, variant in trial.variants().items()}
    return Kernel(trial.features(), variants, trial.chosen())


def member_of(state_dir: Path) -> str:
    """Name of the node by the identity on disk; empty when this machine has not joined. Raises Unreadable."""
    identity = files.load(state_dir)
    return identity.node_name if identity else ""


def pending_key_hash(state_dir: Path) -> str:
    """Hash of the key of an unfinished join; empty when there is no readable one."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key((state_dir / files.PENDING_KEY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return ""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
