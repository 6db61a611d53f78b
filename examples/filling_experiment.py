"""From raw files to a conclusion: a virtual porosity-filling experiment, written, compared, and drawn.

Run ``python examples/filling_experiment.py [FOLDER] [SCENARIO]``; it takes a few seconds. With files of your own,
begin at `compare_experiment`: what comes before only stands in for the bench.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from eis.comparison_page import write_comparison
from eis.comparison_plots import plot_activation, plot_cell, plot_covariation, plot_effects, plot_slopes
from eis.experiment_generator import SCENARIOS, generate, write_experiment
from eis.experiment_pipeline import compare_experiment
from eis.filling_plots import plot_fill_fraction

SEED = 7


def main(folder: Path, scenario: str) -> None:
    """Write an experiment of three arms and its spectra, compare it, write the reports and the drawings."""
    virtual = generate(scenario, np.random.default_rng(SEED), n=6, temperatures_c=(0.0, 50.0))
    experiment = write_experiment(virtual, folder)

    comparison, spectra = compare_experiment(experiment)
    print(comparison.headline)
    for said in comparison.not_shown:
        print("not shown:", said)

    files = list(write_comparison(comparison, folder, spectra))
    drawings = {
        "effects": plot_effects(comparison),
        "slopes": plot_slopes(comparison, comparison.quantity),
        "covariation": plot_covariation(comparison),
        "activation": plot_activation(comparison),
        "cell": plot_cell(*spectra["treated-1"], name="treated-1", area_cm2=experiment_area(comparison)),
    }
    if comparison.fill is not None:
        drawings["fill"] = plot_fill_fraction(comparison.fill)
    for name, axes in drawings.items():
        files.append(folder / f"{name}.png")
        axes.figure.savefig(files[-1], dpi=150, bbox_inches="tight")
    print("wrote", ", ".join(path.name for path in files))


def experiment_area(comparison):
    """Return the area of the first treated cell (cm²)."""
    return comparison.experiment.cells_of(comparison.treated)[0].area_cm2


if __name__ == "__main__":
    chosen = sys.argv[2] if len(sys.argv) > 2 else "true-filling"
    if chosen not in SCENARIOS:
        sys.exit(f"There is no scenario {chosen}; there are {', '.join(SCENARIOS)}.")
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "filling-experiment"), chosen)
