import copy
import itertools

import pytest
import torch

from csipreid.engine.training_state import check_training_state

HOOKS = dict(
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=9),
    param_scheduler=dict(type='ParamSchedulerHook'),
    randomness=dict(type='RandomnessHook'),
    plain=dict(type='PlainCheckpointHook'),
)
COSINE = dict(type='WarmupCosineLR', total=4, warmup=1, start_factor=0.1)


def loop(epochs):
    return dict(type='ResumableTrainLoop', max_epochs=epochs)


def adam(**kwargs):
    return dict(optimizer=dict(type='Adam', **(dict(lr=0.1) | kwargs)))


@pytest.fixture
def run(build):
    """Train in a folder; return the rate of each iteration, what was warned of and the runner."""

    def train(folder, epochs, **changes):
        settings = dict(optim_wrapper=adam(), param_scheduler=COSINE, default_hooks=HOOKS)
        runner = build(folder, train_cfg=loop(epochs), **copy.deepcopy(settings | changes))
        warnings, rates = [], []
        runner.logger.warning = warnings.append
        run_iter = runner.train_loop.run_iter

        def note(index, batch):
            rates.append(runner.optim_wrapper.param_groups[0]['lr'])
            run_iter(index, batch)

        runner.train_loop.run_iter = note
        runner.train()
        return (
            rates,
            [line for line in warnings if 'settings' in line or 'schedule' in line],
            runner,
        )

    return train


def content(path):
    return torch.load(path, weights_only=True)


def test_unchanged_config_resumes_without_a_word_and_bit_for_bit(run, tmp_path):
    run(tmp_path / 'whole', 4)
    run(tmp_path / 'cut', 4)
    for epoch in (3, 4):
        (tmp_path / 'cut' / f'epoch_{epoch}.pth').unlink()
    rates, warnings, _ = run(tmp_path / 'cut', 4, resume=True)
    assert warnings == []
    assert len(rates) == 4
    ends = [content(tmp_path / name / 'epoch_4.pth') for name in ('whole', 'cut')]
    assert ends[0]['param_schedulers'] == ends[1]['param_schedulers']
    for a, b in zip(ends[0]['state_dict'].values(), ends[1]['state_dict'].values(), strict=True):
        assert torch.equal(a, b)


# Closed form, recursive in epochs, recursive in iterations, and two together.
SCHEDULES = {
    'cosine': [dict(COSINE, total=7)],
    'steps': [dict(type='MultiStepLR', milestones=[1, 3, 4], gamma=0.5)],
    'iterations': [dict(type='CosineAnnealingLR', by_epoch=False, T_max=11)],
    'both': [
        dict(type='LinearLR', by_epoch=False, start_factor=0.25, begin=0, end=6),
        dict(type='StepLR', step_size=2, gamma=0.5),
    ],
    'converted': [dict(COSINE, total=7, warmup=2, convert_to_iter_based=True)],
}


@pytest.mark.parametrize('schedule', SCHEDULES.values(), ids=SCHEDULES)
def test_another_schedule_goes_on_as_a_new_run_of_it(run, tmp_path, schedule):
    run(tmp_path / 'run', 3, param_scheduler=dict(type='PolyLR', power=2, end=3))
    resumed, warnings, _ = run(tmp_path / 'run', 6, param_scheduler=schedule, resume=True)
    fresh, *_ = run(tmp_path / 'fresh', 6, param_scheduler=schedule)
    assert resumed == fresh[6:]
    assert any('the schedule of checkpoint' in line for line in warnings)
    assert any('train_cfg.max_epochs 3 -> 6' in line for line in warnings)


def test_rate_and_weight_decay_of_the_config_hold(run, tmp_path):
    run(tmp_path, 2)
    rates, warnings, runner = run(
        tmp_path, 3, optim_wrapper=adam(lr=0.02, weight_decay=0.5), resume=True
    )
    fresh, *_ = run(tmp_path / 'fresh', 3, optim_wrapper=adam(lr=0.02))
    assert rates == fresh[4:]
    assert runner.optim_wrapper.param_groups[0]['weight_decay'] == 0.5
    assert 'optim_wrapper.optimizer.lr 0.1 -> 0.02' in warnings[0]
    assert 'optim_wrapper.optimizer.weight_decay absent -> 0.5' in warnings[0]


def test_a_rate_without_schedule_is_that_of_the_config(run, tmp_path):
    run(tmp_path, 1, param_scheduler=None)
    rates, *_ = run(tmp_path, 2, param_scheduler=None, optim_wrapper=adam(lr=0.3), resume=True)
    assert rates == [0.3, 0.3]


def test_other_groups_keep_the_moments_of_each_parameter(run, tmp_path):
    def groups(**mults):
        return adam() | dict(
            constructor='MultipliedLROptimWrapperConstructor', paramwise_cfg=dict(lr_mults=mults)
        )

    *_, before = run(tmp_path, 1, optim_wrapper=groups(classifier=3))
    model = before.bare_model
    moments = {
        name: before.optim_wrapper.optimizer.state[p]['exp_avg']
        for name, p in model.named_parameters()
    }
    *_, after = run(tmp_path, 1, optim_wrapper=groups(tower=3), resume=True)
    for name, p in after.bare_model.named_parameters():
        assert torch.equal(after.optim_wrapper.optimizer.state[p]['exp_avg'], moments[name])
    rates = [group['initial_lr'] for group in after.optim_wrapper.optimizer.param_groups]
    assert rates == [pytest.approx(0.3), pytest.approx(0.1)]


def test_another_optimiser_is_refused_by_name(run, tmp_path):
    run(tmp_path, 1)
    sgd = dict(optimizer=dict(type='SGD', lr=0.1))
    with pytest.raises(
        ValueError, match=r"another optimiser: one with \['betas'\].*\['momentum'\]"
    ):
        run(tmp_path, 2, optim_wrapper=sgd, resume=True)


def test_a_schedule_by_what_was_measured_is_refused_if_it_changes(run, tmp_path, toy_data):
    run(tmp_path, 1)
    plateau = dict(type='ReduceOnPlateauLR', monitor='count')
    with pytest.raises(ValueError, match='depends on earlier evaluations; keep param_scheduler'):
        run(tmp_path, 2, param_scheduler=plateau, resume=True)


def test_batch_size_seed_and_precision_are_named(run, tmp_path, toy_data):
    run(tmp_path, 1)
    loader = dict(
        batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'), dataset=dict(type=toy_data),
    )  # fmt: skip
    mixed = dict(adam(), type='MixedPrecisionOptimWrapper', precision='bfloat16')
    _, (warning, *_), runner = run(
        tmp_path, 2, resume=True, train_dataloader=loader, optim_wrapper=mixed,
        randomness=dict(seed=5),
    )  # fmt: skip
    assert '(precision) float32 -> bfloat16' in warning
    assert 'train_dataloader.batch_size 2 -> 1' in warning
    assert 'randomness.seed 0 -> 5' in warning
    assert runner.seed == 5


def test_a_drawn_seed_is_drawn_once(run, tmp_path):
    *_, before = run(tmp_path, 1, randomness=dict(seed=None))
    *_, after = run(tmp_path, 2, randomness=dict(seed=None), resume=True)
    assert after.seed == before.seed
    assert after.train_dataloader.sampler.seed == before.train_dataloader.sampler.seed


def test_a_run_that_has_nothing_left_says_so(run, tmp_path):
    run(tmp_path, 2)
    rates, _, runner = run(tmp_path, 1, resume=True)
    assert (rates, runner.epoch) == ([], 2)


def test_a_checkpoint_from_before_settings_were_kept_says_so(run, tmp_path):
    run(tmp_path, 2)
    old = content(tmp_path / 'epoch_2.pth')
    for key in ('settings', 'parameters'):
        del old['meta'][key]
    torch.save(old, tmp_path / 'epoch_2.pth')
    rates, warnings, _ = run(tmp_path, 4, resume=True)
    fresh, *_ = run(tmp_path / 'fresh', 4)
    assert rates == fresh[4:]
    assert 'does not say under which settings' in warnings[0]


_CODE = "open({!r}, 'w').write('run')\n"


@pytest.mark.parametrize('by_path', [True, False])
@pytest.mark.parametrize('key', ['config', 'cfg'])
def test_the_config_in_a_checkpoint_is_never_evaluated(run, tmp_path, key, by_path):
    run(tmp_path / 'run', 1)
    path = tmp_path / 'run' / 'epoch_1.pth'
    crafted = content(path)
    crafted['meta'][key] = _CODE.format(str(tmp_path / 'created'))
    crafted['message_hub']['runtime_info']['cfg'] = crafted['meta'][key]
    torch.save(crafted, path)
    run(tmp_path / 'run', 2, resume=True, load_from=str(path) if by_path else None)
    assert not (tmp_path / 'created').exists()
    assert (tmp_path / 'run' / 'epoch_2.pth').exists()


def state(**changes):
    return dict(
        meta=dict(epoch=1, iter=2, epoch_length=2),
        optimizer=dict(state={}, param_groups=[dict(params=[0], lr=0.1)]),
        message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
        param_schedulers=[],
    ) | changes  # fmt: skip


WRONG = [
    dict(meta=dict(epoch=1.5, iter=2)), dict(meta=dict(epoch='1', iter=2)),
    dict(meta=dict(epoch=True, iter=2)), dict(meta=dict(epoch=-1, iter=2)),
    dict(meta=dict(iter=2)), dict(meta={}), dict(message_hub=None), dict(message_hub=[]),
    dict(message_hub=dict(runtime_info=[], resumed_keys={})), dict(optimizer=[1]),
    dict(optimizer=dict(state={}, param_groups=[dict(lr=1)])),
    dict(optimizer=dict(state={}, param_groups=[dict(params=[[0]])])),
    dict(optimizer=dict(state={0: 'x'}, param_groups=[])), dict(param_schedulers=['x']),
    dict(meta=dict(epoch=2**70, iter=2)), dict(meta=dict(epoch=0, iter=0, seed='; import os')),
]  # fmt: skip


@pytest.mark.parametrize('wrong', WRONG)
def test_a_state_of_another_kind_is_one_sentence(wrong):
    check_training_state(state(), 'this')
    with pytest.raises(ValueError, match=r'^this'):
        check_training_state(state(**wrong), 'this')


@pytest.mark.parametrize(
    ('place', 'value'),
    [
        (('meta', 'iter'), 10**9),
        (('meta', 'epoch'), 10**9),
        (('meta', 'parameters'), ['x']),
        (('optimizer', 'state', 0, 'exp_avg'), torch.zeros(3)),
        (('optimizer', 'state', 0, 'exp_avg'), torch.zeros(1)),
        (('optimizer', 'state', 0, 'exp_avg'), 'text'),
        (('optimizer', 'param_groups', 0, 'params'), [0, 1]),
    ],
)
def test_a_state_that_does_not_fit_is_refused_before_training(run, tmp_path, place, value):
    run(tmp_path, 1)
    crafted = content(tmp_path / 'epoch_1.pth')
    node = crafted
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    path = tmp_path / 'crafted.pth'
    torch.save(crafted, path)
    with pytest.raises(ValueError, match=r'checkpoint .*crafted\.pth'):
        run(tmp_path, 2, resume=True, load_from=str(path))


def test_notes_of_other_types_are_left_out(run, tmp_path):
    run(tmp_path, 1)
    crafted = content(tmp_path / 'epoch_1.pth')
    info = crafted['message_hub']['runtime_info']
    info.update(keep_ckpt_ids=['../x', 1, None], best_score='high', validated_epoch='x')
    torch.save(crafted, tmp_path / 'epoch_1.pth')
    *_, runner = run(tmp_path, 2, resume=True)
    assert runner.message_hub.get_info('keep_ckpt_ids') == [1, 2]
    assert 'best_score' not in runner.message_hub.runtime_info


def test_iterations_of_a_resumed_run_go_on(run, tmp_path):
    run(tmp_path, 1)
    *_, runner = run(tmp_path, 3, resume=True)
    assert (runner.epoch, runner.iter) == (3, 6)
    stamps = [content(path)['meta']['iter'] for path in sorted(tmp_path.glob('epoch_*.pth'))]
    assert stamps == list(itertools.islice(itertools.count(2, 2), 3))
