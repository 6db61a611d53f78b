"""Every way to reach an emulated instrument, and the link over it: one body of tests over all of them."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from eis.errors import AbortedError, ConfigError, LinkError
from instruments import Sweep, connect, link
from instruments.emulated import pty as pseudo_terminal
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.device import Device, LineDevice
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.prologix import PrologixServer
from instruments.emulated.pty import PtyServer
from instruments.emulated.transports import TRANSPORTS, Transport
from instruments.link import Link
from instruments.methodscript import parse_packet

pytestmark = pytest.mark.usefixtures("watchdog")

IN_MESSAGES = {"hislip", "vxi11", "in-process-gpib", "in-process-usb"}
"""Transports that tell where a message ends."""
OPENERS: dict[str, Callable[..., Transport]] = {
    **TRANSPORTS,
    "in-process-gpib": lambda device: library().serve(device, "", resource="GPIB0::9::INSTR"),
    "in-process-usb": lambda device: library().serve(device, "", resource="USB0::0x0957::0x0909::MY1::INSTR"),
}
POSIX_ONLY = {"pty"}


class Answerer(LineDevice):
    """Says who it is, counts, repeats what it is told, and takes its time if asked to."""

    def _obey(self, line: str) -> None:
        match line.split(" ", 1):
            case ["*IDN?"]:
                self._answer("Nobody,Answerer,EMULATED,1")
            case ["LATE?", seconds]:
                self._answer(f"late by {seconds}", after_s=float(seconds))
            case ["SAY?", text]:
                self._answer(text)
            case ["COUNT?", number]:
                for count in range(int(number)):
                    self._answer(str(count))


class EndsByEnd(Answerer):
    """Ends its answers by END alone, without a line end."""

    end = ""


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals"))
        if name in POSIX_ONLY
        else name
        for name in OPENERS
    ]
)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reach(way: str) -> Iterator[Callable[[Device], Link]]:
    """Serve a device and open a link to it, both until the test is over."""
    with contextlib.ExitStack() as stack:

        def start(device: Device, **options: Any) -> Link:
            served = stack.enter_context(OPENERS[way](device))
            opened = Link(served.resource, backend=served.backend, **options)
            stack.callback(opened.close)
            return opened

        yield start


Reach = Callable[..., Link]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so that other threads have yet to do."""
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline, "it never comes true"
        time.sleep(0.01)


# --- asking


def test_it_answers_who_it_is(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC))
    for _ in range(3):
        assert opened.query("*IDN?", 1.0) == "Nobody,Answerer,EMULATED,1"


def test_every_printable_character_goes_both_ways(reach: Reach) -> None:
    everything = "".join(map(chr, range(32, 127))) + "".join(map(chr, range(161, 256)))
    assert reach(Answerer(SYMMETRIC)).query(f"SAY? {everything}", 1.0) == everything


def test_lines_that_answer_one_question_come_one_by_one(reach: Reach) -> None:
    opened = reach(EmulatedPotentiostat(SYMMETRIC))
    assert opened.query("t", 1.0).startswith("tnexus1")
    assert opened.read_line(1.0) == "R*"


def test_a_long_line_comes_as_a_whole(reach: Reach) -> None:
    text = "x" * 1500
    assert reach(Answerer(SYMMETRIC)).query(f"SAY? {text}", 2.0) == text


def test_five_thousand_lines_come_in_order(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC))
    opened.write("COUNT? 5000\n")
    assert [opened.read_line(2.0) for _ in range(5000)] == [str(count) for count in range(5000)]


def test_a_stream_is_kept_up_with(reach: Reach) -> None:
    """A sweep's packets come at the pace of the instrument, not of the link."""
    device = EmulatedPotentiostat(SYMMETRIC, clock=RealClock(speed=50.0))
    opened = reach(device)
    lines = ["var a", "var b", "var c", "set_pgstat_mode 3", "cell_on"]
    lines += ["meas_loop_eis a b c 10m 100k 1k 1000 0"]
    lines += ["pck_start", "pck_add a", "pck_add b", "pck_add c", "pck_end", "endloop", "on_finished:", "cell_off"]
    opened.write("e\n" + "\n".join(lines) + "\n\n")
    assert [opened.read_line(1.0) for _ in range(2)] == ["e", "M000D"]
    begun = time.monotonic()
    packets = [opened.read_line(1.0) for _ in range(1000)]
    assert time.monotonic() - begun < 10.0 / 50.0 + 2.0
    assert [opened.read_line(1.0) for _ in range(2)] == ["*", ""]
    frequencies = [parse_packet(packet)[0].value for packet in packets]
    assert frequencies == sorted(frequencies, reverse=True)
    assert not device.cell_is_on


# --- time


def test_an_answer_that_comes_late_is_waited_for(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC, clock=RealClock()))
    begun = time.monotonic()
    assert opened.query("LATE? 0.15", 5.0) == "late by 0.15"
    assert 0.13 < time.monotonic() - begun < 4.0


def test_an_answer_that_was_given_up_can_still_be_read_as_a_whole(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC, clock=RealClock()))
    begun = time.monotonic()
    with pytest.raises(LinkError, match=r"No line came within 0\.1 s"):
        opened.query("LATE? 0.8", 0.1)
    assert time.monotonic() - begun < 0.7
    assert opened.read_line(5.0) == "late by 0.8"


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC, clock=RealClock()))
    with pytest.raises(LinkError, match="No line came"):
        opened.query("LATE? 0.4", 0.05)
    time.sleep(0.45)
    assert opened.query("SAY? right", 1.0) == "right"
    assert opened.query("SAY? still right", 1.0) == "still right"


def test_half_an_answer_is_kept_until_the_rest_comes(reach: Reach, way: str) -> None:
    device = Answerer(SYMMETRIC, clock=RealClock(), faults=Faults(lines={0: "truncate"}))
    opened = reach(device)
    with pytest.raises(LinkError, match="it began with b'half'"):
        opened.query("SAY? half way", 0.4)
    if way != "hislip":  # there what answers an earlier message is dropped, as the standard asks
        opened.write("SAY?  there\n")
        assert opened.read_line(1.0) == "half there"


def test_waiting_ends_soon_after_it_is_told_to(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC, clock=RealClock()))
    opened.write("LATE? 5\n")
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(AbortedError):
        opened.read_line(5.0, stop=stop.is_set)
    assert time.monotonic() - begun < 3.0


def test_another_thread_may_write_while_one_waits(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC))
    said: list[float] = []

    def write() -> None:
        begun = time.monotonic()
        opened.write("SAY? said by another\n")
        said.append(time.monotonic() - begun)

    writer = threading.Timer(0.05, write)
    writer.start()
    assert opened.read_line(3.0) == "said by another"
    writer.join()
    assert said[0] < 0.3


def test_many_threads_each_get_the_answer_to_their_own_question(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC))
    wrong: list[str] = []

    def ask(name: int) -> None:
        for number in range(10):
            question = f"{name}-{number}"
            if opened.query(f"SAY? {question}", 3.0) != question:
                wrong.append(question)

    askers = [threading.Thread(target=ask, args=(name,)) for name in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert wrong == []


def test_commands_are_kept_apart_when_asked_to(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC), gap_s=0.03)
    begun = time.monotonic()
    for _ in range(4):
        opened.write("*CLS\n")
    assert 0.09 <= time.monotonic() - begun < 4.0


# --- ends


def test_a_line_without_an_end_is_given_up_on_a_transport_without_messages_and_not_with_them(
    reach: Reach, way: str
) -> None:
    opened = reach(EndsByEnd(SYMMETRIC))
    if way in IN_MESSAGES:
        assert [opened.query(f"SAY? {word}", 1.0) for word in ("x", "one", "two")] == ["x", "one", "two"]
    else:
        with pytest.raises(LinkError, match="it began with b'one'"):
            opened.query("SAY? one", 0.4)


def test_a_message_needs_no_line_end_where_it_has_an_end_of_its_own(reach: Reach, way: str) -> None:
    opened = reach(Answerer(SYMMETRIC))
    opened.write("SAY? heard")
    if way in {*IN_MESSAGES, "prologix"}:
        assert opened.read_line(1.0) == "heard"
    else:
        with pytest.raises(LinkError, match="No line came"):
            opened.read_line(0.1)


# --- cut off


def test_a_cut_connection_is_noticed_and_can_be_opened_again(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC, clock=RealClock(), faults=Faults(lines={1: "drop"})))
    assert opened.query("SAY? one", 1.0) == "one"
    begun = time.monotonic()
    with pytest.raises(LinkError):
        opened.query("SAY? two", 5.0)
    assert time.monotonic() - begun < 4.0
    with pytest.raises(LinkError):
        opened.query("SAY? nothing", 0.1)
    opened.reopen()
    assert opened.query("SAY? three", 1.0) == "three"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_a_port_that_comes_back_after_a_while_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "COMES_BACK_S", 3.0)
    device = Answerer(SYMMETRIC, clock=RealClock(), faults=Faults(lines={1: "unplug"}))
    with (
        OPENERS["pty"](device) as served,
        contextlib.closing(Link(served.resource, backend=served.backend)) as one,
    ):
        assert one.query("SAY? one", 1.0) == "one"
        with pytest.raises(LinkError):
            one.query("SAY? two", 2.0)
        plug_in = threading.Timer(0.5, setattr, (device, "unplugged", False))
        plug_in.start()
        one.reopen()
        plug_in.join()
        assert one.query("SAY? three", 1.0) == "three"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_a_port_that_was_cut_off_is_there_again_before_the_host_can_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports: list[Path] = []
    close = os.close

    def looked_at(file: int) -> None:
        ports.append(name.resolve(strict=True))
        close(file)

    with PtyServer(Answerer(SYMMETRIC, faults=Faults(lines={0: "drop"}))) as served:
        name = Path(served.resource.removeprefix("ASRL").removesuffix("::INSTR"))
        first = name.resolve(strict=True)
        with (
            contextlib.closing(Link(served.resource, backend=served.backend)) as one,
            monkeypatch.context() as patched,
        ):
            patched.setattr(os, "close", looked_at)
            with pytest.raises(LinkError):
                one.query("SAY? one", 2.0)
    assert ports[0] != first


def test_a_connection_that_lives_can_be_opened_again_too(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC))
    for number in range(5):
        assert opened.query(f"SAY? {number}", 1.0) == str(number)
        opened.reopen()


def test_an_instrument_that_is_not_there_any_more_is_refused(way: str) -> None:
    device = Answerer(SYMMETRIC, faults=Faults(lines={0: "unplug"}))
    with OPENERS[way](device) as served:
        with contextlib.closing(Link(served.resource, backend=served.backend)) as opened:
            with pytest.raises(LinkError):
                opened.query("SAY? one", 2.0)
            with contextlib.suppress(LinkError):  # an adapter can be reached without its instrument
                opened.reopen()
            with pytest.raises(LinkError):
                opened.query("SAY? two", 0.1)
        with pytest.raises(LinkError), contextlib.closing(Link(served.resource, backend=served.backend)) as opened:
            opened.query("SAY? three", 0.1)
        gc.collect()  # what an opening that failed left open would complain now
        device.unplugged = False
        with contextlib.closing(_opened_soon(served)) as opened:
            assert opened.query("SAY? four", 1.0) == "four"


def _opened_soon(served: Transport) -> Link:
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        with contextlib.suppress(LinkError):
            return Link(served.resource, backend=served.backend)
        time.sleep(0.02)
    raise AssertionError("what was plugged in again cannot be opened")


def test_an_instrument_that_falls_silent_is_given_up_in_time(reach: Reach) -> None:
    opened = reach(Answerer(SYMMETRIC, faults=Faults(lines={0: "hang"})))
    begun = time.monotonic()
    with pytest.raises(LinkError, match=r"No line came within 0\.12 s"):
        opened.query("SAY? one", 0.12)
    assert time.monotonic() - begun < 3.0


def test_a_closed_server_is_a_link_error(way: str) -> None:
    served = OPENERS[way](Answerer(SYMMETRIC))
    with served:
        opened = Link(served.resource, backend=served.backend)
    with contextlib.closing(opened), pytest.raises(LinkError):
        opened.query("SAY? one", 1.0)


def test_a_client_that_does_not_read_does_not_keep_a_server_from_ending(way: str) -> None:
    device = Answerer(SYMMETRIC)
    with OPENERS[way](device) as served:
        opened = Link(served.resource, backend=served.backend)
        opened.write("COUNT? 100000\n")
        while not device.log:
            time.sleep(0.01)
    opened.close()


def test_no_thread_and_no_file_is_left_behind(way: str) -> None:
    def left() -> list[int]:
        files = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
        return [threading.active_count(), files]

    def use() -> None:
        with OPENERS[way](Answerer(SYMMETRIC)) as served:
            with contextlib.closing(Link(served.resource, backend=served.backend)) as opened:
                opened.query("*IDN?", 1.0)
            with contextlib.closing(Link(served.resource, backend=served.backend)) as opened:
                opened.write("COUNT? 10\n")

    use()
    before = left()
    for _ in range(5):
        use()
    wait_for(lambda: all(now <= then for now, then in zip(left(), before, strict=True)))


def test_a_server_that_was_never_entered_can_be_closed(way: str) -> None:
    served = OPENERS[way](Answerer(SYMMETRIC))
    served.close()
    served.close()


# --- a whole instrument


def test_a_potentiostat_measures_over_it(way: str) -> None:
    device = EmulatedPotentiostat(SYMMETRIC)
    sweep = Sweep(start_hz=1e5, stop_hz=1e2, points_per_decade=5, amplitude_v=0.01)
    with OPENERS[way](device) as served:
        with connect(served.resource, driver="palmsens", backend=served.backend) as meter:
            spectrum = meter.sweep_spectrum(sweep)
            points = meter.sweep(sweep)
            next(points)
            assert device.cell_is_on or way != "in-process"
            points.close()
        assert not device.cell_is_on
    assert spectrum.z_ohm == pytest.approx(SYMMETRIC.impedance(sweep.frequencies_hz), rel=6e-3)


# --- other people's programs


@pytest.mark.parametrize("ends", [("\n", "\n"), ("\r\n", "\n")], ids=["LF", "CRLF"])
def test_any_visa_program_can_use_it(way: str, ends: tuple[str, str]) -> None:
    write_end, read_end = ends
    with OPENERS[way](Answerer(SYMMETRIC)) as served, contextlib.ExitStack() as stack:
        manager = pyvisa.ResourceManager(served.backend)
        if isinstance(served, PrologixServer):  # which takes no terminations
            stack.enter_context(manager.open_resource(served.interface))
            plain: Any = stack.enter_context(manager.open_resource(served.resources[17]))
            plain.write("*IDN?")
            assert plain.read().strip() == "Nobody,Answerer,EMULATED,1"
            return
        plain = stack.enter_context(manager.open_resource(served.resource))
        plain.write_termination, plain.read_termination = write_end, read_end
        for _ in range(2):
            assert plain.query("*IDN?") == "Nobody,Answerer,EMULATED,1"
        plain.timeout = 50
        if way != "hislip":  # PyVISA-Py answers at once, with nothing
            with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
                plain.read()
        plain.timeout = 5000
        assert plain.query("SAY? again") == "again"


@pytest.mark.parametrize("way", sorted(IN_MESSAGES), indirect=True)
def test_the_status_byte_says_whether_there_is_something_to_read_and_clearing_drops_it(way: str) -> None:
    with (
        OPENERS[way](Answerer(SYMMETRIC)) as served,
        pyvisa.ResourceManager(served.backend).open_resource(
            served.resource, read_termination="\n", write_termination="\n"
        ) as plain,
    ):
        one: Any = plain
        assert one.read_stb() == 0
        one.write("*IDN?")
        wait_for(lambda: one.read_stb() == 16)
        one.read()
        assert one.read_stb() == 0
        one.clear()
        if way != "hislip":  # where PyVISA-Py trips over an answer that is under way
            one.write("SAY? lost")
            wait_for(lambda: one.read_stb() == 16)
            one.clear()
        assert one.query("SAY? found") == "found"


# --- what only one of them has


def test_an_adapter_serves_several_instruments() -> None:
    one, other = Answerer(SYMMETRIC), Answerer(SYMMETRIC, faults=Faults(lines={2: "drop"}))
    with PrologixServer({4: one, 12: other}) as served, contextlib.ExitStack() as stack:
        links = [Link(f"{served.interface}>{served.resources[address]}") for address in (4, 12)]
        for link in links:
            stack.callback(link.close)
        for number in range(2):
            assert [link.query(f"SAY? {number}", 1.0) for link in links] == [str(number)] * 2
        with pytest.raises(LinkError):
            links[1].query("SAY? x", 1.0)
        for link in links:  # the adapter's connection was theirs together
            link.reopen()
        assert [link.query("SAY? again", 1.0) for link in links] == ["again"] * 2
    assert one.log == ["SAY? 0", "SAY? 1", "SAY? again"]


def test_an_adapter_that_was_opened_by_someone_else_is_used() -> None:
    with PrologixServer({4: Answerer(SYMMETRIC)}) as served:
        manager = pyvisa.ResourceManager("@py")
        with manager.open_resource(served.interface), contextlib.closing(Link(served.resources[4])) as opened:
            assert opened.query("*IDN?", 1.0).startswith("Nobody")


def test_an_adapter_is_asked_about_its_settings_and_refuses_what_it_does_not_know() -> None:
    with PrologixServer({4: Answerer(SYMMETRIC)}) as served:
        name = served.interface.replace("PRLGX-TCPIP", "TCPIP").replace("INTFC", "SOCKET")
        with contextlib.closing(Link(name)) as opened:
            assert opened.query("++ver", 1.0).startswith("Prologix GPIB-ETHERNET")
            opened.write("++addr 4\n++read_tmo_ms 100\n")
            assert opened.query("++addr", 1.0) == "4"
            assert opened.query("++read_tmo_ms", 1.0) == "100"
            assert opened.query("++nonsense", 1.0) == "Unrecognized command"
            opened.write("SAY? it\n")
            assert opened.query("++spoll", 1.0) == "16"
            assert opened.query("++read eoi", 1.0) == "it"
            opened.write("SAY? no\n++clr\n++read eoi\n")
            assert opened.query("++spoll", 1.0) == "0"


def test_a_pseudo_terminal_is_refused_with_a_way_out_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pseudo_terminal.os, "openpty", raising=False)
    with pytest.raises(ConfigError, match=r"no pseudo-terminals.*tcp or hislip"):
        PtyServer(Answerer(SYMMETRIC))


def test_a_port_of_this_process_is_found_under_the_name_windows_makes_of_it() -> None:
    import serial

    with TRANSPORTS["serial-url"](Answerer(SYMMETRIC), name="here") as served:
        assert served.resource == "ASRLeisim://here::INSTR"
        with serial.serial_for_url("COMeisim://here", timeout=1.0) as port:
            port.write(b"*IDN?\n")
            assert port.readline() == b"Nobody,Answerer,EMULATED,1\n"
