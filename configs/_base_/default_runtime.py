"""What every run shares: scope, runner, hooks, logging and randomness."""

default_scope = 'csipreid'
runner_type = 'ReIDRunner'

default_hooks = dict(
    runtime_info=dict(type='DeferredRuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Two are kept, so that one is whole while the next is written.
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    randomness=dict(type='RandomnessHook'),
    frozen_parts=dict(type='FrozenPartsHook'),
    coverage=dict(type='SkeletonCoverageHook'),
    plain_checkpoint=dict(type='PlainCheckpointHook'),
    preemption=dict(type='PreemptionHook'),
)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Without a GPU the runner takes gloo. Re-ranking and checks of half a million files on one
    # rank may let the others wait for longer than torch's ten minutes.
    dist_cfg=dict(backend='nccl', timeout=3600),
)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=1234)
