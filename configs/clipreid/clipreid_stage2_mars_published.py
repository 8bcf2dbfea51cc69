"""CLIP-ReID stage 2 on MARS, with the behaviour of the published code.

Source: the code of Li et al., AAAI 2023, commit eb1898b. Each line below is one difference
from clipreid_stage2_mars.py; the README of this folder says what it does. The published code trains
in half precision: add --amp on a GPU.
"""

_base_ = './clipreid_stage2_mars.py'

model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    camera_embedding=None,
    prototype_loss=dict(normalize=False, temperature=1.0),
)

val_evaluator = dict(protocol='market')
test_evaluator = val_evaluator
train_cfg = dict(val_interval=60)

default_hooks = dict(
    # The published code keeps the last epoch.
    checkpoint=dict(_delete_=True, type='SafeCheckpointHook', interval=1, max_keep_ckpts=2),
    pretrained=dict(checkpoint='work_dirs/clipreid_stage1_mars_published/epoch_120.pth'),
)
