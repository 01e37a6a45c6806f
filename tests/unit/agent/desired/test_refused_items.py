"""An item of a cut that breaks a rule is refused alone: it stays as it was, and is reported once."""

from __future__ import annotations

from typing import Any

from agent.desired.state import MAX_REFUSALS, DesiredState
from agent.session.refusals import refusal_event
from proto.gen import desired_pb2 as pb
from proto.gen.session_pb2 import Cut


def pod(uid: str, image: str = "a", **values: Any) -> pb.Pod:
    container = pb.Container(name="app", image=image)
    return pb.Pod(uid=uid, namespace="default", name=uid[:20], containers=[container], **values)


def snapshot(*pods: pb.Pod, **items: Any) -> Cut:
    return Cut(snapshot=True, revision=5, last=True, pods=pods, **items)


def delta(*pods: pb.Pod, base: int = 5, **items: Any) -> Cut:
    return Cut(base_revision=base, revision=base + 1, last=True, pods=pods, **items)


def images(state: DesiredState) -> dict[str, str]:
    return {pod.uid: pod.containers[0].image for pod in state.for_pods().pods.values()}


def test_a_refused_change_leaves_the_item_as_it_was() -> None:
    state = DesiredState()
    state.receive(snapshot(pod("one"), pod("two")))
    state.receive(delta(pod("one", "b", grace_period_s=-1), pod("two", "b"), removed_pods=["three"]))
    assert (state.revision, images(state)) == (6, {"one": "a", "two": "b"})


def test_a_refused_item_of_a_snapshot_stays_as_it_was_before_the_snapshot() -> None:
    """A running pod must not end because its new version is refused."""
    state = DesiredState()
    state.receive(snapshot(pod("one"), pod("gone")))
    state.receive(snapshot(pod("one", "b", grace_period_s=-1), pod("new", "b", grace_period_s=-1)))
    assert images(state) == {"one": "a"}
    state.receive(snapshot())
    assert images(state) == {}


def test_a_refused_pod_that_was_not_known_counts_as_present_until_it_is_removed() -> None:
    """An agent that has lost its state must not end what runs of the pod."""
    state = DesiredState()
    state.receive(snapshot(pod("one", grace_period_s=-1), pod("two", grace_period_s=-1)))
    assert state.for_pods().refused == {"one", "two"}
    state.receive(delta(pod("one"), pod("three", grace_period_s=-1), removed_pods=["two"]))
    assert (set(images(state)), state.for_pods().refused) == ({"one"}, {"three"})
    state.receive(snapshot())
    assert state.for_pods().refused == frozenset()


def test_a_valid_item_of_the_same_cut_counts_more_than_a_refused_one() -> None:
    state = DesiredState()
    state.receive(snapshot(pod("one")))
    state.receive(snapshot(pod("one", "b"), pod("one", "c", grace_period_s=-1)))
    assert images(state) == {"one": "b"}


def test_a_refusal_is_reported_once_although_every_session_repeats_it() -> None:
    state = DesiredState()
    bad = pod("one", grace_period_s=-1)
    state.receive(snapshot(bad))
    assert [str(refusal) for refusal in state.take_refusals()] == [
        "pod default/one: grace_period_s: -1 is not within 0 to 2147483647"
    ]
    state.receive(snapshot(bad))
    state.receive(delta(bad))
    assert state.take_refusals() == []
    state.receive(delta(pod("one", grace_period_s=-2), base=6))
    assert len(state.take_refusals()) == 1
    state.receive(snapshot())
    state.receive(snapshot(bad))
    assert len(state.take_refusals()) == 1, "it was valid meanwhile"


def test_an_interrupted_cut_reports_nothing() -> None:
    state = DesiredState()
    state.receive(Cut(snapshot=True, revision=5, pods=[pod("one", grace_period_s=-1)]))
    state.interrupted()
    state.receive(snapshot(pod("two")))
    assert state.take_refusals() == []


def test_the_number_and_size_of_refusals_is_limited() -> None:
    state = DesiredState()
    state.receive(snapshot(*(pod(f"{number}/" + "u" * 10_000) for number in range(3 * MAX_REFUSALS))))
    refusals = state.take_refusals()
    assert len(refusals) == MAX_REFUSALS
    assert max(len(str(refusal)) + len(refusal.key) for refusal in refusals) < 1000


def test_an_item_on_disk_that_this_release_refuses_is_left_out() -> None:
    state = DesiredState()
    state.restore(snapshot(pod("one"), pod("two", restart_policy="Sometimes")), secrets_known=True)
    assert images(state) == {"one": "a"}
    assert len(state.take_refusals()) == 1


def test_the_event_is_about_the_pod_or_else_about_the_node() -> None:
    state = DesiredState()
    service = pb.Service(ref=pb.ObjectRef(namespace="default", name="web"), ports=[pb.ServicePort(port=70000)])
    state.receive(snapshot(pod("one", grace_period_s=-1), services=[service]))
    about_pod, about_node = (refusal_event(refusal, "node-1", 9.0) for refusal in state.take_refusals())
    assert (about_pod.kind, about_pod.namespace, about_pod.name, about_pod.uid) == ("Pod", "default", "one", "one")
    assert "refused by node node-1" in about_pod.message and about_pod.warning
    assert (about_node.kind, about_node.namespace, about_node.name) == ("Node", "", "node-1")
    assert "service default/web:  70000/0 is not a port" in about_node.message
