"""Image-only tower on the walkers, from scratch: where all rows of the study begin."""

_base_ = './stage2_walkers.py'

max_epochs = 8

model = dict(joint_head=None, joint_loss=None)

train_pipeline = _base_.train_pipeline
train_pipeline.pop(4)  # CenterSkeletons
train_pipeline.pop(2)  # LoadSkeletons
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

param_scheduler = dict(total=max_epochs)
train_cfg = dict(max_epochs=max_epochs)
default_hooks = dict(pretrained=None, look_alikes=None)
