"""A capture: an AF_PACKET socket in a namespace, and a thread that writes the received packets to a bounded file.

The socket is opened inside the namespace; the thread runs outside (packet(7)). The file has all packets that crossed
the interface before the block's end, up to the file's bound and the kernel's buffer. Missing packets are counted.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from netrig.capture import pcap
from netrig.capture.flows import Flows, Summary
from netrig.errors import NotFound
from netstack import namespaces

_ALL_PROTOCOLS: Final = 3
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_RECEIVE_BYTES: Final = 16 << 20
_TIME_BYTES: Final = socket.CMSG_SPACE(16)
_ETHERNET_LIKE: Final = frozenset((1, 772))  # ARPHRD_ETHER, ARPHRD_LOOPBACK
_AT_ONCE: Final = 500


class Capture:
    """Captures one interface of the namespace `where` while the block runs.

    `where`: a name, a path, a pid, or None for the caller's namespace. `path`: the file; None: only a summary is made.
    The file has at most `snap_bytes` of each packet, and `most_bytes` in total.
    """

    def __init__(
        self,
        where: str | int | None,
        interface: str,
        *,
        path: Path | None = None,
        snap_bytes: int = 65_535,
        most_bytes: int = 16 << 20,
    ) -> None:
        self.path = path
        self.interface = interface
        self._where = namespaces.of_pid(where) if isinstance(where, int) else where
        self._snap_bytes, self._left_bytes = snap_bytes, most_bytes
        self._flows = Flows()
        self._lost = self._left_out = 0
        self._lock = threading.Lock()
        self._failure: OSError | None = None
        self._running = False

    def __enter__(self) -> Self:
        """Raises NotFound if the interface does not exist, NamespaceMissing."""
        self._socket = namespaces.run_in(self._where, self._open)
        ethernet = self._socket.getsockname()[3] in _ETHERNET_LIKE
        self._flows = Flows(pcap.ETHERNET if ethernet else pcap.RAW_IP)
        self._file: BinaryIO | None = None
        if self.path is not None:
            try:
                self._file = self.path.open("wb")
            except OSError:
                self._socket.close()
                raise
            self._file.write(pcap.header(self._flows.link_type, self._snap_bytes))
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._work, name=f"capture-{self.interface}", daemon=True)
        self._thread.start()
        self._running = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._running = False
        os.close(self._stop)
        self._count_lost()
        self._socket.close()
        if self._file is not None:
            self._file.close()
        if self._failure is not None and error is None:
            raise self._failure  # the file could not be written

    def summary(self) -> Summary:
        """All packets that crossed the interface until now, or until the block's end."""
        while self._running and self._receive():  # packets that the thread has not read yet
            pass
        with self._lock:
            return self._flows.summary(lost=self._lost, left_out=self._left_out)

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
            opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if self.interface == "lo":  # here each packet is both outgoing and incoming
                opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            # The protocol was 0 so far, so that no packets of other interfaces were received.
            opened.bind((self.interface, _ALL_PROTOCOLS))
        except OSError as error:
            opened.close()
            raise NotFound(
                f"cannot capture on {self.interface} in {self._where or 'this namespace'}: {error}"
            ) from error
        return opened

    def _work(self) -> None:
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            while self._receive():
                pass
            if self._stop in ready:
                return

    def _receive(self) -> bool:
        """Read available packets, up to a few hundred. True if there may be more."""
        with self._lock:
            for _ in range(_AT_ONCE):
                try:
                    data, ancillary, flags, _ = self._socket.recvmsg(self._snap_bytes, _TIME_BYTES, socket.MSG_TRUNC)
                except BlockingIOError:
                    return False
                except OSError:
                    return False  # ENETDOWN, once, when the interface is removed
                self._keep(data, ancillary, flags)
            return True

    def _keep(self, data: bytes, ancillary: list[tuple[int, int, bytes]], flags: int) -> None:
        # MSG_TRUNC makes the system call return the whole length, but Python's recvmsg does not: read the headers.
        whole = _whole_bytes(data, self._flows.link_type) if flags & socket.MSG_TRUNC else len(data)
        self._flows.add(data, whole)
        if self._file is None:
            return
        self._left_bytes -= pcap.RECORD_HEADER_BYTES + len(data)
        if self._left_bytes < 0:
            self._left_out += 1
            return
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16]) if ancillary else (0, 0)
        try:
            self._file.write(pcap.record(seconds, nanoseconds, data, whole))
        except OSError as error:
            self._failure = self._failure or error
            self._left_bytes = 0

    def _count_lost(self) -> None:
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._lost += struct.unpack("II", statistics)[1]


def _whole_bytes(data: bytes, link_type: int) -> int:
    """The original length of a truncated packet by its IPv4 header; for other protocols the captured length."""
    offset = 14 if link_type == pcap.ETHERNET else 0
    if len(data) >= offset + 4 and data[offset] >> 4 == 4:
        return max(len(data), offset + int(struct.unpack_from("!H", data, offset + 2)[0]))
    return len(data)
