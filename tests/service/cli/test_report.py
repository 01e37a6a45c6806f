"""`sampan report` against the API of a master."""

from __future__ import annotations

import base64
import json
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cli import exits
from cli.main import main
from tests.masters import Client
from tests.service.cli.conftest import Sampan

PASSWORD = "correct horse battery staple"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0"


async def create(api: Client, path: str, body: dict[str, Any]) -> None:
    reply = await api("POST", path, body)
    assert reply.status == 201, reply.body


def files(path: Path) -> dict[str, bytes]:
    """The files of the report by their names below its directory."""
    with tarfile.open(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in members
        }


@pytest.fixture
async def secrets(api: Client) -> None:
    """A secret, whose values are also in an annotation, a pod and an event."""
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"stringData": {"password": PASSWORD}})}
    default = "/api/v1/namespaces/default"
    data = {"password": PASSWORD, "token": TOKEN}
    await create(api, f"{default}/secrets", {"metadata": {"name": "db", "annotations": applied}, "stringData": data})
    env = [{"name": "PASSWORD", "value": PASSWORD}]
    container = {"name": "app", "image": "app:1", "env": env, "args": [base64.b64encode(TOKEN.encode()).decode()]}
    await create(api, f"{default}/pods", {"metadata": {"name": "web"}, "spec": {"containers": [container]}})
    event = {
        "metadata": {"name": "web.1"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web"},
        "reason": "Failed",
        "message": f"cannot log in with {PASSWORD}",
    }
    await create(api, f"{default}/events", event)


async def test_a_report_has_all_objects_and_no_value_of_a_secret(
    api: Client, sampan: Sampan, secrets: None, tmp_path: Path
) -> None:
    path = tmp_path / "report.tar.gz"
    code, output, _ = await sampan("report", str(path))
    assert code == exits.OK and str(path) in output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = files(path)
    assert [each["metadata"]["name"] for each in json.loads(found["objects/pods.json"])] == ["web"]
    (event,) = (each for each in json.loads(found["objects/events.json"]) if each["reason"] == "Failed")
    assert event["message"] == "cannot log in with (hidden)"
    (secret,) = (each for each in json.loads(found["objects/secrets.json"]) if each["metadata"]["name"] == "db")
    assert secret["data"] == {"password": f"({len(PASSWORD)} bytes)", "token": f"({len(TOKEN)} bytes)"}
    assert json.loads(found["version.json"])["gitVersion"] and json.loads(found["versions.json"])["python"]
    assert "objects/namespaces.json" in found and b"objects/" in found["README.txt"]
    for name, content in found.items():
        for value in (PASSWORD, TOKEN):
            for form in (value.encode(), base64.b64encode(value.encode())):
                assert form not in content, name


async def test_what_cannot_be_read_is_a_problem_of_the_report(api: Client, sampan: Sampan, tmp_path: Path) -> None:
    await create(api, "/api/v1/nodes", {"metadata": {"name": "lost"}})
    code, _, errors = await sampan("report", str(tmp_path / "report"))
    problems = files(tmp_path / "report")["problems.txt"].decode()
    assert code == exits.OK and "node lost: stats/summary: " in problems and "node lost: healthz" in errors


def test_a_report_without_an_api_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig, path = tmp_path / "none", tmp_path / "report"
    assert main(["report", str(path), "--kubeconfig", str(kubeconfig)]) == exits.OK
    problems = files(path)["problems.txt"].decode()
    assert problems.startswith("the API: ") and "secrets were not known" in problems
    assert "the API: " in capsys.readouterr().err
