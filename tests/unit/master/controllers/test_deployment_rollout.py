"""The decisions of a rollout, as tables: from the sizes of a deployment's replica sets to the next step."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master.controllers.deployment.revisions import (
    DESIRED,
    HASH,
    MOST,
    REVISION,
    REVISION_HISTORY,
    annotated,
    new_set,
    next_revision,
    template_hash,
)
from master.controllers.deployment.rollout import Rollout, Step, next_step, size, unneeded
from master.kinds.apps.deployment import Deployment, DeploymentStatus, DeploymentStrategy, RollingUpdateDeployment
from master.kinds.apps.replicaset import ReplicaSet, ReplicaSetStatus
from tests.fakes.cluster import deployment

RECREATE = DeploymentStrategy(type="Recreate")


def rolling(surge: int | str, unavailable: int | str) -> DeploymentStrategy:
    return DeploymentStrategy(
        type="RollingUpdate",
        rolling_update=RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable),
    )


def replica_set(
    image: str,
    replicas: int,
    available: int | None = None,
    *,
    age: int = 0,
    desired: int = 10,
    most: int = 13,
    number: int = 1,
    pods: int | None = None,
) -> ReplicaSet:
    """A replica set of a deployment with this image. All replicas are available, unless `available` says less.

    `pods`: those that exist. `age`: the larger, the older.
    """
    made = new_set(deployment("web", image=image), number)
    meta = replace(
        made.metadata,
        name=f"web-{image}",
        uid=image,
        creation_timestamp=f"2026-01-01T00:{59 - age:02}:00Z",
        annotations={**made.metadata.annotations, DESIRED: str(desired), MOST: str(most)},
    )
    exist = replicas if pods is None else pods
    usable = exist if available is None else available
    return replace(
        made,
        metadata=meta,
        spec=replace(made.spec, replicas=replicas),
        status=ReplicaSetStatus(replicas=exist, ready_replicas=usable, available_replicas=usable),
    )


def rollout(strategy: DeploymentStrategy, *sets: ReplicaSet, replicas: int = 10, **spec: Any) -> Rollout:
    """The rollout of a deployment with the image `new`."""
    made: Deployment = deployment("web", replicas=replicas, image="new", strategy=strategy, **spec)
    total = sum(rs.status.replicas for rs in sets)
    return Rollout.of(replace(made, status=DeploymentStatus(replicas=total)), sets)


def shown(step: Step) -> dict[str, int]:
    """The step as new sizes by the name of the image. The new replica set that is to be made: `create`."""
    sizes = {resize.target.metadata.uid: resize.to for resize in step.resize}
    return {**sizes, "create": step.create} if step.create is not None else sizes


@pytest.mark.parametrize(
    ("strategy", "sets", "step"),
    [
        pytest.param(rolling(3, 2), [], {"create": 10}, id="the first replica set is made whole"),
        pytest.param(rolling(3, 2), [("old", 10)], {"create": 3}, id="a new one is as large as the surge"),
        pytest.param(rolling("25%", "25%"), [("old", 10)], {"create": 3}, id="a percentage of surge is rounded up"),
        pytest.param(rolling(0, 2), [("old", 10)], {"create": 0}, id="without surge it is empty"),
        pytest.param(rolling(0, 2), [("old", 10), ("new", 0)], {"old": 8}, id="then old pods go first"),
        pytest.param(rolling(0, 2), [("old", 8), ("new", 0)], {"new": 2}, id="and new ones take their place"),
        pytest.param(rolling(3, 2), [("old", 10), ("new", 3, 0)], {"old": 8}, id="as many go as may be unavailable"),
        pytest.param(rolling(3, 2), [("old", 8), ("new", 3, 0)], {"new": 5}, id="the new one fills the room"),
        pytest.param(rolling(3, 2), [("old", 8), ("new", 5, 0)], {}, id="nothing while new pods are not available"),
        pytest.param(rolling(3, 2), [("old", 8), ("new", 5, 5)], {"old": 3}, id="old ones go for available ones"),
        pytest.param(rolling(3, 0), [("old", 10), ("new", 3, 1)], {"old": 9}, id="all desired pods stay available"),
        pytest.param(rolling(3, 2), [("old", 8, 2), ("new", 5, 5)], {"old": 3}, id="broken old pods go first"),
        pytest.param(
            rolling(3, 2), [("a", 5, 0), ("b", 5, 5), ("new", 3, 3)], {"a": 0}, id="of several, those with broken pods"
        ),
        pytest.param(rolling(3, 2), [("old", 0), ("new", 10, 10)], {}, id="the end"),
        pytest.param(rolling(3, 2), [("new", 12)], {"new": 10}, id="a new one that is too large shrinks"),
        pytest.param(rolling("1%", "1%"), [("old", 10), ("new", 1, 0)], {}, id="surge of 1 % is one pod"),
        pytest.param(rolling(0, "1%"), [("old", 10), ("new", 0)], {"old": 9}, id="or one may be unavailable"),
        pytest.param(RECREATE, [("old", 10)], {"old": 0}, id="recreate: the old pods go"),
        pytest.param(RECREATE, [("a", 3), ("b", 4), ("new", 3)], {"a": 0, "b": 0}, id="recreate: of all old ones"),
        pytest.param(RECREATE, [("old", 0)], {"create": 10}, id="recreate: then the new one is made whole"),
        pytest.param(RECREATE, [("old", 0), ("new", 0)], {"new": 10}, id="recreate: after a rollback too"),
        pytest.param(RECREATE, [("new", 10)], {}, id="recreate: the end"),
    ],
)
def test_the_next_step_of_a_rollout(
    strategy: DeploymentStrategy, sets: list[tuple[Any, ...]], step: dict[str, int]
) -> None:
    made = [replica_set(*values, age=len(sets) - index) for index, values in enumerate(sets)]
    done = next_step(rollout(strategy, *made), old_pods=False)
    assert (shown(done), done.rolls) == (step, True)


def test_recreate_waits_for_old_pods_that_are_terminating() -> None:
    assert next_step(rollout(RECREATE, replica_set("old", 0)), old_pods=True) == Step()
    assert next_step(rollout(RECREATE, replica_set("old", 0, pods=1)), old_pods=False) == Step()


@pytest.mark.parametrize(
    ("replicas", "sets", "sizes"),
    [
        pytest.param(15, [("new", 10)], {"new": 15}, id="the only one gets all"),
        pytest.param(4, [("old", 10)], {"old": 4}, id="also if it is old"),
        pytest.param(15, [("old", 8), ("new", 5)], {"old": 11, "new": 7}, id="growing in proportion"),
        pytest.param(5, [("old", 8), ("new", 5)], {"old": 5, "new": 3}, id="shrinking in proportion"),
        pytest.param(0, [("old", 8), ("new", 5)], {"old": 0, "new": 0}, id="to nothing"),
        pytest.param(12, [("a", 6), ("b", 6), ("new", 1)], {"a": 7, "b": 7, "new": 1}, id="equal ones"),
        pytest.param(11, [("a", 6), ("b", 6), ("new", 1)], {"a": 6, "b": 7, "new": 1}, id="the newer grows first"),
        pytest.param(9, [("a", 6), ("b", 6), ("new", 1)], {"a": 5, "b": 6, "new": 1}, id="the older shrinks first"),
    ],
)
def test_a_scaled_deployment_keeps_its_proportions(
    replicas: int, sets: list[tuple[Any, ...]], sizes: dict[str, int]
) -> None:
    made = [replica_set(*values, age=len(sets) - index) for index, values in enumerate(sets)]
    surge = {0: 3}.get(replicas, 3)
    step = next_step(rollout(rolling(surge, 2), *made, replicas=replicas), old_pods=False)
    assert not step.rolls
    assert {rs.metadata.uid: shown(step).get(rs.metadata.uid, size(rs)) for rs in made} == sizes


def test_a_paused_deployment_is_scaled_and_does_not_roll() -> None:
    old = replica_set("old", 10)
    assert shown(next_step(rollout(rolling(3, 2), old, paused=True), old_pods=False)) == {}
    step = next_step(rollout(rolling(3, 2), old, paused=True, replicas=12), old_pods=False)
    assert (shown(step), step.rolls) == ({"old": 12}, False)


def test_old_replica_sets_go_when_the_new_one_has_all_pods_and_the_deployment_was_scaled() -> None:
    adopted = replica_set("old", 2, desired=7)
    step = next_step(rollout(rolling(3, 2), adopted, replica_set("new", 10)), old_pods=False)
    assert shown(step) == {"old": 0}


def test_the_history_keeps_the_latest_revisions_and_replica_sets_with_pods() -> None:
    sets = [replica_set(name, 0, number=number) for number, name in enumerate("abcde", start=1)]
    sets[0] = replace(sets[0], status=ReplicaSetStatus(replicas=1))
    going = unneeded(rollout(rolling(1, 1), *sets, replica_set("new", 10), revision_history_limit=2))
    assert [rs.metadata.uid for rs in going] == ["b", "c"]
    assert unneeded(rollout(rolling(1, 1), *sets, revision_history_limit=5)) == ()
    assert len(unneeded(rollout(rolling(1, 1), *sets, revision_history_limit=0))) == 4


# -- revisions -----------------------------------------------------------------------------------------------------


def test_a_replica_set_is_selected_by_the_hash_of_its_template() -> None:
    made = new_set(deployment("web"), 3)
    (hashed,) = {made.metadata.labels[HASH], made.spec.template.metadata.labels[HASH]}
    assert made.metadata.name == f"web-{hashed}"
    assert made.spec.selector is not None
    assert made.spec.selector.match_labels == {"app": "web", HASH: hashed}
    assert made.metadata.annotations == {REVISION: "3"}
    assert size(made) == 0


def test_the_hash_differs_for_templates_and_for_collisions() -> None:
    template, other = deployment("web").spec.template, deployment("web", image="app:2").spec.template
    hashes = {template_hash(template, None), template_hash(template, 1), template_hash(template, 2)}
    assert len({*hashes, template_hash(other, None)}) == 4
    assert template_hash(template, None) == template_hash(template, 0)
    assert all(len(text) == 10 and text.isalnum() for text in hashes)


def test_the_name_of_a_replica_set_fits_if_that_of_the_deployment_does() -> None:
    assert len(new_set(deployment("w" * 253), 1).metadata.name) == 253


def test_a_rollback_is_a_new_revision_that_remembers_the_old_ones() -> None:
    made = deployment("web")
    assert next_revision([]) == 1
    # The number that Kubernetes' own suite uses.
    assert next_revision([replica_set("a", 1, number=3546343826724305832)]) == 3546343826724305833
    assert next_revision([replica_set("a", 1, number=1 << 63)]) == 1
    assert next_revision([replica_set("a", 1, number=4), replica_set("b", 1, number=2)]) == 5
    first = annotated(made, {REVISION: "1"}, 3)
    assert first == {REVISION: "3", REVISION_HISTORY: "1"}
    assert annotated(made, first, 5) == {REVISION: "5", REVISION_HISTORY: "1,3"}
    assert annotated(made, first, 2) == first


def test_the_list_of_old_revisions_stays_short() -> None:
    history = ",".join(str(number) for number in range(100_000, 100_400))
    longer = annotated(deployment("web"), {REVISION: "100400", REVISION_HISTORY: history}, 100_401)[REVISION_HISTORY]
    assert len(longer) <= 2000
    assert longer.endswith(",100399,100400")


def test_a_replica_set_gets_the_annotations_of_its_deployment_but_not_all() -> None:
    made = deployment("web")
    own = {"team": "shop", REVISION: "9", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    made = replace(made, metadata=replace(made.metadata, annotations=own))
    assert annotated(made, {REVISION: "1", "kept": "yes"}, 1) == {REVISION: "1", "kept": "yes", "team": "shop"}
