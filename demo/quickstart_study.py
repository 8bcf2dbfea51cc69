"""The quickstart: a study small enough for a laptop.

The configs of configs/csip_plus/study_walkers.py with fewer people and epochs; what it
shows in ten minutes is a taste of that study, not a result.
"""

seeds = [0]
data = dict(walkers=dict(ids=[48, 24]))
control = 'control'
ceilings = True

runs: dict[str, dict] = dict(
    colour=dict(
        title='colour histogram',
        config='configs/baselines/colour_histogram_walkers.py',
        train=False,
    ),
    tower=dict(
        title='image only',
        config='configs/csip_plus/image_only_walkers.py',
    ),
    csip_stage1=dict(
        title='stage 1 (paper)',
        config='configs/csip_plus/csip_stage1_walkers.py',
        pretrained='tower',
    ),
    csip=dict(
        title='CSIP, stages 1 and 2 (paper)',
        config='configs/csip_plus/csip_stage2_walkers.py',
        pretrained='csip_stage1',
    ),
    joints=dict(
        title='joints as a second target',
        config='configs/csip_plus/stage2_walkers.py',
        pretrained='tower',
    ),
    control=dict(
        title='image only, trained on (control)',
        config='configs/csip_plus/image_only_continued_walkers.py',
        pretrained='tower',
    ),
    stage1=dict(
        title='stage 1 that keeps bodies',
        config='configs/csip_plus/stage1_walkers.py',
        pretrained='tower',
    ),
)
# Few checkpoints, since epochs of so few people are short.
for name, epochs in dict(
    tower=24, csip_stage1=40, csip=40, joints=40, control=40, stage1=60
).items():
    runs[name]['options'] = dict(
        train_cfg=dict(max_epochs=epochs),
        param_scheduler=dict(total=epochs),
        default_hooks=dict(checkpoint=dict(interval=epochs)),
    )
del name, epochs
