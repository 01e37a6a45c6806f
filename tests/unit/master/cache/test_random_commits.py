"""Whatever is committed, the cache lists it in the order of its keys and finds it by each index: random commits."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from master.cache import Cache, Entry, ordered
from master.cache.ordered import Ordered
from master.kinds import CONFIGMAP, POD
from master.objects.index import LABEL, NODE, OWNER
from master.store.interface import Delete, Put
from master.store.memory import MemoryStore
from tests.unit.master.cache.bodies import body

KINDS = (POD, CONFIGMAP)
# One namespace is a prefix of another, and "-" sorts before "/" and before letters.
NAMESPACES = ("a", "a-b", "ab", "b")
NAMES = [f"x{number}" for number in range(40)]
NODES = ("", "n1", "n2")
OWNERS = ("o1", "o2", "o3")
LABELS = ("app", "tier")

Key = tuple[str, str]


@dataclass(slots=True)
class Model:
    """What the cache must hold: the raw objects, kept naively."""

    objects: dict[Key, bytes] = field(default_factory=dict)
    node: dict[Key, str] = field(default_factory=dict)
    labels: dict[Key, dict[str, str]] = field(default_factory=dict)
    owners: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def set(self, key: Key, rng: random.Random) -> bytes:
        self.node[key] = rng.choice(NODES)
        self.labels[key] = {label: rng.choice("xyz") for label in LABELS if rng.random() < 0.7}
        self.owners[key] = tuple(owner for owner in OWNERS if rng.random() < 0.3)
        namespace, name = key
        self.objects[key] = body(
            POD, name, namespace, labels=self.labels[key], owners=self.owners[key], node=self.node[key]
        )
        return self.objects[key]


def keys(entries: list[Entry]) -> list[Key]:
    return [(entry.namespace, entry.name) for entry in entries]


def check(cache: Cache, model: Model) -> None:
    there = sorted(model.objects)
    assert keys(cache.entries(POD)) == there
    assert cache.count(POD) == len(there)
    for namespace in (*NAMESPACES, "missing"):
        here = [key for key in there if key[0] == namespace]
        assert keys(cache.entries(POD, namespace)) == here
        assert cache.count(POD, namespace) == len(here)
        for node in NODES[1:]:
            expected = [key for key in here if model.node[key] == node]
            assert keys(cache.by(POD, NODE, node, namespace)) == expected
            assert cache.count_by(POD, NODE, node, namespace) == len(expected)
    for label in LABELS:
        for value in "xyz":
            expected = [key for key in there if model.labels[key].get(label) == value]
            assert keys(cache.by(POD, LABEL, f"{label}={value}")) == expected
    for owner in OWNERS:
        expected = [key for key in there if owner in model.owners[key]]
        assert keys(cache.by_all(OWNER, owner)) == expected
        assert cache.count_by(POD, OWNER, owner) == len(expected)
    assert set(cache.values(POD, NODE)) == {model.node[key] for key in there} - {""}
    for key in there:
        entry = cache.entry(POD, *key)
        assert entry is not None and entry.obj.spec.node_name == model.node[key]


@pytest.mark.parametrize("attempt", range(5))
async def test_order_and_indexes_agree_with_a_naive_model(attempt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small parts, so that they are split and removed all the time.
    monkeypatch.setattr(ordered, "_MOST", 4)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    store, model = MemoryStore(), Model()
    cache = await Cache.load(store, KINDS)
    for step in range(150):
        writes: list[Put | Delete] = []
        for key in {(rng.choice(NAMESPACES), rng.choice(NAMES)) for _ in range(rng.randint(1, 5))}:
            if rng.random() < 0.4:
                model.objects.pop(key, None)
                writes.append(Delete(POD.key(*key)))
            else:
                writes.append(Put(POD.key(*key), model.set(key, rng)))
        await store.commit([], writes)
        if step % 10 == 0:
            check(cache, model)
    check(cache, model)
    check(await Cache.load(store, KINDS), model)


@pytest.mark.parametrize("attempt", range(5))
def test_a_list_in_parts_is_a_sorted_list(attempt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered, "_MOST", 3)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    items: Ordered[Key] = Ordered()
    model: set[Key] = set()
    for _ in range(600):
        key = (rng.choice("abc"), f"{rng.randrange(60):02}")
        if key in model:
            model.discard(key)
            items.remove(key)
        else:
            model.add(key)
            items.insert(key, key)
        low, high = sorted((("a", f"{rng.randrange(60):02}"), (rng.choice("abcd"), f"{rng.randrange(60):02}")))
        expected = sorted(key for key in model if low <= key < high)
        assert items.between(low, high) == expected
        assert items.count_between(low, high) == len(expected)
    assert items.items() == sorted(model)
    assert len(items) == len(model)
