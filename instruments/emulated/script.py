"""MethodSCRIPT as an emulated instrument reads it: a checked list of commands, or an error code and a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PREFIXES = "afpnum kMGTPE"
"""In steps of 1000, from 10^-18; the blank is 1."""

COMMANDS = {
    "var": ("new",),
    "set_pgstat_chan": ("number",),
    "set_pgstat_mode": ("number",),
    "set_max_bandwidth": ("number",),
    "set_range_minmax": ("word", "number", "number"),
    "set_range": ("word", "number"),
    "set_autoranging": ("word", "number", "number"),
    "set_e": ("number",),
    "set_i": ("number",),
    "cell_on": (),
    "cell_off": (),
    "meas_loop_eis": ("variable",) * 3 + ("number",) * 5,
    "meas_loop_geis": ("variable",) * 3 + ("number",) * 5,
    "meas_loop_ocp": ("variable", "number", "number"),
    "pck_start": (),
    "pck_add": ("variable",),
    "pck_end": (),
    "endloop": (),
    "on_finished:": (),
}
"""What each argument of a command must be."""


class ScriptError(Exception):
    """What is wrong with a script: the instrument's error code and the line, from 1."""

    def __init__(self, code: str, line: int) -> None:
        super().__init__(f"{code}: Line {line}")
        self.code = code
        self.line = line


@dataclass(frozen=True, slots=True)
class Command:
    """One command, the line it stands on, and, of a loop, the commands inside."""

    name: str
    arguments: tuple[str, ...]
    line: int
    body: tuple[Command, ...] = ()

    def number(self, place: int) -> float:
        """Return argument `place` as a number (SI)."""
        return number(self.arguments[place], self.line)


@dataclass(frozen=True, slots=True)
class Program:
    """A script: what runs first, and what runs after it or after an abort, but not after a runtime error."""

    main: tuple[Command, ...]
    finished: tuple[Command, ...]


def read(lines: Sequence[str]) -> Program:
    """Read the lines of a script.

    Raises
    ------
    ScriptError
        With the code and the line of the first fault.
    """
    commands = _checked([_command(text, place) for place, text in enumerate(lines, start=1) if _words(text)])
    names = [command.name for command in commands]
    split = names.index("on_finished:") if "on_finished:" in names else len(names)
    return Program(_nested(commands[:split]), _nested(commands[split + 1 :]))


def number(text: str, line: int) -> float:
    """Read a whole number with an SI prefix, such as ``200k`` or ``11i``."""
    match = re.fullmatch(r"(-?\d+)([afpnumkMGTPEi]?)", text)
    if not match:
        raise ScriptError("4039", line)
    prefix = match[2] if match[2] not in ("", "i") else " "
    return float(f"{match[1]}e{3 * PREFIXES.index(prefix) - 18}")


def _words(text: str) -> list[str]:
    return text.partition("#")[0].split()


def _command(text: str, line: int) -> Command:
    name, *arguments = _words(text)
    if name not in COMMANDS:
        raise ScriptError("4001", line)
    if len(arguments) != len(COMMANDS[name]):
        raise ScriptError("4008", line)
    return Command(name, tuple(arguments), line)


def _checked(commands: list[Command]) -> list[Command]:
    """Check numbers, and that every variable is declared once, before it is used."""
    variables: set[str] = set()
    for command in commands:
        for kind, argument in zip(COMMANDS[command.name], command.arguments, strict=True):
            if kind == "number":
                number(argument, command.line)
            elif kind == "variable" and argument not in variables:
                raise ScriptError("420B", command.line)
            elif kind == "new":
                if argument in variables:
                    raise ScriptError("4026", command.line)
                variables.add(argument)
    return commands


def _nested(commands: Sequence[Command]) -> tuple[Command, ...]:
    """Put what is between a measurement loop and its ``endloop`` inside the loop."""
    nested: list[Command] = []
    rest = list(commands)
    while rest:
        command = rest.pop(0)
        if command.name == "endloop":
            raise ScriptError("4001", command.line)
        if command.name.startswith("meas_loop"):
            names = [inner.name for inner in rest]
            if "endloop" not in names:
                raise ScriptError("4018", command.line)
            end = names.index("endloop")
            command = Command(command.name, command.arguments, command.line, tuple(rest[:end]))
            del rest[: end + 1]
        nested.append(command)
    return tuple(nested)
