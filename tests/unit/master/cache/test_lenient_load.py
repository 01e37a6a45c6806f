"""A stored value that its model refuses stops nothing: clients get its bytes, components what can be read of it."""

from __future__ import annotations

import json
import logging

import pytest

from master import kinds
from master.cache import Cache, Unreadable
from master.kinds import CONFIGMAP, POD
from master.kinds.core.configmap import ConfigMap
from master.objects.index import NODE
from master.registry.resource import Resource
from master.schema.schema import Typed
from master.store.errors import StoreDamaged
from master.store.interface import Put
from master.store.memory import MemoryStore
from tests.unit.master.cache.bodies import body, configmap, pod

TOO_LARGE = 3_000_000_000


async def loaded(*writes: Put) -> Cache:
    store = MemoryStore()
    await store.commit([], writes)
    return await Cache.load(store, kinds.ALL)


async def test_a_value_beyond_the_models_limits_is_served_and_read(caplog: pytest.LogCaptureFixture) -> None:
    stored = body(POD, "old", spec={"priority": TOO_LARGE, "nodeName": "n1", "hostname": "h"})
    cache = await loaded(Put(POD.key("default", "old"), stored), pod("new", node="n1"))
    assert json.loads(cache.by(POD, NODE, "n1")[1].raw)["spec"]["priority"] == TOO_LARGE
    with caplog.at_level(logging.ERROR):
        first, second = cache.list(POD), cache.list(POD)
    assert [each.metadata.name for each in first] == [each.metadata.name for each in second] == ["new", "old"]
    assert (first[1].spec.priority, first[1].spec.hostname) == (TOO_LARGE, "h"), "writing it back loses nothing"
    assert not caplog.records, "a range is checked when a client writes, not when the store is read"


async def test_a_field_of_another_type_is_left_out() -> None:
    stored = body(POD, "odd", spec={"nodeName": 7, "containers": [{"name": "a", "image": 1}, "b"], "volumes": {}})
    cache = await loaded(Put(POD.key("default", "odd"), stored))
    odd = cache.get(POD, "default", "odd")
    assert odd is not None
    assert [(each.name, each.image) for each in odd.spec.containers] == [("a", "")]
    assert (odd.spec.node_name, odd.spec.volumes) == ("", ())
    assert cache.by(POD, NODE, "7") == []


async def test_labels_of_another_type_are_in_no_index_but_owners_are() -> None:
    stored = body(CONFIGMAP, "c", labels={"a": 1}, owners=["o"])
    cache = await loaded(Put(CONFIGMAP.key("default", "c"), stored))
    entry = cache.entry(CONFIGMAP, "default", "c")
    assert entry is not None
    assert [owner.uid for owner in entry.meta.owner_references] == ["o"]
    assert entry.meta.labels == {}


@pytest.mark.parametrize(
    "value", [b"", b"{", b"7", b"null", b"[]", b'{"spec":{}}', b'{"metadata":7}', b'{"metadata":{}}']
)
async def test_what_is_not_an_object_with_metadata_is_damage(value: bytes) -> None:
    with pytest.raises(StoreDamaged, match="/registry/configmaps/default/c"):
        await loaded(Put(CONFIGMAP.key("default", "c"), value))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b'{ "kind": "ConfigMap", "metadata": { "name": "c" }, "data": {"a": "b"} }', id="spaces"),
        pytest.param(b'{"data":{"a":"b"},"metadata":{"name":"c"},"kind":"ConfigMap"}', id="another order"),
    ],
)
async def test_an_object_in_another_form_gets_its_version_at_the_right_place(value: bytes) -> None:
    cache = await loaded(Put(CONFIGMAP.key("default", "c"), value))
    entry = cache.entry(CONFIGMAP, "default", "c")
    assert entry is not None
    served = json.loads(entry.raw)
    assert served == {"kind": "ConfigMap", "metadata": {"resourceVersion": "1", "name": "c"}, "data": {"a": "b"}}


class Strict(Resource[ConfigMap]):
    """A kind that cannot read some of its objects at all."""

    def salvage(self, raw: bytes) -> ConfigMap:
        raise ValueError("not readable")


async def test_an_object_that_cannot_be_read_is_skipped_but_exists(caplog: pytest.LogCaptureFixture) -> None:
    kind = Strict(kind="ConfigMap", plural="configmaps", schema=Typed(ConfigMap))
    store = MemoryStore()
    await store.commit([], [configmap("a"), Put(kind.key("default", "b"), body(kind, "b", data=7)), configmap("c")])
    cache = await Cache.load(store, [kind])
    with caplog.at_level(logging.ERROR):
        assert [obj.metadata.name for obj in cache.list(kind)] == ["a", "c"]
        with pytest.raises(Unreadable, match="configmaps default/b"):
            cache.get(kind, "default", "b")
        with cache.subscribe(kind) as subscription:
            assert [obj.metadata.name for _, obj in subscription.snapshot] == ["a", "c"]
    assert len(caplog.records) == 1
    assert cache.entry(kind, "default", "b") is not None, "but it exists"
