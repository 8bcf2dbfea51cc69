"""Control on the walkers: the image-only tower, trained on for as long as stage 2.

The same tower, data, augmentation, losses on images, schedule and test as
stage2_walkers.py, and no skeleton, so that what is left between the two is due to
skeletons.
"""

_base_ = './stage2_walkers.py'

model = dict(joint_head=None, joint_loss=None)

train_pipeline = _base_.train_pipeline
train_pipeline.pop(4)  # CenterSkeletons
train_pipeline.pop(2)  # LoadSkeletons
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
