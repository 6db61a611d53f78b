"""Leases: one holder for an instrument, named to whoever comes meanwhile, and free once the holder is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eis.errors import BusyError, StoreError
from instruments.lease import Lease, canonical_resource, folder_of_leases, lease, take
from tests.command_line import eis
from tests.served import ROOT

pytestmark = pytest.mark.usefixtures("watchdog", "own_folder")

RESOURCE = "TCPIP0::127.0.0.1::5025::SOCKET"
HOLD = """
import sys
from instruments.lease import take
held = take(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep leases, of this process and those it starts, in a folder of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def holding(resource: str = RESOURCE) -> subprocess.Popen[str]:
    """Start a process that holds a lease, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, resource], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_is_told_who_holds_it_and_exits_75() -> None:
    with holding() as holder:
        with (
            pytest.raises(BusyError, match=rf"process {holder.pid} on .* since 2\d\d\d-") as caught,
            lease(RESOURCE),
        ):
            pass
        holder.communicate()
    assert caught.value.exit_code == 75


def test_the_command_line_exits_75(tmp_path: Path) -> None:
    with holding() as holder:
        done = eis("measure", "--resource", RESOURCE, "--out", tmp_path / "x.nc")
        holder.communicate()
    assert done.returncode == 75
    assert f"process {holder.pid}" in done.stderr


def test_the_same_process_does_not_get_it_twice() -> None:
    with lease(RESOURCE):
        with pytest.raises(BusyError, match=f"process {os.getpid()}"), lease(RESOURCE):
            pass
        with lease("TCPIP0::127.0.0.1::5026::SOCKET"):
            pass  # another instrument


def test_a_lease_given_back_leaves_no_name_behind() -> None:
    for _ in range(3):
        with lease(RESOURCE) as held:
            assert held.abandoned is None


def test_a_killed_holder_s_lease_is_free_at_once_and_says_that_it_was_left() -> None:
    with holding() as holder:
        holder.kill()
    with lease(RESOURCE) as held:
        assert held.abandoned is not None
        assert held.abandoned.pid == holder.pid
    with lease(RESOURCE) as held:
        assert held.abandoned is None


def test_an_abandoned_lease_is_free_but_remembered() -> None:
    take(RESOURCE).abandon()
    held = take(RESOURCE)
    assert held.abandoned is not None
    held.release()
    held.release()


@pytest.mark.skipif(os.name != "posix", reason="locks of files are shared on POSIX only")
def test_a_lease_whose_file_another_process_shares_is_free_when_it_is_given_back() -> None:
    with lease(RESOURCE) as held:
        shared = os.dup(held.descriptor)
    with lease(RESOURCE):
        os.close(shared)


@pytest.mark.skipif(os.name != "posix", reason="locks of files are shared on POSIX only")
def test_a_shared_lease_outlives_the_holder() -> None:
    held = take(RESOURCE)
    adopted = Lease.adopted(os.dup(held.descriptor))
    held.abandon()
    with pytest.raises(BusyError), lease(RESOURCE):
        pass
    adopted.release()
    with lease(RESOURCE) as again:
        assert again.abandoned is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TCPIP0::127.0.0.1::5025::SOCKET", "tcpip::127.0.0.1::5025::SOCKET"),
        ("TCPIP0::127.0.0.1::5025::SOCKET", " TCPIP::localhost::5025::SOCKET"),
        ("TCPIP0::127.0.0.1::inst0::INSTR", "tcpip::LOCALHOST::INSTR"),
        ("TCPIP0::127.0.0.1::hislip0,4880::INSTR", "TCPIP::localhost::hislip0,4880"),
        ("GPIB0::17::INSTR", "gpib::17"),
        ("USB0::0x0957::0x0909::MY1::0::INSTR", "usb::0x0957::0x0909::my1"),
        ("ASRLCOM3::INSTR", "asrl3::INSTR"),
        ("PRLGX-TCPIP0::127.0.0.1::1234::INTFC>GPIB0::17::INSTR", "PRLGX-TCPIP::localhost::1234::INTFC>GPIB::17"),
    ],
)
def test_two_spellings_of_a_resource_are_one(one: str, other: str) -> None:
    assert canonical_resource(one) == canonical_resource(other)
    with lease(one), pytest.raises(BusyError), lease(other):
        pass


def test_a_link_to_a_port_is_that_port(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    (tmp_path / "by-id").symlink_to(port)
    assert canonical_resource(f"ASRL{tmp_path}/by-id::INSTR") == canonical_resource(f"ASRL{port}::INSTR")


def test_different_resources_are_not_one() -> None:
    names = ("GPIB0::17::INSTR", "GPIB0::18::INSTR", "GPIB1::17::INSTR", "ASRL/dev/ttyS1::INSTR", RESOURCE, "junk")
    assert len({canonical_resource(name) for name in names}) == len(names)


def test_a_torn_record_does_not_keep_anybody_out(own_folder: Path) -> None:
    with lease(RESOURCE):
        pass
    (file,) = folder_of_leases().iterdir()
    for content in (b"\0\0", b"{", b"[]", b'{"pid": 3}'):
        file.write_bytes(content)
        with lease(RESOURCE) as held:
            assert held.abandoned is None


@pytest.mark.skipif(os.name != "posix", reason="folders have no owner there")
def test_a_folder_that_is_somebody_else_s_is_refused(own_folder: Path) -> None:
    elsewhere = own_folder / "elsewhere"
    elsewhere.mkdir()
    (own_folder / f"interfacial-eis-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="TMPDIR"), lease(RESOURCE):
        pass


def test_of_processes_that_race_never_two_hold_it(own_folder: Path) -> None:
    code = """
import os, sys
from eis.errors import BusyError
from instruments.lease import lease
marker, got = sys.argv[2], 0
while got < 50:
    try:
        with lease(sys.argv[1]):
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))  # fails if somebody else holds it too
            os.unlink(marker)
            got += 1
    except BusyError as busy:
        assert busy.exit_code == 75
"""
    command = [sys.executable, "-c", code, RESOURCE, str(own_folder / "marker")]
    racing = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    for process in racing:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
