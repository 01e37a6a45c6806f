"""Quantities in their stored form: single ones, and lists of resources such as the capacity of a node."""

from __future__ import annotations

from collections.abc import Mapping

from master.schema.quantity import canonical, canonical_resource


def canonical_quantity(text: str) -> str:
    """A quantity in its stored form. Text that is not a quantity stays, so that validation reports it."""
    try:
        return canonical(text)
    except ValueError:
        return text


def canonical_quantities(values: Mapping[str, str]) -> dict[str, str]:
    """Quantities in their stored form. Text that is not a quantity stays, so that validation reports it."""
    result = {}
    for name, text in values.items():
        try:
            result[name] = canonical_resource(text)
        except ValueError:
            result[name] = text
    return result
