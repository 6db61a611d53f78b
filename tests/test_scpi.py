"""The SCPI core of emulated instruments: what it understands, what it refuses, and when it measures."""

from __future__ import annotations

from typing import Any

import pytest

from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.scpi import Call, Reply, ScpiDevice, Trigger
from instruments.emulated.scpi_values import Choice, Integer, Number, ScpiError, Setting, Switch, number

MEASURING_S = 5.0


class StillClock:
    """Time that only passes when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def seconds_until(self, instant: float) -> float:
        return max(0.0, instant - self.time)


class Meter(ScpiDevice):
    """An instrument with a setting of each kind, and a measurement that takes five seconds."""

    def __init__(self, **options: Any) -> None:
        self.time = StillClock()
        super().__init__(SYMMETRIC, identification="Maker,Meter,EMULATED01,1.0", clock=self.time, **options)
        self.define(
            Setting("FREQuency[:CW]", 1e3, Number(20.0, 2e6, digits=4)),
            Setting("FUNCtion:IMPedance[:TYPE]", "CPD", Choice("CPD", "RX")),
            Setting("FUNCtion:IMPedance:RANGe:AUTO", True, Switch()),
            Setting("[SOURce:]VOLTage", 0.0, Number(0.0, 2.0, allowed=(0.0, 1.5, 2.0))),
            Setting("AVERage:COUNt", 1, Integer(1, 256)),
            Setting("CALCulate#:PARameter#:DEFine", "R", Choice("R", "X")),
        )
        self.use_trigger(Trigger(self._begin, self.clock.now))
        self.command("FETCh?", lambda call: Reply("+1.0", self._remaining_s))
        self.command("ECHO?", lambda call: "|".join(call.arguments))
        self.command("SUFFix#:OF#?", lambda call: str(call.suffixes))
        self.begun = 0

    def _begin(self) -> float:
        self.begun += 1
        return MEASURING_S

    def say(self, *messages: str) -> list[str]:
        output = self.feed("".join(f"{message}\n" for message in messages).encode())
        return b"".join(output).decode().splitlines()

    def wait(self, seconds: float) -> list[str]:
        self.time.time += seconds
        return b"".join(self.due()).decode().splitlines()


@pytest.fixture
def meter() -> Meter:
    return Meter()


# --- what it refuses


@pytest.mark.parametrize(
    ("message", "code", "bit"),
    [
        ("FREQU 1000", -113, 32),
        ("FUNC:RANG:AUTO ON", -113, 32),
        ("*FOO?", -113, 32),
        ("FR&Q 1", -101, 32),
        ("FREQ 1000,,2", -102, 32),
        ("FREQ abc", -104, 32),
        ("FREQ", -109, 32),
        ("FREQ 1000,2000", -108, 32),
        ("FREQ 19.9", -222, 16),
        ("FREQ 2.1MHZ", -222, 16),
        ("FREQ NAN", -104, 32),
        ("VOLT 1", -222, 16),
        ("AVER:COUN 257", -222, 16),
        ("FUNC:IMP ZZ", -224, 16),
        ("FUNC:IMP:RANG:AUTO PERHAPS", -224, 16),
        ("*TRG", -211, 16),
        ("INIT", -213, 16),
    ],
)
def test_a_wrong_command_is_an_error_of_its_kind_and_changes_nothing(
    message: str, code: int, bit: int, meter: Meter
) -> None:
    before = meter.say("FREQ?;VOLT?;FUNC:IMP?;IMP:RANG:AUTO?;:AVER:COUN?", "*CLS")
    assert meter.say(message) == []
    assert meter.say("*STB?") == ["4"]
    (answer,) = meter.say("SYST:ERR?")
    assert answer.startswith(f"{code},")
    assert meter.say("*ESR?", "*ESR?", "SYST:ERR?") == [f"+{bit}", "+0", '+0,"No error"']
    assert meter.say("FREQ?;VOLT?;FUNC:IMP?;IMP:RANG:AUTO?;:AVER:COUN?") == before


def test_after_a_command_error_the_rest_of_a_message_is_not_obeyed_but_what_came_before_is_answered(
    meter: Meter,
) -> None:
    assert meter.say("FREQ?;FOO;FREQ 5000") == ["+1.00000E+03"]
    assert meter["FREQuency[:CW]"] == 1e3


def test_after_an_execution_error_the_rest_of_a_message_is_obeyed(meter: Meter) -> None:
    assert meter.say("FREQ 1;FREQ?;:FREQ 5000;FREQ?") == ["+1.00000E+03;+5.00000E+03"]


def test_errors_are_told_in_their_order_and_the_queue_says_when_it_was_too_short(meter: Meter) -> None:
    meter.say("FOO", "FREQ 1", *["FOO"] * 30)
    told = [meter.say("SYST:ERR?")[0].partition(",")[0] for _ in range(21)]
    assert told == ["-113", "-222", *["-113"] * 17, "-350", "+0"]


def test_a_query_that_comes_before_the_last_was_answered_interrupts_it(meter: Meter) -> None:
    assert meter.say("TRIG:SOUR BUS", "*CLS", "TRIG;FETC?") == []
    assert meter.say("FREQ?") == ["+1.00000E+03"]
    assert meter.wait(MEASURING_S) == []
    assert meter.say("SYST:ERR?") == ['-410,"Query INTERRUPTED"']


def test_commands_do_not_interrupt_an_answer_and_neither_does_what_was_said_already(meter: Meter) -> None:
    meter.say("TRIG:SOUR BUS", "TRIG;FETC?", "FREQ 2000")
    assert meter.wait(MEASURING_S) == ["+1.0"]
    assert meter.say("FREQ?", "VOLT?") == ["+2.00000E+03", "+0.00000E+00"]
    assert not meter.errors


def test_reading_without_having_asked_is_an_error(meter: Meter) -> None:
    meter.read_too_early()
    assert meter.say("SYST:ERR?") == ['-420,"Query UNTERMINATED"']


# --- what it understands


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("*IDN?", "Maker,Meter,EMULATED01,1.0"),
        ("*OPT?", "0"),
        ("*opc?", "1"),
        ("freq?", "+1.00000E+03"),
        (":FREQUENCY:CW?", "+1.00000E+03"),
        ("FREQ? MAX", "+2.00000E+06"),
        ("FREQ 1.23456 KHZ;FREQ?", "+1.23500E+03"),
        ("FREQ 1MHZ;FREQ?", "+1.00000E+06"),
        ("FREQ MIN;FREQ?", "+2.00000E+01"),
        ("SOUR:VOLT 1500MV;:VOLT?", "+1.50000E+00"),
        ("FUNC:IMP RX;IMP?", "RX"),
        ("FUNC:IMP:TYPE RX;TYPE?;RANG:AUTO OFF;AUTO?", "RX;0"),
        ("FUNC:IMP:RANG:AUTO 0;*OPC?;AUTO?", "1;0"),
        ("CALC2:PAR1:DEF X;:CALC:PAR:DEF?", "X"),
        ("SUFF3:OF12?;:SUFF:OF4?", "(3, 12);(1, 4)"),
        ('ECHO? "a;b,c",2', '"a;b,c"|2'),
        (" FREQ? ; ; VOLT? ;", "+1.00000E+03;+0.00000E+00"),
        ("SYSTEM:ERROR:NEXT?", '+0,"No error"'),
        ("*ESE 60;*ESE?;*SRE 4;*SRE?", "60;4"),
        ("INIT:CONT?;CONT OFF;CONT?", "1;0"),
    ],
)
def test_a_message_in_any_of_its_forms_is_understood(message: str, answer: str, meter: Meter) -> None:
    assert meter.say(message) == [answer]
    assert not meter.errors


def test_the_status_byte_sums_up_what_was_enabled(meter: Meter) -> None:
    meter.say("*CLS", "*ESE 32", "*SRE 36", "FOO")
    assert meter.status_byte() == 4 + 32 + 64
    meter.say("*CLS")
    assert meter.status_byte() == 0


def test_a_reset_brings_every_setting_back(meter: Meter) -> None:
    meter.say("FREQ 5000;:FUNC:IMP RX;:TRIG:SOUR BUS", "*RST")
    assert meter.say("FREQ?;:FUNC:IMP?;:TRIG:SOUR?") == ["+1.00000E+03;CPD;INT"]


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("-1.5e3", -1500.0), ("2 MAHZ", 2e6), ("10MV", 0.01)])
def test_a_number_may_have_a_unit(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value)


def test_a_later_command_goes_before_an_earlier_one(meter: Meter) -> None:
    def refuse(call: Call) -> None:
        raise ScpiError(-221)

    meter.command("FREQuency[:CW]?", refuse)
    assert meter.say("FREQ?;:SYST:ERR?") == ['-221,"Settings conflict"']


# --- when it measures


@pytest.mark.parametrize("trigger", ["*TRG", "TRIG", "TRIG:IMM"])
def test_a_measurement_takes_its_time_and_what_waits_for_it_waits(trigger: str, meter: Meter) -> None:
    assert meter.say("TRIG:SOUR BUS", f"{trigger};*OPC?") == []
    assert meter.next_due == MEASURING_S
    assert meter.wait(MEASURING_S / 2) == []
    assert meter.wait(MEASURING_S / 2) == ["1"]
    assert meter.begun == 1


def test_a_trigger_while_it_measures_is_ignored(meter: Meter) -> None:
    meter.say("TRIG:SOUR BUS", "TRIG", "TRIG")
    assert meter.begun == 1
    assert meter.say("SYST:ERR?") == ['-211,"Trigger ignored"']


def test_without_continuous_initiation_every_trigger_has_to_be_waited_for(meter: Meter) -> None:
    meter.say("TRIG:SOUR BUS", "INIT:CONT OFF", "TRIG")
    assert meter.begun == 0
    meter.say("INIT", "TRIG")
    assert meter.begun == 1
    meter.wait(MEASURING_S)
    meter.say("TRIG")
    assert meter.begun == 1


def test_an_abort_ends_a_measurement_and_nobody_is_answered(meter: Meter) -> None:
    meter.say("TRIG:SOUR BUS", "TRIG;FETC?", "ABOR")
    assert meter.wait(MEASURING_S) == []
    meter.say("TRIG")
    assert meter.begun == 2
    assert not meter.errors


def test_the_end_of_a_measurement_can_be_seen_in_the_event_status(meter: Meter) -> None:
    meter.say("*CLS", "TRIG:SOUR BUS", "TRIG;*OPC")
    assert meter.say("*ESR?") == ["+0"]
    meter.wait(MEASURING_S)
    assert meter.say("*ESR?") == ["+1"]
