"""Managers: their entries, their number, and entries of clients that are not valid."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from master.fieldmanager.comparison import Comparison
from master.fieldmanager.fieldset import FieldSet
from master.fieldmanager.managers import (
    APPLY,
    UPDATE,
    Manager,
    Managers,
    Owned,
    is_reset,
    read,
    same_but_times,
    written,
)
from master.fieldmanager.ownership import ANCIENT, MAX_UPDATERS, updated
from master.objects.meta import ManagedFieldsEntry

ENTRY = ManagedFieldsEntry(
    manager="m", operation=UPDATE, api_version="v1", fields_type="FieldsV1", fields_v1=msgspec.Raw(b'{"f:a":{}}')
)


def fields(*names: str) -> FieldSet:
    return FieldSet.of(*((f"f:{name}",) for name in names))


def writer(name: str, version: str = "v1") -> Manager:
    return Manager.of(name, UPDATE, version, "")


def test_entries_are_sorted_by_operation_time_and_name() -> None:
    managers: Managers = {
        writer("b"): Owned(fields("x"), "v1", "2026-01-01T00:00:02Z"),
        writer("c"): Owned(fields("x"), "v1", "2026-01-01T00:00:01Z"),
        writer("a"): Owned(fields("x"), "v1", "2026-01-01T00:00:02Z"),
        Manager.of("z", APPLY, "v1", ""): Owned(fields("x"), "v1", "2026-01-01T00:00:03Z"),
        Manager.of("y", APPLY, "v1", ""): Owned(fields("x"), "v1"),
    }
    assert [each.manager for each in written(managers)] == ["y", "z", "c", "a", "b"]
    assert read(written(managers)) == managers


@pytest.mark.parametrize(
    "entry",
    [
        replace(ENTRY, operation="Steal"),
        replace(ENTRY, api_version=""),
        replace(ENTRY, fields_type="FieldsV2"),
        replace(ENTRY, fields_v1=msgspec.Raw(b'{"a":{}}')),
        replace(ENTRY, fields_v1=msgspec.Raw(b"[")),
    ],
    ids=["operation", "version", "type", "element", "json"],
)
def test_an_entry_that_is_not_valid_is_refused(entry: ManagedFieldsEntry) -> None:
    with pytest.raises(ValueError):
        read([entry])


def test_one_empty_entry_is_a_reset() -> None:
    assert is_reset((ManagedFieldsEntry(),))
    assert not is_reset(()) and not is_reset((ENTRY,)) and not is_reset((ManagedFieldsEntry(), ManagedFieldsEntry()))


def test_only_times_may_differ_without_a_write() -> None:
    later = replace(ENTRY, time="2026-01-01T00:00:00Z")
    assert same_but_times((ENTRY,), (later,))
    assert not same_but_times((ENTRY,), (replace(later, manager="n"),))
    assert not same_but_times((ENTRY,), (ENTRY, ENTRY))


def test_the_oldest_updaters_of_a_version_become_one() -> None:
    managers: Managers = {}
    for number in range(MAX_UPDATERS + 4):
        added = Comparison(added=fields(f"x{number}"))
        managers = updated(
            managers, lambda _, added=added: added, writer(f"m{number}"), f"2026-01-01T00:00:{number:02d}Z"
        )
    assert len(managers) == MAX_UPDATERS
    ancient = managers[writer(ANCIENT)]
    assert ancient.fields == fields("x0", "x1", "x2", "x3", "x4")
    assert ancient.time == "2026-01-01T00:00:04Z", "the time of the last one that was merged"


def test_managers_of_a_version_that_is_not_served_any_more_vanish() -> None:
    managers: Managers = {writer("old", "v0"): Owned(fields("a"), "v0"), writer("new"): Owned(fields("b"), "v1")}
    compared = updated(managers, lambda version: Comparison() if version == "v1" else None, writer("m"), "")
    assert list(compared) == [writer("new")]


def test_a_write_without_a_change_keeps_the_time() -> None:
    managers: Managers = {writer("m"): Owned(fields("a"), "v1", "2026-01-01T00:00:00Z")}
    assert updated(managers, lambda _: Comparison(), writer("m"), "2026-02-01T00:00:00Z") == managers
