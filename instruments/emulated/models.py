"""The instruments that can be emulated, by the name `eis emulate` calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.device import Device

Make = Callable[..., Device]


@dataclass(frozen=True, slots=True)
class Model:
    """An instrument that can be emulated.

    Parameters
    ----------
    name : str
        What `eis emulate --model` calls it.
    shown : str
        What people call it.
    driver : str
        The driver it is for.
    transports : tuple of str
        The ways the real one can be reached, the usual one first.
    make : callable
        Makes one from a cell and the options of its class: ``clock``, ``noise``, ``rng``, ``faults``.
    """

    name: str
    shown: str
    driver: str
    transports: tuple[str, ...]
    make: Make


def _palmsens(model: str) -> Make:
    def make(cell: EmulatedCell, **options: Any) -> Device:
        from instruments.emulated.methodscript import EmulatedPotentiostat

        return EmulatedPotentiostat(cell, model=model, **options)

    return make


def _lcr(model: str) -> Make:
    def make(cell: EmulatedCell, **options: Any) -> Device:
        from instruments.emulated.lcr import EmulatedLcr

        return EmulatedLcr(cell, model=model, **options)

    return make


def _e4990a(cell: EmulatedCell, **options: Any) -> Device:
    from instruments.emulated.e4990a import EmulatedE4990A

    return EmulatedE4990A(cell, **options)


def _hioki(cell: EmulatedCell, **options: Any) -> Device:
    from instruments.emulated.hioki import EmulatedHioki

    return EmulatedHioki(cell, **options)


def _analyser(cell: EmulatedCell, **options: Any) -> Device:
    from instruments.emulated.solartron import EmulatedAnalyser

    return EmulatedAnalyser(cell, **options)


SERIAL = ("tcp", "pty", "serial-url")
LAN = ("tcp", "hislip", "vxi11", "prologix")
"""Sockets, and what a GPIB or USB instrument is reached by from a computer without such an interface."""

MODELS: dict[str, Model] = {  # the first of each driver is what sim:: resources use
    model.name: model
    for model in (
        Model("nexus1", "PalmSens Nexus", "palmsens", SERIAL, _palmsens("nexus1")),
        Model("espico", "PalmSens EmStat Pico", "palmsens", SERIAL, _palmsens("espico")),
        Model("es4_lr", "PalmSens EmStat4 LR", "palmsens", SERIAL, _palmsens("es4_lr")),
        Model("es4_hr", "PalmSens EmStat4 HR", "palmsens", SERIAL, _palmsens("es4_hr")),
        Model("e4980a", "Keysight E4980A", "lcr", LAN, _lcr("e4980a")),
        Model("e4980al", "Keysight E4980AL", "lcr", LAN, _lcr("e4980al")),
        Model("4284a", "HP 4284A", "lcr", LAN, _lcr("4284a")),
        Model("th2826", "Tonghui TH2826", "lcr", LAN, _lcr("th2826")),
        Model("lcx200", "Rohde & Schwarz LCX200", "lcr", LAN, _lcr("lcx200")),
        Model("e4990a", "Keysight E4990A", "keysight", LAN, _e4990a),
        Model("bt4560", "Hioki BT4560", "hioki", SERIAL, _hioki),
        Model("1260", "Solartron 1260", "solartron", ("prologix", "tcp"), _analyser),
    )
}
