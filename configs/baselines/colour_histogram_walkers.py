"""Colour histograms on the walkers: what colour alone can tell; nothing is trained."""

_base_ = '../csip/stage2_walkers.py'

model = dict(
    _delete_=True,
    type='ColorHistogramReID',
    data_preprocessor=dict(type='ReIDDataPreprocessor', mean=[0, 0, 0], std=[1, 1, 1]),
)
