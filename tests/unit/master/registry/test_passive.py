"""Passive kinds: what their files declare, and what is wrong with a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from master import kinds
from master.objects.meta import ObjectMeta
from master.registry import passive
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.facts import facts
from master.schema.tree import Struct

FACTS: list[dict[str, Any]] = json.loads(Path("tests/fixtures/kubernetes/kinds.json").read_text())
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE: dict[str, Any] = {
    "group": "coordination.k8s.io",
    "kind": "Lease",
    "plural": "leases",
    "type": "coordination.v1.Lease",
    "description": "A claim for a time.",
    "generation": "counted",
    "fields": {
        "spec": {"description": "The claim."},
        "spec.holderIdentity": {"immutable": True, "form": "dns_label"},
        "spec.leaseDurationSeconds": {"minimum": 1, "default": 15},
    },
    "columns": [{"name": "Name"}, {"name": "Holder", "path": "spec.holderIdentity", "missing": "-"}, {"name": "Age"}],
    "fieldSelectors": ["spec.holderIdentity"],
}


def read(**changes: Any) -> Any:
    return passive.read(json.dumps({**LEASE, **changes}).encode())


def lease(spec: dict[str, Any] | None = None, **content: Any) -> Untyped:
    meta = ObjectMeta(name="l", creation_timestamp="2025-12-31T23:59:00Z")
    return Untyped(metadata=meta, content={**({} if spec is None else {"spec": spec}), **content})


@pytest.mark.parametrize("kind", kinds.PASSIVE, ids=lambda kind: kind.resource)
def test_names_and_columns_are_those_of_kubernetes(kind: Any) -> None:
    key = (kind.group, kind.version, kind.kind)
    [fact] = [fact for fact in FACTS if (fact["group"], fact["version"], fact["kind"]) == key]
    assert (kind.version, kind.plural, kind.singular) == (fact["version"], fact["plural"], fact["singular"])
    assert kind.namespaced == fact["namespaced"]
    assert sorted(kind.verbs) == fact["verbs"]
    assert list(kind.short_names) == fact.get("shortNames", [])
    assert list(kind.categories) == fact.get("categories", [])
    subresources = {item.name: sorted(item.verbs) for item in kind.subresources}
    assert subresources == {item["name"]: item["verbs"] for item in fact.get("subresources", [])}
    selectors = [field for field in fact["fieldSelectors"] if not field.startswith("metadata.")]
    assert list(kind.fields) == selectors
    columns = [(column.name, column.type, column.format, column.priority) for column in kind.table.columns]
    assert columns == [
        (column["name"], column["type"], column.get("format", ""), column.get("priority", 0))
        for column in fact["columns"]
    ]
    assert kind.schema.tree.name == facts().kinds[f"{kind.group}/{kind.version}/{kind.kind}"]


@pytest.mark.parametrize("kind", kinds.PASSIVE, ids=lambda kind: kind.resource)
def test_the_kind_and_its_fields_have_descriptions(kind: Any) -> None:
    tree = kind.schema.tree
    assert tree.description
    assert all(
        field.description for name, field in tree.fields.items() if name not in ("apiVersion", "kind", "metadata")
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kindd": "x"}, "unknown field `kindd`"),
        ({"generation": "always"}, "Invalid enum value 'always'"),
        ({"columns": [{"title": "x"}]}, r"unknown field `title`"),
    ],
)
def test_a_file_with_a_mistake_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(**changes)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("speck", "Lease has no field speck"),
        ("spec.holder", "Lease.spec has no field holder"),
        ("spec.holderIdentity.a", "Lease.spec.holderIdentity has no fields"),
    ],
)
def test_a_rule_for_a_field_that_does_not_exist_is_refused(path: str, message: str) -> None:
    kind = read(fields={path: {"required": True}})
    with pytest.raises(ValueError, match=message):
        assert kind.schema.tree


def test_the_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.json").write_text(json.dumps({**LEASE, "nameForm": "no_form"}))
    with pytest.raises(ValueError, match=r"a/b\.json.*no_form"):
        list(passive.load(tmp_path, {}))


def test_rules_do_not_change_the_type_for_other_kinds() -> None:
    kind = read()
    spec = kind.schema.tree.fields["spec"].node
    assert isinstance(spec, Struct) and spec.fields["leaseDurationSeconds"].default == 15
    shared = facts().struct("coordination.v1.LeaseSpec")
    assert shared.fields["leaseDurationSeconds"].default is None
    assert spec.fields["leaseDurationSeconds"].number == shared.fields["leaseDurationSeconds"].number


def test_cells_and_selectors_are_values_of_fields() -> None:
    kind = read()
    assert kind.table.cells(lease({"holderIdentity": "me"}), NOW) == ["l", "me", "60s"]
    assert kind.table.cells(lease(), NOW) == ["l", "-", "60s"]
    selector = kind.fields["spec.holderIdentity"]
    assert (selector(lease({"holderIdentity": "me"})), selector(lease())) == ("me", "")


def test_an_immutable_field_may_not_change() -> None:
    kind = read()
    for old, new, count in (
        ({"holderIdentity": "a"}, {"holderIdentity": "b"}, 1),
        ({"holderIdentity": "a"}, {}, 1),
        ({"holderIdentity": "a"}, {"holderIdentity": "a", "leaseTransitions": 2}, 0),
    ):
        findings = Findings()
        kind.strategy.check_update(lease(new), lease(old), findings)
        assert len(findings.causes) == count, (old, new)
        assert all(cause.field == "spec.holderIdentity" for cause in findings.causes)


def test_the_generation_counts_changes_of_the_desired_state() -> None:
    counted, fixed = read(status=True), read(generation="fixed")
    old = lease({"holderIdentity": "a"}, status={"x": 1})
    assert counted.strategy.moves_generation(lease({"holderIdentity": "b"}, status={"x": 1}), old)
    assert not counted.strategy.moves_generation(lease({"holderIdentity": "a"}, status={"x": 2}), old)
    assert not fixed.strategy.moves_generation(lease({"holderIdentity": "b"}), old)
    assert read(generation="none").has_generation is False


def test_only_the_subresource_writes_the_status() -> None:
    kind = read(status=True)
    old, new = lease({"a": 1}, status={"x": 1}), lease({"a": 2}, status={"x": 2})
    assert kind.strategy.for_create(new, NOW).content == {"spec": {"a": 2}}
    assert kind.strategy.for_update(new, old, NOW).content == {"spec": {"a": 2}, "status": {"x": 1}}
    [status] = kind.subresources
    assert status.take(new, old).content == {"spec": {"a": 1}, "status": {"x": 2}}
    assert status.take(lease(), old).content == {"spec": {"a": 1}, "status": {}}


def test_reserved_names() -> None:
    kind = read(reservedPrefixes=["system-"])
    assert "reserved" in kind.strategy.name_form("system-a")
    assert kind.strategy.name_form("a-system-") != ""
    assert kind.strategy.name_form("a") == ""


def test_quantities_get_their_stored_form() -> None:
    [runtime] = [kind for kind in kinds.PASSIVE if kind.kind == "RuntimeClass"]
    value = {"handler": "h", "overhead": {"podFixed": {"cpu": 0.5, "memory": "1024Mi"}}}
    obj = runtime.schema.read(value, [])
    assert runtime.schema.default(obj).content["overhead"] == {"podFixed": {"cpu": "500m", "memory": "1Gi"}}
    bad = runtime.schema.read({"handler": "h", "overhead": {"podFixed": {"cpu": "much"}}}, [])
    findings = Findings()
    runtime.schema.check(runtime.schema.default(bad), findings)
    assert [cause.field for cause in findings.causes] == ["overhead.podFixed[cpu]"]
