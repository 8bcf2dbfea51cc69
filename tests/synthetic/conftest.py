import numpy as np
import pytest

from csipreid.synthetic.body import BODY_RANGES, Body
from csipreid.synthetic.camera import Camera
from csipreid.synthetic.gait import GAIT_RANGES, Gait


@pytest.fixture
def body():
    """The body in the middle of all ranges."""
    return Body(**{name: sum(bounds) / 2 for name, bounds in BODY_RANGES.items()})


@pytest.fixture
def gait():
    """The gait in the middle of all ranges: 0.94 cycles a second, no asymmetry."""
    return Gait(**{name: sum(bounds) / 2 for name, bounds in GAIT_RANGES.items()})


@pytest.fixture
def camera():
    """A camera 3 m above the ground that looks at a place 8 m away, lit evenly."""
    return Camera(
        height=3.0,
        distance=8.0,
        focal=1000.0,
        image_size=(720, 1280),
        heading=0.0,
        sun=(0.0, 0.0, 1.0),
        ambient=0.6,
        gains=(1.0, 1.0, 1.0),
        gamma=1.0,
        contrast=1.0,
        blur=0.3,
        noise=0.0,
        quality=90,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)
