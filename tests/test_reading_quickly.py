"""What is quick gives what is careful gives: rows read in one go, line ends, names remembered, arrays shared."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import elchemea, gamry, read_all, table
from eis.readers import source as source_module
from eis.readers.cells import Grid, read_grid
from eis.readers.even_rows import EvenRows
from eis.readers.remembered import MOST_NAMES, remembered
from eis.readers.source import Source, load
from eis.readers.table_layout import splitter
from eis.spectrum import Quality, Spectrum

NAMES = ("a", "b", "c")


def of(text: str) -> Source:
    return Source("f.txt", Path("f.txt"), text.encode())


def grid_of(text: str, split="\t", **options) -> Grid:
    source = of(text)
    return read_grid(source, source.notes(), NAMES, 0, len(source.lines), split, **options)


def outcome(grid_or_text: str, split, columns=(0, 1, 2)):
    """Return the numbers of a table, or what is wrong with it, and the notes taken."""
    try:
        grid = grid_of(grid_or_text, split)
        grid.foresee(columns)
        numbers = [grid.numbers(column).tolist() for column in columns]
    except ReadError as error:
        return str(error)
    notes = grid.notes
    return numbers, grid.lines, [list(row) for row in grid.rows], notes.converted, notes.dropped, notes.warnings


@pytest.mark.parametrize(
    "cell",
    [
        "1_0",
        "0x10",
        "nan",
        "inf",
        "-Infinity",
        "1e999",
        "",
        "  ",
        "1 2",
        "1,5",
        "1\x1d",
        "1\x1f",
        "\u0661",
        "1\xa0",
        "1d5",
        "#1",
        '"1"',
        "1e",
        "+",
        "--1",
        "1.5.2",
        "9" * 400,
        "XXX",
        "1\x0b",
        " 1 ",
        "+.5",
        "1.",
        "-0.0",
        "1e-400",
    ],
)
def test_an_unusual_cell_is_taken_or_refused_as_it_is_one_by_one(cell) -> None:
    for column in range(3):
        rows = [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"]]
        rows[1][column] = cell
        text = "\n".join("\t".join(row) for row in rows) + "\n"
        assert outcome(text, "\t") == outcome(text, lambda line: line.split("\t"))


def test_spoiled_tables_are_read_as_they_are_one_by_one() -> None:
    chance = random.Random(3)
    for _ in range(3000):
        rows = [[f"{chance.uniform(-9, 9):.{chance.randrange(9)}f}" for _ in NAMES] for _ in range(5)]
        text = "".join("\t".join(row) + chance.choice(["", "", "\t"]) + "\n" for row in rows)
        for _ in range(chance.choice([0, 1, 1, 2])):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(["\t", "\n", ",", "\n\n", " ", "\x1c", "é", "_", ""]) + text[at + 1 :]
        text = text[: chance.choice([len(text), len(text), chance.randrange(1, len(text))])]
        assert outcome(text, "\t") == outcome(text, lambda line: line.split("\t"))


def test_numbers_are_read_to_the_last_bit() -> None:
    chance = random.Random(5)
    values = [chance.uniform(-1, 1) * 10.0 ** chance.randrange(-300, 300) for _ in range(999)]
    text = "".join("\t".join(map(repr, values[at : at + 3])) + "\n" for at in range(0, 999, 3))
    grid = grid_of(text)
    assert grid.foresee([0, 1, 2])
    assert [grid.numbers(column).tolist() for column in range(3)] == [values[column::3] for column in range(3)]


def test_lines_are_counted_from_the_beginning_of_the_file_past_empty_ones() -> None:
    grid = grid_of("\n\n1\t2\t3\n4\t5\t6\n\n")
    assert isinstance(grid.rows, EvenRows)
    assert grid.lines == [3, 4]
    assert grid.text(1) == ["2", "5"]


def test_rows_that_are_indented_are_read_in_one_go() -> None:
    grid = grid_of("\t1\t2\t3\n\t4\t5\t6\n", str.split, indented_by="\t")
    assert isinstance(grid.rows, EvenRows)
    assert grid.foresee([2])
    assert grid.numbers(2).tolist() == [3, 6]
    assert grid.rows[1] == ["4", "5", "6"]
    assert [row[0] for row in grid.rows] == ["1", "4"]
    one_by_one = grid_of("\t1\t2\t3\n4 5 6\n", str.split, indented_by="\t")
    assert one_by_one.numbers(2).tolist() == [3, 6]


def test_a_column_that_is_not_plain_leaves_the_others_to_be_read() -> None:
    grid = grid_of("1\tXXX\t3\n4\tXXX\t6\n")
    assert not grid.foresee([0, 1, 2])
    assert grid.numbers(0).tolist() == [1, 4]
    assert grid.optional(1) is None
    assert grid.foresee([0, 2])


def table_outcome(text: str):
    """Return the spectra of a table, or what is wrong with it."""
    try:
        found = table.read(of(text))
    except ReadError as error:
        return str(error)
    return [(one.all_frequency_hz.tolist(), one.all_z_ohm.tolist(), dict(one.metadata)) for one in found]


@pytest.mark.parametrize(
    ("heading", "end"), [("frequency_hz,z_real_ohm,z_imag_ohm,remark\n", ",a"), ("freq,re,im\n", ""), ("", "")]
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spoiled_tables_with_or_without_headings_are_read_as_they_are_line_by_line(
    heading, end, separator, monkeypatch
) -> None:
    chance = random.Random(heading + separator)
    texts = []
    for _ in range(700):
        rows = [[f"{10.0**-n:.3f}", f"{chance.uniform(1, 9):.3f}", f"{-chance.random():.3f}"] for n in range(5)]
        text = heading + "".join(
            ",".join(row) + (end if chance.random() < 0.9 else chance.choice(["", ",", ", ", ",a", ",,"])) + "\n"
            for row in rows
        )
        text = text.replace(",", separator)
        for _ in range(chance.choice([0, 1, 2])):
            at = chance.randrange(len(heading), len(text))
            spoiled = chance.choice([separator, "\n", ",", "\n\n", " ", "\x1c", "é", "_", "", '"', "#", "-"])
            text = text[:at] + spoiled + text[at + 1 :]
        texts.append(text[: chance.choice([len(text), len(text), chance.randrange(1, len(text))])])
    quick = [table_outcome(text) for text in texts]
    monkeypatch.setattr(table, "even_splitter", lambda _, line: splitter(line))
    assert quick == [table_outcome(text) for text in texts]
    assert 50 < sum(isinstance(one, list) for one in quick) < 650


def test_a_count_of_points_is_found_where_its_description_says() -> None:
    chance = random.Random(11)
    pieces = [
        "",
        "",
        " \t",
        "cell 7",
        "29",
        " 29 ",
        "1 2 -3",
        "1,5 2 3",
        "+1 2",
        "²",
        "\x1c",
        "1234567890",
        ".5 1 2",
        "x 1 2",
    ]
    for _ in range(20_000):
        lines = [chance.choice(pieces) for _ in range(7)]
        text = [line.strip() for line in lines]
        end = next((at for at, one in enumerate(text) if one in ("1 2 -3", "1,5 2 3", ".5 1 2")), len(text))
        alone = [at for at in range(1, end) if text[at] == "29" and not text[at - 1] and any(text[:at])]
        assert elchemea._count_line(lines) == next(iter(alone), None)


@pytest.mark.parametrize("seed", range(5))
def test_lines_end_as_they_do_in_the_text(seed) -> None:
    chance = random.Random(seed)
    pieces = ["a", "b\t1", "", "\x0b", "\x0c", "\x1c", "\x1d", "\x85", "\u2028", "é", " "]
    for _ in range(500):
        ends = chance.choice(
            [["\r\n"], ["\r\r\n"], ["\r"], ["\n"], ["\r\n", "\n"], ["\r\n", "\r", "\n", "\r\r\n"]]
        )
        some = pieces[: chance.choice([3, len(pieces)])]
        text = "".join(chance.choice(some) + chance.choice(ends) for _ in range(chance.randrange(1, 9)))
        text += chance.choice(["", "z", "\x1a"])
        source = of(text)
        assert source.lines == source.text.split("\n")


def test_windows_text_is_decoded_alike_with_or_without_the_characters_latin_1_lacks() -> None:
    for text in ("5 cm² at 20 °C\n", "“5” – 6 €\n"):
        raw = text.encode("cp1252")
        assert Source("f", Path("f"), raw).text == text


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_read_as_it_is(tmp_path, monkeypatch) -> None:
    path = tmp_path / "cell.csv"
    path.write_bytes(b"12345")
    true = source_module.os.stat
    for said in (0, 3, 9):

        def stated(name, said=said):
            found = list(true(name))
            found[6] = said
            return source_module.os.stat_result(found)

        with monkeypatch.context() as patched:
            patched.setattr(source_module.os, "stat", stated)
            assert load(str(path)).raw == b"12345"


def test_names_longer_than_a_programs_are_not_kept() -> None:
    asked = []

    @remembered
    def meaning(names: tuple[str, ...]) -> int:
        asked.append(names)
        return len(names)

    assert [meaning(("a", "b")) for _ in range(3)] == [2, 2, 2]
    assert len(asked) == 1
    many = ("a",) * (MOST_NAMES + 1)
    assert [meaning(many), meaning(many)] == [MOST_NAMES + 1] * 2
    assert [meaning(("a" * 5000,)), meaning(("a" * 5000,))] == [1, 1]
    assert len(asked) == 5


def test_a_rising_sweep_is_that_sweep_falling() -> None:
    frequency, z = np.geomspace(1, 1e5, 20), np.arange(20) - 1j
    rising = Spectrum.of(frequency, z, columns={"time_s": frequency}, quality=np.arange(20) % 2)
    falling = Spectrum.of(
        frequency[::-1],
        z[::-1],
        columns={"time_s": frequency[::-1], "acquired_order": np.arange(20.0)[::-1]},
        quality=(np.arange(20) % 2)[::-1],
    )
    for name in ("all_frequency_hz", "all_z_ohm", "quality", "frequency_hz", "z_ohm", "used"):
        np.testing.assert_array_equal(getattr(rising, name), getattr(falling, name))
        assert getattr(rising, name).flags.c_contiguous
        assert not getattr(rising, name).flags.writeable
    assert rising.columns["acquired_order"].tolist() == falling.columns["acquired_order"].tolist()


def test_other_metadata_share_the_arrays_which_nobody_can_change() -> None:
    spectrum = Spectrum.of([1e3, 1.0, 1e2], [1 - 1j, 2 - 2j, 3 - 3j], metadata={"file": "a", "cycle": 1})
    other = spectrum.described({"file": "b"})
    assert dict(other.metadata) == {"file": "b"}
    assert dict(spectrum.metadata) == {"file": "a", "cycle": 1}
    assert other.all_z_ohm is spectrum.all_z_ohm
    assert other.frequency_hz.tolist() == [1e3, 1e2, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        other.all_z_ohm[0] = 0


def test_what_the_spectrum_was_made_from_can_still_be_changed() -> None:
    frequency, z, flags = np.array([1e3, 1e2]), np.array([1 - 1j, 2 - 2j]), np.array([0, int(Quality.OVERLOAD)])
    for spectrum in (Spectrum.of(frequency, z, quality=flags), Spectrum(frequency, z, flags)):
        frequency[0], z[0], flags[0] = 5e3, 7j, 1
        assert spectrum.all_frequency_hz[0] == 1e3
        assert spectrum.all_z_ohm[0] == 1 - 1j
        assert spectrum.quality[0] == 0
        frequency[0], z[0], flags[0] = 1e3, 1 - 1j, 0


def contents(spectrum: Spectrum):
    arrays = [spectrum.all_frequency_hz, spectrum.all_z_ohm, spectrum.quality, *spectrum.columns.values()]
    assert not any(array.flags.writeable for array in arrays)
    return (
        [array.tolist() for array in arrays],
        list(spectrum.columns),
        dict(spectrum.metadata),
        spectrum.z_ohm.tolist(),
    )


def test_a_sweep_nothing_is_unusual_about_is_made_as_any_other() -> None:
    for n, order in ((1, 1), (2, -1), (30, 1), (30, -1)):
        f = np.geomspace(1e6, 0.1, n)[::order]
        z = 5 + 1 / (1 + 1j * f)
        for columns in ({}, {"time_s": np.arange(2.0 * n)[::2]}, {"acquired_order": np.arange(n)[::-1] + 0.5}):
            quick = Spectrum.of_sweep(f.copy(), z.copy(), columns, {"title": "cell"})
            assert quick is not None
            assert contents(quick) == contents(Spectrum.of(f, z, columns=columns, metadata={"title": "cell"}))


@pytest.mark.parametrize(
    ("f", "z"),
    [
        ([], []),
        ([3, 2, 1], [1, 1]),
        ([3, 2, 2], [1, 1, 1]),
        ([3, 1, 2], [1, 1, 1]),
        ([1, 3, 2], [1, 1, 1]),
        ([3, 2, 0], [1, 1, 1]),
        ([0, 2, 3], [1, 1, 1]),
        ([3, 2, -1], [1, 1, 1]),
        ([np.inf, 2, 1], [1, 1, 1]),
        ([3, np.nan, 1], [1, 1, 1]),
        ([np.nan, 2, 1], [1, 1, 1]),
        ([3, 2, np.nan], [1, 1, 1]),
        ([np.nan], [1]),
        ([3, 2, 1], [1, np.nan, 1]),
        ([3, 2, 1], [1, 1, complex(0, np.inf)]),
    ],
)
def test_what_is_unusual_about_a_sweep_is_left_to_those_who_look_closely(f, z) -> None:
    assert Spectrum.of_sweep(np.array(f, dtype=float), np.array(z, dtype=complex), {}, {}) is None


def test_a_column_of_another_length_is_left_to_those_who_look_closely() -> None:
    f = np.array([3.0, 2.0, 1.0])
    assert Spectrum.of_sweep(f, f + 0j, {"time_s": np.arange(2.0)}, {}) is None


HEAD = '# eis_schema: "eis.spectrum/1"\n'
TABLE = "frequency_hz,z_real_ohm,z_imag_ohm,quality,acquired_order\n3,1,-1,0,0\n2,2,-2,0,1\n1,3,-1,0,2\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2,-2,0,1", "2,-2,0.0,1", "Expected a number under 'quality', found '0.0' \\(f.csv, line 4\\)"),
        ("2,-2,0,1", "2,-2,+1,1", "found '\\+1'"),
        ("2,-2,0,1", "2,-2,1234567890,1", "found '1234567890'"),
        ("2,-2,0,1", "2,-2,0,1_0", "Expected a number under 'acquired_order', found '1_0'"),
        ("2,-2,0,1", "2,-2,\u0661,1", "found '\u0661'"),
        ("2,-2,0,1", "inf,-2,0,1", "a finite impedance"),
        ("2,2,-2", "3,2,-2", "must fall"),
        ("3,1,-1,0,0\n2,2,-2,0,1\n1,3,-1,0,2", "1,3,-1,0,2\n2,2,-2,0,1\n3,1,-1,0,0", "must fall"),
        (HEAD, HEAD + "# a: [1\n# b: 2], 3\n", "Expected a JSON value, found '\\[1'"),
        (HEAD, HEAD + "# a: 1 2\n", "Expected a JSON value, found '1 2'"),
        (HEAD, HEAD + "# a:\n", "Expected a JSON value, found ''"),
    ],
)
def test_a_file_of_ours_that_was_changed_is_refused_as_it_is_cell_by_cell(old, new, said, tmp_path) -> None:
    text = (HEAD + TABLE).replace(old, new)
    assert text != HEAD + TABLE
    (tmp_path / "f.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ReadError, match=said):
        read_all(tmp_path / "f.csv")


def test_a_file_of_ours_is_read_in_one_go_or_cell_by_cell_alike(tmp_path) -> None:
    (tmp_path / "f.csv").write_text(HEAD + "# area_cm2:  1.5 \n" + TABLE)
    (tmp_path / "g.csv").write_text(HEAD + "# area_cm2:  1.5 \n" + TABLE.replace("3,1,-1,0", "3,1,-1, 0"))
    (quick,), (slow,) = read_all(tmp_path / "f.csv"), read_all(tmp_path / "g.csv")
    assert quick.metadata["area_cm2"] == slow.metadata["area_cm2"] == 1.5
    assert quick.z_ohm.tolist() == slow.z_ohm.tolist() == [1 - 1j, 2 - 2j, 3 - 1j]


GAMRY = (
    "EXPLAIN\nTAG\tEISPOT\nTITLE\tLABEL\tcell 7\tTest\nNOTES\tNOTES\t2\tNotes\n\tfirst line\nsecond line\n"
    "DATE\tLABEL\t1/2/2024\tDate\nOCVCURVE\tTABLE\t1\n\tPt\tT\n\t#\ts\n\t0\t1\n"
    "ZCURVE\tTABLE\n\tPt\tFreq\tZreal\tZimag\n\t#\tHz\tohm\tohm\n\t0\t3\t1\t-1\n\t1\t2\t2\t-2\n\t2\t1\t3\t-1\n"
)


def test_notes_may_be_indented_and_rows_of_another_table_are_none() -> None:
    (spectrum,) = gamry.read(of(GAMRY))
    vendor = spectrum.metadata["vendor"]
    assert vendor["notes"] == "first line\nsecond line"
    assert (vendor["TITLE"], vendor["DATE"], vendor["TAG"]) == ("cell 7", "1/2/2024", "EISPOT")
    assert "remarks" not in vendor


def test_an_unknown_unit_is_told_before_a_cell_that_is_no_number() -> None:
    with pytest.raises(ReadError, match="The unit of Zimag is 'V'"):
        gamry.read(of(GAMRY.replace("ohm\tohm", "ohm\tV").replace("\t3\t1\t-1", "\tx\t1\t-1")))
