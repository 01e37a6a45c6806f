"""The objects of the area `api` as a client sends them, and the requests with them.

A pod is about 2 KB of JSON and has two containers. It names another scheduler, so that creating it costs what the API
does, as with kube-apiserver alone; Sampan's scheduler and controllers run, and ignore it. Names have a fixed length,
so that a request for another pod differs only in its name.
"""

from __future__ import annotations

import json
from typing import Any

NAMESPACE, DOOMED = "bench", "gone"
NAME = b"pod-0000000"
NODE = b"node-0000"
PODS_OF_NODE = 100
"""Kubernetes recommends at most 110."""
OTHERS, TENTH = b'"track":"stable"', b'"track":"canary"'
"""The label that most pods have, and the one that each tenth pod has. Both have the same length."""


def pod_name(number: int) -> bytes:
    return b"pod-%07d" % number


def node_name(number: int) -> bytes:
    return b"node-%04d" % number


def request(method: str, path: str, body: bytes = b"", *, media: str = "application/json", accept: str = "") -> bytes:
    """A complete HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Accept: {accept or 'application/json'}"]
    if body:
        lines += [f"Content-Type: {media}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def creation(path: str, document: dict[str, Any]) -> bytes:
    """The request that creates an object."""
    return request("POST", path, json.dumps(document, separators=(",", ":")).encode())


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def node() -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": NODE.decode(), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE.decode(), "labels": labels}}


def pod(*, node_name: str = "", distinct: bool = False) -> dict[str, Any]:
    """The pod `NAME`. With a `node_name` it is on that node from the start. `distinct`: its spec contains its name.

    It has the defaults, like the pods that a controller makes of its template.
    """
    labels = {"app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": "orders-prod", "track": "stable"}
    annotations = {
        "checksum/config": "6f1c0b8f2a6d4c53b1e09a77d3f5e214",
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9102",
    }
    spec = {
        "schedulerName": "other",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "securityContext": {},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "containers": [_application(), _exporter()],
        "volumes": [
            {"name": "config", "configMap": {"name": "orders-config", "defaultMode": 420}},
            {"name": "credentials", "secret": {"secretName": "orders-database", "defaultMode": 420}},
        ],
    }
    if node_name:
        spec["nodeName"] = node_name
    if distinct:
        spec["hostname"] = NAME.decode()
    metadata = {"name": NAME.decode(), "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _application() -> dict[str, Any]:
    probe = {
        "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 2,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    password = {"secretKeyRef": {"name": "orders-database", "key": "password"}}
    return {
        "name": "orders",
        "image": "registry.example.com/shop/orders:4.17.2",
        "args": ["--listen=:8080"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {"name": "DATABASE_HOST", "value": "orders-database.shop.svc"},
            {"name": "DATABASE_PASSWORD", "valueFrom": password},
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        "livenessProbe": {**probe, "initialDelaySeconds": 15},
        "readinessProbe": probe,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/orders", "readOnly": True}],
        **_DEFAULTS,
    }


def _exporter() -> dict[str, Any]:
    return {
        "name": "exporter",
        "image": "registry.example.com/metrics/exporter:0.9.0",
        "ports": [{"name": "metrics", "containerPort": 9102, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
        "volumeMounts": [{"name": "credentials", "mountPath": "/etc/credentials", "readOnly": True}],
        **_DEFAULTS,
    }


_DEFAULTS = {
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
