"""HiSLIP, byte by byte: what the emulated server does with odd clients, and the link with odd instruments."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from eis.errors import LinkError
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.hislip import HEADER, HislipServer, Kind
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.link import Link

pytestmark = pytest.mark.usefixtures("watchdog")


def message(kind: int, *, control: int = 0, parameter: int = 0, payload: bytes = b"") -> bytes:
    return HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload


def received(connection: socket.socket) -> tuple[int, int, int, bytes]:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            assert piece, "closed"
            data += piece
        return data

    _, kind, control, parameter, length = HEADER.unpack(exactly(HEADER.size))
    return kind, control, parameter, exactly(length)


# --- the server


@pytest.fixture
def served() -> Iterator[HislipServer]:
    with HislipServer(EmulatedPotentiostat(SYMMETRIC)) as server:
        yield server


@contextlib.contextmanager
def client(server: HislipServer, *, both: bool = True) -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_connection(("127.0.0.1", server.port), 2.0) as synchronous,
        socket.create_connection(("127.0.0.1", server.port), 2.0) as asynchronous,
    ):
        synchronous.sendall(message(Kind.INITIALIZE, parameter=0x01000000, payload=b"hislip0"))
        kind, _, parameter, _ = received(synchronous)
        assert kind == Kind.INITIALIZE_RESPONSE
        if both:
            asynchronous.sendall(message(Kind.ASYNC_INITIALIZE, parameter=parameter & 0xFFFF))
            assert received(asynchronous)[0] == Kind.ASYNC_INITIALIZE_RESPONSE
        yield synchronous, asynchronous


def test_a_message_may_come_byte_by_byte_and_in_parts(served: HislipServer) -> None:
    with client(served) as (synchronous, _):
        sent = message(Kind.DATA, parameter=2) + message(Kind.DATA, parameter=4, payload=b"i")
        for byte in sent + message(Kind.DATA_END, parameter=6, payload=b"\n"):
            synchronous.sendall(bytes([byte]))
        assert received(synchronous) == (Kind.DATA_END, 0, 6, b"iEMULATED01\n")


def test_an_end_is_the_end_of_a_line(served: HislipServer) -> None:
    with client(served) as (synchronous, _):
        synchronous.sendall(message(Kind.DATA, parameter=2, payload=b"i") + message(Kind.DATA_END, parameter=4))
        assert received(synchronous) == (Kind.DATA_END, 0, 4, b"iEMULATED01\n")


def test_an_answer_is_not_longer_than_the_client_takes(served: HislipServer) -> None:
    with client(served) as (synchronous, asynchronous):
        asynchronous.sendall(message(Kind.ASYNC_MAX_MESSAGE_SIZE, payload=(256).to_bytes(8, "big")))
        kind, _, _, payload = received(asynchronous)
        assert (kind, len(payload)) == (Kind.ASYNC_MAX_MESSAGE_SIZE_RESPONSE, 8)
        synchronous.sendall(message(Kind.DATA_END, parameter=2, payload=b"i\n" * 30))
        parts = [received(synchronous) for _ in range(2)]
        assert [kind for kind, *_ in parts] == [Kind.DATA, Kind.DATA_END]
        assert b"".join(payload for *_, payload in parts) == b"iEMULATED01\n" * 30


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (Kind.ASYNC_LOCK, (Kind.ASYNC_LOCK_RESPONSE, 1)),
        (Kind.ASYNC_LOCK_INFO, (Kind.ASYNC_LOCK_INFO_RESPONSE, 0)),
        (Kind.ASYNC_REMOTE_LOCAL_CONTROL, (Kind.ASYNC_REMOTE_LOCAL_RESPONSE, 0)),
        (99, (Kind.ERROR, 1)),
    ],
)
def test_what_is_asked_aside_is_answered(served: HislipServer, kind: int, answer: tuple[int, int]) -> None:
    with client(served) as (_, asynchronous):
        asynchronous.sendall(message(kind))
        assert received(asynchronous)[:2] == answer


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", message(Kind.DATA_END, payload=b"i\n")])
def test_what_begins_in_another_way_is_told_so_and_hung_up_on(served: HislipServer, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 2.0) as stranger:
        stranger.sendall(said)
        assert received(stranger)[0] == Kind.FATAL_ERROR
        assert stranger.recv(1) == b""


def test_a_new_client_takes_the_instrument_over(served: HislipServer) -> None:
    with client(served) as (first, aside), client(served) as (second, _):
        assert first.recv(1) == b""
        assert aside.recv(1) == b""
        second.sendall(message(Kind.DATA_END, parameter=2, payload=b"i\n"))
        assert received(second)[3] == b"iEMULATED01\n"


# --- the link


class Odd:
    """An instrument led by the test, with one client."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.resource = f"TCPIP0::127.0.0.1::hislip0,{self.listener.getsockname()[1]}::INSTR"

    def greet(self) -> None:
        self.listener.accept()[0].close()  # only looked whether somebody is there
        self.synchronous = self.listener.accept()[0]
        received(self.synchronous)
        self.synchronous.sendall(message(Kind.INITIALIZE_RESPONSE, parameter=0x01000007))
        self.asynchronous = self.listener.accept()[0]
        received(self.asynchronous)
        self.asynchronous.sendall(message(Kind.ASYNC_INITIALIZE_RESPONSE))
        if received(self.asynchronous)[0] == Kind.ASYNC_MAX_MESSAGE_SIZE:
            size = struct.pack("!Q", 1 << 20)
            self.asynchronous.sendall(message(Kind.ASYNC_MAX_MESSAGE_SIZE_RESPONSE, payload=size))

    def heard(self) -> int:
        """Wait for a message and return its number."""
        return received(self.synchronous)[2]


@pytest.fixture
def odd() -> Iterator[Odd]:
    one = Odd()
    yield one
    for end in (one.synchronous, one.asynchronous, one.listener):
        end.close()


@pytest.fixture
def opened(odd: Odd) -> Iterator[Link]:
    greeter = threading.Thread(target=odd.greet)
    greeter.start()
    with contextlib.closing(Link(odd.resource)) as link:
        greeter.join()
        yield link


def answers(number: int) -> dict[str, bytes]:
    """Return how the line ``right`` may be sent in answer to message `number`."""
    stale = message(Kind.DATA_END, parameter=number - 2, payload=b"stale\n")
    return {
        "in one message": message(Kind.DATA_END, parameter=number, payload=b"right\n"),
        "without a line end": message(Kind.DATA_END, parameter=number, payload=b"right"),
        "in parts": message(Kind.DATA, parameter=number, payload=b"ri")
        + message(Kind.DATA, parameter=number)
        + message(Kind.DATA_END, parameter=number, payload=b"ght\n"),
        "ended by nothing": message(Kind.DATA, parameter=number, payload=b"right")
        + message(Kind.DATA_END, parameter=number),
        "after a stale one": stale + message(Kind.DATA_END, parameter=number, payload=b"right\n"),
        "with a number for all": message(Kind.DATA_END, parameter=0xFFFFFFFF, payload=b"right\n"),
        "after an interruption": message(13) + message(Kind.DATA_END, parameter=number, payload=b"right\n"),
    }


@pytest.mark.parametrize("pace_s", [0.0, 0.002])
@pytest.mark.parametrize("how", answers(2))
def test_an_answer_is_read_however_it_is_sent(odd: Odd, opened: Link, how: str, pace_s: float) -> None:
    def answer(number: int) -> None:
        sent = answers(number)[how]
        pieces = [bytes([byte]) for byte in sent] if pace_s else [sent]
        for piece in pieces:
            time.sleep(pace_s)
            odd.synchronous.sendall(piece)

    for _ in range(2):
        opened.write("?\n")
        sender = threading.Thread(target=answer, args=(odd.heard(),))
        sender.start()
        assert opened.read_line(3.0) == "right"
        sender.join()


@pytest.mark.parametrize("cut", range(0, 22, 3))
def test_an_answer_that_stops_anywhere_is_read_on_later(odd: Odd, opened: Link, cut: int) -> None:
    opened.write("?\n")
    sent = message(Kind.DATA_END, parameter=odd.heard(), payload=b"right\n")
    odd.synchronous.sendall(sent[:cut])
    with pytest.raises(LinkError, match="No line came"):
        opened.read_line(0.12)
    odd.synchronous.sendall(sent[cut:])
    assert opened.read_line(1.0) == "right"


def test_messages_nobody_asked_for_are_read_one_by_one(odd: Odd, opened: Link) -> None:
    opened.write("?\n")
    number = odd.heard()
    for count in range(5):
        odd.synchronous.sendall(message(Kind.DATA_END, parameter=number, payload=b"%d\n" % count))
    assert [opened.read_line(1.0) for _ in range(5)] == list("01234")


@pytest.mark.parametrize(
    "say",
    [lambda number: b"no HiSLIP at all", lambda number: message(77), lambda number: message(Kind.DATA, control=5)],
    ids=["another protocol", "an unknown message", "an unknown code"],
)
def test_what_is_no_answer_at_all_is_a_link_error(odd: Odd, opened: Link, say: Callable[[int], bytes]) -> None:
    opened.write("?\n")
    odd.synchronous.sendall(say(odd.heard()))
    begun = time.monotonic()
    with pytest.raises(LinkError):
        opened.read_line(0.5)
    assert time.monotonic() - begun < 4.0


def test_a_far_end_that_closes_in_a_message_is_noticed_at_once(odd: Odd, opened: Link) -> None:
    opened.write("?\n")
    sent = message(Kind.DATA_END, parameter=odd.heard(), payload=b"right\n")
    odd.synchronous.sendall(sent[:-3])
    odd.synchronous.shutdown(socket.SHUT_WR)
    begun = time.monotonic()
    with pytest.raises(LinkError, match="closed the connection"):
        opened.read_line(5.0)
    assert time.monotonic() - begun < 4.0


def test_a_far_end_that_closes_in_a_stale_message_is_noticed(odd: Odd, opened: Link) -> None:
    opened.write("?\n")
    sent = message(Kind.DATA_END, parameter=odd.heard() - 2, payload=b"stale\n")
    odd.synchronous.sendall(sent[:-3])
    odd.synchronous.shutdown(socket.SHUT_WR)
    with pytest.raises(LinkError, match="closed the connection"):
        opened.read_line(1.0)


def test_an_error_of_the_instrument_is_reported(odd: Odd, opened: Link) -> None:
    opened.write("?\n")
    odd.heard()
    odd.synchronous.sendall(message(Kind.FATAL_ERROR, control=2, payload=b"why"))
    with pytest.raises(LinkError, match="fatal error 2"):
        opened.read_line(1.0)


def test_what_is_left_of_an_answer_that_was_given_up_is_not_taken_for_the_next(odd: Odd, opened: Link) -> None:
    opened.write("?\n")
    sent = message(Kind.DATA_END, parameter=odd.heard(), payload=b"stale\n")
    odd.synchronous.sendall(sent[:-3])
    with pytest.raises(LinkError, match="it began with b'sta'"):
        opened.read_line(0.1)
    odd.synchronous.settimeout(2.0)
    opened.discard()
    opened.write("?\n")
    odd.synchronous.sendall(sent[-3:] + message(Kind.DATA_END, parameter=odd.heard(), payload=b"right\n"))
    assert opened.read_line(1.0) == "right"
