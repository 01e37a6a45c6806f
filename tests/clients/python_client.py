"""What a program with the official Python client does. It runs in that client's environment: KUBECONFIG is its cluster.

Bodies often lack kind and apiVersion, and are sent without Content-Type. Failed assertions end it with exit code 1.
"""

# mypy: ignore-errors

import sys

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException


def main(namespace: str) -> None:
    config.load_kube_config()
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    config_maps(core, namespace)
    pods(core, namespace)
    deployments(apps, namespace)
    dynamically(namespace)
    core.delete_namespace(namespace)


def config_maps(core: client.CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "m"}, "data": {"a": "b"}})
    assert made.metadata.uid and made.data == {"a": "b"}
    patched = core.patch_namespaced_config_map("m", namespace, {"data": {"a": None, "c": "d"}})
    assert patched.data == {"c": "d"}
    patched = core.patch_namespaced_config_map("m", namespace, [{"op": "add", "path": "/data/e", "value": "f"}])
    assert patched.data == {"c": "d", "e": "f"}
    patched.data = {"g": "h"}
    assert core.replace_namespaced_config_map("m", namespace, patched).data == {"g": "h"}
    assert refusal(core.create_namespaced_config_map, namespace, {"metadata": {"name": "m"}}) == 409
    assert core.delete_namespaced_config_map("m", namespace)["status"] == "Success"
    assert refusal(core.read_namespaced_config_map, "m", namespace) == 404


def pods(core: client.CoreV1Api, namespace: str) -> None:
    container = client.V1Container(name="c", image="busybox", resources={"requests": {"cpu": "100m"}})
    for name in ("one", "two"):
        metadata = client.V1ObjectMeta(name=name, labels={"n": name})
        core.create_namespaced_pod(namespace, client.V1Pod(metadata=metadata, spec={"containers": [container]}))
    listed = core.list_namespaced_pod(namespace, limit=1)
    assert len(listed.items) == 1 and listed.metadata._continue
    rest = core.list_namespaced_pod(namespace, limit=1, _continue=listed.metadata._continue)
    assert [pod.metadata.name for pod in (*listed.items, *rest.items)] == ["one", "two"]
    assert len(core.list_namespaced_pod(namespace, label_selector="n in (two)").items) == 1
    body = {"spec": {"containers": [{"name": "c", "image": "busybox:2"}]}}
    assert core.patch_namespaced_pod("one", namespace, body).spec.containers[0].image == "busybox:2"
    version = core.list_namespaced_pod(namespace).metadata.resource_version
    core.delete_namespaced_pod("one", namespace, grace_period_seconds=0)
    events = watch.Watch().stream(core.list_namespaced_pod, namespace, resource_version=version, timeout_seconds=20)
    assert any(event["type"] == "DELETED" and event["object"].metadata.name == "one" for event in events)
    core.delete_collection_namespaced_pod(namespace, grace_period_seconds=0)


def deployments(apps: client.AppsV1Api, namespace: str) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    apps.create_namespaced_deployment(namespace, {"metadata": {"name": "d"}, "spec": spec})
    apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 1}})
    assert apps.read_namespaced_deployment_scale("d", namespace).spec.replicas == 1
    assert apps.read_namespaced_deployment("d", namespace).spec.replicas == 1
    apps.delete_namespaced_deployment("d", namespace, propagation_policy="Foreground")


def dynamically(namespace: str) -> None:
    services = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="Service")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    services.create(body=service, namespace=namespace)
    service["spec"]["ports"][0]["name"] = "web"
    applied = services.server_side_apply(body=service, namespace=namespace, field_manager="me", force_conflicts=True)
    assert applied.spec.ports[0].name == "web"
    services.delete(name="s", namespace=namespace)


def refusal(call, *arguments) -> int:
    """The status code of a request that must fail."""
    try:
        call(*arguments)
    except ApiException as error:
        return error.status
    raise AssertionError(f"{call.__name__} succeeded")


if __name__ == "__main__":
    main(sys.argv[1])
