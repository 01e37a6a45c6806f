"""Server-side apply: the server merges the document, and keeps which fields its manager owns.

Unlike in apply.py, a field that another manager owns is a conflict, and an unknown field is refused in any case.
"""

from client.apply import Applied, Outcome, place_of
from client.discovery import Discovery
from client.errors import BadManifest, NotFound
from client.rest import APPLY_PATCH, Document, RestClient

MANAGER = "sampan"


def apply(
    client: RestClient, discovery: Discovery, document: Document, *, validation: str = "Strict", force: bool = False
) -> Applied:
    """Bring the fields of the document into the object; `force` takes them from their managers.

    `validation` is the API's fieldValidation. Raises Conflict, whose message names fields and managers.
    """
    resource, namespace, name = place_of(client, discovery, document)
    if not name:
        raise BadManifest("an object that is applied by the server needs metadata.name")
    path = resource.path(namespace, name)
    before = _version(client, path)
    query = {"fieldManager": MANAGER, "fieldValidation": validation, "force": "true" if force else "false"}
    after = client.patch(path, document, kind=APPLY_PATCH, query=query)["metadata"]["resourceVersion"]
    outcome: Outcome = "created" if not before else "unchanged" if after == before else "configured"
    return Applied(resource.kind, name, namespace, outcome)


def _version(client: RestClient, path: str) -> str:
    try:
        return str(client.get(path)["metadata"]["resourceVersion"])
    except NotFound:
        return ""
