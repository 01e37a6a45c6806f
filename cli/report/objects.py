"""The objects of a cluster for a report, and what its nodes say about themselves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cli.report.redaction import shown, values

if TYPE_CHECKING:
    from client.discovery import Resource
    from client.rest import RestClient

_SECRETS: Final = "secrets"
_PAGES: Final = ("stats/summary", "metrics", "healthz")
"""Pages of a node."""
_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class Objects:
    """The files by name, what could not be read, and the secrets' values."""

    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    secrets: frozenset[bytes] = frozenset()


def objects(client: "RestClient") -> Objects:
    """Everything that the API lists. What cannot be read is a problem of the report, not an error."""
    from client.catalog import Catalog
    from client.errors import ClientError

    found = Objects()
    try:
        found.files["version.json"] = _json(client.get("/version"))
        resources = Catalog(client).all()
    except ClientError as error:
        found.problems.append(f"the API: {error}")
        return found
    nodes: list[str] = []
    for resource in resources:
        if not resource.preferred or "list" not in resource.verbs:
            continue
        try:
            items = client.get(resource.path(), timeout_s=_TIMEOUT_S).get("items") or []
        except ClientError as error:
            found.problems.append(f"{resource.plural}: {error}")
            continue
        if items:
            found.files[f"objects/{_name(resource)}.json"] = _json(_kept(resource, items, found))
        if (resource.group, resource.plural) == ("", "nodes"):
            nodes = [node["metadata"]["name"] for node in items]
    found.files |= dict(_pages(client, nodes, found.problems))
    return found


def _kept(resource: "Resource", items: list[dict[str, Any]], found: Objects) -> list[dict[str, Any]]:
    if (resource.group, resource.plural) != ("", _SECRETS):
        return items
    found.secrets = values(items)
    return [shown(item) for item in items]


def _pages(client: "RestClient", nodes: list[str], problems: list[str]) -> Iterator[tuple[str, bytes]]:
    from client.errors import ClientError

    for node in nodes:
        for page in _PAGES:
            try:
                text = client.get_text(f"/api/v1/nodes/{node}/proxy/{page}")
            except ClientError as error:
                problems.append(f"node {node}: {page}: {error}")
            else:
                yield f"nodes/{node}/{page.replace('/', '-')}.txt", text.encode()


def _name(resource: "Resource") -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=1).encode() + b"\n"
