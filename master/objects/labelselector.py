"""What a label selector selects, and its text. Both forms: equal labels only, and with expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from master.objects.meta import LabelSelector, LabelSelectorRequirement

# Services and replication controllers select by equal labels only, all other kinds by a LabelSelector.
AnySelector = LabelSelector | Mapping[str, str]


def is_empty(selector: AnySelector | None) -> bool:
    """Whether the selector has no condition. What that means depends on the kind."""
    if isinstance(selector, LabelSelector):
        return not (selector.match_labels or selector.match_expressions)
    return not selector


def matches(selector: AnySelector | None, labels: Mapping[str, str]) -> bool:
    """Whether all conditions hold. None matches nothing, and an empty selector everything."""
    if selector is None:
        return False
    if isinstance(selector, LabelSelector):
        return _equal(selector.match_labels, labels) and all(
            _holds(condition, labels) for condition in selector.match_expressions
        )
    return _equal(selector, labels)


def _equal(pairs: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in pairs.items())


def _holds(condition: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(condition.key)
    if condition.operator == "In":
        return value is not None and value in condition.values
    if condition.operator == "NotIn":
        return value is None or value not in condition.values
    if condition.operator == "Exists":
        return value is not None
    return condition.operator == "DoesNotExist" and value is None


def to_text(selector: AnySelector | None) -> str:
    """The selector as `kubectl -l` takes it, sorted by key: `a=1,b in (x,y),!c`. Empty without a condition."""
    return ",".join(text for _, text in sorted(_conditions(selector)))


def _conditions(selector: AnySelector | None) -> Iterator[tuple[str, str]]:
    """The key and the text of each condition."""
    pairs = selector.match_labels if isinstance(selector, LabelSelector) else selector or {}
    for key, value in pairs.items():
        yield key, f"{key}={value}"
    for condition in selector.match_expressions if isinstance(selector, LabelSelector) else ():
        key, values = condition.key, ",".join(sorted(condition.values))
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
        yield key, forms.get(condition.operator, key)


def with_label(selector: LabelSelector, key: str, value: str) -> LabelSelector:
    """The selector with one more label."""
    return LabelSelector(
        match_labels={**selector.match_labels, key: value}, match_expressions=selector.match_expressions
    )
