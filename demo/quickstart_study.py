"""The quickstart: a study small enough for a laptop.

The configs of configs/csip_plus/study_walkers.py with fewer people and epochs; what it
shows in ten minutes is a taste of that study, not a result.
"""

seeds = [0]
data = dict(walkers=dict(ids=[48, 24]))
control = 'control'
ceilings = True

# Few checkpoints, since epochs of so few people are short.
first = dict(
    train_cfg=dict(max_epochs=24),
    param_scheduler=dict(total=24),
    default_hooks=dict(checkpoint=dict(interval=24)),
)
fine_tuning = dict(
    train_cfg=dict(max_epochs=40),
    param_scheduler=dict(total=40),
    default_hooks=dict(checkpoint=dict(interval=40)),
)
skeletons = dict(
    train_cfg=dict(max_epochs=60),
    param_scheduler=dict(total=60),
    default_hooks=dict(checkpoint=dict(interval=60)),
)
runs = dict(
    colour=dict(
        title='colour histogram',
        config='configs/baselines/colour_histogram_walkers.py',
        train=False,
    ),
    tower=dict(
        title='image only',
        config='configs/csip_plus/image_only_walkers.py',
        options=first,
    ),
    csip_stage1=dict(
        title='stage 1 (paper)',
        config='configs/csip_plus/csip_stage1_walkers.py',
        pretrained='tower',
        options=fine_tuning,
    ),
    csip=dict(
        title='CSIP, stages 1 and 2 (paper)',
        config='configs/csip_plus/csip_stage2_walkers.py',
        pretrained='csip_stage1',
        options=fine_tuning,
    ),
    joints=dict(
        title='joints as a second target',
        config='configs/csip_plus/stage2_walkers.py',
        pretrained='tower',
        options=fine_tuning,
    ),
    control=dict(
        title='image only, trained on (control)',
        config='configs/csip_plus/image_only_continued_walkers.py',
        pretrained='tower',
        options=fine_tuning,
    ),
    stage1=dict(
        title='stage 1 that keeps bodies',
        config='configs/csip_plus/stage1_walkers.py',
        pretrained='tower',
        options=skeletons,
    ),
)
del first, fine_tuning, skeletons
