"""Rules of every descent, the same in the compiled engine and in NumPy's."""

MAX_STEPS = 200
"""Most evaluations of one walk."""
MOST_TURNS = 2000
"""Most turns of one walk, those included that only change the damping."""
FLAT = 1e-9
"""Relative fall of χ², expected and found, below which a search has arrived."""
CAP_LOG, CAP_EXPONENT = 1.5, 0.15
"""Longest step of a logarithm and of an exponent."""
USUAL_DAMPING = 0.1
ROUNDING = 1e-29
"""χ² below this share of the weighted data is rounding alone."""
SHRINK = 0.01
"""Factor by which a step that did all it promised lowers the damping."""
LEAST_DAMPING = 1e-14
"""Damping below which it is nothing beside the diagonal; from zero it could never be raised again."""
RIDGE = 1e-14
"""Share of its diagonal added to JᵀJ before it is inverted, so that a flat direction does not hide the others."""
BLURRED = 1e6
"""Uncertainty, over that of the parameter by itself, from which the data do not determine it."""
STUCK = 1e16
"""Damping beyond which no step helps any more."""
