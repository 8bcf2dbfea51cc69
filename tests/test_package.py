"""What importing the package does."""

import importlib
import warnings

import csipreid


def test_notice_of_mmcv_is_hidden_and_other_warnings_are_not():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        importlib.reload(csipreid)
        warnings.warn('Fail to import ``MultiScaleDeformableAttention`` from mmcv', stacklevel=1)
        warnings.warn('something else', stacklevel=1)
    assert [str(warning.message) for warning in seen] == ['something else']
