"""A porosity-filling experiment from its file to a conclusion: read, fit, extract, match, check, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from eis.assignment import INTERFACE
from eis.cell import Cell
from eis.checking import check
from eis.comparison import Comparison, PairedCell, State
from eis.errors import EisError
from eis.experiment import Experiment, ExperimentCell, Measured, load_experiment
from eis.extraction import Conditions, extract
from eis.filling import compare
from eis.matching import match_arcs
from eis.readers import read_all
from eis.results import Fit
from eis.spec import Spec
from eis.spectrum import Spectrum
from fitting.circuit import parse
from fitting.cnls import fit


def compare_experiment(
    path: Path, *, on_cell: Callable[[int, int], None] | None = None
) -> tuple[Comparison, dict[str, tuple[Spectrum, Spectrum]]]:
    """Take a porosity-filling experiment from its file to a conclusion.

    Parameters
    ----------
    path : Path
        The TOML file; the spectra it names begin at its folder.
    on_cell : callable, optional
        Called with the cells that are fitted, and all there are.

    Returns
    -------
    comparison : Comparison
        What the experiment shows.
    spectra : dict
        Before and after of every cell that has both.

    Raises
    ------
    ConfigError
        With every fault of the file, or if no cell at all can be compared.
    CircuitError
        If its circuit is none.
    """
    experiment = load_experiment(path)
    parse(experiment.circuit)
    spec = Spec.load(_beside(experiment.spec, path)) if experiment.spec else None
    pairs: list[PairedCell] = []
    spectra: dict[str, tuple[Spectrum, Spectrum]] = {}
    for cell in experiment.cells:
        states: list[State | None] = []
        read: list[Spectrum | None] = []
        reasons: list[str] = []
        for measured in (cell.before, cell.after):
            spectrum, state, because = _measured(experiment, cell, measured, path)
            read.append(spectrum)
            states.append(state)
            reasons += [because] if because else []
        first, then = read
        if first is not None and then is not None:
            spectra[cell.id] = (first, then)
        notes: list[str] = []
        others: dict[str, tuple[State | None, ...]] = {}
        for name, near, tempered in (("before", states[0], cell.before_at), ("after", states[1], cell.after_at)):
            found = []
            for one in tempered if not reasons else ():  # a cell that is left out needs no other temperature
                _, state, because = _measured(experiment, cell, one, path, near=near.fit if near else None)
                found.append(state)
                if because:
                    notes.append(f"{cell.id}, {name} at {one.temperature_c:g} °C, is left out: {because}")
            others[name] = tuple(found)
        before, after = states if spec is None else _judged(experiment, spec, *states)
        pairs.append(
            PairedCell(
                cell, before, after, next(iter(reasons), ""), others["before"], others["after"], tuple(notes)
            )
        )
        if on_cell is not None:
            on_cell(len(pairs), len(experiment.cells))
    return compare(experiment, pairs), spectra


def _measured(
    experiment: Experiment,
    cell: ExperimentCell,
    measured: Measured | None,
    path: Path,
    *,
    near: Fit | None = None,
) -> tuple[Spectrum | None, State | None, str]:
    """Read and fit one spectrum; return why it could not be had, if so."""
    if measured is None:
        return None, None, ""
    spectrum = None
    try:
        spectrum = read_all(path.parent / measured.file)[measured.index]
        return spectrum, _state(experiment, cell, measured, spectrum, near), ""
    except IndexError:
        return None, None, f"{measured.file} holds no spectrum number {measured.index}"
    except EisError as error:
        return spectrum, None, str(error)


def _state(
    experiment: Experiment, cell: ExperimentCell, measured: Measured, spectrum: Spectrum, near: Fit | None
) -> State:
    found = fit(experiment.circuit, spectrum, weight=experiment.weight, near=near)
    own = Cell(
        cell.area_cm2,
        cell.u_area_cm2,
        cell.interfaces_in_path,
        cell.kind,
        temperature_c=measured.temperature_c,
        pressure_mpa=measured.pressure_mpa,
    )
    return State(found, extract(found, own, conditions=Conditions.from_metadata(spectrum.metadata)))


def _judged(
    experiment: Experiment, spec: Spec, before: State | None, after: State | None
) -> tuple[State | None, State | None]:
    """Hold both states to the spec; the interface the user named before is looked for after by what it is."""
    named = experiment.quantities.interface
    names: list[str | None] = [named, named]
    if named is not None and before is not None and after is not None:
        matches = match_arcs(before.arcs, after.arcs)
        own = next((one for one in matches if one.before is not None and one.before.name == named), None)
        names[1] = own.after.name if own is not None and own.is_sure and own.after is not None else None
    out: list[State | None] = []
    for state, name in zip((before, after), names, strict=True):
        if state is None:
            out.append(None)
            continue
        known = {arc.name for arc in state.arcs}
        arcs = tuple(replace(arc, process=INTERFACE) if arc.name == name else arc for arc in state.arcs)
        judgement = check(arcs, spec, reading=experiment.reading, element=name if name in known else None)
        out.append(replace(state, judgement=judgement))
    return out[0], out[1]


def _beside(name: str, path: Path) -> str | Path:
    """Return a spec's file beside the experiment's, or its name if it is a built-in one."""
    return path.parent / name if (path.parent / name).suffix == ".toml" else name
