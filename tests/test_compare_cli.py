"""`eis compare` as people run it: what is refused, what is qualified in words, what stands in the documents."""

import copy
import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from eis.experiment_generator import SCENARIOS, generate, write_experiment
from tests.command_line import eis

VIRTUAL = generate("true-filling", np.random.default_rng(4), n=5)


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    """Write the spectra once; experiments name them by their whole path."""
    folder = tmp_path_factory.mktemp("spectra")
    write_experiment(VIRTUAL, folder)
    return folder


@pytest.fixture
def experiment(spectra, tmp_path):
    """Write an experiment file after an edit of its plain values."""

    def made(edit=lambda content: None, n=3):
        content = copy.deepcopy(VIRTUAL.content)
        content["cells"] = [cell for cell in content["cells"] if int(cell["id"].rsplit("-")[-1]) <= n]
        for cell in content["cells"]:
            for when in ("before", "after"):
                cell[when]["file"] = str(spectra / cell[when]["file"])
        edit(content)
        return write_experiment(replace(VIRTUAL, content=content, spectra={}), tmp_path / "experiment")

    return made


def entry_of(done):
    (entry,) = json.loads(done.stdout)["results"]
    return entry


def put(key, value):
    """Return an edit that sets one value; the key path has numbers for lists."""

    def edit(content):
        *path, last = key.split(".")
        for step in path:
            content = content[int(step) if step.isdigit() else step]
        content[last] = value

    return edit


def without_arms(*names):
    def edit(content):
        content["arms"] = [arm for arm in content["arms"] if arm["name"] not in names]
        content["cells"] = [cell for cell in content["cells"] if cell["arm"] not in names]

    return edit


REFUSED = {
    "an unknown key": (put("colour", "red"), ("colour", "Extra inputs")),
    "a fraction in percent": (
        put("composition.0.mass_fraction", 70.0),
        ("composition.0.mass_fraction", "percent"),
    ),
    "fractions that are no whole": (put("composition.0.mass_fraction", 0.5), ("add up to 0.8",)),
    "an arm that is not there": (put("cells.0.arm", "oven"), ("cells.0.arm", "there is no arm 'oven'")),
    "two cells of one name": (put("cells.1.id", "treated-1"), ("treated-1 stands 2 times",)),
    "no treated arm": (put("arms.0.role", "other"), ("exactly one arm has the role 'treated'",)),
    "a role nobody knows": (put("arms.1.role", "baked"), ("arms.1.role", "'heated'")),
    "an area below zero": (put("cells.0.area_cm2", -1.0), ("cells.0.area_cm2", "greater than 0")),
    "another conductor": (put("composite.conductor", "LLZO"), ("'LLZO' is no component",)),
    "a circuit that is none": (put("circuit", "R0-p(R1,"), ("circuit",)),
    "a mode nobody knows": (put("mode", "poured"), ("mode", "'infiltrated'")),
    "an infinite conductivity": (put("filler.conductivity_s_cm", math.inf), ("filler.conductivity_s_cm",)),
}


@pytest.mark.parametrize(("edit", "words"), REFUSED.values(), ids=REFUSED)
def test_a_faulty_file_is_refused_with_its_key_path_before_anything_is_read(edit, words, experiment):
    done = eis("compare", experiment(edit, n=1))
    assert done.returncode == 2
    assert done.stdout == ""
    assert [word for word in words if word not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_all_faults_are_told_at_once(experiment):
    def edit(content):
        put("colour", "red")(content)
        put("cells.0.area_cm2", -1.0)(content)
        put("cells.1.before.temperature_c", "warm")(content)

    done = eis("compare", experiment(edit, n=2))
    for key in ("colour", "cells.0.area_cm2", "cells.1.before.temperature_c"):
        assert key in done.stderr


@pytest.mark.parametrize("text", ["mode = ", "\x00", "a = 1\na = 2"])
def test_what_is_not_toml_is_refused(text, tmp_path):
    path = tmp_path / "experiment.toml"
    path.write_text(text, encoding="utf-8")
    done = eis("compare", path, "--json")
    assert done.returncode == 2
    assert "not TOML" in json.loads(done.stdout)["error"]["message"]


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        done = eis("compare", path)
        assert (done.returncode, done.stdout) == (2, "")


def test_if_no_spectrum_can_be_read_that_is_an_error(experiment):
    def edit(content):
        for cell in content["cells"]:
            cell["after"]["file"] = "gone.nc"

    done = eis("compare", experiment(edit, n=1))
    assert done.returncode == 2
    assert "No cell can be compared" in done.stderr
    assert "gone.nc" in done.stderr


def test_a_cell_without_its_file_is_left_out_with_its_reason(experiment):
    entry = entry_of(eis("compare", experiment(put("cells.0.after.file", "gone.nc"), n=2), "--json"))
    (note,) = (note for note in entry["notes"] if "treated-1" in note)
    assert "left out" in note
    assert "gone.nc" in note
    assert [arm["n"] for arm in entry["arms"]] == [1, 2, 2]


def test_a_spectrum_number_that_the_file_does_not_hold_leaves_the_cell_out(experiment):
    entry = entry_of(eis("compare", experiment(put("cells.0.after.index", 7), n=2), "--json"))
    assert any("treated-1" in note and "no spectrum number 7" in note for note in entry["notes"])


def test_an_unpaired_cell_is_left_out_with_its_reason(experiment):
    entry = entry_of(eis("compare", experiment(lambda c: c["cells"][0].pop("after"), n=2), "--json"))
    assert "treated-1 (treated) is left out: there is no spectrum after" in entry["notes"]
    assert entry["arms"][0]["cells"] == ["treated-2"]


STATES = {
    "temperature": (put("cells.0.after.temperature_c", 26.0), "25 °C before and 26 °C after"),
    "pressure": (put("cells.0.after.pressure_mpa", 50.0), "5 MPa before and 50 MPa after"),
}


@pytest.mark.parametrize(("edit", "words"), STATES.values(), ids=STATES)
def test_a_cell_measured_in_two_states_is_left_out_with_its_reason(edit, words, experiment):
    entry = entry_of(eis("compare", experiment(edit, n=2), "--json"))
    assert any("treated-1" in note and words in note for note in entry["notes"])
    assert entry["arms"][0]["n"] == 1


def test_a_temperature_nobody_stated_is_said_to_be_taken_on_trust(experiment):
    entry = entry_of(
        eis("compare", experiment(lambda c: c["cells"][0]["after"].pop("temperature_c"), n=2), "--json")
    )
    assert any("temperature of treated-1 is not stated" in note for note in entry["notes"])


def test_without_any_control_nothing_is_shown(experiment):
    done = eis("compare", experiment(without_arms("heated", "untreated")), "--json")
    entry = entry_of(done)
    assert done.returncode == 3
    assert entry["verdict"] == "not shown"
    assert "no control" in entry["because"]
    assert entry["effect"] is None


def test_without_a_heated_control_pores_are_never_called_filled(experiment):
    entry = entry_of(eis("compare", experiment(without_arms("heated")), "--json"))
    assert entry["verdict"] == "improved"
    assert "that pores are filled is not shown: there is no control that was heated" in entry["because"]
    assert entry["effect"]["control"] == "untreated"


def test_a_heated_control_without_a_pair_does_not_count_as_one(experiment):
    def edit(content):
        for cell in content["cells"]:
            if cell["arm"] == "heated":
                del cell["after"]

    entry = entry_of(eis("compare", experiment(edit), "--json"))
    assert entry["effect"]["control"] == "untreated"
    assert entry["verdict"] == "improved"
    assert "no cell of heated (heated) can be compared" in entry["notes"]


def test_pores_that_only_densified_are_not_called_filled(experiment):
    def edit(content):
        for cell in content["cells"]:
            cell["geometry"]["mass_after_mg"] = cell["geometry"]["mass_before_mg"]
            cell["geometry"]["thickness_after_um"] -= 11.0 if cell["arm"] == "treated" else 0.0

    entry = entry_of(eis("compare", experiment(edit), "--json"))
    assert entry["fill"]["f_geo_low"] > 0
    assert entry["verdict"] == "improved"
    assert "gained no mass" in entry["because"]


def test_a_sheet_that_became_thinner_without_a_gain_holds_no_filler(experiment):
    def edit(content):
        for cell in content["cells"]:
            cell["after"]["file"] = cell["before"]["file"]
            cell["geometry"]["mass_after_mg"] = cell["geometry"]["mass_before_mg"]
            cell["geometry"]["thickness_after_um"] -= 11.0 if cell["arm"] == "treated" else 0.0

    entry = entry_of(eis("compare", experiment(edit), "--json"))
    assert entry["fill"]["f_geo_low"] > 0
    assert entry["verdict"] in ("no effect", "not shown")
    assert "is in the pores" not in entry["because"]


def test_a_mass_loss_larger_than_the_filler_is_said_in_the_conclusion_and_by_cell(experiment):
    def edit(content):
        content["mode"] = "in_formulation"
        content["composition"][1]["mass_fraction"] -= 0.05
        content["composition"].append({"name": "eutectic", "mass_fraction": 0.05, "density_g_cm3": 2.0})
        for cell in content["cells"]:
            if cell["arm"] == "treated":
                cell["geometry"]["mass_after_mg"] = cell["geometry"]["mass_before_mg"] - 4.0

    entry = entry_of(eis("compare", experiment(edit), "--json"))
    assert "more than the" in entry["because"]
    assert "not to be believed" in entry["because"]
    assert any("treated-1 lost 4 mg, more than the" in note for note in entry["notes"])
    assert entry["verdict"] == "improved"
    assert entry["fill"]["f_grav"] is None


def test_an_arc_the_circuit_does_not_have_is_named(experiment):
    entry = entry_of(eis("compare", experiment(put("quantities.interface", "R9")), "--json"))
    assert any("R9 is no arc of the circuit" in note for note in entry["notes"])
    assert entry["quantity"] == "R_gb"


def test_two_cells_are_descriptive_only(experiment):
    done = eis("compare", experiment(n=2), "--json")
    entry = entry_of(done)
    assert done.returncode == 3
    assert entry["verdict"] == "descriptive only"
    assert {arm["ci_low"] for arm in entry["arms"]} == {None}


def test_three_cells_have_an_interval_and_no_p_value(experiment):
    entry = entry_of(eis("compare", experiment(), "--json"))
    assert all(arm["ci_low"] < arm["ratio"] < arm["ci_high"] for arm in entry["arms"])
    assert {arm["p_value"] for arm in entry["arms"]} == {None}


def test_ratios_and_intervals_are_those_of_scipy_and_close_to_the_truth(experiment):
    entry = entry_of(eis("compare", experiment(n=5), "--json"))
    d = {arm: [c["ln_ratio"] for c in entry["changes"] if (c["arm"], c["quantity"]) == (arm, "ASR_if")]
         for arm in ("treated", "heated")}  # fmt: skip
    welch = stats.ttest_ind(d["treated"], d["heated"], equal_var=False)
    interval = welch.confidence_interval(0.95)
    effect = entry["effect"]
    assert [effect["ci_low"], effect["ci_high"]] == pytest.approx(np.exp([interval.low, interval.high]))
    assert effect["ratio"] == pytest.approx(math.exp(np.mean(d["treated"]) - np.mean(d["heated"])))
    assert entry["arms"][0]["p_value"] == pytest.approx(stats.ttest_1samp(d["treated"], 0).pvalue)
    values = VIRTUAL.values
    truth = [math.log(values[f"treated-{i}-after.nc"]["R_if"] / values[f"treated-{i}-before.nc"]["R_if"])
             for i in range(1, 6)]  # fmt: skip
    assert d["treated"] == pytest.approx(truth, abs=0.02)


def test_filled_pores_are_found_and_everything_is_written(experiment, tmp_path):
    done = eis(
        "compare",
        experiment(put("arms.0.process", {"route": "dry", "binder_percent": 0.5}), n=5),
        "--out",
        tmp_path / "out",
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[2].startswith("FILLED: The pores are filled")
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "changes.csv",
        "report.html",
        "report.txt",
        "result.json",
    ]
    document = json.loads((out / "result.json").read_text("utf-8"), parse_constant=pytest.fail)
    (entry,) = document["results"]
    assert (document["schema"], entry["verdict"], entry["exit_code"]) == ("eis.compare/1", "filled", 0)
    assert entry["because"] in (out / "report.txt").read_text("utf-8")
    rows = list(csv.DictReader((out / "changes.csv").read_text("utf-8").splitlines()))
    assert len(rows) == 4 * 15
    assert {row["process_route"] for row in rows} == {"dry", ""}
    assert [float(row["ratio"]) for row in rows] == pytest.approx([one["ratio"] for one in entry["changes"]])


def test_the_document_has_the_fields_other_programs_rely_on(experiment):
    done = eis("compare", experiment(), "--json")
    entry = entry_of(done)
    assert {"arms", "effect", "fill", "verdict", "because", "changes", "matches", "verdicts", "notes"} <= set(
        entry
    )
    assert {"name", "n", "ratio", "ci_low", "ci_high", "p_value"} <= set(entry["arms"][0])
    assert {"ratio", "ci_low", "ci_high", "p_value"} <= set(entry["effect"])
    assert {"mode", "f_grav", "f_geo", "f_el"} <= set(entry["fill"])
    assert set(entry["quantities"]) == {"ASR_if", "R_gb", "R_ion", "R_s"}
    assert entry["matches"]["treated-1"][0]["is_sure"] is True
    assert "NaN" not in done.stdout


def test_a_spec_gives_each_cell_its_verdict_before_and_after(experiment):
    done = eis("compare", experiment(put("spec", "lges-negative-electrode"), n=2), "--json")
    assert set(entry_of(done)["verdicts"]) == {
        f"{arm}-{i}" for arm in ("treated", "heated", "untreated") for i in (1, 2)
    }


def test_cells_are_printed_when_asked_for(experiment):
    path = experiment(n=2)
    assert "treated-1  " not in eis("compare", path).stdout
    assert "treated-1  " in eis("compare", path, "--cells").stdout


def test_a_hostile_title_steers_no_terminal(experiment):
    done = eis("compare", experiment(put("title", "a\u202eb\u2028FILLED"), n=2))
    assert not set("\u202e\u2028") & set(done.stdout)


@pytest.fixture(scope="module")
def tempered(tmp_path_factory):
    """Write an experiment of five cells an arm at three temperatures, of which one spectrum is missing."""
    virtual = generate("true-filling", np.random.default_rng(4), n=5, temperatures_c=(0.0, 50.0))
    path = write_experiment(virtual, tmp_path_factory.mktemp("tempered"))
    (path.parent / "treated-2-after-50C.nc").unlink()
    return path


def test_three_temperatures_say_who_carries_the_current_and_a_missing_one_is_named(tempered):
    done = eis("compare", tempered, "--json")
    entry = entry_of(done)
    assert "NaN" not in done.stdout
    carrier = entry["activation"]["carrier"]
    assert carrier["verdict"] == "both"
    assert carrier["ci_low"] <= 0.19 <= carrier["ci_high"]
    assert carrier["because"] in entry["shown"]
    assert entry["because"].endswith("the filler carries a part of the ionic current.")
    (note,) = (note for note in entry["notes"] if note.startswith("treated-2, after at 50 °C, is left out"))
    assert "treated-2-after-50C.nc" in note
    cells = {one["cell"]: one for one in entry["activation"]["quantities"]["R_ion"]["cells"]}
    assert cells["treated-2"]["after"] is None
    assert "TLMQ1_0 is known at 2 temperatures, 3 are needed" in cells["treated-2"]["because"]
    assert cells["treated-1"]["before"]["estimates"][0]["value"] == pytest.approx(0.35, abs=0.03)


def test_the_energies_of_each_cell_stand_in_the_table_and_on_the_page(tempered, tmp_path):
    out = tmp_path / "out"
    eis("compare", tempered, "--out", out)
    rows = list(csv.DictReader((out / "changes.csv").read_text("utf-8").splitlines()))
    energies = [float(row["e_a_change_ev"]) for row in rows if row["e_a_change_ev"] and row["quantity"] == "R_ion"]
    assert len(energies) == 14
    assert {row["e_a_change_ev"] for row in rows if row["cell"] == "treated-2" and row["quantity"] == "R_ion"} == {
        ""
    }
    page = (out / "report.html").read_text("utf-8")
    assert "R_ion over temperature" in page
    assert "Cells: activation energy / eV" in page


def test_cells_of_two_temperatures_before_and_after_stay_refused_with_other_temperatures(experiment):
    def edit(content):
        for cell in content["cells"]:
            cell["after_at"] = [{**cell["after"], "index": 1, "temperature_c": 25.0}]
            cell["after"]["temperature_c"] = 50.0

    done = eis("compare", experiment(edit, n=1))
    assert done.returncode == 2
    assert "it was measured at 25 °C before and 50 °C after" in done.stderr


PUBLISHED = [("20%", "0.1", 4, 5), ("20%", "0.2", 9, 14), ("0.2", "30%", 17, 30), ("50%", "0.5", 7, 10)]


@pytest.mark.parametrize(("drop", "scatter", "pairs", "each"), PUBLISHED)
def test_a_plan_needs_as_many_cells_as_the_published_table(drop, scatter, pairs, each):
    done = eis("compare", "--plan", "--drop", drop, "--scatter", scatter, "--json")
    plan = entry_of(done)["plan"]
    assert (plan["pairs"], plan["cells_per_group"]) == (pairs, each)
    assert plan["because"] in eis("compare", "--plan", "--drop", drop, "--scatter", scatter).stdout


def test_more_power_takes_more_cells():
    done = eis("compare", "--plan", "--drop", "20%", "--scatter", "0.2", "--power", "90%", "--json")
    assert entry_of(done)["plan"]["pairs"] == 11


UNCLEAR = {
    "nothing": (),
    "a plan without a drop": ("--plan", "--scatter", "0.1"),
    "a plan without a scatter": ("--plan", "--drop", "20%"),
    "a drop of all": ("--plan", "--drop", "100%", "--scatter", "0.1"),
    "a drop of twenty": ("--plan", "--drop", "20", "--scatter", "0.1"),
    "a word": ("--plan", "--drop", "half", "--scatter", "0.1"),
    "no scatter at all": ("--plan", "--drop", "20%", "--scatter", "0"),
    "a drop no experiment finds": ("--plan", "--drop", "0.01%", "--scatter", "0.5"),
    "an impossible power": ("--plan", "--drop", "20%", "--scatter", "0.1", "--power", "1"),
    "a drop without a plan": ("experiment.toml", "--drop", "20%"),
    "a plan of an experiment": ("experiment.toml", "--plan", "--drop", "20%", "--scatter", "0.1"),
}


@pytest.mark.parametrize("words", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_command_is_refused(words):
    done = eis("compare", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_the_demonstration_writes_an_experiment_and_its_comparison(tmp_path):
    done = eis("demo", "--experiment", "--out", tmp_path / "demo", "--json")
    entry = entry_of(done)
    assert done.returncode == 0
    assert entry["verdict"] in SCENARIOS["true-filling"].expected
    assert Path(entry["file"]).parent == tmp_path / "demo"
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"experiment.toml", "result.json", "report.txt", "report.html", "changes.csv"} < written
