"""A name server for one machine: every name is 127.0.0.1, unless it is said to be away."""

from __future__ import annotations

import socket
import struct
import threading

_HEADER = 12  # bytes, RFC 1035, 4.1.1
_A, _IN, _SECONDS = 1, 1, 1


class NameServer:
    """Answers over UDP, in a thread, on a free port of 127.0.0.1; `away` holds names that nobody knows."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.away: set[str] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(timeout=10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, sender = self._socket.recvfrom(512)
            if len(question) < _HEADER:
                return
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], _HEADER
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii"))
            at += 1 + question[at]
        (kind,) = struct.unpack("!H", question[at + 1 : at + 3])
        asked = question[_HEADER : at + 5]
        if ".".join(labels) in self.away:
            return question[:2] + struct.pack("!5H", 0x8183, 1, 0, 0, 0) + asked
        if kind != _A:
            return question[:2] + struct.pack("!5H", 0x8180, 1, 0, 0, 0) + asked
        record = struct.pack("!HHHIH4B", 0xC00C, _A, _IN, _SECONDS, 4, 127, 0, 0, 1)
        return question[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + asked + record
