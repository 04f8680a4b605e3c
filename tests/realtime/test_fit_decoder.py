from dataclasses import astuple, fields

import numpy as np
import pytest

from punktfunk.realtime import fit_decoder
from punktfunk.realtime.decoder16 import Costs
from punktfunk.realtime.fit_decoder import CASES, Case, Fit, Timing, fit
from punktfunk.realtime.kernels import layout_decode

TRUE = Costs(1.5, 2.5, 1.25, 2.25, 0.5, 0.75, 3.5, 9.0, 4.0)


def test_costs_stand_in_the_order_of_their_words() -> None:
    names = [field.name for field in fields(Costs)]
    assert [getattr(layout_decode, f"COST_{name.upper()}") for name in names] == [*range(len(names))]
    assert len(names) == layout_decode.COST_WORD_COUNT


def on_a_machine_that_costs(costs: Costs, noise: float = 0.0):
    random = np.random.default_rng(1)

    def timer(case: Case, decoders: tuple[int, ...]) -> list[float]:
        exact = [fit_decoder._model_ns(costs, case, decoder) for decoder in decoders]
        return [ns * (1 + noise * random.random()) for ns in exact]

    return timer


def test_the_costs_of_a_machine_that_keeps_to_the_model_are_found() -> None:
    found = fit(timer=on_a_machine_that_costs(TRUE))
    assert astuple(found.costs) == pytest.approx(astuple(TRUE), rel=1e-6)
    assert found.regret() == pytest.approx(1)
    assert all(timing.model_ns == pytest.approx(timing.measured_ns) for timing in found.timings)


def test_noise_makes_no_cost_negative_and_costs_little() -> None:
    found = fit(timer=on_a_machine_that_costs(TRUE, noise=0.3))
    assert min(astuple(found.costs)) >= 0
    assert found.regret() < 1.5


def test_a_cost_that_nothing_shows_is_none() -> None:
    matrix = np.array([[1.0, 2.0], [1.0, 0.0], [0.0, 3.0]])
    assert fit_decoder._least_squares(matrix, matrix @ [2.0, 1.0]) == pytest.approx([2, 1])
    assert fit_decoder._least_squares(matrix, matrix @ [2.0, -1.0])[1] == 0


def test_regret_is_that_of_the_worst_case() -> None:
    timings = [
        Timing(Case(20, 4, 1), 0, 10, 11),
        Timing(Case(20, 4, 1), 1, 12, 12),
        Timing(Case(20, 4, 2), 0, 10, 13),
        Timing(Case(20, 4, 2), 1, 15, 12),
    ]
    assert Fit(TRUE, tuple(timings)).regret() == 1.5


def test_every_decoder_is_timed_for_a_case_unless_it_would_take_long() -> None:
    found = fit([Case(20, 4, 2, 64), Case(20, 4, 3, 64), CASES[0]], timer=None)
    assert len(found.timings) == 12
    assert all(timing.measured_ns > 0 for timing in found.timings)
    timer = on_a_machine_that_costs(TRUE)
    assert {timing.decoder for timing in fit([Case(30000, 2000, 2000)], timer=timer).timings} == {3}


def test_the_defaults_take_what_the_research_found() -> None:
    def taken(*shape: int) -> int:
        return min(range(4), key=lambda decoder: fit_decoder._model_ns(Costs(), Case(*shape), decoder))

    assert [taken(20, 4, 1), taken(200, 40, 1), taken(1000, 200, 1)] == [0, 0, 0]
    assert taken(200, 40, 10) == 1
    assert [taken(1000, 200, 200), taken(4000, 800, 800)] == [3, 3]
