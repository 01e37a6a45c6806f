"""The codec of DNS messages: it reads what it wrote and what others wrote, and no bytes stop it."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netstack.dns import records
from netstack.dns.message import Edns, Message, Question, Record, Type, decode, encode
from netstack.dns.names import Malformed, Name, length, name_of, read_name, text_of

LABELS = st.binary(min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=5).map(tuple).filter(lambda name: length(name) <= 255)
# Types whose data has no names, so that any bytes are data.
PLAIN_TYPES = st.sampled_from([Type.A, Type.TXT, Type.AAAA, 257, 65280])
RECORDS = st.builds(
    Record, NAMES, PLAIN_TYPES, st.integers(0, (1 << 32) - 1), st.binary(max_size=40), st.sampled_from([1, 3])
)
SECTIONS = st.lists(RECORDS, max_size=4).map(tuple)
QUESTIONS = st.lists(st.builds(Question, NAMES, st.integers(0, 65535), st.integers(0, 65535)), max_size=1).map(tuple)
MESSAGES = st.builds(
    Message,
    st.integers(0, 65535),
    QUESTIONS,
    SECTIONS,
    SECTIONS,
    SECTIONS,
    opcode=st.integers(0, 15),
    response=st.booleans(),
    authoritative=st.booleans(),
    truncated=st.booleans(),
    recursion_desired=st.booleans(),
    recursion_available=st.booleans(),
    authentic=st.booleans(),
    checking_disabled=st.booleans(),
    rcode=st.integers(0, 15),
    edns=st.none() | st.builds(Edns, st.integers(0, 65535), st.integers(0, 255), st.booleans()),
)


@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=300))
def test_random_bytes_are_a_message_or_malformed(data: bytes) -> None:
    _decode_or_malformed(data)


@given(MESSAGES, st.data())
def test_a_damaged_message_is_a_message_or_malformed(message: Message, data: st.DataObject) -> None:
    content = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    _decode_or_malformed(bytes(content))


@given(MESSAGES, st.integers(12, 2000))
def test_a_limit_is_kept_and_what_is_left_out_is_marked(message: Message, limit: int) -> None:
    smallest = len(encode(Message(1, message.questions, edns=message.edns)))
    limit = max(limit, smallest)
    data = encode(message, limit)
    read = decode(data)
    assert len(data) <= limit
    assert read.questions == message.questions
    assert read.edns == message.edns
    assert read.answers == message.answers[: len(read.answers)]
    if not read.truncated:
        assert (read.answers, read.authorities) == (message.answers, message.authorities)


def _decode_or_malformed(data: bytes) -> None:
    try:
        message = decode(data)
    except Malformed:
        return
    encode(message)


def test_the_example_of_rfc_1035_is_read() -> None:
    """RFC 1035, section 4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64, the root at 92."""
    data = bytearray(93)
    data[20:32] = b"\x01F\x03ISI\x04ARPA\x00"
    data[40:46] = b"\x03FOO\xc0\x14"
    data[64:66] = b"\xc0\x1a"
    names = [read_name(bytes(data), at) for at in (20, 40, 64, 92)]
    assert names == [
        ((b"F", b"ISI", b"ARPA"), 32),
        ((b"FOO", b"F", b"ISI", b"ARPA"), 46),
        ((b"ARPA",), 66),
        ((), 93),
    ]


def test_a_captured_response_is_read() -> None:
    """A response to `www.example.com. A` with an alias, as BIND writes it."""
    data = bytes.fromhex(
        "1234 8180 0001 0002 0000 0001"
        "03777777 076578616d706c65 03636f6d 00 0001 0001"
        "c00c 0005 0001 0000003c 0006 03656467 c010"
        "c02d 0001 0001 0000001e 0004 c0000201"
        "00 0029 04d0 0000 0000 0000"
    )
    message = decode(data)
    assert message.questions == (Question(name_of("www.example.com"), Type.A),)
    assert message.answers == (
        records.cname(name_of("www.example.com"), name_of("edg.example.com"), 60),
        records.a(name_of("edg.example.com"), IPv4Address("192.0.2.1"), 30),
    )
    assert (message.id, message.response, message.recursion_available, message.rcode) == (0x1234, True, True, 0)
    assert message.edns == Edns(1232)


@pytest.mark.parametrize(
    "name",
    [b"\xc0\x0c", b"\x01a\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\xc0\xff", b"\x40a", b"\x05abc", b"\xc0"],
    ids=["itself", "its own start", "circle", "forward", "unknown label", "beyond the end", "half a pointer"],
)
def test_a_name_that_never_ends_is_malformed(name: bytes) -> None:
    with pytest.raises(Malformed):
        decode(struct.pack("!6H", 1, 0, 1, 0, 0, 0) + name)


def test_a_name_of_more_than_255_bytes_is_malformed() -> None:
    with pytest.raises(Malformed):
        read_name(
            b"\x3f" + bytes(63) + b"\x3f" + bytes(63) + b"\x3f" + bytes(63) + b"\x3e" + bytes(62) + b"\x01a\x00", 0
        )


def test_a_chain_of_many_pointers_is_malformed() -> None:
    """Each pointer leads back, but thousands of names that follow thousands of pointers would stop the process."""
    chain = b"\0\0" + b"".join((0xC000 | at).to_bytes(2) for at in range(0, 400, 2))
    assert read_name(chain, 2 * 126) == ((), 2 * 126 + 2)
    with pytest.raises(Malformed):
        read_name(chain, 2 * 127)


def test_several_questions_are_malformed() -> None:
    """RFC 9619."""
    with pytest.raises(Malformed):
        decode(struct.pack("!6H", 1, 0, 2, 0, 0, 0) + b"\x01a\0\0\1\0\1" * 2)


def test_two_opt_records_are_malformed() -> None:
    opt = b"\0" + struct.pack("!HHIH", Type.OPT, 1232, 0, 0)
    with pytest.raises(Malformed):
        decode(struct.pack("!6H", 1, 0, 0, 0, 0, 2) + opt * 2)


def test_an_extended_code_is_split_over_header_and_opt_record() -> None:
    message = decode(encode(Message(1, response=True, rcode=16, edns=Edns(1232))))
    assert message.rcode == 16


@pytest.mark.parametrize("text", ["a..b", "a" * 64, "ä.de", ".".join(["a" * 63] * 4)])
def test_a_text_that_is_not_a_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        name_of(text)


def test_unusual_bytes_of_a_name_are_shown_escaped() -> None:
    name: Name = (b"a.b", b"\x00\\")
    assert text_of(name) == "a\\046b.\\000\\092."
    assert text_of(()) == "."
