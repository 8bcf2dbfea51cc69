import numpy as np

from csipreid.synthetic.traits import draw_traits


def test_each_person_gets_another_slice_of_each_range():
    people = draw_traits(np.random.default_rng(0), dict(height=(1.0, 2.0), lean=(-4.0, 0.0)), 4)
    assert sorted(int((person['height'] - 1) * 4) for person in people) == [0, 1, 2, 3]
    assert sorted(int(person['lean'] + 4) for person in people) == [0, 1, 2, 3]


def test_same_generator_state_draws_the_same_traits():
    first, second = (
        draw_traits(np.random.default_rng(7), dict(height=(1.0, 2.0)), 3) for _ in range(2)
    )
    assert first == second
