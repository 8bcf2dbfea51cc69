"""Every name in a config is checked before anything is built."""

from pathlib import Path

import pytest
from mmengine.config import Config, DictAction

from csipreid.engine.config_check import check_config
from csipreid.registry import DATASETS, HOOKS

CONFIG = Path(__file__).parents[2] / 'configs' / 'csip' / 'stage2_walkers.py'
CHECKPOINT_TYPE = 'CheckpointHook'


@pytest.fixture
def cfg():
    return Config.fromfile(CONFIG)


def change(cfg, option):
    key, _, value = option.partition('=')
    cfg.merge_from_dict({key: DictAction._parse_iterable(value)})


@pytest.mark.parametrize(
    ('option', 'path', 'right'),
    [
        ('model.type=VideoReId', 'model.type', 'VideoReID'),
        ('model.temporal.num_head=2', 'model.temporal.num_head', 'num_heads'),
        ('model.image_encoder.frozn=True', 'model.image_encoder.frozn', 'frozen'),
        ('model.data_preprocessor.means=1', 'model.data_preprocessor.means', 'mean'),
        ('train_dataloader.dataset.type=MARZ', 'train_dataloader.dataset.type', 'MARS'),
        ('val_dataloader.dataset.check_file=1', 'val_dataloader.dataset.check_file', 'check_files'),
        ('train_dataloader.dataset.pipeline.5.probs=0', 'pipeline.5.probs', 'prob'),
        ('train_dataloader.dataset.pipeline.5.type=FlipClips', 'pipeline.5.type', 'FlipClip'),
        ('train_dataloader.sampler.num_instance=2', 'sampler.num_instance', 'num_instances'),
        ('test_dataloader.num_worker=2', 'test_dataloader.num_worker', 'num_workers'),
        ('default_hooks.logger.intervall=3', 'default_hooks.logger.intervall', 'interval'),
        ('default_hooks.checkpoint.max_keep_ckpt=3', 'checkpoint.max_keep_ckpt', 'max_keep_ckpts'),
        ('default_hooks.prototypes.dataloader.batchsize=3', 'dataloader.batchsize', 'batch_size'),
        ('val_evaluator.protocols=csip', 'val_evaluator.protocols', 'protocol'),
        ('val_evaluator.type=ReidMetric', 'val_evaluator.type', 'ReIDMetric'),
        ('optim_wrapper.optimizer.type=AdamWW', 'optim_wrapper.optimizer.type', 'AdamW'),
        ('optim_wrapper.optimizer.weight_deca=1', 'optimizer.weight_deca', 'weight_decay'),
        ('optim_wrapper.clip_grad.maxnorm=1', 'optim_wrapper.clip_grad.maxnorm', 'max_norm'),
        ('param_scheduler.1.milestone=2', 'param_scheduler.1.milestone', 'milestones'),
        ('train_cfg.max_epoch=2', 'train_cfg.max_epoch', 'max_epochs'),
        ('test_cfg.type=TestLop', 'test_cfg.type', 'TestLoop'),
        ('visualizer.vis_backends.0.type=LocalVisBackends', 'vis_backends.0', 'LocalVisBackend'),
        ('log_processor.window_siz=3', 'log_processor.window_siz', 'window_size'),
        ('randomness.deterministc=True', 'randomness.deterministc', 'deterministic'),
        ('env_cfg.mp_cfg.opencv_threads=1', 'env_cfg.mp_cfg.opencv_threads', 'opencv_num_threads'),
        ('auto_scale_lr.base_batchsize=1', 'auto_scale_lr.base_batchsize', 'base_batch_size'),
        ('compile.backends=eager', 'compile.backends', 'backend'),
        ('runner_type=ReIdRunner', 'runner_type', 'ReIDRunner'),
    ],
)
def test_misspelt_name_is_told_with_its_path_and_the_right_one(cfg, option, path, right):
    change(cfg, option)
    with pytest.raises(ValueError, match=f'did you mean {right!r}') as error:
        check_config(cfg)
    assert path in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('model=3', 'model must be a dict of settings, got 3'),
        ('model.max_clips=a', "model.max_clips of VideoReID must be int, got 'a'"),
        ('model.image_encoder.image_size=64', r'image_size .* must be tuple\[int, int\], got 64'),
        ('train_dataloader.dataset.pipeline.0.mode=evn', "must be 'restricted_random' or 'first'"),
        ('train_dataloader.batch_size=0', 'train_dataloader.batch_size must be a whole number'),
        ('val_dataloader.num_workers=two', 'val_dataloader.num_workers must be a whole number'),
        ('default_hooks.checkpont.interval=1', 'default_hooks.checkpont has no type'),
        ('optim_wrapper.paramwise_cfg.bias_lr=2', "unknown keys .'bias_lr'"),
        ('param_scheduler.0.type=LinearParamScheduler', 'LinearParamScheduler needs param_name'),
    ],
)
def test_value_that_cannot_be_is_told_with_its_path(cfg, option, message):
    change(cfg, option)
    with pytest.raises(ValueError, match=message):
        check_config(cfg)


@pytest.mark.parametrize(
    'option',
    [
        'default_hooks.checkpoint.save_last=False',
        f'default_hooks.checkpoint.type={CHECKPOINT_TYPE}',
        'optim_wrapper.clip_grad.max_norm=2',
        'optim_wrapper.optimizer.type=torch.optim.AdamW',
        'visualizer.vis_backends.0.type=TensorboardVisBackend',
        'param_scheduler.0.by_epoch=False',
        'param_scheduler.0.convert_to_iter_based=True',
        'model.image_encoder.init_cfg.type=TruncNormal',
        'val_evaluator.collect_device=gpu',
        'train_cfg=None',
    ],
)
def test_what_libraries_take_is_accepted(cfg, option):
    change(cfg, option)
    check_config(cfg)


def test_batch_that_would_mix_plans_of_the_sampler_is_refused(cfg):
    cfg.train_dataloader.batch_size = 12
    with pytest.raises(ValueError, match=r'batch_size is 12 and .*sampler\.batch_size is 16'):
        check_config(cfg)
    cfg.train_dataloader.sampler.batch_size = 12
    check_config(cfg)


def test_backbone_is_looked_up_where_it_is_built(cfg):
    encoder = dict(type='MMPretrainImageEncoder', backbone=dict(type='ResNet', depth=18))
    cfg.model.image_encoder = encoder
    check_config(cfg)
    cfg.model.image_encoder.backbone.dept = 18
    with pytest.raises(ValueError, match=r'image_encoder\.backbone\.dept: ResNet takes no'):
        check_config(cfg)
    cfg.model.image_encoder.backbone = dict(type='ResNett')
    with pytest.raises(ValueError, match="did you mean 'ResNet'"):
        check_config(cfg)


def test_parts_within_a_backbone_of_a_library_are_looked_up(cfg):
    backbone = dict(type='ResNet', depth=18, norm_cfg=dict(type='BN', requires_grad=False))
    cfg.model.image_encoder = dict(type='MMPretrainImageEncoder', backbone=backbone)
    check_config(cfg)
    cfg.model.image_encoder.backbone.norm_cfg.ep = 1
    with pytest.raises(ValueError, match=r"backbone\.norm_cfg\.ep: .* did you mean 'eps'"):
        check_config(cfg)
    cfg.model.image_encoder.backbone.norm_cfg = dict(type='BNN')
    with pytest.raises(ValueError, match=r"norm_cfg\.type: .* did you mean 'BN'"):
        check_config(cfg)


@pytest.mark.parametrize(
    ('stage', 'slot', 'loss', 'reason'),
    [
        (2, 'contrastive_loss', 'CrossModalSupConLoss', "missing a required argument: 'pids'"),
        (2, 'prototype_loss', 'IdentityLoss', 'there is no place for labels'),
        (2, 'prototype_loss', 'SupConLoss', 'its valid would be labels'),
        (1, 'loss', 'SupConLoss', r'there is no place for pair\.valid'),
        (1, 'skeleton_loss', 'BatchHardTripletLoss', r'there is no place for pair\.valid'),
    ],
)
def test_a_loss_that_its_model_cannot_call_is_refused(stage, slot, loss, reason):
    cfg = Config.fromfile(CONFIG.with_name(f'stage{stage}_walkers.py'))
    cfg.model[slot] = dict(type=loss)
    with pytest.raises(ValueError, match=rf'model\.{slot}: {loss} does not fit .*{reason}'):
        check_config(cfg)


def test_a_loss_of_a_library_that_can_be_called_is_accepted(cfg):
    cfg.model.frame_loss = dict(type='torch.nn.CrossEntropyLoss')
    cfg.model.contrastive_loss = dict(type='SupConLoss')
    check_config(cfg)


@HOOKS.register_module(name='HookOfAUserForTheConfigCheck')
class UsersHook:
    """Takes what it likes: a type of its own, and arguments that only it knows."""

    def __init__(self, rule, **kwargs):
        self.rule, self.rest = rule, kwargs


def test_users_class_may_take_anything(cfg):
    hook = dict(type='HookOfAUserForTheConfigCheck', rule=dict(type='linear'), any=1, priority=40)
    cfg.custom_hooks = [hook]
    check_config(cfg)
    cfg.custom_hooks = [dict(type=UsersHook, any=1)]
    with pytest.raises(ValueError, match=r'custom_hooks\.0: UsersHook needs rule'):
        check_config(cfg)


def test_users_subclass_takes_what_its_base_class_takes(cfg):
    class Mine(DATASETS.get('MARS')):
        def __init__(self, *args, fold=0, **kwargs):
            super().__init__(*args, **kwargs)

    cfg.train_dataloader.dataset.update(type=Mine, fold=2)
    check_config(cfg)
    cfg.train_dataloader.dataset.checkfiles = True
    with pytest.raises(ValueError, match="did you mean 'check_files'"):
        check_config(cfg)


def test_several_metrics_and_an_evaluator_are_accepted(cfg):
    cfg.test_evaluator = [dict(type='ReIDMetric'), dict(type='DumpFeatures', out_file='f.npz')]
    cfg.val_evaluator = dict(metrics=[dict(type='ReIDMetric')])
    check_config(cfg)
    cfg.test_evaluator[1].outfile = 'g.npz'
    with pytest.raises(ValueError, match=r'test_evaluator\.1\.outfile.*did you mean'):
        check_config(cfg)
