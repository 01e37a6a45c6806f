"""Another service verifies the token of a service account by the documents of OpenID Connect."""

from __future__ import annotations

import jwt
import pytest

from tests.masters import Client

CONFIGURATION = "/.well-known/openid-configuration"


async def test_a_token_is_verified_by_the_published_keys(api: Client) -> None:
    configuration = await api("GET", CONFIGURATION)
    assert configuration.headers["Content-Type"] == "application/json"
    assert configuration.json["issuer"] == "https://kubernetes.default.svc.cluster.local"
    assert configuration.json["response_types_supported"] == ["id_token"]
    assert configuration.json["subject_types_supported"] == ["public"]
    address, path = configuration.json["jwks_uri"].removeprefix("https://").split("/", 1)
    assert address.startswith("192.0.2.1:")
    keys = await api("GET", f"/{path}")
    assert keys.headers["Content-Type"] == "application/jwk-set+json"
    assert keys.headers["Cache-Control"] == configuration.headers["Cache-Control"] == "public, max-age=3600"
    assert all("d" not in key for key in keys.json["keys"]), "the private part"

    await api("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
    request = {"spec": {"audiences": ["vault"]}}
    made = await api("POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", request)
    token = made.json["status"]["token"]
    (key,) = (
        key for key in jwt.PyJWKSet.from_dict(keys.json).keys if key.key_id == jwt.get_unverified_header(token)["kid"]
    )
    claims = jwt.decode(
        token,
        key,
        configuration.json["id_token_signing_alg_values_supported"],
        audience="vault",
        issuer=configuration.json["issuer"],
        options={"verify_iat": False, "verify_nbf": False, "verify_exp": False},  # the server's clock is a fake
    )
    assert claims["sub"] == "system:serviceaccount:default:robot"


@pytest.mark.parametrize("path", [CONFIGURATION, "/openid/v1/jwks"])
async def test_the_documents_need_permission_and_can_only_be_read(api: Client, path: str) -> None:
    assert (await api("GET", path, context=api.anonymous)).status in (401, 403)
    assert (await api("POST", path, {})).status == 405
    assert (await api("GET", f"{path}/more")).status == 404
