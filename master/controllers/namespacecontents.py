"""What keeps a namespace that is being deleted: the objects that remain, as conditions for people and programs.

Types, reasons and sentences are those of Kubernetes' namespace controller, on which `kubectl describe` and tests rely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from master.cache import Entry
from master.kinds.core.namespace import Namespace, NamespaceCondition

# The sentences in a condition: thousands of objects may fail for one reason, and a status has a limited size.
_MAX_SHOWN: Final = 10


def with_conditions(
    namespace: Namespace, remaining: Iterable[Entry], failures: Sequence[str], now: str
) -> Namespace | None:
    """The namespace with conditions about its remaining objects; None if it has them already.

    `failures`: a sentence for each object that could not be deleted. `now`: RFC 3339.
    """
    entries = list(remaining)
    before = {condition.type: condition for condition in namespace.status.conditions}
    after = dict(before)
    for condition in _conditions(entries, failures):
        known = before.get(condition.type)
        since = known.last_transition_time if known is not None and known.status == condition.status else now
        after[condition.type] = replace(condition, last_transition_time=since)
    if after == before:
        return None
    return replace(namespace, status=replace(namespace.status, conditions=tuple(after.values())))


def _conditions(entries: Sequence[Entry], failures: Sequence[str]) -> Iterable[NamespaceCondition]:
    # The core group has no name, so that its kinds end with a dot.
    kinds = Counter(f"{entry.kind.plural}.{entry.kind.group}" for entry in entries)
    finalizers = Counter(name for entry in entries for name in entry.meta.finalizers)
    yield _false("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered")
    yield _false(
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    )
    if failures:
        shown = ", ".join(failures[:_MAX_SHOWN]) + (", ..." if len(failures) > _MAX_SHOWN else "")
        text = f"Failed to delete all resource types, {len(failures)} remaining: {shown}"
        yield NamespaceCondition(
            type="NamespaceDeletionContentFailure", status="True", reason="ContentDeletionFailed", message=text
        )
    else:
        done = "All content successfully deleted, may be waiting on finalization"
        yield _false("NamespaceDeletionContentFailure", "ContentDeleted", done)
    yield _remaining(
        "NamespaceContentRemaining",
        ("SomeResourcesRemain", "Some resources are remaining", "has"),
        kinds,
        ("ContentRemoved", "All content successfully removed"),
    )
    yield _remaining(
        "NamespaceFinalizersRemaining",
        ("SomeFinalizersRemain", "Some content in the namespace has finalizers remaining", "in"),
        finalizers,
        ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    )


def _false(type_: str, reason: str, message: str) -> NamespaceCondition:
    return NamespaceCondition(type=type_, status="False", reason=reason, message=message)


def _remaining(
    type_: str, some: tuple[str, str, str], counts: Mapping[str, int], none: tuple[str, str]
) -> NamespaceCondition:
    if not counts:
        return _false(type_, *none)
    reason, sentence, word = some
    parts = ", ".join(f"{name} {word} {count} resource instances" for name, count in sorted(counts.items()))
    return NamespaceCondition(type=type_, status="True", reason=reason, message=f"{sentence}: {parts}")
