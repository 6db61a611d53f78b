"""The link: no byte lost, no wait without an end, one kind of error, whatever the far end does."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from eis.errors import ConfigError, LinkError
from instruments import connect, link
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.inprocess import library
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.tcp import TcpServer
from instruments.emulated.transports import TRANSPORTS
from instruments.link import Link
from instruments.sessions import Socket

pytestmark = pytest.mark.usefixtures("watchdog")


class Peer:
    """The far end of a TCP connection, led by the test."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(5)
        self.resource = f"TCPIP0::127.0.0.1::{self.listener.getsockname()[1]}::SOCKET"
        self.connection: socket.socket | None = None

    def open(self) -> Link:
        """Open a link to this peer, and take its connection (the first one is only a probe)."""
        opened = Link(self.resource)
        self.listener.accept()[0].close()
        if self.connection:
            self.connection.close()
        self.connection = self.listener.accept()[0]
        return opened

    def send(self, data: bytes) -> None:
        assert self.connection
        self.connection.sendall(data)

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.listener.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with contextlib.closing(Peer()) as one:
        yield one


@pytest.fixture
def opened(peer: Peer) -> Iterator[Link]:
    with contextlib.closing(peer.open()) as one:
        yield one


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# --- what cannot be opened


def test_a_dead_port_is_an_error_at_once() -> None:
    begun = time.monotonic()
    with pytest.raises(LinkError, match="refused") as caught:
        connect(f"TCPIP0::127.0.0.1::{free_port()}::SOCKET")
    assert time.monotonic() - begun < 5.0
    assert "\n" not in str(caught.value)
    assert "Check that the instrument is on" in str(caught.value)


@pytest.mark.parametrize(
    "resource",
    ["ASRL/dev/no-such-port::INSTR", "TCPIP0::no-such-host.invalid::5025::SOCKET", "GPIB0::17::INSTR"],
)
def test_what_is_not_there_is_a_link_error_that_names_it(resource: str) -> None:
    with pytest.raises(LinkError) as caught:
        Link(resource)
    assert caught.value.where == resource


@pytest.mark.parametrize("resource", ["", "COM3", "127.0.0.1:5025", "TCPIP0::127.0.0.1::port::SOCKET"])
def test_a_name_that_is_no_resource_is_refused_with_examples(resource: str) -> None:
    with pytest.raises(ConfigError, match="Write it like TCPIP0::") as caught:
        connect(resource)
    assert "\n" not in str(caught.value)


def test_an_emulated_cell_that_does_not_exist_is_refused_with_the_names_of_those_that_do() -> None:
    with pytest.raises(ConfigError, match="sim::symmetric-cell, sim::near-target-cell"):
        connect("sim::battery")


def test_a_driver_that_does_not_exist_is_refused_with_the_names_of_those_that_do() -> None:
    with pytest.raises(ConfigError, match="palmsens"):
        connect("sim::symmetric-cell", driver="gamry")


# --- what goes wrong afterwards


def test_a_closed_connection_is_noticed_at_once(peer: Peer, opened: Link) -> None:
    peer.send(b"half a li")
    assert peer.connection
    peer.connection.close()
    begun = time.monotonic()
    with pytest.raises(LinkError, match="closed the connection"):
        opened.read_line(10.0)
    assert time.monotonic() - begun < 5.0


def test_a_reset_connection_is_a_link_error(peer: Peer, opened: Link) -> None:
    assert peer.connection
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.connection.close()
    with pytest.raises(LinkError):
        opened.read_line(10.0)


def test_half_a_line_survives_a_time_out(peer: Peer, opened: Link) -> None:
    peer.send(b"PdcDF5D")
    with pytest.raises(LinkError, match=r"No line came within 0.05 s; it began with b'PdcDF5D'"):
        opened.read_line(0.05)
    peer.send(b"FF4u\nnext\n")
    assert opened.read_line(1.0) == "PdcDF5DFF4u"
    assert opened.read_line(1.0) == "next"


def test_the_deadline_holds_however_slowly_bytes_come(peer: Peer, opened: Link) -> None:
    stop = threading.Event()

    def dribble() -> None:
        while not stop.wait(0.02):
            peer.send(b"x")

    thread = threading.Thread(target=dribble)
    thread.start()
    begun = time.monotonic()
    with pytest.raises(LinkError, match="No line came"):
        opened.read_line(0.2)
    assert time.monotonic() - begun < 3.0
    stop.set()
    thread.join()


def test_a_line_without_an_end_is_given_up(peer: Peer, opened: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LONGEST_LINE", 1000)
    peer.send(b"x" * 2000)
    with pytest.raises(LinkError, match="without a line end"):
        opened.read_line(5.0)


def test_a_peer_that_does_not_read_does_not_block_for_ever(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Link.__init__, "__kwdefaults__", {**Link.__init__.__kwdefaults__, "open_timeout_s": 0.2})
    with contextlib.closing(peer.open()) as opened, pytest.raises(LinkError, match="takes no more data"):
        opened.write("x" * 20_000_000)


@pytest.mark.parametrize("name", ["hislip", "vxi11", "prologix"])
def test_an_instrument_that_stops_reading_does_not_block_for_ever(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TRANSPORTS[name](EmulatedPotentiostat(SYMMETRIC)) as served:
        opened = Link(served.resource, open_timeout_s=0.2)
        assert opened.query("i", 1.0) == "iEMULATED01"
        deaf = threading.Event()
        monkeypatch.setattr(served, "_attend", lambda *_: deaf.wait(8.0))
        begun = time.monotonic()

        def write_on() -> None:
            while True:
                opened.write("x" * 2000 + "\n")

        with pytest.raises(LinkError):
            write_on()
        assert time.monotonic() - begun < 4.0
        deaf.set()
        monkeypatch.undo()
    opened.close()


def test_any_byte_can_be_received(peer: Peer, opened: Link) -> None:
    everything = bytes(byte for byte in range(256) if byte not in b"\r\n")
    peer.send(everything + b"\r\n")
    assert opened.read_line(1.0) == everything.decode("latin-1")


def test_a_late_answer_is_not_taken_for_the_next_one(peer: Peer, opened: Link) -> None:
    peer.send(b"late\n")
    time.sleep(0.05)
    threading.Timer(0.05, peer.send, [b"right\n"]).start()
    assert opened.query("?", 1.0) == "right"
    assert any("late" in line for line in opened.transcript)


def test_a_failure_brings_the_last_exchange_with_it(peer: Peer, opened: Link) -> None:
    opened.write("t\n")
    peer.send(b"tespico\n")
    opened.read_line(1.0)
    with pytest.raises(LinkError) as caught:
        opened.read_line(0.01)
    (note,) = caught.value.__notes__
    assert "> 't\\n'" in note
    assert "< 'tespico'" in note


def test_a_closed_link_says_so(opened: Link) -> None:
    opened.close()
    opened.close()
    for use in (lambda: opened.write("t\n"), lambda: opened.read_line(0.1), opened.discard):
        with pytest.raises(LinkError, match="connection is closed"):
            use()


def test_a_link_closed_under_a_waiting_reader_ends_the_wait(opened: Link) -> None:
    threading.Timer(0.05, opened.close).start()
    begun = time.monotonic()
    with pytest.raises(LinkError):
        opened.read_line(10.0)
    assert time.monotonic() - begun < 5.0


def test_a_reopened_link_begins_afresh(peer: Peer, opened: Link) -> None:
    peer.send(b"stale")
    with pytest.raises(LinkError):
        opened.read_line(0.05)
    opened.reopen()
    peer.listener.accept()[0].close()
    with peer.listener.accept()[0] as connection:
        connection.sendall(b"fresh\n")
        assert opened.read_line(1.0) == "fresh"


def test_many_threads_each_get_the_answer_to_their_own_question() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def echo() -> None:
            listener.accept()[0].close()
            with listener.accept()[0] as connection:
                while data := connection.recv(4096):
                    connection.sendall(data)

        server = threading.Thread(target=echo)
        server.start()
        wrong: list[str] = []
        with contextlib.closing(Link(f"TCPIP0::127.0.0.1::{listener.getsockname()[1]}::SOCKET")) as opened:

            def ask(name: int) -> None:
                for number in range(50):
                    question = f"{name}-{number}"
                    if opened.query(question, 5.0) != question:
                        wrong.append(question)

            askers = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join()
        server.join()
    assert wrong == []


# --- transports


def test_small_messages_are_not_held_back() -> None:
    with TcpServer(EmulatedPotentiostat(SYMMETRIC)) as served, contextlib.closing(Link(served.resource)) as opened:
        session = opened._opened()
        assert isinstance(session, Socket)
        assert session.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        took_s = []
        for _ in range(5):  # of which a busy machine spares one
            begun = time.monotonic()
            for _ in range(10):
                opened.write("\n")
                opened.write("i\n")
                assert opened.read_line(1.0) == "iEMULATED01"
            took_s.append(time.monotonic() - begun)
        assert min(took_s) < 0.2  # 0.4 s with Nagle's algorithm


def test_a_message_based_instrument_is_read_as_well() -> None:
    served = library().serve(EmulatedPotentiostat(SYMMETRIC), "", resource="GPIB0::3::INSTR")
    with served, contextlib.closing(Link(served.resource, backend=served.backend)) as opened:
        assert opened.query("i", 1.0) == "iEMULATED01"
        with pytest.raises(LinkError, match="No line came"):
            opened.read_line(0.02)


def test_an_emulated_port_that_is_taken_cannot_be_opened_twice() -> None:
    served = library().serve(EmulatedPotentiostat(SYMMETRIC), "taken")
    with served, contextlib.closing(Link(served.resource, backend=served.backend)):
        with pytest.raises(LinkError, match="cannot currently access"):
            Link(served.resource, backend=served.backend)
        served.close()
        with pytest.raises(LinkError, match="NFOUND"):
            Link(served.resource, backend=served.backend)


@pytest.mark.skipif(sys.platform != "linux", reason="needs pseudo-terminals that take a baud rate")
def test_a_serial_port_keeps_half_lines_and_takes_a_baud_rate() -> None:
    import tty

    controller, terminal = os.openpty()
    tty.setraw(terminal)
    opened = Link(f"ASRL{os.ttyname(terminal)}::INSTR", baud_rate=921_600)
    try:
        assert opened._opened().resource.baud_rate == 921_600  # type: ignore[attr-defined]
        opened.write("t\n")
        assert os.read(controller, 10) == b"t\n"
        os.write(controller, b"PdcDF")
        with pytest.raises(LinkError, match="PdcDF"):
            opened.read_line(0.05)
        os.write(controller, b"5D \n\n" + b"x" * 3000 + b"\n")
        assert [opened.read_line(1.0) for _ in range(3)] == ["PdcDF5D ", "", "x" * 3000]
        os.close(controller)
        with pytest.raises(LinkError):
            opened.read_line(1.0)
    finally:
        opened.close()
        os.close(terminal)


def test_importing_the_package_does_not_load_pyvisa() -> None:
    code = "import sys, instruments; sys.exit('pyvisa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
