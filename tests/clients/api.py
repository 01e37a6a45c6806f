"""The master's API for the tests themselves, as its administrator, with nothing but the standard library."""

from __future__ import annotations

import json
import ssl
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Api:
    """`url` is the server's."""

    url: str
    context: ssl.SSLContext

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None, "")

    def post(self, path: str, created: object) -> Any:
        return self._ask("POST", path, created, "application/json")

    def merge(self, path: str, patch: object) -> Any:
        """Send a merge patch; the changed object."""
        return self._ask("PATCH", path, patch, "application/merge-patch+json")

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path, None, "")

    def _ask(self, method: str, path: str, body: object, media: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": media} if media else {}, method=method)
        with urllib.request.urlopen(request, context=self.context, timeout=20) as response:
            return json.load(response)
