"""The query parameters of a request, typed. An invalid one raises BadRequest with its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from master.api.errors import BadRequest

_VALIDATIONS = ("Strict", "Warn", "Ignore")


class Query:
    """Reads parameters by name."""

    def __init__(self, values: Mapping[str, str], pairs: Sequence[tuple[str, str]] = ()) -> None:
        """`values`: the first of each parameter. `pairs`: all of them, in order."""
        self._values = values
        self._pairs = pairs

    @classmethod
    def of(cls, text: str) -> Query:
        """The parameters of a URL's query. Of repeated ones, the first counts."""
        if not text:
            return _EMPTY
        pairs = parse_qsl(text, keep_blank_values=True)
        return cls(dict(reversed(pairs)), pairs)

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def texts(self, name: str) -> list[str]:
        """All values of a repeated parameter, such as the words of a command, in order."""
        return [value for key, value in self._pairs if key == name]

    def flag(self, name: str) -> bool:
        """Whether the parameter is `true`, `t`, `1` or has no value. A missing one is False."""
        if name not in self._values:
            return False
        value = self._values[name].lower()
        if value in ("true", "1", "t", ""):
            return True
        if value in ("false", "0", "f"):
            return False
        raise BadRequest(f"{name}: {value!r} is neither true nor false")

    def optional_flag(self, name: str) -> bool | None:
        """Like `flag`, but None for a missing parameter."""
        return self.flag(name) if name in self._values else None

    def number(self, name: str) -> int | None:
        """An integer that is not negative, or None if the parameter is missing or empty."""
        value = self._values.get(name, "")
        if not value:
            return None
        if not (value.isascii() and value.isdigit()) or len(value) > 18:
            raise BadRequest(f"{name}: {value!r} is not a number of 0 or more")
        return int(value)

    @property
    def dry_run(self) -> bool:
        value = self.text("dryRun")
        if value not in ("", "All"):
            raise BadRequest(f"dryRun: {value!r} is not supported; supported values: All")
        return bool(value)

    @property
    def field_validation(self) -> str:
        value = self.text("fieldValidation") or "Warn"
        if value not in _VALIDATIONS:
            raise BadRequest(
                f"fieldValidation: {value!r} is not supported; supported values: {', '.join(_VALIDATIONS)}"
            )
        return value


_EMPTY = Query({})
