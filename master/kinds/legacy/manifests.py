"""The first form of pods and services, `v1beta1` of 2014: `id` and labels at the top, the pod in a manifest.

Bodies in this form are converted; answers are in `v1`. Fields that no document uses are not known.
"""

from __future__ import annotations

from typing import Any, Final

from master.registry.resource import Version
from master.schema.data import Data
from master.schema.openapi import struct_of_schema

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_PAIRS: Final = {"type": "object", "additionalProperties": _TEXT}
_NUMBER: Final = {"type": "integer", "minimum": 0}
_NUMBER_32: Final = {**_NUMBER, "format": "int32"}
_PORT: Final = {"x-kubernetes-int-or-string": True}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "items": _object(**properties)}


_EMPTY: Final = _object()
_TOP: Final = {
    "id": _TEXT,
    "namespace": _TEXT,
    "labels": _PAIRS,
    "annotations": _PAIRS,
    "creationTimestamp": _TEXT,
    "selfLink": _TEXT,
    "uid": _TEXT,
    "resourceVersion": {"type": "integer"},
}
_CONTAINERS: Final = _list(
    name=_TEXT,
    image=_TEXT,
    entrypoint=_TEXTS,
    command=_TEXTS,
    workingDir=_TEXT,
    ports=_list(name=_TEXT, hostPort=_NUMBER_32, containerPort=_NUMBER_32, protocol=_TEXT, hostIP=_TEXT),
    env=_list(name=_TEXT, value=_TEXT),
    cpu=_NUMBER,
    memory=_NUMBER,
    volumeMounts=_list(name=_TEXT, mountPath=_TEXT, readOnly=_FLAG),
    imagePullPolicy=_TEXT,
    privileged=_FLAG,
)
_VOLUMES: Final = _list(name=_TEXT, source=_object(emptyDir=_EMPTY, hostDir=_object(path=_TEXT)))
_MANIFEST: Final = _object(
    version=_TEXT,
    id=_TEXT,
    uuid=_TEXT,
    containers=_CONTAINERS,
    volumes=_VOLUMES,
    restartPolicy=_object(always=_EMPTY, onFailure=_EMPTY, never=_EMPTY),
    dnsPolicy=_TEXT,
)
_POD: Final = _object(**_TOP, desiredState=_object(manifest=_MANIFEST), nodeSelector=_PAIRS)
_SERVICE: Final = _object(
    **_TOP,
    port=_NUMBER_32,
    protocol=_TEXT,
    selector=_PAIRS,
    containerPort=_PORT,
    publicIPs=_TEXTS,
    portalIP=_TEXT,
    sessionAffinity=_TEXT,
)
_KEPT_BY_CONTAINERS: Final = ("name", "image", "workingDir", "ports", "env", "volumeMounts", "imagePullPolicy")
_RESTART: Final = {"always": "Always", "onFailure": "OnFailure", "never": "Never"}


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    """The metadata, which was at the top. What the server sets is left out, except the version of an update."""
    meta: dict[str, Any] = {key: value[key] for key in ("namespace", "labels", "annotations") if key in value}
    if value.get("resourceVersion"):
        meta["resourceVersion"] = str(value["resourceVersion"])
    return {**value.get("metadata", {}), "name": value.get("id", ""), **meta}


def _pod(value: dict[str, Any]) -> dict[str, Any]:
    manifest = value.get("desiredState", {}).get("manifest", {})
    spec: dict[str, Any] = {
        "containers": [_container(container) for container in manifest.get("containers", ())],
        "volumes": [_volume(volume) for volume in manifest.get("volumes", ())],
        "nodeSelector": value.get("nodeSelector", {}),
    }
    for policy in manifest.get("restartPolicy", ()):
        spec["restartPolicy"] = _RESTART[policy]
    if "dnsPolicy" in manifest:
        spec["dnsPolicy"] = manifest["dnsPolicy"]
    return {"metadata": _metadata(value), "spec": spec}


def _container(old: dict[str, Any]) -> dict[str, Any]:
    """`cpu` was in thousandths of a processor and `memory` in bytes; both were limits."""
    new: dict[str, Any] = {key: old[key] for key in _KEPT_BY_CONTAINERS if key in old}
    for key, name in (("entrypoint", "command"), ("command", "args")):
        if key in old:
            new[name] = old[key]
    limits = {"cpu": f"{old['cpu']}m"} if old.get("cpu") else {}
    if old.get("memory"):
        limits["memory"] = str(old["memory"])
    if limits:
        new["resources"] = {"limits": limits}
    if old.get("privileged"):
        new["securityContext"] = {"privileged": True}
    return new


def _volume(old: dict[str, Any]) -> dict[str, Any]:
    source = old.get("source", {})
    if "hostDir" in source:
        return {"name": old.get("name", ""), "hostPath": {"path": source["hostDir"].get("path", "")}}
    return {"name": old.get("name", ""), "emptyDir": {}}


def _service(value: dict[str, Any]) -> dict[str, Any]:
    port: dict[str, Any] = {"port": value.get("port", 0)}
    if value.get("protocol"):
        port["protocol"] = value["protocol"]
    if value.get("containerPort"):
        port["targetPort"] = value["containerPort"]
    spec: dict[str, Any] = {"ports": [port], "selector": value.get("selector", {})}
    for old, new in (("portalIP", "clusterIP"), ("publicIPs", "externalIPs"), ("sessionAffinity", "sessionAffinity")):
        if value.get(old):
            spec[new] = value[old]
    return {"metadata": _metadata(value), "spec": spec}


def _version(kind: str, schema: dict[str, Any], convert: Any) -> Version:
    data = Data(kind, lambda: struct_of_schema(kind, schema))
    return Version("v1beta1", data, from_stored=None, to_stored=convert, old=True)


POD_V1BETA1: Final = _version("Pod", _POD, _pod)
SERVICE_V1BETA1: Final = _version("Service", _SERVICE, _service)
