"""The numbers of EC-Lab's columns in binary files, with their names and types.

Usage
    `TYPES` and `TITLES` by id; `FLAGS` for the ids that share one byte.
Layout
    f4 and f8 are floating-point numbers, u2 and u4 unsigned integers, all little endian.
Units and sign
    As the name says.
Uncertainty
    What stands twice in one file under other ids has the same name.
Known variants
    Newer files hold many ids lowered by 256; 174 is then Phase(Zwe-ce)/deg, else <Ewe>/V, and so has no name;
    505 and 509 have none because nobody says what they hold.
Source of the facts
    Files compared with their text exports; github.com/cheminfo/biologic-converter (MIT); what users of several
    programs report of their files (97 and 436: galvani 120; 438: galvani 81; 505 and 509: galvani 88; the lowered
    ids: galvani 112, yadg 237 and 260).
"""

from __future__ import annotations

_NAMES = {
    "f4": "5 control/V/mA;6 Ewe/V;8 I/mA;9 Ece/V;16 Analog IN 1/V;17 Analog IN 2/V;19 control/V;20 control/mA;"
    "32 freq/Hz;33 |Ewe|/V;34 |I|/A;35 Phase(Z)/deg;36 |Z|/Ohm;37 Re(Z)/Ohm;38 -Im(Z)/Ohm;70 P/W;75 Analog OUT/V;"
    "76 <I>/mA;77 <Ewe>/V;78 Cs-2/µF-2;96 |Ece|/V;97 |Ice|/A;98 Phase(Zce)/deg;99 |Zce|/Ohm;100 Re(Zce)/Ohm;"
    "101 -Im(Zce)/Ohm;163 |Estack|/V;168 Rcmp/Ohm;169 Cs/µF;172 Cp/µF;173 Cp-2/µF-2;241 |E1|/V;242 |E2|/V;"
    "271 Phase(Z1)/deg;272 Phase(Z2)/deg;301 |Z1|/Ohm;302 |Z2|/Ohm;331 Re(Z1)/Ohm;332 Re(Z2)/Ohm;361 -Im(Z1)/Ohm;"
    "362 -Im(Z2)/Ohm;391 <E1>/V;392 <E2>/V;422 Phase(Zstack)/deg;423 |Zstack|/Ohm;424 Re(Zstack)/Ohm;"
    "425 -Im(Zstack)/Ohm;426 <Estack>/V;430 Phase(Zwe-ce)/deg;431 |Zwe-ce|/Ohm;432 Re(Zwe-ce)/Ohm;"
    "433 -Im(Zwe-ce)/Ohm;434 (Q-Qo)/C;435 dQ/C;436 E dc/V;441 <Ece>/V;462 Temperature/°C;471 <Ece>/V;"
    "473 THD Ewe/%;474 THD I/%;475 THD Ece/%;476 NSD Ewe/%;477 NSD I/%;478 NSD Ece/%;479 NSR Ewe/%;480 NSR I/%;"
    "481 NSR Ece/%;486 |Ewe h2|/V;487 |Ewe h3|/V;488 |Ewe h4|/V;489 |Ewe h5|/V;490 |Ewe h6|/V;491 |Ewe h7|/V;"
    "492 |I h2|/A;493 |I h3|/A;494 |I h4|/A;495 |I h5|/A;496 |I h6|/A;497 |I h7|/A;505 505;509 509",
    "f8": "4 time/s;7 dq/mA.h;11 <I>/mA;13 (Q-Qo)/mA.h;23 dQ/mA.h;24 cycle number;74 |Energy|/W.h;"
    "123 Energy charge/W.h;124 Energy discharge/W.h;125 Capacitance charge/µF;126 Capacitance discharge/µF;"
    "438 step time/s;467 Q charge/discharge/mA.h",
    "u2": "39 I Range;131 Ns",
    "u4": "468 half cycle;469 z cycle",
}
_SHIFTED = (*range(431, 436), 438, 467, 468, 469, 471, *range(473, 482), *range(486, 497), 505, 509)
"""Ids that newer files hold lowered by 256."""
TYPES: dict[int, str] = {
    int(entry.split(" ", 1)[0]): kind for kind, text in _NAMES.items() for entry in text.split(";")
}
TITLES = {
    int(number): name for text in _NAMES.values() for number, name in (e.split(" ", 1) for e in text.split(";"))
}
TYPES |= {number - 256: TYPES[number] for number in _SHIFTED} | {174: "f4"}
TITLES |= {number - 256: TITLES[number] for number in _SHIFTED} | {174: "174"}  # <Ewe>/V or Phase(Zwe-ce)/deg
FLAGS: dict[int, tuple[str, int]] = {
    1: ("mode", 3),
    2: ("ox/red", 4),
    3: ("error", 8),
    21: ("control changes", 16),
    31: ("Ns changes", 32),
    65: ("counter inc.", 128),
}
"""The marks that share one byte of a row: id to name and bits."""
