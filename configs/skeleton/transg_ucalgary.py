"""TranSG on the UCalgary gait data: its encoder, prototype contrast and prompts.

As published, but the last batch of a test is not dropped, batch norms are updated, and the last
epoch is reported instead of the best on the test set.
"""

_base_ = './csip_sgt_ucalgary.py'

num_instances = 9  # clips per identity in a batch
batch_size = 27 * num_instances  # clips; all 27 people, as its rebalanced training set has them
max_epochs = 30

model = dict(
    _delete_=True,
    type='SkeletonReID',
    data_preprocessor=dict(type='SkeletonDataPreprocessor'),
    skeleton_encoder=dict(type='TranSGEncoder', layout='ucalgary18'),
    prototype_loss=dict(type='GraphPrototypeLoss'),
    prompt_head=dict(type='SkeletonPromptHead', clip_len=6),
)

prototype_pipeline = _base_.test_pipeline
train_dataloader = dict(
    batch_size=batch_size,
    sampler=dict(batch_size=batch_size, num_instances=num_instances),
    dataset=dict(pipeline=prototype_pipeline),
)
prototype_dataloader = dict(
    batch_size=256,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(_base_.dataset, subset='train', pipeline=prototype_pipeline),
)
val_evaluator = dict(protocol=dict(metric='euclidean'))
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=3.5e-4))
param_scheduler = None
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
auto_scale_lr = dict(base_batch_size=batch_size)

default_hooks = dict(
    prototypes=dict(type='PrototypeHook', dataloader=prototype_dataloader, refresh_interval=1),
)
