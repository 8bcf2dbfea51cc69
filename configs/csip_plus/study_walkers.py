"""What skeletons bring on the walkers: 192 identities to train, 96 to test, three seeds.

    python tools/misc/run_study.py configs/csip_plus/study_walkers.py --out study

All rows have the same tower, data, augmentation and test, and those below the first as many
iterations. They compute in bfloat16, which takes two thirds of the time on processors that
have it; leave the options out on others.
"""

seeds = [0, 1, 2]
data = dict(walkers=dict(ids=[192, 96]))
control = 'control'
ceilings = True
runs: dict[str, dict] = dict(
    tower=dict(title='image only', config='configs/csip_plus/image_only_walkers.py'),
    control=dict(
        title='image only, trained on (control)',
        config='configs/csip_plus/image_only_continued_walkers.py',
        pretrained='tower',
    ),
    joints=dict(
        title='joints as a second target',
        config='configs/csip_plus/stage2_walkers.py',
        pretrained='tower',
    ),
    stage1=dict(
        title='stage 1 that keeps bodies',
        config='configs/csip_plus/stage1_walkers.py',
        pretrained='tower',
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
    tfclip=dict(
        title='TF-CLIP',
        config='configs/csip_plus/tfclip_walkers.py',
        pretrained='tower',
    ),
    clipreid_stage1=dict(
        title='CLIP-ReID, stage 1 (random text tower)',
        config='configs/csip_plus/clipreid_stage1_walkers.py',
        pretrained='tower',
    ),
    clipreid=dict(
        title='CLIP-ReID, stages 1 and 2 (random text tower)',
        config='configs/csip_plus/clipreid_stage2_walkers.py',
        pretrained='clipreid_stage1',
    ),
)
for name in ('control', 'joints', 'csip', 'tfclip', 'clipreid'):
    runs[name]['options'] = dict(
        optim_wrapper=dict(type='MixedPrecisionOptimWrapper', precision='bfloat16')
    )
del name
