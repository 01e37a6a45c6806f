"""Config maps and secrets: the limit counts decoded bytes and includes its end, and immutable stays immutable."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from msgspec.structs import replace

from master.api.errors import Invalid
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import CONFIGMAP, SECRET
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.secret import Secret
from master.objects.meta import ObjectMeta

MIB = 1 << 20
META = ObjectMeta(name="x")


def encoded(size: int) -> dict[str, str]:
    return {"key": base64.b64encode(bytes(size)).decode()}


@pytest.mark.parametrize(
    ("kind", "obj", "too_large"),
    [
        pytest.param(CONFIGMAP, ConfigMap(metadata=META, data={"key": "x" * MIB}), False, id="1 MiB of text"),
        pytest.param(CONFIGMAP, ConfigMap(metadata=META, data={"key": "x" * (MIB + 1)}), True, id="more text"),
        pytest.param(CONFIGMAP, ConfigMap(metadata=META, binary_data=encoded(MIB)), False, id="1 MiB of bytes"),
        pytest.param(CONFIGMAP, ConfigMap(metadata=META, binary_data=encoded(MIB + 1)), True, id="more bytes"),
        pytest.param(
            CONFIGMAP, ConfigMap(metadata=META, data={"a": "x"}, binary_data=encoded(MIB)), True, id="both together"
        ),
        pytest.param(SECRET, Secret(metadata=META, data=encoded(MIB)), False, id="a secret of 1 MiB"),
        pytest.param(SECRET, Secret(metadata=META, data=encoded(MIB + 1)), True, id="a larger secret"),
    ],
)
async def test_the_data_may_have_one_mebibyte(
    resources: Resources, me: Caller, kind: Any, obj: Any, too_large: bool
) -> None:
    if too_large:
        with pytest.raises(Invalid, match=f"data: Too long: may not be more than {MIB} bytes"):
            await resources.create(me, kind, obj, namespace="default")
    else:
        await resources.create(me, kind, obj, namespace="default")


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        pytest.param(CONFIGMAP, ConfigMap(metadata=META, data={"a": "1"}, immutable=True), id="config map"),
        pytest.param(SECRET, Secret(metadata=META, data={"a": "MQ=="}, immutable=True), id="secret"),
    ],
)
@pytest.mark.parametrize("change", [{"immutable": None}, {"immutable": False}, {"data": {}}], ids=str)
async def test_immutable_data_stays_immutable(
    resources: Resources, me: Caller, kind: Any, obj: Any, change: dict[str, Any]
) -> None:
    await resources.create(me, kind, obj, namespace="default")
    with pytest.raises(Invalid, match="field is immutable when `immutable` is set"):
        await resources.mutate(me, kind, "default", "x", lambda old: replace(old, **change))
    changed = await resources.mutate(
        me, kind, "default", "x", lambda old: replace(old, metadata=replace(old.metadata, labels={"a": "b"}))
    )
    assert changed.metadata.labels == {"a": "b"}
