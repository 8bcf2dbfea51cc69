"""CSIP's skeleton graph transformer on KGBD, from scratch.

Data: ``data/KGBD/6`` in TranSG's layout, 20 joints, six frames; nothing of it was at hand here, so
there is no result. Its files have the joints in another order.
"""

_base_ = './csip_sgt_ucalgary.py'

data_root = 'data/KGBD/6'
num_instances = 4  # clips per identity in a batch
batch_size = 64 * num_instances  # clips

model = dict(skeleton_encoder=dict(layout='kinect20'))

dataset = dict(
    data_root=data_root,
    layout='kinect20',
    files=dict(
        train='train_npy_data', query='test_npy_data/probe', gallery='test_npy_data/gallery'
    ),
    window=None,
    stride=None,
    joint_order=[11, 10, 1, 0, 2, 4, 6, 8, 3, 5, 7, 9, 12, 14, 16, 18, 13, 15, 17, 19],
    y_up=True,
)
train_dataloader = dict(
    batch_size=batch_size,
    sampler=dict(batch_size=batch_size, num_instances=num_instances),
    dataset=dataset,
)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
val_evaluator = dict(protocol=dict(base='kgbd', name='kgbd'))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=batch_size)
