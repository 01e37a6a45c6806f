"""The commands about objects, against the API of a master."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from cli import exits
from client.rest import JSON
from client.yamltext import document
from tests.masters import Client
from tests.service.cli.conftest import Sampan

LABELS: Final = {"app": "web"}
POD: Final = {
    "metadata": {"name": "web", "labels": LABELS},
    "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i:1"}, {"name": "d", "image": "i:1"}]},
}
CONTROLLED: Final = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 1,
        "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
    },
}
PODS: Final = "/api/v1/namespaces/default/pods"
DEPLOYMENTS: Final = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture
async def pod(api: Client) -> dict[str, Any]:
    return await made(api, PODS, POD)


@pytest.fixture
async def deployment(api: Client) -> dict[str, Any]:
    return await made(api, DEPLOYMENTS, CONTROLLED)


async def made(api: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await api("POST", path, body)
    assert reply.status == 201, reply.body
    return reply.json  # type: ignore[no-any-return]


def columns(output: str, number: int = 0) -> list[str]:
    """A column of a table, without its heading."""
    return [line.split()[number] for line in output.splitlines()[1:]]


@pytest.mark.parametrize(
    "words",
    [
        "deployments",
        "deployment",
        "Deployment",
        "deploy",
        "deploy.apps",
        "deployments.v1.apps",
        "deploy/web",
        "deploy web",
    ],
)
async def test_every_word_for_a_type_is_understood(deployment: Any, sampan: Sampan, words: str) -> None:
    code, output, _ = await sampan("get", *words.split())
    assert (code, columns(output)) == (exits.OK, ["web"])


async def test_every_kind_has_a_table_and_an_explanation(api: Client, sampan: Sampan) -> None:
    for resource in api.resources.registry:
        word = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        if "list" in resource.verbs:
            code, _, errors = await sampan("get", word, "-A")
            assert (code, errors) in [(exits.OK, ""), (exits.OK, "No objects found.\n")], word
        code, output, _ = await sampan("explain", f"{word}.metadata.name")
        assert code == exits.OK and "metadata.name: string" in output, word


async def test_a_type_that_is_named_twice_has_one_table(api: Client, pod: Any, sampan: Sampan) -> None:
    await made(api, PODS, {**POD, "metadata": {"name": "db"}})
    assert columns((await sampan("get", "pod/web", "po/db"))[1]) == ["web", "db"]


async def test_what_the_server_does_not_have_fails(sampan: Sampan) -> None:
    assert (await sampan("get", "frobs"))[::2] == (exits.FAILED, 'sampan: the server has no resource "frobs"\n')
    code, output, errors = await sampan("get", "pod", "none")
    assert (code, output, errors) == (exits.FAILED, "", 'sampan: pods "none" not found\n')
    assert await sampan("get", "pod/none", "--ignore-not-found") == (exits.OK, "", "")
    assert (await sampan("delete", "frob/web"))[0] == exits.USAGE
    code, _, errors = await sampan("get", "tokenreviews")
    assert code == exits.USAGE and "cannot be listed" in errors


async def test_all_is_a_category_and_tables_of_several_types_have_them(
    pod: Any, deployment: Any, sampan: Sampan
) -> None:
    for words in ("all", "pods,services,deploy"):
        _, output, _ = await sampan("get", words)
        names = [block.splitlines()[1].split()[0] for block in output.split("\n\n")]
        assert names == ["pod/web", "service/kubernetes", "deployment.apps/web"]


async def test_a_table_has_the_columns_that_are_asked_for(pod: Any, sampan: Sampan) -> None:
    assert (await sampan("get", "pods"))[1].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert "NODE" in (await sampan("get", "pods", "-o", "wide"))[1].split()
    _, output, _ = await sampan("get", "pods", "-A", "--show-labels")
    assert columns(output) == ["default"] and columns(output, -1) == ["app=web"]
    assert (await sampan("get", "pods", "-o", "name"))[1] == "pod/web\n"


@pytest.mark.parametrize(
    ("selection", "found"),
    [("-l app=web", True), ("-l app!=web", False), ("--field-selector spec.nodeName=n1", True), ("-n other", False)],
)
async def test_objects_are_selected(pod: Any, sampan: Sampan, selection: str, found: bool) -> None:
    _, output, errors = await sampan("get", "pods", *selection.split())
    assert (bool(output), errors) == ((True, "") if found else (False, "No objects found.\n"))


async def test_pages_make_one_table(api: Client, sampan: Sampan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.tables._PAGE", "2")
    for number in range(5):
        await made(api, "/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"c{number}"}})
    assert columns((await sampan("get", "cm", "-l", "!app"))[1]) == ["c0", "c1", "c2", "c3", "c4"]


async def test_documents_are_those_of_the_api(pod: dict[str, Any], sampan: Sampan) -> None:
    del pod["metadata"]["managedFields"]
    assert json.loads((await sampan("get", "pod/web", "-o", "json"))[1]) == pod
    assert document((await sampan("get", "pod/web", "-o", "yaml"))[1]).value == pod
    listed = json.loads((await sampan("get", "pods", "-o", "json"))[1])
    assert listed == {"apiVersion": "v1", "kind": "List", "items": [pod]}
    _, output, _ = await sampan("get", "pod/web", "-o", "json", "--show-managed-fields")
    assert json.loads(output)["metadata"]["managedFields"]


@pytest.mark.parametrize("arguments", ["pod/web -A", "pod/web -l a=b", "pods,svc -w", "all -w"])
async def test_get_refuses_what_does_not_fit_together(sampan: Sampan, arguments: str) -> None:
    assert (await sampan("get", *arguments.split()))[0] == exits.USAGE


async def test_a_description_has_fields_and_events(api: Client, pod: dict[str, Any], sampan: Sampan) -> None:
    about = {"kind": "Pod", "namespace": "default", "name": "web", "uid": pod["metadata"]["uid"]}
    other = {**about, "uid": "another"}
    for name, subject, at in (("a", about, "02"), ("b", other, "01"), ("c", about, "01")):
        event = {"metadata": {"name": name}, "involvedObject": subject, "reason": f"R-{name}", "message": "m"}
        event |= {"type": "Normal", "lastTimestamp": f"2026-01-01T00:00:{at}Z"}
        await made(api, "/api/v1/namespaces/default/events", event)
    code, output, _ = await sampan("describe", "pod", "web")
    assert code == exits.OK
    assert output.startswith("Pod web (v1)\n") and "labels:\n  app: web\n" in output and "nodeName:" in output
    assert columns(output.partition("events:\n")[2], 2) == ["R-c", "R-a"]
    assert columns((await sampan("events", "--for", "pod/web"))[1], 2) == ["R-b", "R-c", "R-a"]
    listed = json.loads((await sampan("events", "-o", "json"))[1])["events"]
    assert [event["metadata"]["name"] for event in listed] == ["b", "c", "a"]
    assert (await sampan("events", "--for", "node/n1"))[1] == "No events.\n"


async def test_a_description_does_not_show_bytes(api: Client, sampan: Sampan) -> None:
    await made(api, "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "data": {"key": "aGVsbG8="}})
    output = (await sampan("describe", "secret/s"))[1]
    assert "  key: 5 bytes\n" in output and "aGVsbG8" not in output


async def test_what_has_a_scale_is_scaled(api: Client, pod: Any, deployment: Any, sampan: Sampan) -> None:
    assert (await sampan("scale", "deploy/web", "--replicas", "3"))[:2] == (exits.OK, "deployment.apps/web scaled\n")
    assert (await api("GET", f"{DEPLOYMENTS}/web")).json["spec"]["replicas"] == 3
    code, _, errors = await sampan("scale", "deploy", "web", "--replicas", "4", "--current-replicas", "2")
    assert code == exits.FAILED and "has 3 replicas" in errors
    assert (await sampan("scale", "deploy", "web", "--replicas", "4", "--current-replicas", "3"))[0] == exits.OK
    assert (await api("GET", f"{DEPLOYMENTS}/web")).json["spec"]["replicas"] == 4
    assert (await sampan("scale", "pod/web", "--replicas", "3"))[0] == exits.USAGE
    assert (await sampan("scale", "rc/none", "--replicas", "3"))[0] == exits.FAILED


async def test_logs_are_those_of_the_selected_pods(api: Client, pod: Any, deployment: Any, sampan: Sampan) -> None:
    assert (await sampan("logs", "web", "-c", "c", "--tail", "3"))[1] == "n1 default/web/c tail=3\nsecond\n"
    code, _, errors = await sampan("logs", "pod/web")
    assert code == exits.FAILED and "c" in errors and "d" in errors
    for words in ("deploy/web", "-l app=web", "web"):
        _, output, _ = await sampan("logs", *words.split(), "--all-containers")
        assert output.splitlines()[::2] == ["[web/c] n1 default/web/c tail=None", "[web/d] n1 default/web/d tail=None"]
    assert sorted((await sampan("logs", "web", "--all-containers", "-f"))[1].splitlines()) == [
        "[web/c] n1 default/web/c tail=None",
        "[web/c] second",
        "[web/d] n1 default/web/d tail=None",
        "[web/d] second",
    ]
    assert (await sampan("logs", "ns/default"))[0] == exits.USAGE
    assert (await sampan("logs", "-l", "app=none"))[0] == exits.FAILED


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("pod.spec.containers", "spec.containers: []Container, required"),
        ("deployments.apps.spec.strategy --recursive", "    maxSurge        integer or string"),
        ("deployments.v1.apps.spec.replicas", "spec.replicas: integer"),
        ("secret.data", "data: map[string]string (byte)"),
        ("svc.spec.ports.targetPort", "spec.ports.targetPort: integer or string"),
    ],
)
async def test_fields_are_explained(sampan: Sampan, words: str, says: str) -> None:
    code, output, _ = await sampan("explain", *words.split())
    assert code == exits.OK and says in output.splitlines()


async def test_a_field_that_does_not_exist_is_named_with_those_that_do(sampan: Sampan) -> None:
    code, _, errors = await sampan("explain", "ns.spec.finaliser")
    assert code == exits.FAILED and '"finaliser"' in errors and "finalizers" in errors


async def test_objects_are_deleted_by_name_selector_and_type(api: Client, pod: Any, sampan: Sampan) -> None:
    for name in ("a", "b", "c", "d"):
        body = {"metadata": {"name": name, "labels": {"half": str(name in "ab")}}}
        await made(api, "/api/v1/namespaces/default/configmaps", body)
    assert (await sampan("delete", "cm", "a", "none"))[:2] == (exits.FAILED, "configmap/a deleted\n")
    assert (await sampan("delete", "cm", "-l", "half=True"))[1] == "configmap/b deleted\n"
    assert (await sampan("delete", "cm", "--all"))[1] == "configmap/c deleted\nconfigmap/d deleted\n"
    assert await sampan("delete", "cm", "-l", "half=True") == (exits.OK, "", "No objects found.\n")
    assert (await sampan("delete", "pod/web", "--force"))[:2] == (exits.OK, "pod/web deleted\n")
    assert (await api("GET", f"{PODS}/web")).status == 404


@pytest.mark.parametrize("policy", ["foreground", "orphan"])
async def test_a_deletion_says_what_becomes_of_dependents(
    api: Client, deployment: Any, sampan: Sampan, policy: str
) -> None:
    await sampan("delete", "deploy/web", "--cascade", policy)
    # No garbage collector runs here: the finalizer waits for it.
    finalizer = {"foreground": "foregroundDeletion", "orphan": "orphan"}[policy]
    assert (await api("GET", f"{DEPLOYMENTS}/web")).json["metadata"]["finalizers"] == [finalizer]


async def test_the_server_applies_and_names_conflicts(api: Client, sampan: Sampan, tmp_path: Path) -> None:
    manifest = tmp_path / "web.json"

    def want(**spec: Any) -> list[str]:
        body = {**CONTROLLED, "apiVersion": "apps/v1", "kind": "Deployment"}
        manifest.write_text(json.dumps({**body, "spec": {**CONTROLLED["spec"], **spec}}))  # type: ignore[dict-item]
        return ["apply", "--server-side", "-f", str(manifest)]

    assert (await sampan(*want()))[1] == "deployment/web created\n"
    assert (await sampan(*want()))[1] == "deployment/web unchanged\n"
    assert (await sampan(*want(paused=True)))[1] == "deployment/web configured\n"
    assert (await sampan(*want()))[1] == "deployment/web configured\n"
    assert "paused" not in (await api("GET", f"{DEPLOYMENTS}/web")).json["spec"]
    merge = {"Content-Type": "application/merge-patch+json"}
    await api("PATCH", f"{DEPLOYMENTS}/web?fieldManager=other", {"spec": {"replicas": 5}}, headers=merge)
    code, _, errors = await sampan(*want())
    assert code == exits.FAILED and '"other"' in errors and ".spec.replicas" in errors and "--force-conflicts" in errors
    assert (await sampan(*want(), "--force-conflicts"))[1] == "deployment/web configured\n"
    code, _, errors = await sampan(*want(replica=1))
    assert code == exits.FAILED and "replica" in errors


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("get pods", "later   0/2     Pending"),
        ("get pods -o name", "pod/later\n"),
        ("get pod later", "later   0/2     Pending"),
        ("get pods -o yaml", "  name: later\n"),
        ("get pods -o json", '"name": "later"'),
        ("events", "Seen"),
    ],
)
async def test_a_watch_goes_on_with_changes(
    api: Client, sampan: Sampan, monkeypatch: pytest.MonkeyPatch, words: str, says: str
) -> None:
    pod = await made(api, PODS, {**POD, "metadata": {"name": "later"}})
    version = pod["metadata"]["resourceVersion"]
    event = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}, "reason": "Seen"}
    await made(api, "/api/v1/namespaces/default/events", event)

    def first(client: Any, path: str, _: str, query: Any = None, *, accept: str = JSON) -> Any:
        """The changes since before the pod, until the first one."""
        before = str(int(version) - 1)
        return islice(client.watch(path, resource_version=before, query=query, accept=accept), 1)

    for module in ("client.following", "client.tables"):
        monkeypatch.setattr(f"{module}.follow", first)
    code, output, _ = await sampan(*words.split(), "-w")
    assert (code, output.count(says)) == (exits.OK, 2)
