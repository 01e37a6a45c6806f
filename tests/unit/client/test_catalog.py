"""Words for types, with a server that aggregates its discovery and with one that does not."""

from __future__ import annotations

from typing import Any, Final, cast

import pytest

from client.catalog import Catalog
from client.errors import UnknownType
from client.rest import RestClient

_POD: Final = {"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]}
_JOB: Final = {"name": "jobs", "singularName": "job", "kind": "Job", "namespaced": True, "verbs": ["list"]}
PLAIN: Final[dict[str, Any]] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {
        "resources": [{**_POD, "shortNames": ["po", "job"], "categories": ["all"]}, {**_POD, "name": "pods/log"}]
    },
    "/apis": {
        "groups": [
            {
                "name": "batch",
                "versions": [{"groupVersion": f"batch/{v}", "version": v} for v in ("v1beta1", "v1")],
                "preferredVersion": {"groupVersion": "batch/v1", "version": "v1"},
            }
        ]
    },
    "/apis/batch/v1": {"resources": [{**_JOB, "categories": ["all"]}]},
    "/apis/batch/v1beta1": {
        "resources": [{**_JOB, "categories": ["all"]}, {**_JOB, "name": "old", "singularName": "", "kind": "Old"}]
    },
}


def _version(version: str, *entries: dict[str, Any]) -> dict[str, Any]:
    resources = [
        {
            "resource": entry["name"],
            "singularResource": entry["singularName"],
            "responseKind": {"kind": entry["kind"]},
            "scope": "Namespaced",
            "verbs": entry["verbs"],
            **{key: entry[key] for key in ("shortNames", "categories", "subresources") if key in entry},
        }
        for entry in entries
    ]
    return {"version": version, "resources": resources}


_LOG: Final = {"subresources": [{"subresource": "log", "verbs": ["get"]}]}
AGGREGATED: Final[dict[str, Any]] = {
    "/api": {"items": [{"metadata": {}, "versions": [_version("v1", {**PLAIN["/api/v1"]["resources"][0], **_LOG})]}]},
    "/apis": {
        "items": [
            {
                "metadata": {"name": "batch"},
                "versions": [
                    _version("v1", *PLAIN["/apis/batch/v1"]["resources"]),
                    _version("v1beta1", *PLAIN["/apis/batch/v1beta1"]["resources"]),
                ],
            }
        ]
    },
}


class Answers:
    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents

    def get(self, path: str, *, accept: str = "") -> Any:
        return self.documents[path]


@pytest.fixture(params=[PLAIN, AGGREGATED], ids=["plain", "aggregated"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    return Catalog(cast(RestClient, Answers(request.param)))


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("pods", "/api/v1/pods"),
        ("POD", "/api/v1/pods"),
        ("po", "/api/v1/pods"),
        ("pods.v1.", "/api/v1/pods"),
        # A name comes before a short name, even one of the core group.
        ("job", "/apis/batch/v1/jobs"),
        ("jobs.batch", "/apis/batch/v1/jobs"),
        # Only a version that is not preferred has it.
        ("old", "/apis/batch/v1beta1/old"),
        ("jobs.v1beta1.batch", "/apis/batch/v1beta1/jobs"),
    ],
)
def test_a_word_means_a_resource(catalog: Catalog, word: str, path: str) -> None:
    assert catalog.find(word).path() == path


@pytest.mark.parametrize("word", ["nope", "pods.batch", "jobs.v2.batch", "old.v1.batch", "pods/log", ""])
def test_other_words_are_unknown(catalog: Catalog, word: str) -> None:
    with pytest.raises(UnknownType):
        catalog.find(word)


def test_categories_have_each_resource_once(catalog: Catalog) -> None:
    assert [resource.title for resource in catalog.of_category("all")] == ["pod", "job.batch"]
    assert catalog.with_subresource("log").plural == "pods"
