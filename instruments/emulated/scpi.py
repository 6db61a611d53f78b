"""What emulated instruments that speak SCPI have in common: a command tree, settings, errors, and a trigger.

A subclass of `ScpiDevice` lists its settings and its commands; this module does the rest, with the kinds of values
in `instruments.emulated.scpi_values`::

    class EmulatedMeter(ScpiDevice):
        def __init__(self, cell, **options):
            super().__init__(cell, identification="Maker,Model,EMULATED01,1.0", **options)
            self.define(
                Setting("FREQuency[:CW]", 1000.0, Number(20.0, 2e6, digits=4)),
                Setting("FUNCtion:IMPedance[:TYPE]", "CPD", Choice("CPD", "RX")),
                Setting("BIAS:STATe", False, Switch()),
            )
            self.command("FETCh[:IMPedance]?", lambda call: Reply("+1.0,+2.0", after_s=0.1))

``self["FREQuency[:CW]"]`` is then the value of that setting, ``FREQ?`` and ``freq:cw 1 khz`` work, and `changed`
is called after a setting was set. Headers are written as in manuals: capitals are the short form, brackets mark
what may be left out, ``#`` stands for a numeric suffix (1 by default). A command returns what it answers (text, a
`Reply` that takes time, or None) and refuses by raising `ScpiError`. Several commands in one message are parted by
semicolons and share their path as in SCPI; several answers come as one line, parted by semicolons.

Built in: ``*IDN? *OPT? *RST *CLS *ESE *ESE? *ESR? *OPC *OPC? *SRE *SRE? *STB? *TRG *TST? *WAI``,
``SYSTem:ERRor[:NEXT]?`` and, with a `Trigger`, ``ABORt``, ``INITiate[:IMMediate]``, ``INITiate:CONTinuous``,
``TRIGger[:IMMediate]`` and ``TRIGger:SOURce``.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.device import LineDevice
from instruments.emulated.scpi_values import ERRORS, EVENT_BITS, Choice, Integer, ScpiError, Setting, Switch, short

__all__ = ["Call", "Reply", "ScpiDevice", "ScpiError", "Trigger"]

LONGEST_QUEUE = 20


@dataclass(frozen=True, slots=True)
class Call:
    """One command as received: its parameters, and the numeric suffixes of its header from left to right."""

    arguments: tuple[str, ...] = ()
    suffixes: tuple[int, ...] = ()

    def only(self) -> str:
        """Return the one parameter there is."""
        if len(self.arguments) != 1:
            raise ScpiError(-108 if self.arguments else -109)
        return self.arguments[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that takes some time (s)."""

    text: str
    after_s: float = 0.0


Handler = Callable[[Call], str | Reply | None]


class Trigger:
    """When a measurement begins: the states idle, waiting and measuring.

    Parameters
    ----------
    begin : callable
        Begins a measurement and returns how long it takes (s).
    now : callable
        Returns the device time (s).
    sources : sequence of str
        The words of ``TRIGger:SOURce``; the first is the one after ``*RST`` and runs freely if it is ``INTernal``.
    continuous : bool
        Whether the instrument waits for the next trigger by itself, as after ``*RST``.

    Attributes
    ----------
    source : Choice
        The words; the value is a setting of the device.
    """

    def __init__(
        self,
        begin: Callable[[], float],
        now: Callable[[], float],
        *,
        sources: Sequence[str] = ("INTernal", "HOLD", "EXTernal", "BUS"),
        continuous: bool = True,
    ) -> None:
        self.source = Choice(*sources)
        self.continuous = continuous
        self._begin = begin
        self._now = now
        self._initiated = continuous
        self._until = -math.inf

    @property
    def remaining_s(self) -> float:
        """How long the measurement that is running still takes (s); 0 if none is."""
        return max(0.0, self._until - self._now())

    def initiate(self) -> None:
        """Wait for a trigger."""
        if self.continuous or self._initiated or self.remaining_s:
            raise ScpiError(-213)
        self._initiated = True

    def fire(self) -> None:
        """Begin a measurement."""
        if not self._initiated or self.remaining_s:
            raise ScpiError(-211)
        self._initiated = self.continuous
        self._until = self._now() + self._begin()

    def abort(self) -> None:
        """End a measurement, and wait for a trigger no longer, or for the next one."""
        self._until = -math.inf
        self._initiated = self.continuous


class ScpiDevice(LineDevice):
    """An instrument that speaks SCPI; see the module's description for how a subclass makes one.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    identification : str
        What ``*IDN?`` answers.
    options : str
        What ``*OPT?`` answers.
    **others
        As `instruments.emulated.device.LineDevice`.
    """

    def __init__(self, cell: EmulatedCell, *, identification: str, options: str = "0", **others: Any) -> None:
        super().__init__(cell, **others)
        self.errors: deque[int] = deque()
        self.trigger: Trigger | None = None
        self._commands: list[tuple[re.Pattern[str], Handler]] = []
        self._settings: dict[str, Setting] = {}
        self._values: dict[str, Any] = {}
        self._event_status = 128  # power on
        self._enabled = {"*ESE": 0, "*SRE": 0}
        self._complete_when_idle = False
        for header, handler in (
            ("*IDN?", lambda call: identification),
            ("*OPT?", lambda call: options),
            ("*RST", lambda call: self.reset()),
            ("*CLS", lambda call: self._clear_status()),
            ("*ESR?", lambda call: self._taken_event_status()),
            ("*STB?", lambda call: str(self.status_byte())),
            ("*OPC", lambda call: self._complete()),
            ("*OPC?", lambda call: Reply("1", self._remaining_s)),
            ("*TST?", lambda call: "+0"),
            ("*WAI", lambda call: Reply("", self._remaining_s)),
            ("SYSTem:ERRor[:NEXT]?", lambda call: self._next_error()),
        ):
            self.command(header, handler)
        for register in self._enabled:
            self.command(register, partial(self._enable, register))
            self.command(f"{register}?", partial(self._enabled_bits, register))

    def __getitem__(self, header: str) -> Any:
        return self._values[header]

    def __setitem__(self, header: str, value: Any) -> None:
        self._values[header] = value
        self.changed(header)

    def define(self, *settings: Setting) -> None:
        """Add settings, each with its command and its query."""
        for setting in settings:
            self._settings[setting.header] = setting
            self._values[setting.header] = setting.initial
            self.command(setting.header, partial(self._set, setting))
            self.command(f"{setting.header}?", partial(self._tell, setting))

    def command(self, header: str, handler: Handler) -> None:
        """Add a command or, with a question mark, a query; a later one goes before an earlier one."""
        self._commands.insert(0, (pattern(header), handler))

    def use_trigger(self, trigger: Trigger) -> None:
        """Add the commands that begin and end measurements."""
        self.trigger = trigger
        first = short(trigger.source.words[0])
        self.define(Setting("TRIGger:SOURce", first, trigger.source))
        self.command("ABORt", lambda call: self._abort())
        self.command("INITiate[:IMMediate]", lambda call: trigger.initiate())
        self.command("INITiate:CONTinuous", self._run_continuously)
        self.command("INITiate:CONTinuous?", lambda call: Switch().write(trigger.continuous))
        self.command("TRIGger[:IMMediate]", lambda call: trigger.fire())
        self.command("*TRG", lambda call: self.triggered())

    def triggered(self) -> str | Reply | None:
        """Obey ``*TRG``; an instrument that answers it with its data says so here."""
        if self.trigger is None or self["TRIGger:SOURce"] != "BUS":
            raise ScpiError(-211)
        self.trigger.fire()
        return None

    def changed(self, header: str) -> None:
        """Take note that the setting `header` has been set, or reset."""

    def reset(self) -> None:
        """Bring every setting to its value after ``*RST``."""
        for setting in self._settings.values():
            self[setting.header] = setting.initial
        if self.trigger is not None:
            self.trigger.abort()

    def error(self, number: int) -> None:
        """Put an error into the queue and set its bit of the event status register."""
        self._event_status |= EVENT_BITS[-number // 100]
        if len(self.errors) < LONGEST_QUEUE:
            self.errors.append(number)
        else:
            self.errors[-1] = -350

    def read_too_early(self) -> None:
        """Take note that somebody read without having asked; for transports that can tell."""
        self.error(-420)

    def status_byte(self) -> int:
        """Return the status byte without the bit that says a message is available."""
        byte = (4 if self.errors else 0) | (32 if self._event_status & self._enabled["*ESE"] else 0)
        return byte | (64 if byte & self._enabled["*SRE"] else 0)

    def _obey(self, line: str) -> None:
        """Obey one message: commands with semicolons between them."""
        units = [unit.strip() for unit in split(line, ";") if unit.strip()]
        self._output = self.due()  # what is due has been said already
        if self._waiting and any("?" in unit for unit in units):
            self._waiting.clear()
            self.error(-410)
        replies: list[str] = []
        path, delay_s = "", 0.0
        for unit in units:
            try:
                path, answer = self._do(unit, path)
            except ScpiError as refusal:
                self.error(refusal.number)
                if refusal.number > -200:
                    break  # after a command error, the rest of a message is not understood
                continue
            if isinstance(answer, Reply):
                delay_s = max(delay_s, answer.after_s)
                answer = answer.text
            if answer:
                replies.append(answer)
        if replies:
            self._answer(";".join(replies), after_s=delay_s)

    def _do(self, unit: str, path: str) -> tuple[str, str | Reply | None]:
        """Obey one command; return the path that the next one starts from, and what is answered."""
        header, _, rest = unit.partition(" ")
        if not re.fullmatch(r"[*:]?\w[\w:]*\??", header, re.ASCII):
            raise ScpiError(-101)
        if header.startswith("*"):
            full, next_path = header, path
        else:
            full = header[1:] if header.startswith(":") else path + header
            next_path = full.rpartition(":")[0] + ":" if ":" in full else ""
        arguments = tuple(part.strip() for part in split(rest, ",")) if rest.strip() else ()
        if "" in arguments:
            raise ScpiError(-102)
        for known, handler in self._commands:
            if match := known.fullmatch(full.upper()):
                suffixes = tuple(int(suffix or 1) for suffix in match.groups())
                return next_path, handler(Call(arguments, suffixes))
        raise ScpiError(-113)

    def _set(self, setting: Setting, call: Call) -> None:
        self[setting.header] = setting.kind.read(call.only())

    def _tell(self, setting: Setting, call: Call) -> str:
        value = setting.kind.read(call.only()) if call.arguments else self[setting.header]
        return setting.kind.write(value)

    @property
    def _remaining_s(self) -> float:
        return self.trigger.remaining_s if self.trigger else 0.0

    def _run_continuously(self, call: Call) -> None:
        if self.trigger is not None:
            self.trigger.continuous = Switch().read(call.only())
            self.trigger.abort()

    def _abort(self) -> None:
        self._waiting.clear()  # what was to be answered once it had been measured
        if self.trigger is not None:
            self.trigger.abort()

    def _complete(self) -> None:
        self._complete_when_idle = True

    def _taken_event_status(self) -> str:
        if self._complete_when_idle and not self._remaining_s:
            self._event_status, self._complete_when_idle = self._event_status | 1, False
        status, self._event_status = self._event_status, 0
        return f"+{status}"

    def _clear_status(self) -> None:
        self.errors.clear()
        self._event_status, self._complete_when_idle = 0, False

    def _next_error(self) -> str:
        number_ = self.errors.popleft() if self.errors else 0
        return f'{number_:+d},"{ERRORS[number_]}"'

    def _enable(self, register: str, call: Call) -> None:
        self._enabled[register] = Integer(0, 255).read(call.only())

    def _enabled_bits(self, register: str, call: Call) -> str:
        return str(self._enabled[register])


def pattern(header: str) -> re.Pattern[str]:
    """Return what matches a header in all its forms; a numeric suffix is a group."""
    parts = re.findall(r"[A-Za-z]+|.", header)
    forms = {"[": "(?:", "]": ")?", "#": r"(\d*)", "?": r"\?", "*": r"\*"}
    words = [f"(?:{short(part)}|{part.upper()})" if part.isalpha() else forms.get(part) or part for part in parts]
    return re.compile("".join(words))


def split(text: str, separator: str) -> list[str]:
    """Split at `separator`, but not inside quotation marks."""
    return re.split(rf"""{separator}(?=(?:[^"]*"[^"]*")*[^"]*$)""", text)
