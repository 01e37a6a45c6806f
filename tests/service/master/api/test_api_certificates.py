"""The API's certificates change while it serves: new connections use the new ones, open connections continue."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
from cryptography import x509

from tests.masters import Client


def peer(port: int, context: ssl.SSLContext) -> Any:
    return asyncio.open_connection("127.0.0.1", port, ssl=context)


async def served(api: Client, context: ssl.SSLContext) -> int:
    """The serial number of the server's certificate on a new connection."""
    _, writer = await peer(api.port, context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(certificate).serial_number


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET /livez HTTP/1.1\r\nHost: master\r\n\r\n")
    return await reader.readuntil(b"ok")


async def test_a_renewed_certificate_is_used_at_once_and_open_connections_continue(api: Client) -> None:
    open_one = await peer(api.port, api.context)
    before = await served(api, api.context)
    assert await served(api, api.context) == before
    api.pki.rotate("server")
    assert await served(api, api.context) != before
    assert b"200" in await ask(*open_one)
    open_one[1].close()


async def test_other_addresses_are_in_the_certificate_at_once(api: Client) -> None:
    api.pki.advertise(("198.51.100.7",))
    _, writer = await peer(api.port, api.context)
    names = writer.get_extra_info("peercert")["subjectAltName"]
    writer.close()
    assert ("IP Address", "198.51.100.7") in names and ("IP Address", "192.0.2.1") not in names


async def test_after_the_rotation_of_the_ca_only_its_certificates_are_accepted(api: Client) -> None:
    old_pem, old = api.pki.ca_pem.decode(), api.context
    api.pki.begin_rotation()
    both = api._context(certificate=True)
    for context in (old, both):
        assert (await api("GET", "/api/v1/namespaces", context=context)).status == 200
    assert (await api("GET", "/sampan/v1/ca")).body == api.pki.ca_pem
    api.pki.finish_rotation()
    new = api._context(certificate=True)
    for context in (both, new):
        assert (await api("GET", "/api/v1/namespaces", context=context)).status == 200
    assert old_pem not in api.pki.ca_pem.decode()
    with pytest.raises(ssl.SSLCertVerificationError):
        await peer(api.port, old)
    # A client that trusts the new CA, but has a certificate of the old one, is refused.
    old.load_verify_locations(cadata=api.pki.ca_pem.decode())
    reader, writer = await peer(api.port, old)
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await ask(reader, writer)
    writer.close()
