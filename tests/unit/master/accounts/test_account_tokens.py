"""A token identifies its service account as long as it has not expired and all objects that it names exist."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from master import kinds
from master.accounts.jsonwebtoken import BadToken, JsonWebTokens
from master.accounts.tokens import ISSUER, AccountTokens
from master.api.errors import Unauthorized
from master.api.identity import Caller
from master.api.resources import Resources
from master.api.tokens import Claims, Named
from master.kinds.core.secret import Secret
from master.kinds.core.serviceaccount import ServiceAccount
from master.objects.meta import ObjectMeta
from tests.fakes.clock import START, FakeClock

KEY = generate_private_key(SECP256R1())
CLAIMS = Claims(
    namespace="default",
    account=Named("robot", "u1"),
    audiences=(ISSUER,),
    issued=START,
    expires=START + timedelta(hours=1),
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def claims(resources: Resources, me: Caller) -> Claims:
    """The claims of an account that exists."""
    made = ServiceAccount(metadata=ObjectMeta(name="robot"))
    account = await resources.create(me, kinds.SERVICEACCOUNT, made, namespace="default")
    return replace(CLAIMS, account=Named("robot", account.metadata.uid))


@pytest.fixture
def tokens(resources: Resources, clock: FakeClock) -> AccountTokens:
    return AccountTokens(KEY, resources.cache, clock)


def refused(tokens: AccountTokens, token: str, *audiences: str) -> str:
    with pytest.raises(Unauthorized) as error:
        tokens.authenticate(token, audiences)
    return error.value.message


async def test_a_token_names_its_account(tokens: AccountTokens, claims: Claims) -> None:
    caller, audiences = tokens.authenticate(tokens.issue(claims))
    assert (caller.name, caller.uid) == ("system:serviceaccount:default:robot", claims.account.uid)
    assert caller.groups == {"system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"}
    assert audiences == (ISSUER,)
    ((key, (value,)),) = caller.extra
    assert key == "authentication.kubernetes.io/credential-id"
    assert value.startswith("JTI=")


async def test_a_token_is_valid_until_it_expires(tokens: AccountTokens, claims: Claims, clock: FakeClock) -> None:
    token = tokens.issue(claims)
    await clock.advance(3599)
    tokens.authenticate(token)
    await clock.advance(1)
    assert "expired" in refused(tokens, token)


async def test_a_token_stays_valid_when_the_clock_is_set_back(
    tokens: AccountTokens, claims: Claims, clock: FakeClock
) -> None:
    token = tokens.issue(claims)
    clock.ahead = timedelta(hours=-1)
    assert tokens.authenticate(token)[1] == (ISSUER,)


async def test_a_token_is_for_its_audiences_only(tokens: AccountTokens, claims: Claims) -> None:
    token = tokens.issue(replace(claims, audiences=("vault", "db")))
    assert "audience" in refused(tokens, token)
    assert tokens.authenticate(token, ("web", "db"))[1] == ("db",)


async def test_a_token_ends_with_its_account(
    tokens: AccountTokens, claims: Claims, resources: Resources, me: Caller
) -> None:
    token = tokens.issue(claims)
    await resources.delete(me, kinds.SERVICEACCOUNT, "default", "robot")
    assert "does not exist" in refused(tokens, token)
    again = ServiceAccount(metadata=ObjectMeta(name="robot"))
    await resources.create(me, kinds.SERVICEACCOUNT, again, namespace="default")
    assert "does not exist" in refused(tokens, token), "another account with the same name"


async def test_a_bound_token_ends_with_its_object(
    tokens: AccountTokens, claims: Claims, resources: Resources, me: Caller
) -> None:
    secret = Secret(metadata=ObjectMeta(name="bound"))
    bound = await resources.create(me, kinds.SECRET, secret, namespace="default")
    token = tokens.issue(replace(claims, secret=Named("bound", bound.metadata.uid)))
    tokens.authenticate(token)
    await resources.delete(me, kinds.SECRET, "default", "bound")
    assert "secret" in refused(tokens, token)


async def test_a_token_of_another_key_or_issuer_is_refused(tokens: AccountTokens, claims: Claims) -> None:
    other = JsonWebTokens(generate_private_key(SECP256R1()), ISSUER)
    assert "invalid bearer token" in refused(tokens, other.sign(claims))
    elsewhere = JsonWebTokens(KEY, "https://elsewhere.example")
    assert "invalid bearer token" in refused(tokens, elsewhere.sign(claims))


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"iss": ISSUER, "aud": ISSUER},
        {"iss": ISSUER, "kubernetes.io": "x", "aud": [ISSUER]},
        {"iss": ISSUER, "kubernetes.io": {"namespace": "a", "serviceaccount": {"name": "b"}}, "aud": [ISSUER]},
    ],
)
def test_signed_text_with_other_claims_is_not_a_token(payload: dict[str, object]) -> None:
    with pytest.raises(BadToken):
        JsonWebTokens(KEY, ISSUER).read(jwt.encode(payload, KEY, algorithm="ES256"))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_chooses_no_other_algorithm(algorithm: str) -> None:
    unsigned = jwt.encode({"iss": ISSUER}, None if algorithm == "none" else "k" * 32, algorithm=algorithm)
    with pytest.raises(BadToken):
        JsonWebTokens(KEY, ISSUER).read(unsigned)


@pytest.mark.parametrize("text", ["", "a.b.c", "ä", "." * 100, "x" * 20_000])
def test_other_text_is_not_a_token(text: str) -> None:
    with pytest.raises(BadToken):
        JsonWebTokens(KEY, ISSUER).read(text)


def test_others_can_verify_tokens_with_the_published_key() -> None:
    texts = JsonWebTokens(KEY, ISSUER)
    (published,) = texts.keys()["keys"]  # type: ignore[misc]
    token = texts.sign(CLAIMS)
    assert jwt.get_unverified_header(token)["kid"] == published["kid"]
    key = jwt.PyJWK(published)
    payload = jwt.decode(token, key, ["ES256"], audience=ISSUER, options={"verify_exp": False})
    assert payload["sub"] == "system:serviceaccount:default:robot"
