"""Random sequences of applies and updates have the same results as in Kubernetes.

`kubernetes.jsonl.gz` was recorded with Kubernetes' own library (k8s.io/apimachinery 0.37.2 with structured-merge-diff
6.4.2): each line is one object, changed by several managers, a step at a time. A step has the request, and either the
object and its managedFields or the conflicts. The recorded objects have no defaults.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from master import kinds
from master.fieldmanager.applying import Application
from master.fieldmanager.build import Shapes
from master.fieldmanager.conflicts import Conflicts
from master.fieldmanager.fieldset import EMPTY, FieldSet
from master.fieldmanager.forms import Form, Forms
from master.fieldmanager.managers import Manager, Managers, read, written
from master.fieldmanager.ownership import updated
from master.objects.meta import ManagedFieldsEntry

_RECORD: Final = Path(__file__).with_name("kubernetes.jsonl.gz")
_SHAPES: Final = Shapes()
_TREES: Final = {
    "Pod": lambda: kinds.POD.schema.full_tree,
    "Service": lambda: kinds.SERVICE.schema.full_tree,
    "ConfigMap": lambda: kinds.CONFIGMAP.schema.full_tree,
    "Deployment": lambda: kinds.DEPLOYMENT.schema.full_tree,
}


class Step(msgspec.Struct, frozen=True):
    """One request. `causes`: message and field of each conflict, in any order."""

    op: str
    manager: str
    body: dict[str, Any]
    sub: str = ""
    force: bool = False
    result: dict[str, Any] | None = None
    managed: tuple[ManagedFieldsEntry, ...] = ()
    message: str = ""
    causes: tuple[tuple[str, str], ...] = ()


class Sequence(msgspec.Struct, frozen=True):
    kind: str
    steps: list[Step]

    @property
    def api_version(self) -> str:
        return "apps/v1" if self.kind == "Deployment" else "v1"


def sequences(kind: str) -> Iterator[Sequence]:
    for line in gzip.decompress(_RECORD.read_bytes()).splitlines():
        sequence = msgspec.json.decode(line, type=Sequence)
        if sequence.kind == kind:
            yield sequence


def set_fields(value: Any) -> Any:
    """The value without nulls, which mean that a field is not set."""
    if isinstance(value, dict):
        return {name: set_fields(inner) for name, inner in value.items() if inner is not None}
    return [set_fields(inner) for inner in value] if isinstance(value, list) else value


def canonical(entries: tuple[ManagedFieldsEntry, ...]) -> tuple[ManagedFieldsEntry, ...]:
    """The recorded entries with the spelling of `fieldsV1` that this program has."""
    return tuple(
        replace(entry, fields_v1=msgspec.Raw(FieldSet.read(bytes(entry.fields_v1)).json())) for entry in entries
    )


class Replay:
    """The object of a sequence, as it is after each step of the record."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence
        self._empty = {"apiVersion": sequence.api_version, "kind": sequence.kind}
        self._live: dict[str, Any] | None = None
        self._managers: Managers = {}

    def run(self) -> None:
        for number, step in enumerate(self._sequence.steps):
            where = f"{self._sequence.kind}, step {number}: {step.op} by {step.manager}"
            try:
                value, managers = self._do(step, f"2026-01-01T00:00:{number:02d}Z")
            except Conflicts as conflicts:
                found = sorted((f"conflict with {each.owner}", each.field) for each in conflicts.clashes)
                assert found == sorted(step.causes), where
                assert len(str(conflicts)) == len(step.message), where
                continue
            assert step.result is not None, f"{where}: expected {step.message}"
            value = {**value, "metadata": {name: v for name, v in value["metadata"].items() if name != "uid"}}
            assert set_fields(value) == set_fields(step.result), where
            assert written(managers) == canonical(step.managed), where
            self._live = {**step.result, "metadata": {**step.result["metadata"], "uid": "uid-1"}}
            self._managers = read(step.managed)

    def _do(self, step: Step, now: str) -> tuple[dict[str, Any], Managers]:
        version = self._sequence.api_version
        tree = _TREES[self._sequence.kind]()
        reset = FieldSet.of(("f:spec",) if step.sub else ("f:status",)) if "status" in tree.fields else EMPTY
        forms = Forms({version: Form(_SHAPES.of(tree))}, reset)
        live = self._live or self._empty
        if step.op == "apply":
            manager = Manager.of(step.manager, "Apply", version, step.sub)
            application = Application(forms, step.body, version, manager, now, step.force)
            result = application.to(live, self._managers, empty=self._empty)
            return result.value, result.managers
        # The only managedFields in recorded updates are those that forget all managers.
        managers = {} if "managedFields" in step.body["metadata"] and not step.sub else self._managers
        value = {**step.body, "metadata": {k: v for k, v in step.body["metadata"].items() if k != "managedFields"}}
        if self._live is not None and not managers:
            return value, {}
        writer = Manager.of(step.manager, "Update", version, step.sub)
        return value, updated(managers, forms.comparing(live, value), writer, now)


@pytest.mark.parametrize("kind", _TREES)
def test_each_step_has_the_recorded_result(kind: str) -> None:
    count = 0
    for sequence in sequences(kind):
        Replay(sequence).run()
        count += len(sequence.steps)
    assert count > 50
