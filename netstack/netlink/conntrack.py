"""Tracked flows of the kernel: reads and deletes them through ctnetlink, with messages packed here.

The kernel evaluates NAT rules only for the first packet of a flow. A flow to a dead endpoint goes there for as long as
its client sends. This module owns the messages (linux/netfilter/nfnetlink_conntrack.h): pyroute2 would decode every
attribute of every flow of the host, 0.3 ms each, where six numbers are enough. services/flows.py decides which flows
are stale.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address
from typing import Final

from netstack import namespaces
from netstack.namespaces import Where
from netstack.services.flows import TCP, UDP, Flow

_NETLINK_NETFILTER: Final = 12
_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 and IPCTNL_MSG_CT_GET, _DELETE
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP = 1, 4, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NFGENMSG: Final = struct.pack("=BBH", socket.AF_INET, 0, 0)
_TYPE_MASK: Final = 0x3FFF  # removes the flags for nested attributes and for network byte order
_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO, _ID, _ZONE, _STATUS_MASK = 1, 2, 3, 4, 12, 18, 26
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_SOURCE, _DESTINATION = 1, 2  # in _TUPLE_IP; in _TUPLE_PROTO 1 is the protocol's number, and 2 and 3 are the ports
_PROTOINFO_TCP, _TCP_STATE = 1, 1
_SYN_SENT: Final = b"\x01"
_SEEN_REPLY: Final = 1 << 1
_PROTOCOLS: Final = {socket.IPPROTO_TCP: TCP, socket.IPPROTO_UDP: UDP}
_RECEIVE_BYTES: Final = 1 << 20


def flows(where: Where, protocols: Collection[str]) -> tuple[Flow, ...]:
    """The namespace's UDP flows and its TCP connections without an answer yet, limited to `protocols`.

    Flows in a conntrack zone belong to others and are left out. Raises OSError.
    """
    status = b"" if UDP in protocols else _UNANSWERED
    with _opened(where) as connection:
        connection.send(_message(_GET, _NLM_F_REQUEST | _NLM_F_DUMP, _NFGENMSG + status))
        tracked = [flow for body in _bodies(connection) if (flow := _flow(body)) is not None]
    return tuple(flow for flow in tracked if flow.protocol in protocols)


def forget(where: Where, flows: Iterable[Flow]) -> None:
    """Delete the flows. A flow that has already ended is skipped. Raises OSError."""
    with _opened(where) as connection:
        for flow in flows:
            connection.send(_message(_DELETE, _NLM_F_REQUEST | _NLM_F_ACK, _NFGENMSG + flow.handle))
            try:
                list(_bodies(connection))
            except FileNotFoundError:
                continue


def _opened(where: Where) -> socket.socket:
    return namespaces.run_in(where, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER))


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _bodies(connection: socket.socket) -> Iterator[bytes]:
    """The answers up to the last one, or up to the acknowledgement. Raises OSError with the kernel's errno."""
    while True:
        data = connection.recv(_RECEIVE_BYTES)
        while len(data) >= _HEADER.size:
            length, kind, _, _, _ = _HEADER.unpack_from(data)
            body, data = data[_HEADER.size : length], data[_align(length) :]
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                (error,) = struct.unpack_from("=i", body)
                if error:
                    raise OSError(-error, f"conntrack: {os.strerror(-error)}")
                return
            yield body


def _flow(body: bytes) -> Flow | None:
    parts = _attributes(body[len(_NFGENMSG) :])
    if _ZONE in parts or _TUPLE_ORIG not in parts or _TUPLE_REPLY not in parts:
        return None
    number, destination, port = _end(parts[_TUPLE_ORIG], _DESTINATION)
    _, server, server_port = _end(parts[_TUPLE_REPLY], _SOURCE)
    protocol = _PROTOCOLS.get(number)
    if protocol is None or (protocol == TCP and _tcp_state(parts) != _SYN_SENT):
        return None
    handle = _attribute(_TUPLE_ORIG | 0x8000, parts[_TUPLE_ORIG]) + _attribute(_ID, parts.get(_ID, b""))
    return Flow(protocol, destination, port, server, server_port, handle)


def _tcp_state(parts: dict[int, bytes]) -> bytes:
    info = _attributes(parts.get(_PROTOINFO, b""))
    return _attributes(info.get(_PROTOINFO_TCP, b"")).get(_TCP_STATE, b"")


def _end(tuple_: bytes, which: int) -> tuple[int, IPv4Address, int]:
    """Protocol, and the address and port of one end."""
    parts = _attributes(tuple_)
    address = _attributes(parts[_TUPLE_IP])[which]
    protocol = _attributes(parts[_TUPLE_PROTO])
    port = protocol.get(which + 1, b"\0\0")
    return protocol[1][0], IPv4Address(address), int.from_bytes(port, "big")


def _attributes(data: bytes) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        values[kind & _TYPE_MASK] = data[_ATTRIBUTE.size : length]
        data = data[_align(length) :]
    return values


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_align(length) - length)


def _align(length: int) -> int:
    return (length + 3) & ~3


_UNANSWERED: Final = _attribute(_STATUS, bytes(4)) + _attribute(_STATUS_MASK, _SEEN_REPLY.to_bytes(4, "big"))
"""Filter for flows without an answer, so that the host's established connections cost nothing.

A kernel before 5.16 does not know the filter and sends all flows.
"""
