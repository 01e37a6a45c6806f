"""`sampan report`: no value of a secret is in it, in whatever form; and the archive."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from typing import Any

import pytest

from cli.report.command import write
from cli.report.redaction import Redaction, shown, values

PASSWORD = 'pa"ss\\wörd'
KEY = (
    "-----BEGIN KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
    + "aGVsbG8gd29ybGQgdGhpcyBpcyBhIGtl\n"
    + "-----END KEY-----\n"
)


def secret(**data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(data), "note": "kept"}
    metadata = {"name": "s", "namespace": "default", "annotations": applied, "managedFields": [{"manager": "m"}]}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": encoded}


def test_a_secret_is_shown_by_its_keys_and_lengths() -> None:
    found = shown(secret(password=PASSWORD, empty=""))
    assert found["data"] == {"password": f"({len(PASSWORD.encode())} bytes)", "empty": "(0 bytes)"}
    assert found["metadata"] == {"name": "s", "namespace": "default", "annotations": {"note": "kept"}}
    assert (found["kind"], found["type"]) == ("Secret", "Opaque")
    assert shown({"metadata": {"name": "bare"}}) == {"metadata": {"name": "bare"}, "data": {}}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PASSWORD.encode(), id="as it is"),
        pytest.param(base64.b64encode(PASSWORD.encode()), id="base64"),
        pytest.param(json.dumps({"env": PASSWORD}).encode(), id="JSON"),
        pytest.param(json.dumps({"env": PASSWORD}, ensure_ascii=False).encode(), id="JSON in UTF-8"),
        pytest.param(json.dumps({"pem": KEY}).encode(), id="a key in JSON"),
        pytest.param(KEY.encode(), id="a key"),
        pytest.param(b"log: " + KEY.splitlines()[2].encode() + b" ok", id="a line of a key"),
    ],
)
def test_a_value_is_hidden_wherever_it_is(text: bytes) -> None:
    left = Redaction(values([secret(password=PASSWORD, key=KEY, short="true")]))(b"before " + text + b" after")
    assert left.startswith(b"before ") and left.endswith(b" after") and b"(hidden)" in left
    for part in (PASSWORD, PASSWORD[2:], *KEY.splitlines()[1:-1]):
        assert part.encode() not in left and json.dumps(part)[1:-1].encode() not in left


def test_a_value_is_hidden_without_the_newline_of_its_file() -> None:
    redact = Redaction(values([secret(password="swordfish\n")]))
    encoded = base64.b64encode(b"swordfish")
    assert redact(b"login swordfish, " + encoded + b" failed") == b"login (hidden), (hidden) failed"


def test_short_values_are_not_searched_for() -> None:
    redact = Redaction(values([secret(flag="true", frame="-----END KEY-----")]))
    assert redact(b"true or default") == b"true or default"


def test_a_value_within_another_does_not_uncover_the_rest() -> None:
    redact = Redaction(values([secret(a="password", b="password-and-more")]))
    assert redact(b"x password-and-more y password z") == b"x (hidden) y (hidden) z"


def test_bytes_that_cannot_be_decoded_are_found_too() -> None:
    raw = bytes(range(128, 160))
    binary = {"data": {"key": base64.b64encode(raw).decode()}}
    assert Redaction(values([binary]))(b"<" + raw + b">") == b"<(hidden)>"
    assert values([{"data": {"odd": "not base64!"}}, {}]) == {b"not base64!"}


def test_the_archive_has_one_directory() -> None:
    file = io.BytesIO()
    write(file, "report", {"b.txt": b"2", "a/one.json": b"{}"}, at=1_700_000_000.5)
    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        assert archive.getnames() == ["report/a/one.json", "report/b.txt"]
        member = archive.getmember("report/b.txt")
        assert (member.mtime, member.mode, member.size) == (1_700_000_000, 0o600, 1)
