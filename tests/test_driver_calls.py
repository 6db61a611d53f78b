"""Whatever is raised at any use a driver makes of its link: the cell is off, and the caller gets to know."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from eis.errors import CellStateUnknownError, EisError, InstrumentError, LinkError
from instruments import Potentiostat, Sweep, connect
from instruments.connect import DRIVERS
from instruments.emulated.cells import SYMMETRIC, EmulatedCell
from instruments.emulated.clock import RealClock
from instruments.emulated.inprocess import library
from instruments.emulated.solartron import EmulatedBench
from instruments.link import Link
from instruments.potentiostat import Point
from tests.test_instruments_contract import BENCHES

pytestmark = pytest.mark.usefixtures("watchdog", "in_no_time")

USES = ("write", "read_line", "discard", "reopen")
N_POINTS = 3


class SlipError(Exception):
    """What a slip in the driver itself, or in somebody's own code, would raise."""


KINDS: dict[str, Callable[[], BaseException]] = {
    "Ctrl-C": KeyboardInterrupt,
    "no memory": MemoryError,
    "a slip": SlipError,
    "a broken link": lambda: LinkError("The connection failed", where="here", mend="Plug it in."),
}
MOMENTS = {
    "Ctrl-C": ("before", "after"),
    "no memory": ("after",),
    "a slip": ("before",),
    "a broken link": ("before", "after"),
}
"""Whether what was to be done at the link has been done when the exception comes; both where it is likely."""


@dataclass
class Disturbance:
    """Raises at the `at`-th use of a link (from 1) while it is armed; a lasting one from then on at every use."""

    make: Callable[[], BaseException]
    at: int
    moment: str = "before"
    lasting: bool = False
    uses: int = 0
    raised: list[BaseException] = field(default_factory=list)

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Count the uses of links, and disturb them."""
        with pytest.MonkeyPatch.context() as patched:
            for name in USES:
                patched.setattr(Link, name, self._disturbed(getattr(Link, name)))
            yield

    def _disturbed(self, use: Callable[..., Any]) -> Callable[..., Any]:
        def used(link: Link, *arguments: Any, **options: Any) -> Any:
            self.uses += 1
            due = self.uses >= self.at if self.lasting else self.uses == self.at
            if due and self.moment == "before":
                self._raise()
            result = use(link, *arguments, **options)
            if due:
                self._raise()
            return result

        return used

    def _raise(self) -> None:
        error = self.make()
        self.raised.append(error)
        raise error


@dataclass(frozen=True)
class Setup:
    """An emulated instrument without noise, how a driver connects to it, its cell, and a short sweep."""

    device: Any
    options: dict[str, Any]
    cell: EmulatedCell
    sweep: Sweep

    def connect(self) -> Potentiostat:
        return connect(**self.options)


SETUPS = (*(driver.name for driver in DRIVERS), "solartron with 1287")


@contextlib.contextmanager
def set_up(name: str) -> Iterator[Setup]:
    """Serve the instrument of a driver in this process."""
    driver, _, with_interface = name.partition(" with ")
    bench = BENCHES[driver]
    device: Any = EmulatedBench(SYMMETRIC, clock=RealClock()) if with_interface else bench.make(RealClock())
    parts = (device.analyser, device.interface) if with_interface else (device,)
    for part in parts:
        part._noise = 0.0
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(library().serve(part, f"calls-{id(part)}")) for part in parts]
        options = {"resource": served[0].resource, "driver": driver, "backend": served[0].backend, **bench.options}
        if with_interface:
            options["interface_resource"] = served[1].resource
        top_hz = bench.sweep.start_hz
        sweep = replace(bench.sweep, start_hz=top_hz, stop_hz=top_hz / 10, points_per_decade=N_POINTS - 1)
        yield Setup(device, options, bench.cell, sweep)


def raised_by(call: Callable[[], object]) -> BaseException | None:
    """Return what `call` raises, whatever that is."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001
        return error
    return None


def consume(
    meter: Potentiostat, sweep: Sweep, received: list[Point], *, last: int = -1, error: BaseException | None = None
) -> None:
    """Take points one by one; after the one of index `last`, raise `error`."""
    for point in meter.sweep(sweep):
        received.append(point)
        if error is not None and point.index == last:
            raise error


def collect(meter: Potentiostat, sweep: Sweep) -> tuple[list[Point], BaseException | None]:
    """Return the points, also those before whatever was raised, and that."""
    received: list[Point] = []
    told = raised_by(lambda: consume(meter, sweep, received))
    return received, told


def require_honest(
    setup: Setup, disturbance: Disturbance, received: list[Point], told: BaseException | None, where: str
) -> None:
    """The cell is off or somebody was told; what was raised came through; no point is wrong."""
    assert not setup.device.cell_is_on or isinstance(told, CellStateUnknownError), where
    for place, point in enumerate(received):
        assert point.index == place, where
        assert point.z_ohm == pytest.approx(setup.cell.impedance(point.frequency_hz)[0], rel=1e-4), where
    if not disturbance.raised:
        assert told is None, where
    elif isinstance(disturbance.raised[0], LinkError):  # an answer to it is to try again
        assert told is None or isinstance(told, InstrumentError), where
    else:
        assert told in disturbance.raised or isinstance(told, CellStateUnknownError), where


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETUPS)
def test_whatever_is_raised_at_any_use_of_the_link_the_cell_is_off_and_the_caller_gets_it(
    name: str, kind: str
) -> None:
    for moment in MOMENTS[kind]:
        for at in itertools.count(1):
            disturbance = Disturbance(KINDS[kind], at, moment)
            with set_up(name) as setup, contextlib.closing(setup.connect()) as meter:
                with disturbance.armed():
                    received, told = collect(meter, setup.sweep)
                where = f"{kind} {moment} use {at}: {told!r}"
                require_honest(setup, disturbance, received, told, where)
                assert not isinstance(told, CellStateUnknownError), where  # of three attempts, one was disturbed
                assert told or len(received) == N_POINTS, where
            if not disturbance.raised:
                assert at > 10, "there is more to disturb in a sweep than that"
                break


@pytest.mark.parametrize("kind", ["Ctrl-C", "a broken link"])
@pytest.mark.parametrize("name", SETUPS)
def test_where_nothing_works_any_more_somebody_is_told_and_once_it_works_again_the_cell_is_off(
    name: str, kind: str
) -> None:
    warned = 0
    for at in itertools.count(1):
        disturbance = Disturbance(KINDS[kind], at, lasting=True)
        with set_up(name) as setup, contextlib.closing(setup.connect()) as meter:
            with disturbance.armed():
                received, told = collect(meter, setup.sweep)
            require_honest(setup, disturbance, received, told, f"{kind} from use {at} on: {told!r}")
            if isinstance(told, CellStateUnknownError):
                warned += 1
                assert kind == "a broken link" or told.__cause__ in disturbance.raised
                meter.cell_off()
            assert not setup.device.cell_is_on
        if not disturbance.raised:
            break
    assert warned > N_POINTS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETUPS)
def test_a_sweep_that_is_given_up_leaves_the_cell_off_whatever_is_raised_meanwhile(name: str, kind: str) -> None:
    for moment in MOMENTS[kind]:
        for at in itertools.count(1):
            disturbance = Disturbance(KINDS[kind], at, moment)
            with set_up(name) as setup, contextlib.closing(setup.connect()) as meter:
                points = meter.sweep(setup.sweep)
                received = [next(points)]
                with disturbance.armed():
                    told = raised_by(points.close)
                where = f"{kind} {moment} use {at}: {told!r}"
                require_honest(setup, disturbance, received, told, where)
                assert not isinstance(told, CellStateUnknownError), where
            if not disturbance.raised:
                assert at > 2, "switching off takes a question and an answer"
                break


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETUPS)
def test_what_the_consumer_raises_between_any_two_points_reaches_the_caller_with_the_cell_off(
    name: str, kind: str
) -> None:
    error = KINDS[kind]()
    for at in range(N_POINTS):
        with set_up(name) as setup, contextlib.closing(setup.connect()) as meter:
            with pytest.raises(type(error)) as in_a_loop:
                consume(meter, setup.sweep, [], last=at, error=error)
            assert in_a_loop.value is error
            assert not setup.device.cell_is_on
            points = meter.sweep(setup.sweep)
            for _ in range(at + 1):
                next(points)
            with pytest.raises(type(error)) as thrown_in:
                points.throw(error)
            assert thrown_in.value is error
            assert not setup.device.cell_is_on
            assert len(list(meter.sweep(setup.sweep))) == N_POINTS  # and it is ready for the next


@pytest.mark.parametrize("name", SETUPS)
def test_a_sweep_nobody_closes_ends_with_the_meter(name: str) -> None:
    for at in range(1, N_POINTS):
        with set_up(name) as setup:
            meter = setup.connect()
            points = meter.sweep(setup.sweep)
            for _ in range(at):
                next(points)
            meter.close()
            assert not setup.device.cell_is_on
            with pytest.raises(EisError):
                next(points)
            assert not setup.device.cell_is_on


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETUPS)
def test_what_is_raised_while_connecting_reaches_the_caller_and_leaves_nothing_open(name: str, kind: str) -> None:
    for moment in MOMENTS[kind]:
        for at in itertools.count(1):
            disturbance = Disturbance(KINDS[kind], at, moment)
            with set_up(name) as setup:
                with disturbance.armed():
                    told = raised_by(lambda: setup.connect().close())
                where = f"{kind} {moment} use {at}: {told!r}"
                assert told in (*disturbance.raised, None), where
                if kind != "a broken link":  # the answer to which is to try another baud rate
                    assert bool(told) == bool(disturbance.raised), where
                setup.connect().close()  # a connection left open would be in the way
                assert not setup.device.cell_is_on
            if not disturbance.raised:
                assert at > 2, "connecting takes a question and an answer"
                break
