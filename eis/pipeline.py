"""The whole way from a cell or a file to a verdict, top to bottom. Open this first.

instrument → measure → Spectrum → validate → fit → extract → check → report
               archive ↗
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eis.namesakes import refuse_namesakes

refuse_namesakes()  # before anything is imported from a folder of the user's that bears our names

from eis import archive, document, junit, report
from eis.assignment import INTERFACE
from eis.checking import check
from eis.errors import ConfigError, EisError, StoreError
from eis.extraction import Conditions, extract
from eis.results import Assessment, Fit, Reading, Unjudged, Validity
from eis.spec import Spec
from eis.spectrum import Cell, Spectrum
from eis.validation import validate, validate_many, why_not
from fitting.bulk import fit_many
from fitting.cnls import fit
from fitting.problem import Weight
from fitting.selection import needed_arcs, select
from instruments.attended import attended
from instruments.drift import drift_of
from instruments.journal import dc_blocked, journal_to_spectrum, recorded
from instruments.limits import Limits
from instruments.potentiostat import Point, Sweep
from instruments.preparation import Preparation, Resting, ready
from instruments.record import read_journal
from instruments.resume import finish, require_plan, resumed

DEMO_SWEEP = Sweep(start_hz=1e6, stop_hz=0.1, points_per_decade=10, amplitude_v=0.01)
DEMO_CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"
DEMO_CELL = Cell(area_cm2=1.131, u_area_cm2=0.011, interfaces_in_path=2, kind="symmetric", thickness_cm=0.05)
DEMO_SPEC = "lges-negative-electrode"
FEWEST_IN_BULK = 4
"""Spectra of one grid from which a bulk fit is worth its while."""
DEMO_RESOURCES = ("sim::symmetric-cell", "sim::near-target-cell")


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What `demonstrate` did: the assessments, and the files it wrote."""

    assessments: tuple[Assessment, ...]
    files: tuple[Path, ...]


def measure(
    resource: str,
    sweep: Sweep,
    out: Path,
    *,
    on_point: Callable[[Point], None] | None = None,
    resume: Path | None = None,
    preparation: Preparation | None = None,
    limits: Limits | None = None,
    ocv_v: float | None = None,
    hold_ocv: bool = False,
    guard: bool = True,
    on_notice: Callable[[str], None] | None = None,
    **options: Any,
) -> Spectrum:
    """Capture one sweep: every point on disk before the next is asked for, the cell off however it ends.

    Parameters
    ----------
    resource : str
        A VISA resource, or ``"sim::symmetric-cell"``.
    sweep : Sweep
        What to measure.
    out : Path
        netCDF file for the spectrum; the journal stands beside it as ``<out>.journal.jsonl`` and stays.
    on_point : callable, optional
        Called with each point once it is on disk.
    resume : Path, optional
        The journal of a sweep that was cut short, to be gone on with.
    preparation : Preparation, optional
        Mains frequencies to avoid, points to repeat, rest to wait for; not done again for a sweep that is resumed.
    limits : Limits, optional
        What is never to be asked of the cell; ``Limits()`` by default, or those of the journal that is resumed.
    ocv_v : float, optional
        The open-circuit voltage (V), where the instrument has no voltmeter; where it has one, it must agree. It is
        compared with the DC potential before the cell is energised, and kept with the spectrum.
    hold_ocv : bool
        Whether the DC potential is to be the open-circuit voltage; that of `sweep` is then 0.
    guard : bool
        Whether a second process is to switch the cell off should this one be killed; what it then does stands in
        ``<out>.guardian.log``.
    on_notice : callable, optional
        Told, in words, what is not as usual, such as that there can be no guardian.
    **options
        Options of the driver.

    Raises
    ------
    ConfigError
        If `resume` is the journal of another instrument, other settings or limits, or another sweep, or `out` has
        another suffix than .nc, .csv or .bdf.csv.
    RejectedError
        If the instrument cannot do what is asked, or the limits do not allow it; nothing was energised.
    AbortedError
        If a limit was exceeded; what was captured until then is in the journal.
    BusyError
        If another process holds the instrument.
    InstrumentError, StoreError
        What was captured until then is in the journal.
    """
    if not out.name.lower().endswith(archive.SUFFIXES):  # not after hours of measuring
        raise ConfigError(
            f"The name {out.name!r} says no format", where="out", mend=f"End it in {', '.join(archive.SUFFIXES)}."
        )
    if out.exists():
        raise StoreError("The output file exists already", where=str(out), mend="Choose another name, or move it.")
    journal = resume or journal_of(out)
    kept: dict[str, Any] = {}
    if resume is None or not _has_every_point(resume, sweep):
        with (
            attended(
                resource,
                log=out.with_name(out.name + ".guardian.log"),
                guard=guard,
                expected_s=sweep.predicted_duration_s,
                on_notice=on_notice,
                **options,
            ) as instrument,
            contextlib.ExitStack() as stack,
        ):
            if resume is None:
                limits = limits or Limits()
                sweep, ocv, kept = ready(
                    instrument,
                    sweep,
                    limits,
                    resting=Resting(ocv_v, hold_ocv, dc_blocked(options)),
                    wishes=preparation,
                    on_notice=on_notice or (lambda text: None),
                )
                points = recorded(instrument, sweep, journal, options=options, limits=limits, ocv=ocv)
            else:
                limits = limits or read_journal(resume).limits or Limits()
                points = resumed(instrument, journal, sweep=sweep, options=options, limits=limits, ocv_v=ocv_v)
            for point in stack.enter_context(contextlib.closing(points)):
                if on_point is not None:
                    on_point(point)
    record = read_journal(journal)
    if len({point.frequency_set_hz for point in record.points}) < len(record.points):
        kept["drift"] = drift_of(record.points).to_dict()
    spectrum = journal_to_spectrum(journal).with_metadata(file=str(out), **kept)
    archive.write(spectrum, out)
    return spectrum


def _has_every_point(journal: Path, sweep: Sweep) -> bool:
    """Return whether a journal of `sweep` lacks nothing but to be made a spectrum; it then says so itself."""
    record = read_journal(journal)
    require_plan(record, journal, sweep)
    if len(record.points) < sweep.n_points:
        return False
    finish(journal)
    return True


def journal_of(out: Path) -> Path:
    """Return where the journal of a measurement stands: beside its netCDF file."""
    return out.with_name(out.name + ".journal.jsonl")


def assess(
    spectrum: Spectrum,
    cell: Cell,
    spec: Spec,
    *,
    circuit: str | None = None,
    reading: Reading | None = None,
    element: str | None = None,
    weight: Weight = "modulus",
    blank_u_ohm: float | None = None,
    metadata: Mapping[str, Any] | None = None,
    assign: Mapping[str, str] | None = None,
    validity: Validity | None = None,
    start: Mapping[str, float] | None = None,
) -> Assessment:
    """Take one spectrum all the way to a verdict.

    Parameters
    ----------
    spectrum, cell, spec
        The data, what is known of the cell, and the limit.
    circuit : str, optional
        The circuit; without it the data choose among ladders of one to three arcs.
    reading, element, blank_u_ohm, metadata
        As in `eis.checking.check`.
    weight : str
        As in `fitting.cnls.fit`.
    assign : mapping of str to str, optional
        The user's word on what an arc is, by its name, as in `eis.extraction.extract`.
    validity : Validity, optional
        Of the spectrum, if it was tested before.
    start : mapping of str to float, optional
        Where to begin the fit of `circuit`, by name of the parameter.
    """
    validity = _of_a_whole_sweep(validity or validate(spectrum), spectrum)
    fits = [fit(circuit, spectrum, weight=weight, start=start)] if circuit else select(spectrum, weight=weight)
    named = {arc.name for arc in fits[0].arcs}
    unknown = [name for name in assign or () if name not in named]
    if circuit and unknown:  # where the data choose the circuit, an arc may be there or not
        raise ConfigError(
            f"The circuit has no arc {unknown[0]!r}", where="assign", mend=f"It has {', '.join(sorted(named))}."
        )
    own = {name: process for name, process in (assign or {}).items() if name in named}
    if element in named:
        own.setdefault(element, INTERFACE)
    arcs = extract(
        fits[0],
        cell,
        alternatives=fits[1:],
        assign=own or None,
        conditions=Conditions.from_metadata(spectrum.metadata),
    )
    judgement = check(
        arcs,
        spec,
        reading=reading,
        element=element,
        validity=validity,
        needed=needed_arcs(fits),
        blank_u_ohm=blank_u_ohm,
        metadata=metadata,
    )
    return Assessment(spectrum, cell, validity, fits[0], judgement, _ranked(fits))


def assess_many(
    spectra: Sequence[Spectrum],
    cell: Cell,
    spec: Spec,
    *,
    circuit: str | None = None,
    weight: Weight = "modulus",
    **options: Any,
) -> Iterator[Assessment | EisError]:
    """Take many spectra of like cells to their verdicts, tested together and, with one circuit, fitted together.

    Parameters
    ----------
    spectra : sequence of Spectrum
        The data.
    cell, spec
        What is known of each cell, and the limit.
    circuit, weight, **options
        As in `assess`. With a circuit, spectra of one grid are fitted in bulk; each fit begins where that ended,
        and an end that looks wrong is looked for again.

    Yields
    ------
    Assessment or EisError
        In the order of `spectra`; an error where one could not be judged.
    """
    testable = [one for one in spectra if why_not(one) is None]
    tested = dict(zip(map(id, testable), validate_many(testable), strict=True))
    starts = _starts(spectra, circuit, weight) if circuit and weight != "variance" else {}
    for spectrum in spectra:
        key = id(spectrum)
        try:
            yield assess(
                spectrum,
                cell,
                spec,
                circuit=circuit,
                weight=weight,
                validity=tested.get(key),
                start=starts.get(key),
                **options,
            )
        except EisError as error:
            yield error


def _starts(spectra: Sequence[Spectrum], circuit: str, weight: Weight) -> dict[int, dict[str, float]]:
    """Return where bulk fits ended, by spectrum; what looks wrong, or cannot be fitted so, is left out."""
    grids: dict[bytes, list[Spectrum]] = {}
    for one in spectra:
        grids.setdefault(one.frequency_hz.tobytes(), []).append(one)
    starts: dict[int, dict[str, float]] = {}
    for group in grids.values():
        if len(group) < FEWEST_IN_BULK:
            continue
        with contextlib.suppress(EisError):
            batch = fit_many(circuit, group[0].frequency_hz, [one.z_ohm for one in group], weight=weight)
            for one, values, fine in zip(group, batch.values, batch.converged & ~batch.suspicious, strict=True):
                if fine:
                    starts[id(one)] = dict(zip(batch.names, values.tolist(), strict=True))
    return starts


def write_report(
    results: Sequence[Assessment | Unjudged], folder: Path, *, title: str, html: bool = True
) -> tuple[Path, ...]:
    """Write the evidence: ``result.json``, ``report.txt``, ``junit.xml`` and one self-contained ``report.html``.

    Parameters
    ----------
    results : sequence of Assessment or Unjudged
        What became of each input.
    folder : Path
        Where to write; it exists.
    title : str
        Heading of the page and name of the test suite.
    html : bool
        Whether to draw the page, which takes about a second a spectrum.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    files = [folder / "result.json", folder / "report.txt", folder / "junit.xml"]
    document.write_results(files[0], results)
    write_text(files[1], report.render_text(results))
    write_text(files[2], junit.render_junit([one.to_dict() for one in results], name=title))
    if html:
        files.append(folder / "report.html")
        from eis.report_page import render_html  # drawing is not loaded by those who do not draw

        write_text(files[3], render_html(results, title=title))
    return tuple(files)


def demonstrate(folder: Path, *, on_point: Callable[[Point], None] | None = None) -> Demonstration:
    """Run the main job on emulated cells, through the real PyVISA stack, and write all of it to `folder`."""
    make_folder(folder)
    spec = Spec.load(DEMO_SPEC)
    assessments, files = [], []
    for resource in DEMO_RESOURCES:
        out = folder / f"{resource.removeprefix('sim::')}.nc"
        spectrum = measure(resource, DEMO_SWEEP, out, on_point=on_point)
        assessments.append(assess(spectrum, DEMO_CELL, spec, circuit=DEMO_CIRCUIT))
        files.append(out)
    written = write_report(assessments, folder, title="Demonstration on emulated cells")
    return Demonstration(tuple(assessments), (*files, *written))


def _of_a_whole_sweep(validity: Validity, spectrum: Spectrum) -> Validity:
    """Return the answer, "invalid" where the file says that its measurement was aborted: something went wrong."""
    if spectrum.metadata.get("status") != "aborted":
        return validity
    return replace(validity, verdict="invalid", because=("The measurement was aborted.", *validity.because))


def _ranked(fits: Sequence[Fit]) -> tuple[tuple[str, float], ...]:
    return tuple((one.circuit, one.aicc) for one in fits)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; a StoreError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder cannot be made: {error.strerror}", where=str(folder), mend="Choose another folder."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file; a StoreError if that cannot be."""
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(
            f"The file cannot be written: {error.strerror}",
            where=str(path),
            mend="Free some space or choose another.",
        ) from error
