"""The config maps and secrets that a pod references, by all ways in which it can."""

from __future__ import annotations

from typing import Any

import msgspec

from master.dispatch.items import Section
from master.dispatch.references import references
from master.kinds.core.pod.model import Pod


def of(**spec: Any) -> set[tuple[Section, str]]:
    body = {"metadata": {"namespace": "n", "name": "p"}, "spec": spec}
    keys = references(msgspec.convert(body, Pod))
    assert all(key.namespace == "n" for key in keys)
    return {(key.section, key.name) for key in keys}


def test_volumes_and_the_sources_of_projected_ones() -> None:
    projected = {"sources": [{"configMap": {"name": "c2"}}, {"secret": {"name": "s2"}}, {"downwardAPI": {}}]}
    volumes = [{"configMap": {"name": "c1"}}, {"secret": {"secretName": "s1"}}, {"projected": projected}, {}]
    assert of(volumes=volumes) == {
        (Section.CONFIG_MAP, "c1"),
        (Section.CONFIG_MAP, "c2"),
        (Section.SECRET, "s1"),
        (Section.SECRET, "s2"),
    }


def test_variables_of_all_containers() -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]
    init = {"name": "i", "envFrom": [{"secretRef": {"name": "s"}}]}
    assert of(containers=[{"name": "a", "env": env}], initContainers=[init]) == {
        (Section.CONFIG_MAP, "c"),
        (Section.SECRET, "s"),
    }
