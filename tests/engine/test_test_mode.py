import pytest
from mmengine.config import Config

from csipreid.engine.test_mode import (
    ClipChoice,
    configs_of_type,
    describe_test_mode,
    parse_test_mode,
    set_test_mode,
)


def config(model='VideoReID', **step):
    pipeline = [dict(type='SampleClip', clip_len=8, **step), dict(type='LoadFrames')]
    loader = dict(batch_size=32, dataset=dict(type='MARS', pipeline=pipeline))
    return Config(
        dict(model=dict(type=model), test_dataloader=loader, test_evaluator=dict(type='ReIDMetric'))
    )


def choose(cfg, text):
    set_test_mode(cfg, parse_test_mode(text))
    return cfg.test_dataloader.dataset.pipeline[0]


@pytest.mark.parametrize('text', ['first', 'even', 'random:4', 'dense', 'dense,flip', 'random:1'])
def test_a_mode_is_read_and_written_back(text):
    assert str(parse_test_mode(text)) == text


@pytest.mark.parametrize(
    'text', ['', 'all', 'random', 'random:0', 'random:x', 'random:2:3', 'first:2', 'dense,', 'flip']
)
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=f'or dense.*got {text!r}'):
        parse_test_mode(text)


def test_choice_reaches_the_pipeline():
    step = choose(config(mode='first'), 'random:4')
    assert (step.mode, step.num_clips) == ('restricted_random', 4)


def test_choice_of_one_clip_replaces_several():
    step = choose(config(mode='restricted_random', num_clips=4), 'even')
    assert (step.mode, step.num_clips) == ('even', 1)


def test_flip_is_the_models():
    cfg = config(mode='first')
    choose(cfg, 'first,flip')
    assert cfg.model.flip_test is True
    choose(cfg, 'first')
    assert cfg.model.flip_test is False


def test_flip_beside_the_configs_own_mode():
    cfg = config(mode='even')
    assert set_test_mode(cfg, flip=True) == 'even,flip (8 frames a clip)'


def test_the_metric_names_the_mode():
    cfg = config(mode='first')
    choose(cfg, 'dense,flip')
    assert cfg.test_evaluator.test_mode == 'dense,flip (8 frames a clip)'


def test_the_configs_own_mode_is_named_too():
    cfg = config(mode='first')
    set_test_mode(cfg)
    assert cfg.test_evaluator.test_mode == 'first (8 frames a clip)'


def test_a_name_in_the_config_stays():
    cfg = config(mode='first')
    cfg.test_evaluator.test_mode = 'windows'
    set_test_mode(cfg)
    assert cfg.test_evaluator.test_mode == 'windows'


def test_dense_batches_are_small():
    cfg = config(mode='first')
    choose(cfg, 'dense')
    assert cfg.test_dataloader.batch_size == 4


def test_a_model_that_cannot_flip_is_named():
    with pytest.raises(ValueError, match='ColorHistogramReID does not average mirror images'):
        choose(config('ColorHistogramReID', mode='first'), 'first,flip')


def test_a_pipeline_without_clips_is_named():
    cfg = config(mode='first')
    cfg.test_dataloader.dataset.pipeline = [dict(type='LoadFrames')]
    with pytest.raises(ValueError, match='SampleClip'):
        set_test_mode(cfg, ClipChoice('dense'))


def test_data_sets_in_one_another_are_all_set():
    cfg = config(mode='first')
    inner = cfg.test_dataloader.dataset.to_dict()
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[inner, inner])
    set_test_mode(cfg, ClipChoice('even'))
    steps = list(configs_of_type(cfg.test_dataloader, 'SampleClip'))
    assert [step.mode for step in steps] == ['even', 'even']
    assert describe_test_mode(cfg) == 'even (8 frames a clip)'


def test_classes_are_taken_as_well_as_names():
    class SampleClip:
        pass

    assert len(list(configs_of_type(dict(type=SampleClip), 'SampleClip'))) == 1


def test_types_with_a_scope_are_found():
    assert len(list(configs_of_type([dict(type='csipreid.ReIDMetric')], 'ReIDMetric'))) == 1
