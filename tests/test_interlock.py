"""Interlocks: what is not known to be right is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eis.errors import AbortedError
from eis.interlock import Interlock, faults, from_file, wait_until_well
from eis.station_config import InterlockConfig


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("99", "it is 99, not within 20 to 30"),
        ("19.99", "not within"),
        ("nan", "it is nan, not within"),
        ("inf", "not within"),
        ("", "holds no number"),
        ("warm", "holds no number: 'warm'"),
        ("25 C", "holds no number"),
    ],
)
def test_a_value_out_of_its_band_or_no_value_is_wrong(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "t").write_text(content)
    one = from_file(InterlockConfig(name="chamber", file="t", low=20, high=30), tmp_path)
    assert said in faults([one])[0]
    assert faults([one])[0].startswith("chamber: ")


@pytest.mark.parametrize("content", ["inf", "nan", "1e400"])
def test_a_number_that_is_not_finite_is_wrong_with_one_end_open_too(tmp_path: Path, content: str) -> None:
    (tmp_path / "p").write_text(content)
    one = from_file(InterlockConfig(name="pressure", file="p", low=1), tmp_path)
    assert "not 1 or more" in faults([one])[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d")
    assert (
        "is no file" in faults([from_file(InterlockConfig(name="door", file="d", equals="closed"), tmp_path)])[0]
    )


def test_a_file_from_the_future_is_wrong_for_it_would_be_fresh_until_the_clock_is_there(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("closed")
    one = from_file(InterlockConfig(name="door", file="d", equals="closed", stale_s=10), tmp_path)
    now = (tmp_path / "d").stat().st_mtime
    os.utime(tmp_path / "d", (now + 5, now + 5))  # the clocks of two computers never agree
    assert faults([one]) == ()
    os.utime(tmp_path / "d", (now + 3600, now + 3600))
    assert "clock was put back" in faults([one])[0]


def test_a_file_that_is_missing_stale_or_no_text_is_wrong(tmp_path: Path) -> None:
    config = InterlockConfig(name="door", file="d", equals="closed", stale_s=10)
    one = from_file(config, tmp_path)
    assert "cannot be read" in faults([one])[0]
    (tmp_path / "d").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in faults([one])[0]
    (tmp_path / "d").write_text("closed\n")
    assert faults([one]) == ()
    os.utime(tmp_path / "d", (1, 1))
    assert "older than 10 s" in faults([one])[0]


def test_a_condition_that_raises_is_wrong() -> None:
    def broken() -> str:
        raise ZeroDivisionError("no")

    assert faults([Interlock("own", broken)]) == ("own: it failed: ZeroDivisionError: no",)


def test_what_stays_wrong_for_too_long_ends_the_wait() -> None:
    clock = Clock()
    with pytest.raises(AbortedError, match=r"stayed wrong for 60 s: door: open \(door\)"):
        wait_until_well([Interlock("door", lambda: "open", give_up_s=60)], clock=clock, sleep=clock.sleep)
    assert clock.now == pytest.approx(60, abs=0.3)


def test_it_must_be_well_without_a_break_for_its_steady_time() -> None:
    clock = Clock()
    door = Interlock("door", lambda: "open" if clock.now < 2 or 5 <= clock.now < 6 else "", steady_s=4)
    assert wait_until_well([door], clock=clock, sleep=clock.sleep) == pytest.approx(10, abs=0.5)


def test_without_interlocks_nothing_is_waited_for() -> None:
    assert wait_until_well([], sleep=lambda _: pytest.fail("waited")) < 0.1
