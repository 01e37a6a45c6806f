"""Creates are answered as kube-apiserver 1.37 answers them: the same defaults, the same fields refused.

tests/fixtures/kubernetes/defaults.jsonl has small objects as they were sent to a real API server, and its answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.master.api.bad_input.conftest import Direct, direct  # noqa: F401 - a fixture

_FILE = Path(__file__).parents[3] / "fixtures/kubernetes/defaults.jsonl"
_CASES = [json.loads(line) for line in _FILE.read_text().splitlines()]
# Set by admission plugins and controllers that Sampan does not have: the token of the service account, and the taint of
# a node that has not reported yet. These are removed.
# The server's own choices.
_CHOSEN = ("uid", "resourceVersion", "creationTimestamp", "managedFields")


# Answers that differ, by the number of the line.
_DIFFERENT = {
    12: "a malformed quantity is a finding about its field, with status 422, not an undecodable body",
}


def _cases() -> list[Any]:
    cases = []
    for index, case in enumerate(_CASES):
        why = _DIFFERENT.get(index)
        marks = (pytest.mark.xfail(reason=why, strict=True),) if why else ()
        cases.append(pytest.param(case, marks=marks, id=f"{case['path'].rpartition('/')[2]}-{index}"))
    return cases


def _expected(case: dict[str, Any]) -> Any:
    answer = json.loads(json.dumps(case["out"]))
    _normalise(answer, case["in"])
    return answer


def _normalise(answer: dict[str, Any], sent: dict[str, Any]) -> None:
    """Removes what plugins add and the server chooses."""
    for name in _CHOSEN:
        answer["metadata"].pop(name, None)
    answer.get("status", {}).pop("lastPhaseTransitionTime", None)
    spec = answer.get("spec")
    if answer["kind"] == "Pod":
        _normalise_pod(spec, sent["spec"])
        for condition in answer["status"].get("conditions", []):
            condition.pop("lastTransitionTime")
            condition.pop("lastProbeTime", None)
            condition.pop("message")
    if answer["kind"] == "Node":
        spec.pop("taints", None)
    if answer["kind"] == "Job":
        for labels in _job_labels(answer):
            labels.update({name: "chosen" for name in labels if name.endswith("controller-uid")})
    if answer["kind"] == "Service":
        for name in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
            if name in spec and spec[name] not in ("None", ["None"]):
                spec[name] = "chosen"
        for port in spec.get("ports", []):
            if "nodePort" in port:
                port["nodePort"] = "chosen"


def _job_labels(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The labels that contain the uid of the job."""
    yield job["metadata"]["labels"]
    yield job["spec"]["selector"]["matchLabels"]
    yield job["spec"]["template"]["metadata"]["labels"]


def _normalise_pod(spec: dict[str, Any], sent: dict[str, Any]) -> None:
    _without(spec, "volumes", lambda volume: volume["name"].startswith("kube-api-access"))
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        _without(container, "volumeMounts", lambda mount: mount["name"].startswith("kube-api-access"))


def _without(holder: dict[str, Any], name: str, excluded: Any) -> None:
    kept = [item for item in holder.get(name, ()) if not excluded(item)]
    if kept:
        holder[name] = kept
    else:
        holder.pop(name, None)


@pytest.mark.parametrize("case", _cases())
async def test_a_create_is_answered_as_kubernetes_answers_it(direct: Direct, case: dict[str, Any]) -> None:  # noqa: F811
    reply = await direct("POST", case["path"], case["in"])
    if "status" in case:
        expected = case["status"]
        causes = {(cause["reason"], cause["field"]) for cause in reply.json.get("details", {}).get("causes", [])}
        assert (reply.status, reply.json["reason"]) == (expected["code"], expected["reason"]), reply.json
        assert causes == {(cause["reason"], cause["field"]) for cause in expected["causes"]}
        return
    assert reply.status == 201, reply.json
    answer = reply.json
    _normalise(answer, case["in"])
    assert answer == _expected(case)
