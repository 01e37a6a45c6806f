"""Docker's SDK without its HTTP client: `types`, which build the engine's requests, `auth`, and the `errors` of both.

Owns how these modules are loaded. `import docker` also loads the SDK's client with requests, urllib3 and
charset_normalizer: 6 MB that each agent would hold for nothing, as it has a client of its own. The modules here are
private: who imports docker elsewhere in the process gets the whole SDK.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Final

__all__ = ["auth", "errors", "types"]

_EMPTY: Final = ("docker", "requests", "urllib3")


@contextmanager
def _empty_packages() -> Iterator[None]:
    """In the block, these packages are without what their own __init__ loads; their modules can be imported."""
    before = _taken_out()
    try:
        for name in _EMPTY:
            sys.modules[name] = _empty(name)
        # The only name that the modules use: the base class of an error that the SDK's client raises.
        vars(sys.modules["requests"])["exceptions"] = SimpleNamespace(HTTPError=OSError)
        yield
    finally:
        _taken_out()
        sys.modules.update(before)


def _empty(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"{name} is not installed", name=name)
    return importlib.util.module_from_spec(spec)


def _taken_out() -> dict[str, ModuleType]:
    """Remove the packages and their modules from the loaded ones; returns them."""
    names = [name for name in sys.modules if name.partition(".")[0] in _EMPTY]
    return {name: sys.modules.pop(name) for name in names}


with _empty_packages():
    from docker import auth, errors, types
