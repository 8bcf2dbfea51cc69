import pytest

from csipreid.engine.agreement import from_first_rank


def test_one_process_agrees_with_itself():
    assert from_first_rank(lambda: [1, 2]) == [1, 2]


def test_error_of_the_first_rank_is_raised():
    with pytest.raises(ZeroDivisionError):
        from_first_rank(lambda: 1 / 0)
