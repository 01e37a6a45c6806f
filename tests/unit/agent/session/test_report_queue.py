"""The report queue: the latest status of each pod, bounded, unacknowledged reports are kept. And the back-off."""

from __future__ import annotations

from agent import model, statuses
from agent.session import reporter
from agent.session.backoff import Backoff
from agent.session.reporter import ReportQueue
from proto import contract


def status(uid: str, ip: str = "") -> statuses.PodStatus:
    return statuses.PodStatus(model.PodUid(uid), "default", uid, pod_ip=ip)


def event(message: str) -> statuses.Event:
    return statuses.Event("Pod", "default", "web", "uid", "Started", message, 1.0)


def test_only_the_latest_status_of_a_pod_waits() -> None:
    queue = ReportQueue(lambda uid: None)
    for report in (status("a", "1"), status("b"), status("a", "2")):
        queue.report(report)
    assert [(report.uid, report.pod_ip) for report in queue.take_pods()] == [("a", "2"), ("b", "")]
    assert not queue.pods_waiting.is_set()


def test_unacknowledged_statuses_are_queued_again_unless_there_is_a_newer_one() -> None:
    queue = ReportQueue(lambda uid: None)
    queue.report(status("a", "1"))
    queue.report(status("b", "1"))
    batch = queue.take_pods()
    queue.report(status("b", "2"))
    queue.put_back_pods(batch)
    assert sorted((report.uid, report.pod_ip) for report in queue.take_pods()) == [("a", "1"), ("b", "2")]


def test_a_removed_pod_is_named_by_its_last_status_or_by_what_is_desired() -> None:
    queue = ReportQueue(lambda uid: model.ObjectRef("n", "desired") if uid == "b" else None)
    queue.report(status("a"))
    for uid in ("a", "b", "stranger"):
        queue.removed(model.PodUid(uid))
    assert [(report.uid, report.name, report.removed) for report in queue.take_pods()] == [
        ("a", "a", True),
        ("b", "desired", True),
    ]


def test_events_are_bounded_and_keep_their_order() -> None:
    queue = ReportQueue(lambda uid: None)
    for number in range(reporter.MAX_EVENTS + 5):
        queue.event(event(str(number)))
    first = queue.take_events()
    assert [event.message for event in first[:2]] == ["5", "6"]
    queue.put_back_events(first)
    assert [event.message for event in queue.take_events()[:2]] == ["5", "6"]
    while queue.take_events():
        pass
    assert not queue.events_waiting.is_set()


def test_statuses_are_bounded() -> None:
    queue = ReportQueue(lambda uid: None)
    for number in range(reporter.MAX_PODS + 10):
        queue.report(status(str(number)))
    taken = 0
    while batch := queue.take_pods():
        taken += len(batch)
    assert taken == reporter.MAX_PODS


def test_waits_grow_from_50_ms_to_the_ceiling_and_start_over() -> None:
    backoff = Backoff(ceiling_s=1.0, uniform=lambda low, high: 1.0)
    waits = [backoff.next_s() for _ in range(12)]
    assert waits[0] == 0.05
    assert waits == sorted(waits)
    assert waits[-1] == 1.0
    backoff.reset()
    assert backoff.next_s() == 0.05


def test_a_batch_fits_into_one_message() -> None:
    """However long the statuses are: a message over the limit would be refused every time."""
    queue = ReportQueue(lambda uid: None)
    for number in range(reporter.BATCH):
        queue.report(statuses.PodStatus(model.PodUid(f"u{number}"), "default", "web", message="x" * 100_000))
        queue.event(statuses.Event("Pod", "default", "web", "u", "R", "x" * 100_000, 1.0))
    for take, waiting in ((queue.take_pods, queue.pods_waiting), (queue.take_events, queue.events_waiting)):
        taken = 0
        while waiting.is_set():
            batch = list(take())
            assert 0 < sum(message.ByteSize() for message in batch) < contract.MAX_MESSAGE_BYTES
            taken += len(batch)
        assert taken == reporter.BATCH


def test_a_status_larger_than_a_batch_is_sent_alone() -> None:
    queue = ReportQueue(lambda uid: None)
    for number in range(2):
        queue.report(statuses.PodStatus(model.PodUid(f"u{number}"), "default", "web", message="x" * (2 << 20)))
    assert [len(queue.take_pods()), len(queue.take_pods())] == [1, 1]
    assert not queue.pods_waiting.is_set()


def test_the_master_has_everything_once_each_batch_is_acknowledged() -> None:
    queue = ReportQueue(lambda uid: None)
    assert queue.idle and queue.take_pods() == [] and queue.idle
    queue.report(statuses.PodStatus(model.PodUid("u"), "default", "web"))
    queue.event(statuses.Event("Pod", "default", "web", "u", "R", "x", 1.0))
    assert not queue.idle
    queue.put_back_pods(queue.take_pods())
    queue.take_pods(), queue.take_events()
    queue.acknowledged()
    assert not queue.idle
    queue.acknowledged()
    assert queue.idle
