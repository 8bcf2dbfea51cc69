"""CLIP-ReID stage 1 on MARS, with the behaviour of the published code.

Source: the code of Li et al., AAAI 2023, commit eb1898b. Each line below is one difference
from clipreid_stage1_mars.py; the README of this folder says what it does.
"""

_base_ = './clipreid_stage1_mars.py'

model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    loss=dict(normalize=False, temperature=1.0, loss_weight=2.0),
)
