"""Follows a collection for as long as its server answers: a watch that ends is begun again where it ended."""

from collections.abc import Iterator

from client.rest import JSON, Query, RestClient
from client.watching import WatchEvent


def follow(
    client: RestClient, path: str, resource_version: str, query: Query | None = None, *, accept: str = JSON
) -> Iterator[WatchEvent]:
    """The changes after a version, without bookmarks. Ends if a watch ends without any event, even a bookmark.

    Raises Gone if the server no longer has the changes after the version.
    """
    while True:
        begun_at = resource_version
        for event in client.watch(path, resource_version=begun_at, query=query, accept=accept):
            resource_version = event.resource_version
            if event.kind != "BOOKMARK":
                yield event
        if resource_version == begun_at:
            return
