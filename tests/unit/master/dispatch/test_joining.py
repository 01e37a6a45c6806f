"""Joining: which tokens and names get an identity, and the errors of all others."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from agent.identity import keys
from master import kinds
from master.api.errors import ApiError
from master.cache import Cache
from master.dispatch.identities import KEEP, SWEEP_S
from master.dispatch.token import make_valid
from master.kinds.core.namespace import Namespace
from master.kinds.core.node import Node
from master.kinds.core.secret import Secret
from master.objects.meta import ObjectMeta, timestamp
from master.pki import Pki
from master.store.interface import Put
from master.store.memory import MemoryStore
from tests.fakes.hostile import mutated
from tests.fakes.sessions import CALLER, TOKEN, MasterEnd, prepare_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


@pytest.fixture(scope="module")
def key() -> str:
    return keys.make_key()


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    store = MemoryStore()
    end = MasterEnd(pki, store, await Cache.load(store, kinds.ALL))
    await end.resources.create(CALLER, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="kube-system")))
    await make_valid(end.resources, TOKEN)
    yield end


async def put_token(master: MasterEnd, token_id: str, **change: str) -> None:
    values = {"token-id": token_id, "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    values |= {name.replace("_", "-"): value for name, value in change.items()}
    secret = Secret(
        metadata=ObjectMeta(name=f"bootstrap-token-{token_id}", namespace="kube-system"),
        type="bootstrap.kubernetes.io/token",
        data={name: base64.b64encode(value.encode()).decode() for name, value in values.items()},
    )
    await master.resources.create(CALLER, kinds.SECRET, secret, namespace="kube-system")


async def test_a_valid_token_gets_a_certificate_and_its_own_pod_cidr(master: MasterEnd, key: str) -> None:
    answers = [await master.join.join(TOKEN, name, keys.make_request(key, name)) for name in ("a", "b")]
    assert answers[0].ca == master.pki.ca_pem.decode()
    identities = [await master.identities.get(name) for name in ("a", "b")]
    assert [identity.pod_cidr for identity in identities if identity] == ["10.244.0.0/24", "10.244.1.0/24"]
    holder = await master.store.get("/unique/podcidr/10.244.1.0/24")
    assert holder is not None
    assert holder.value == b"identity/node/b"


async def test_nodes_that_join_concurrently_get_different_pod_cidrs(master: MasterEnd, key: str) -> None:
    names = [f"node-{number}" for number in range(8)]
    await asyncio.gather(*(master.join.join(TOKEN, name, keys.make_request(key, name)) for name in names))
    identities = [await master.identities.get(name) for name in names]
    assert len({identity.pod_cidr for identity in identities if identity}) == 8


@pytest.mark.parametrize(
    ("token", "says"),
    [
        pytest.param("nonsense", "form abcdef", id="not a token"),
        pytest.param("zzzzzz.0123456789abcdef", "not valid", id="unknown"),
        pytest.param("abcdef.fedcba9876543210", "not valid", id="wrong secret"),
        pytest.param("expire.0123456789abcdef", "expired", id="expired"),
        pytest.param("signer.0123456789abcdef", "not meant for joining", id="other use"),
    ],
)
async def test_other_tokens_are_unauthorized(master: MasterEnd, key: str, token: str, says: str) -> None:
    await put_token(master, "expire", expiration=timestamp(master.clock.now() - timedelta(seconds=1)))
    await put_token(master, "signer", usage_bootstrap_authentication="false")
    with pytest.raises(ApiError, match=says) as refused:
        await master.join.join(token, "a", keys.make_request(key, "a"))
    assert refused.value.code == 401
    assert await master.identities.get("a") is None


async def test_a_token_that_has_not_expired_is_valid(master: MasterEnd, key: str) -> None:
    await put_token(master, "later1", expiration=timestamp(master.clock.now() + timedelta(hours=1)))
    assert await master.join.join("later1.0123456789abcdef", "a", keys.make_request(key, "a"))


@pytest.mark.parametrize("name", ["", "Upper", "under_score", "-a", "a" * 254, "a/../b"])
async def test_an_invalid_name_is_refused(master: MasterEnd, key: str, name: str) -> None:
    with pytest.raises(ApiError, match="not a valid node name") as refused:
        await master.join.join(TOKEN, name, keys.make_request(key, "a"))
    assert refused.value.code == 422


async def test_a_request_for_another_name_is_refused(master: MasterEnd, key: str) -> None:
    with pytest.raises(ApiError, match="common name") as refused:
        await master.join.join(TOKEN, "a", keys.make_request(key, "b"))
    assert refused.value.code == 400


async def test_the_name_of_a_joined_node_is_taken(master: MasterEnd, key: str) -> None:
    await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    with pytest.raises(ApiError, match="kubectl delete node a") as refused:
        await master.join.join(TOKEN, "a", keys.make_request(keys.make_key(), "a"))
    assert refused.value.code == 409


async def test_a_node_that_a_person_created_is_for_the_machine_that_joins_under_its_name(
    master: MasterEnd, key: str
) -> None:
    await master.resources.create(CALLER, kinds.NODE, Node(metadata=ObjectMeta(name="a")))
    assert not (await master.join.prospect(TOKEN, "a", "", "key")).name_taken
    await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    with pytest.raises(ApiError, match="kubectl delete node a"):
        await master.join.join(TOKEN, "a", keys.make_request(keys.make_key(), "a"))


async def test_a_join_whose_reply_was_lost_may_be_repeated_with_the_same_key(master: MasterEnd, key: str) -> None:
    await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    again = await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    identity = await master.identities.get("a")
    assert identity is not None
    assert identity.pod_cidr == "10.244.0.0/24"
    assert again.certificate


async def test_a_removed_name_is_free_after_a_day(master: MasterEnd, key: str) -> None:
    await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    await master.resources.create(CALLER, kinds.NODE, Node(metadata=ObjectMeta(name="a")))
    await master.resources.delete(CALLER, kinds.NODE, "", "a")
    with pytest.raises(ApiError, match="has not cleaned up yet"):
        await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    await master.identities.sweep()
    await master.clock.advance(KEEP.total_seconds() - 60)
    await master.identities.sweep()
    assert await master.identities.get("a")
    await master.clock.advance(120)
    await master.identities.sweep()
    assert await master.identities.get("a") is None
    assert await master.store.get("/unique/podcidr/10.244.0.0/24") is None


async def test_a_store_that_cannot_write_delays_only_the_sweep(
    master: MasterEnd, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    await master.clock.advance(KEEP.total_seconds() + 60)
    master.store.fail = True
    sweeping = asyncio.create_task(master.identities.run())
    await master.clock.advance(3 * SWEEP_S)
    assert not sweeping.done(), "an error here would end the master, at its next start again"
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1 and "cannot be freed: the disk failed" in errors[0]
    assert await master.identities.get("a")
    master.store.fail = False
    await master.clock.advance(SWEEP_S)
    assert await master.identities.get("a") is None
    sweeping.cancel()


async def test_a_pod_cidr_that_changes_during_a_sweep_is_left_to_the_next_one(
    master: MasterEnd, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        await master.join.join(TOKEN, name, keys.make_request(key, name))
        await master.resources.create(CALLER, kinds.NODE, Node(metadata=ObjectMeta(name=name)))
        await master.resources.delete(CALLER, kinds.NODE, "", name)
        await master.join.join(TOKEN, name, keys.make_request(keys.make_key(), name))
    await master.clock.advance(KEEP.total_seconds() + 60)
    real, first = master.store.list, "/unique/podcidr/10.244.0.0/24"

    async def listed(prefix: str) -> Any:
        listing = await real(prefix)
        if prefix == "/unique/podcidr/":
            value = next(item.value for item in listing[0] if item.key == first)
            await master.store.commit([], [Put(first, value)])
        return listing

    monkeypatch.setattr(master.store, "list", listed)
    await master.identities.sweep()
    assert await master.store.get(first)
    assert await master.store.get("/unique/podcidr/10.244.2.0/24") is None, "the sweep goes on with the others"


async def test_another_machine_gets_a_removed_name_but_not_its_pod_cidr(master: MasterEnd, key: str) -> None:
    await master.join.join(TOKEN, "a", keys.make_request(key, "a"))
    await master.resources.create(CALLER, kinds.NODE, Node(metadata=ObjectMeta(name="a")))
    await master.resources.delete(CALLER, kinds.NODE, "", "a")
    other = keys.make_key()
    assert (await master.join.prospect(TOKEN, "a", "192.0.2.1", "")).name_taken == ""
    await master.join.join(TOKEN, "a", keys.make_request(other, "a"))
    identity = await master.identities.get("a")
    assert identity and not identity.removed and identity.pod_cidr == "10.244.1.0/24"

    # Pods may still run on the removed machine: nobody else gets their addresses before a day is over.
    await master.clock.advance(KEEP.total_seconds() - 60)
    await master.identities.sweep()
    await master.join.join(TOKEN, "b", keys.make_request(keys.make_key(), "b"))
    await master.clock.advance(120)
    await master.identities.sweep()
    await master.join.join(TOKEN, "c", keys.make_request(keys.make_key(), "c"))
    identities = [await master.identities.get(name) for name in ("b", "c")]
    assert [identity.pod_cidr for identity in identities if identity] == ["10.244.2.0/24", "10.244.0.0/24"]


def _request(key: Any, *, algorithm: Any = None, names: tuple[str, ...] = ("system:node:a",)) -> str:
    """A certificate request with any kind of key, for any names."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes")]
    parts += [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names]
    made = (
        x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts)).sign(key, algorithm or hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _badly_signed(pki: Pki) -> str:
    """A request with one bit changed in the signature, which comes last."""
    der = bytearray(ssl.PEM_cert_to_DER_cert(keys.make_request(keys.make_key(), "a").replace(" REQUEST", "")))
    der[-1] ^= 1
    return ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        pytest.param(lambda pki: "", "cannot be read", id="nothing"),
        pytest.param(lambda pki: "x" * 1_000_000, "cannot be read", id="noise"),
        pytest.param(lambda pki: "\ud800", "cannot be read", id="not Unicode"),
        pytest.param(lambda pki: pki.ca_pem.decode(), "cannot be read", id="a certificate"),
        pytest.param(lambda pki: keys.make_key(), "cannot be read", id="a key"),
        pytest.param(_badly_signed, "not signed by its own key", id="bad signature"),
        pytest.param(lambda pki: _request(ec.generate_private_key(ec.SECP192R1())), "256 bits or more", id="EC"),
        pytest.param(lambda pki: _request(rsa.generate_private_key(65537, 1024)), "2048 bits or more", id="RSA"),
        pytest.param(lambda pki: _request(dsa.generate_private_key(1024)), "neither EC", id="DSA"),
        pytest.param(
            lambda pki: _request(ec.generate_private_key(ec.SECP256R1()), names=()), "common name is", id="no name"
        ),
        pytest.param(
            lambda pki: _request(ec.generate_private_key(ec.SECP256R1()), names=("system:node:a", "system:node:b")),
            "common name is",
            id="two names",
        ),
        pytest.param(
            lambda pki: _request(ec.generate_private_key(ec.SECP256R1()), names=("sampan-admin",)),
            "common name is",
            id="the administrator",
        ),
    ],
)
async def test_an_invalid_certificate_request_is_refused(
    master: MasterEnd, made: Callable[[Pki], str], says: str
) -> None:
    with pytest.raises(ApiError, match=says) as refused:
        await master.join.join(TOKEN, "a", made(master.pki))
    assert refused.value.code == 400
    assert len(str(refused.value)) < 2000
    assert await master.identities.get("a") is None
    assert await master.store.list("/unique/podcidr/") == ([], (await master.store.list("/"))[1])


async def test_damaged_requests_are_refused(master: MasterEnd, key: str, pytestconfig: pytest.Config) -> None:
    """Mutates the DER of a valid request; the random numbers are seeded."""
    good = ssl.PEM_cert_to_DER_cert(keys.make_request(key, "a").replace(" REQUEST", ""))
    chance = random.Random(5)
    for _ in range(5000 if pytestconfig.getoption("--long", default=False) else 500):
        der = mutated(good, chance)
        csr = ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", "CERTIFICATE REQUEST")
        try:
            await master.join.join(TOKEN, "a", csr)
        except ApiError as error:
            assert error.code == 400, error
        else:
            assert der == good or (await master.identities.get("a")) is not None
