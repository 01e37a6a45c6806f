"""Quantities have the values and the canonical forms of k8s.io/apimachinery/pkg/api/resource."""

from __future__ import annotations

from decimal import Decimal

import pytest

from master.schema import quantity
from master.schema.quantity import MAX

# Text, canonical form, canonical form in a list of resources, value, thousandths: what apimachinery 0.37 answers. Where
# 64 bits are not enough, it overflows; there the last two are MAX.
TABLE = [
    ("0", "0", "0", 0, 0),
    ("00", "0", "0", 0, 0),
    ("-0", "0", "0", 0, 0),
    ("+0", "0", "0", 0, 0),
    ("0.0", "0", "0", 0, 0),
    ("0.000", "0", "0", 0, 0),
    ("0Ki", "0", "0", 0, 0),
    ("0e3", "0", "0", 0, 0),
    ("1", "1", "1", 1, 1000),
    ("+1", "+1", "+1", 1, 1000),
    ("05", "05", "05", 5, 5000),
    ("100", "100", "100", 100, 100000),
    ("1000", "1k", "1k", 1000, 1000000),
    ("1000m", "1", "1", 1, 1000),
    ("1001m", "1001m", "1001m", 2, 1001),
    ("100m", "100m", "100m", 1, 100),
    ("0.5", "500m", "500m", 1, 500),
    (".5", "500m", "500m", 1, 500),
    ("5.", "5.", "5.", 5, 5000),
    ("0.500", "500m", "500m", 1, 500),
    ("1.5", "1500m", "1500m", 2, 1500),
    ("1.500", "1.500", "1.500", 2, 1500),
    ("1.234", "1.234", "1.234", 2, 1234),
    ("0.001", "1m", "1m", 1, 1),
    ("0.0001", "100u", "1m", 1, 1),
    ("0.1", "100m", "100m", 1, 100),
    ("1.0", "1", "1", 1, 1000),
    ("0.0000000001", "1n", "1m", 1, 1),
    ("1n", "1n", "1m", 1, 1),
    ("1000n", "1u", "1m", 1, 1),
    ("1000000n", "1m", "1m", 1, 1),
    ("0.1n", "1n", "1m", 1, 1),
    ("1u", "1u", "1m", 1, 1),
    ("1500u", "1500u", "2m", 1, 2),
    ("100.5m", "100500u", "101m", 1, 101),
    ("1k", "1k", "1k", 1000, 1000000),
    ("1000k", "1M", "1M", 1000000, 1000000000),
    ("1500", "1500", "1500", 1500, 1500000),
    ("1500000", "1500k", "1500k", 1500000, 1500000000),
    ("1e3", "1e3", "1e3", 1000, 1000000),
    ("1E3", "1E3", "1E3", 1000, 1000000),
    ("1e4", "10e3", "10e3", 10000, 10000000),
    ("1e0", "1e0", "1e0", 1, 1000),
    ("12e6", "12e6", "12e6", 12000000, 12000000000),
    ("129e6", "129e6", "129e6", 129000000, 129000000000),
    ("100e1", "1e3", "1e3", 1000, 1000000),
    ("1000e3", "1e6", "1e6", 1000000, 1000000000),
    ("1e-3", "1e-3", "1e-3", 1, 1),
    ("1e-9", "1e-9", "1e-3", 1, 1),
    ("1e-10", "1e-9", "1e-3", 1, 1),
    ("1e20", "100e18", "100e18", MAX, MAX),
    ("1e30", "1e30", "1e30", MAX, MAX),
    ("1.5e3", "1500", "1500", 1500, 1500000),
    ("1.5e4", "1.5e4", "1.5e4", 15000, 15000000),
    ("1e+3", "1e+3", "1e+3", 1000, 1000000),
    ("129M", "129M", "129M", 129000000, 129000000000),
    ("2G", "2G", "2G", 2000000000, 2000000000000),
    ("2000M", "2G", "2G", 2000000000, 2000000000000),
    ("1T", "1T", "1T", 1000000000000, 1000000000000000),
    ("1P", "1P", "1P", 1000000000000000, 1000000000000000000),
    ("1E", "1E", "1E", 1000000000000000000, MAX),
    ("1Ki", "1Ki", "1Ki", 1024, 1024000),
    ("1Mi", "1Mi", "1Mi", 1048576, 1048576000),
    ("1024Ki", "1Mi", "1Mi", 1048576, 1048576000),
    ("1024Mi", "1Gi", "1Gi", 1073741824, 1073741824000),
    ("1023Ki", "1023Ki", "1023Ki", 1047552, 1047552000),
    ("1025Ki", "1025Ki", "1025Ki", 1049600, 1049600000),
    ("1536Ki", "1536Ki", "1536Ki", 1572864, 1572864000),
    ("2048Gi", "2Ti", "2Ti", 2199023255552, 2199023255552000),
    ("1048576Ki", "1Gi", "1Gi", 1073741824, 1073741824000),
    ("0.5Ki", "512", "512", 512, 512000),
    ("0.5Mi", "512Ki", "512Ki", 524288, 524288000),
    ("0.1Ki", "102400m", "102400m", 103, 102400),
    ("1.5Gi", "1536Mi", "1536Mi", 1610612736, 1610612736000),
    ("1.1Ki", "1126400m", "1126400m", 1127, 1126400),
    ("0.1Gi", "107374182400m", "107374182400m", 107374183, 107374182400),
    ("0.0001Ki", "102400u", "103m", 1, 103),
    ("128Mi", "128Mi", "128Mi", 134217728, 134217728000),
    ("128974848", "128974848", "128974848", 128974848, 128974848000),
    ("7Ei", "7Ei", "7Ei", 8070450532247928832, MAX),
    ("8Ei", "9223372036854775807", "9223372036854775807", MAX, MAX),
    ("16Ei", "9223372036854775807", "9223372036854775807", MAX, MAX),
    ("0.5Ei", "512Pi", "512Pi", 576460752303423488, MAX),
    ("9223372036854775807", "9223372036854775807", "9223372036854775807", MAX, MAX),
    ("9223372036854775808", "9223372036854775808", "9223372036854775808", MAX, MAX),
    ("123456789012345678901", "123456789012345678901", "123456789012345678901", MAX, MAX),
    ("1234567890.123456789", "1234567890123456789n", "1234567890124m", 1234567891, 1234567890124),
    ("-1", "-1", "-1", -1, -1000),
    ("-0.5", "-500m", "-500m", -1, -500),
    ("-100m", "-100m", "-100m", -1, -100),
    ("-1024Mi", "-1Gi", "-1Gi", -1073741824, -1073741824000),
    ("-1.5Gi", "-1536Mi", "-1536Mi", -1610612736, -1610612736000),
    ("-100.5m", "-100500u", "-101m", -1, -101),
    ("3.3", "3300m", "3300m", 4, 3300),
    ("1.000001", "1.000001", "1001m", 2, 1001),
    ("0100Ki", "0100Ki", "0100Ki", 102400, 102400000),
    ("+100Ki", "+100Ki", "+100Ki", 102400, 102400000),
    ("2.5k", "2500", "2500", 2500, 2500000),
    ("0.00005k", "50m", "50m", 1, 50),
]


@pytest.mark.parametrize(("text", "canonical", "in_resources", "value", "millis"), TABLE, ids=[row[0] for row in TABLE])
def test_the_forms_and_values_are_those_of_kubernetes(
    text: str, canonical: str, in_resources: str, value: int, millis: int
) -> None:
    assert quantity.canonical(text) == canonical
    assert quantity.canonical_resource(text) == in_resources
    assert quantity.bytes_of(text) == value
    assert quantity.millis_of(text) == millis


@pytest.mark.parametrize("text", [row[0] for row in TABLE])
def test_the_canonical_form_is_stable_and_has_the_same_value(text: str) -> None:
    canonical = quantity.canonical(text)
    assert quantity.canonical(canonical) == canonical
    assert quantity.parse(canonical) == quantity.parse(text)
    assert quantity.canonical_resource(quantity.canonical_resource(text)) == quantity.canonical_resource(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5Gi", Decimal(1610612736)),
        ("100m", Decimal("0.1")),
        ("123456789012345678901234567890.123456789", Decimal("123456789012345678901234567890.123456789")),
        ("12345678.123456789Mi", Decimal(12345678123456789 * 2**20).scaleb(-9)),
        ("0.0000000001", Decimal("1e-9")),
        ("100Ei", Decimal(MAX)),
        ("1000E", Decimal("1e21")),
    ],
)
def test_values_are_exact(text: str, value: Decimal) -> None:
    assert quantity.parse(text) == value


def test_a_value_beyond_the_suffixes_keeps_its_size() -> None:
    # Kubernetes prints 1, because it has no suffix for 10**21.
    assert quantity.canonical("1000E") == "1000E"
    assert quantity.canonical("1000000P") == "1000E"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "half",
            "1 Gi",
            " 1",
            "1gi",
            "1ki",
            "1K",
            "1mi",
            "1e",
            "1i",
            "--1",
            "+-1",
            "1-",
            "1.2.3",
            "1_000",
            "1,5",
        ),
        *(
            "0x10",
            "1e3m",
            "1Mi3",
            "1e1.5",
            "e3",
            "Mi",
            ".",
            "-",
            "+",
            "-.",
            "\u0661",
            "1e99",
            "1e-31",
            "1e9999999999",
            "inf",
        ),
        "1" * 65,
    ],
)
def test_malformed_quantities_are_refused(text: str) -> None:
    for read in (
        quantity.parse,
        quantity.canonical,
        quantity.canonical_resource,
        quantity.bytes_of,
        quantity.millis_of,
    ):
        with pytest.raises(ValueError, match=r"is not a quantity|is out of range"):
            read(text)


# Two amounts and their sum, as apimachinery 0.37 adds them.
SUMS = [
    ("0", "0", "0"),
    ("0", "512Mi", "512Mi"),
    ("500m", "500m", "1"),
    ("500m", "100m", "600m"),
    ("1k", "1000", "2k"),
    ("1Gi", "512Mi", "1536Mi"),
    ("512Mi", "512Mi", "1Gi"),
    ("1Gi", "1000", "1073742824"),
    ("1000", "1Gi", "1073742824"),
    ("0.5Ki", "7", "519"),
    ("0.5Ki", "1536", "2Ki"),
    ("1Gi", "500m", "1073741824500m"),
    ("1e3", "1k", "2e3"),
    ("1k", "1e3", "2k"),
]


@pytest.mark.parametrize(("first", "second", "expected"), SUMS)
def test_total(first: str, second: str, expected: str) -> None:
    assert quantity.total(first, second) == expected
