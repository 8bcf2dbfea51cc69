"""Drawing the numbers that tell people apart."""

from collections.abc import Mapping

import numpy as np

Ranges = Mapping[str, tuple[float, float]]


def draw_traits(rng: np.random.Generator, ranges: Ranges, count: int) -> list[dict[str, float]]:
    """Draw the traits of ``count`` people who should be told apart.

    Each range is cut into ``count`` equal slices and everyone gets another
    slice (Latin hypercube), so no two people are alike in every trait.

    Args:
        rng: Source of randomness.
        ranges: Lowest and highest value of each trait.
        count: Number of people.

    Returns:
        One dictionary of trait values per person.
    """
    people: list[dict[str, float]] = [{} for _ in range(count)]
    for name, (low, high) in ranges.items():
        places = (rng.permutation(count) + rng.uniform(size=count)) / count
        for person, place in zip(people, places.tolist(), strict=True):
            person[name] = low + (high - low) * place
    return people
