"""The errors of the API are documents of the kind Status."""

from __future__ import annotations

from master.api.errors import ApiError


def test_every_error_is_a_status() -> None:
    def subclasses(cls: type[ApiError]) -> list[type[ApiError]]:
        return [cls, *(inner for sub in cls.__subclasses__() for inner in subclasses(sub))]

    for cls in subclasses(ApiError):
        status = cls("why").status()
        assert status["kind"] == "Status" and 400 <= status["code"] < 600 and status["reason"]
