"""What is shown while measuring: the right picture in few lines, true warnings, no end to the measurement."""

import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import eis.live
from eis.live import Live
from eis.spectrum import Quality
from eis.terminal_plot import ROWS
from fitting.circuit import parse
from instruments.drift import drift_of

F = np.geomspace(1e6, 0.1, 71)
TWO_ARCS = parse("L0-R0-p(R1,CPE1)-p(R2,CPE2)").impedance(
    2 * np.pi * F, (1e-7, 22.0, 15.0, 1.5e-7, 0.95, 17.7, 1.5e-5, 0.92)
)
ONE_ARC = 20 + 100 / (1 + 2j * np.pi * F * 1e-3)


def fed(z, f=F, noise=0.0, quality=(), **more):
    rng = np.random.default_rng(1)
    live = Live(**more)
    with live:
        for i, (frequency, one) in enumerate(zip(f, z, strict=False)):
            stray = noise * (rng.standard_normal() + 1j * rng.standard_normal())
            live.add(frequency, one * (1 + stray), dict(quality).get(i, Quality.OK))
    return live


@pytest.fixture(autouse=True)
def a_terminal_that_can_move_its_cursor(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")


def terminal(width=100, **more):
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, **more)


def dots(lines, first, last):
    """Return the (column, height) of every dot in some columns of a drawing, in dots."""
    found = []
    for line, text in enumerate(lines):
        for column, char in enumerate(text[first:last]):
            if char == "◆":
                found += [(2 * column + x, -4 * line - y) for x in (0, 1) for y in (1, 2)]
            bits = ord(char) - 0x2800
            if 0 < bits < 256:
                for bit, x, y in (
                    (0x01, 0, 0), (0x02, 0, 1), (0x04, 0, 2), (0x40, 0, 3),
                    (0x08, 1, 0), (0x10, 1, 1), (0x20, 1, 2), (0x80, 1, 3),
                ):  # fmt: skip
                    if bits & bit:
                        found.append((2 * column + x, -4 * line - y))
    return np.array(found)


def test_an_arc_is_a_half_circle_on_the_screen():
    lines = fed(ONE_ARC).lines(60)
    points = dots(lines[2 : 2 + ROWS], 8, 60)
    width, height = np.ptp(points[:, 0]), np.ptp(points[:, 1])
    assert height / width == pytest.approx(0.5, abs=0.06)
    middle = points[:, 0].min() + width / 2
    radius = np.hypot(points[:, 0] - middle, points[:, 1] - points[:, 1].min())
    assert np.all(np.abs(radius - width / 2) < 0.1 * width)


def test_the_picture_of_two_arcs_is_the_one_that_was_looked_at_and_liked():
    assert "\n".join(fed(TWO_ARCS, title="cell 7", n_points=71).lines(100)) == PICTURE


@pytest.mark.parametrize("width", [46, 60, 91, 92, 100, 200])
@pytest.mark.parametrize("n", [1, 2, 3, 11, 71])
def test_it_is_never_more_than_20_lines_nor_wider_than_the_terminal(width, n):
    live = fed(
        TWO_ARCS[:n], noise=0.2, title="a cell with a very long name " * 3,
        quality=dict(enumerate(Quality)),
    )  # fmt: skip
    lines = live.lines(width)
    assert len(lines) <= 20
    assert max(map(len, lines)) <= min(width, 120)
    assert "−Z″ / " in lines[1]
    assert f"point {n} · " in lines[0]


@pytest.mark.parametrize(("size", "unit"), [(1e-3, "mΩ"), (1, "Ω"), (1e3, "kΩ"), (1e8, "GΩ")])
def test_the_axes_have_the_unit_that_suits_the_size(size, unit):
    lines = fed(ONE_ARC * size).lines(100)
    assert f"−Z″ / {unit}" in lines[1]
    assert f"|Z| / {unit}" in lines[1]
    assert lines[-1].rstrip().endswith("f / Hz")
    assert f"Z′ / {unit}" in lines[-1]
    assert re.search(r"\b10k\b", lines[-1])


def test_ticks_stand_where_their_values_are():
    lines = fed(ONE_ARC).lines(60)
    axis, labels = lines[2 + ROWS], lines[3 + ROWS]
    at = {int(match.group()): (match.start() + match.end() - 1) / 2 for match in re.finditer(r"\d+", labels)}
    assert len(at) >= 2
    columns = [i for i, char in enumerate(axis) if char == "┬"]
    assert len(columns) == len(at)
    per_ohm = np.diff(columns) / np.diff(list(at))
    points = dots(lines[2 : 2 + ROWS], 8, 60)
    left, right = 8 + points[:, 0].min() / 2, 8 + points[:, 0].max() / 2
    first = next(iter(at))
    assert first + (left - columns[0]) / per_ohm[0] == pytest.approx(20, abs=2.5)
    assert first + (right - columns[0]) / per_ohm[0] == pytest.approx(120, abs=2.5)


def test_an_inductive_beginning_does_not_make_the_arcs_small():
    z = (ONE_ARC + 2j * np.pi * F * 1e-3 * 1e-1) * 1e-3
    lines = fed(z).lines(60)
    assert "outside)" in lines[1]
    assert np.ptp(dots(lines[2:9], 8, 60)[:, 1]) > 12


def test_flagged_points_are_crosses_that_do_not_stretch_the_axes():
    z = ONE_ARC.copy()
    z[[10, 40]] = 1e6, 60 - 30j
    plain, flagged = fed(ONE_ARC).lines(60), fed(z, quality={10: Quality.OVERLOAD, 40: Quality.TIMING}).lines(60)
    assert flagged[3 + ROWS] == plain[3 + ROWS]
    assert sum(line.count("×") for line in flagged) == 1
    assert any("1 point flagged “overload”: 100 kHz." in line for line in flagged)


@pytest.mark.parametrize("z", [[np.nan + 0j], [0j], [1e-300 + 0j], [5 + 0j] * 3, [1e300 + 0j, 1 + 0j], [1j, -1j]])
def test_strange_points_are_drawn_or_left_out_but_stop_nothing(z):
    live = fed(z, console=terminal())
    assert not any("Not drawn" in text for text in live.warnings)
    assert len(live.lines()) >= 16


def test_before_the_first_point_there_is_a_word():
    assert Live("cell 7").lines() == ["cell 7 · waiting for the first point"]


def test_a_consistent_spectrum_has_no_warnings_at_any_time():
    live = Live()
    with live:
        for frequency, z in zip(F, TWO_ARCS, strict=True):
            live.add(frequency, z)
            live._check()
            assert live.warnings == ()


@pytest.mark.parametrize("factor", [1.002, 1.02])
def test_a_frequency_measured_again_shows_drift(factor):
    live = fed([*TWO_ARCS, TWO_ARCS[0] * factor], f=[*F, F[0]])
    assert any("Drift: Z at 1 MHz, measured again, moved by 2.00%" in text for text in live.warnings) == (
        factor == 1.02
    )


@pytest.mark.parametrize(("factor", "drifted"), [(1.0049, False), (1.0051, True), (0.9951, False), (0.9949, True)])
def test_the_warning_of_drift_begins_where_the_verdict_on_drift_does(factor, drifted):
    again = [*TWO_ARCS, *(TWO_ARCS[:3] * factor)]
    live = fed(again, f=[*F, *F[:3]])
    points = [SimpleNamespace(frequency_set_hz=f, z_ohm=z, quality=Quality.OK, time_s=0.0)
              for f, z in zip([*F, *F[:3]], again, strict=True)]  # fmt: skip
    assert (drift_of(points).verdict == "drifted") == drifted
    assert any(text.startswith("Drift:") for text in live.warnings) == drifted


def test_data_that_break_kramers_kronig_are_warned_of_and_no_longer_when_they_do_not():
    live = fed(TWO_ARCS[:40], noise=0.03)
    assert any(text.startswith("Kramers–Kronig: invalid so far") for text in live.warnings)
    assert not any("Kramers" in text for text in fed(TWO_ARCS[:11], noise=0.03).warnings)


def test_nothing_is_written_where_there_is_no_terminal(capsys):
    silent = Console(file=io.StringIO(), force_terminal=False, width=100)
    live = fed(TWO_ARCS, console=silent, quality={3: Quality.OVERLOAD})
    assert silent.file.getvalue() == ""
    assert live.warnings == ("1 point flagged “overload”: 501 kHz.",)
    fed(TWO_ARCS)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_the_last_picture_as_it_is():
    console = terminal()
    live = fed(TWO_ARCS, console=console, title="cell 7")
    written = console.file.getvalue()
    for line in live.lines(100):
        assert line in written


def test_a_narrow_terminal_and_one_without_unicode_get_nothing():
    narrow = terminal(width=40)
    fed(TWO_ARCS, console=narrow)
    assert narrow.file.getvalue() == ""
    old = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="cp1252"), force_terminal=True, width=100)
    fed(TWO_ARCS, console=old)
    old.file.flush()
    assert old.file.buffer.getvalue() == b""


def test_a_terminal_that_cannot_move_its_cursor_is_left_alone(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    dumb = terminal()
    fed(TWO_ARCS, console=dumb)
    assert dumb.file.getvalue() == ""


def test_a_broken_screen_or_check_ends_no_measurement(monkeypatch):
    def broken(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(eis.live, "nyquist_lines", broken)
    live = fed(TWO_ARCS, console=terminal())
    assert live.warnings[-1] == "Not drawn or saved: no"


def test_an_error_inside_leaves_the_terminal_in_order_and_goes_on():
    console = terminal()
    with pytest.raises(ZeroDivisionError), Live(console=console) as live:
        live.add(1e3, 5 / 0)
    assert console.file.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_without_a_screen_the_picture_is_saved_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(eis.live, "_has_screen", lambda: False)
    path = tmp_path / "live.png"
    live = Live("cell 7", plot=path)
    with live:
        for frequency, z in zip(F, TWO_ARCS, strict=True):
            live.add(frequency, z)
        assert not path.exists()
    assert path.read_bytes().startswith(b"\x89PNG")
    assert live.warnings == ()


def test_with_a_screen_the_window_follows_and_the_picture_is_saved_too(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(eis.live, "_has_screen", lambda: True)
    monkeypatch.setattr(eis.live, "REDRAW_WINDOW_S", 0.0)
    figure = Figure()
    figure.show = lambda: drawn.append("shown")
    figure.canvas.flush_events = lambda: drawn.append(len(figure.axes))
    monkeypatch.setattr(plt, "figure", lambda *_, **__: figure)
    live = fed(TWO_ARCS[:5], plot=tmp_path / "live.png")
    assert drawn == ["shown", 3, 3, 3, 3, 3]
    assert (tmp_path / "live.png").exists()
    assert live.warnings == ()


def test_a_picture_that_cannot_be_saved_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(eis.live, "_has_screen", lambda: False)
    live = fed(TWO_ARCS, plot=tmp_path / "no such folder" / "live.png")
    assert "Not drawn or saved" in live.warnings[-1]


def test_a_backend_without_windows_is_no_screen():
    import matplotlib as mpl

    if mpl.get_backend().lower() == "agg":
        assert not eis.live._has_screen()


def test_checks_take_a_small_share_of_the_time(monkeypatch):
    """With a check that takes a second and points that come at once, only the first point is checked."""
    now = [0.0]
    checks = []
    monkeypatch.setattr(eis.live.time, "monotonic", lambda: now[0])

    def slow(self):
        checks.append(len(self._z_ohm))
        now[0] += 1.0

    monkeypatch.setattr(Live, "_check", slow)
    live = Live()
    for frequency, z in zip(F, TWO_ARCS, strict=True):
        live.add(frequency, z)
        now[0] += 0.5
    assert 3 <= len(checks) <= 5


PICTURE = """\
cell 7 · point 71 of 71 · 100 mHz · |Z| 54.7 Ω · phase 0.0°
−Z″ / Ω                                                   |Z| / Ω
       │                                                         │ ◆⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⣦⣤
    15 ┤                                                      50 ┤                 ⠙⢷⣄
       │                                                         │                   ⠹⣆
       │                                                         │                    ⢹⣇
       │                                                      40 ┤                     ⠹⢶⣄⣀
    10 ┤                                                         │                       ⠉⠙⠻⢶⣄
       │          ⣀ ⢀⡀⢀⡀           ⢀⡀⣤ ⠶ ⠘⠃⠰⠆⢠⡄                  │                           ⠹⣦
       │      ⢠⡄⠛ ⠉ ⠈⠁⠈⠁⠛⢠⡄     ⢀⡀⠶⠈⠁          ⠘⠃⣤            30 ┤                            ⢰⡆
     5 ┤    ⣤⠛             ⠻⢆⡀⢀⣤⠾⠁                ⠘⢣⡄            │                            ⠈⣥
       │  ⢠⡟                ⠈⠻⠿⠁                    ⢻⣄           │                             ⠘⣧
       │  ⣿                                          ⢿⡄          │                              ⠘⣧⡀
     0 ┤                                             ◆⡇          │                               ⠈⠛⠃
       └────────────┬────────────┬─────────────┬────────         └─────┬────────┬────────┬──────────
                   30           40            50  Z′ / Ω               1       100      10k   f / Hz"""
