from dataclasses import replace

import pytest


def test_upright_bones_add_up_to_the_height(body):
    total = body.ankle_height + body.shin + body.thigh
    total += body.lower_trunk + body.upper_trunk + body.neck + body.head
    assert total == pytest.approx(body.height)


def test_lengths_grow_with_the_height(body):
    assert replace(body, height=2 * body.height).thigh == pytest.approx(2 * body.thigh)
