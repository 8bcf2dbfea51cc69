"""The runner on a toy model and a toy data set."""

import copy
import errno
import shutil

import pytest
import torch

from csipreid.engine import checkpoint_reader
from csipreid.engine import runner as runner_module


@pytest.fixture
def trained(build, tmp_path):
    """Checkpoint of one epoch with three identities."""
    build(tmp_path / 'first').train()
    return tmp_path / 'first' / 'epoch_1.pth'


def test_model_gets_its_sizes_from_the_training_data(build, tmp_path):
    runner = build(tmp_path)
    assert (runner.bare_model.num_ids, runner.bare_model.num_cams) == (3, 2)


def test_model_gets_its_sizes_from_the_checkpoint_to_test(build, tmp_path, trained):
    runner = build(tmp_path, train=False, load_from=str(trained))
    assert runner.bare_model.classifier.out_features == 3
    assert runner.test() == dict(count=2)


def test_testing_without_a_checkpoint_says_what_is_missing(build, tmp_path):
    with pytest.raises(ValueError, match='a checkpoint is needed to test this model'):
        build(tmp_path, train=False)


def test_checkpoint_can_be_read_without_running_code(trained):
    content = torch.load(trained, weights_only=True)
    assert content['meta']['dataset_meta'] == dict(dataset_name='toy', num_ids=3, num_cams=2)


def test_config_in_the_checkpoints_is_that_of_the_run(build, tmp_path):
    runner = build(tmp_path, train_cfg=dict(by_epoch=True, max_epochs=2))
    runner.train()
    for path in tmp_path.glob('epoch_*.pth'):
        assert torch.load(path, weights_only=True)['meta']['cfg'] == runner.cfg.pretty_text


def test_no_partial_file_is_left(trained):
    assert list(trained.parent.glob('*.partial')) == []


def test_checkpoint_of_other_identities_is_refused_with_both_numbers(
    build, toy_data, tmp_path, trained
):
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type=toy_data, num_ids=5),
    )  # fmt: skip
    runner = build(tmp_path, train_dataloader=loader, load_from=str(trained))
    with pytest.raises(ValueError, match=r'num_ids=3, the model has num_ids=5'):
        runner.train()


def test_weights_of_training_alone_may_be_absent_when_testing(build, tmp_path, trained):
    content = torch.load(trained, weights_only=True)
    state = content['state_dict']
    content['state_dict'] = {k: v for k, v in state.items() if not k.startswith('classifier.')}
    torch.save(content, tmp_path / 'bare.pth')
    assert build(tmp_path, train=False, load_from=str(tmp_path / 'bare.pth')).test()
    with pytest.raises(ValueError, match='keys are missing'):
        build(tmp_path, load_from=str(tmp_path / 'bare.pth')).train()


def test_hook_that_a_config_sets_to_none_is_left_out(build, tmp_path):
    runner = build(tmp_path, default_hooks=dict(mine=None, plain=dict(type='PlainCheckpointHook')))
    assert 'PlainCheckpointHook' in [type(hook).__name__ for hook in runner.hooks]


def test_hooks_are_asked_while_the_runner_is_built(build, tmp_path):
    hook = dict(
        type='LoadPretrainedHook', checkpoint=None, parts=['tower'], hint='train stage 1 first'
    )
    with pytest.raises(ValueError, match='weights for tower are needed: train stage 1 first'):
        build(tmp_path, custom_hooks=[hook])


@pytest.fixture
def interrupted(build, tmp_path):
    """Folder of a run of three epochs, of which two are kept."""
    build(
        tmp_path / 'run', train_cfg=dict(type='ResumableTrainLoop', max_epochs=3),
        default_hooks=HOOKS_OF_RUNS,
    ).train()  # fmt: skip
    return tmp_path / 'run'


HOOKS_OF_RUNS = dict(
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=2),
    plain=dict(type='PlainCheckpointHook'),
)


def resume(build, work_dir):
    """Resume the run for four epochs and return it with what it warned of."""
    runner = build(
        work_dir, resume=True, train_cfg=dict(type='ResumableTrainLoop', max_epochs=4),
        default_hooks=HOOKS_OF_RUNS,
    )  # fmt: skip
    warnings = []
    runner.logger.warning = warnings.append
    begun = []
    run_epoch = runner.train_loop.run_epoch
    runner.train_loop.run_epoch = lambda: (begun.append(runner.epoch), run_epoch())
    runner.train()
    return begun, warnings


def test_farthest_checkpoint_is_resumed(build, interrupted):
    begun, _ = resume(build, interrupted)
    assert begun == [3]


@pytest.mark.parametrize('content', [b'', b'torn', None])
def test_torn_checkpoint_is_refused_and_the_one_before_is_resumed(build, interrupted, content):
    path = interrupted / 'epoch_3.pth'
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    begun, warnings = resume(build, interrupted)
    assert begun == [2, 3]
    reasons = ('epoch_3.pth cannot be read; it is truncated', 'epoch_3.pth is not a checkpoint but')
    assert any(reason in line for line in warnings for reason in reasons)


def test_foreign_checkpoint_is_refused_and_the_one_before_is_resumed(build, interrupted):
    content = torch.load(interrupted / 'epoch_3.pth', weights_only=True)
    content['state_dict'] = {'other.weight': torch.zeros(2)}
    torch.save(content, interrupted / 'epoch_3.pth')
    begun, warnings = resume(build, interrupted)
    assert begun == [2, 3]
    assert any('epoch_3.pth does not fit' in line for line in warnings)


def test_bare_weights_are_not_resumed(build, interrupted):
    content = torch.load(interrupted / 'epoch_3.pth', weights_only=True)
    torch.save(content['state_dict'], interrupted / 'epoch_3.pth')
    begun, warnings = resume(build, interrupted)
    assert begun == [2, 3]
    assert any('holds weights, not the state of a run' in line for line in warnings)


def test_run_without_a_whole_checkpoint_is_not_begun_anew_silently(build, interrupted):
    for path in interrupted.glob('epoch_*.pth'):
        path.write_bytes(b'torn')
    with pytest.raises(ValueError, match='none of the 2 checkpoints'):
        resume(build, interrupted)


def test_resuming_an_empty_folder_begins(build, tmp_path):
    begun, _ = resume(build, tmp_path / 'new')
    assert begun == [0, 1, 2, 3]


def test_new_run_in_a_used_folder_is_not_resumed_from_the_old_one(build, interrupted):
    settings = dict(
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=1), default_hooks=HOOKS_OF_RUNS
    )
    build(interrupted, **settings).train()
    assert (interrupted / 'epoch_3.pth').exists()
    begun, _ = resume(build, interrupted)
    assert begun == [1, 2, 3]


def test_run_that_goes_on_from_an_earlier_epoch_leaves_the_later_ones_out(build, interrupted):
    two = str(interrupted / 'epoch_2.pth')
    runner = build(
        interrupted, resume=True, load_from=two, default_hooks=HOOKS_OF_RUNS,
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=2),
    )  # fmt: skip
    runner.train()
    begun, _ = resume(build, interrupted)
    assert begun == [2, 3]


def test_checkpoint_that_was_resumed_by_hand_is_not_an_earlier_runs(build, interrupted):
    runner = build(
        interrupted, train_cfg=dict(type='ResumableTrainLoop', max_epochs=3),
        default_hooks=HOOKS_OF_RUNS,
    )  # fmt: skip
    runner.resume(str(interrupted / 'epoch_3.pth'))
    runner.train()
    begun, _ = resume(build, interrupted)
    assert begun == [3]


def test_optimiser_computes_as_it_was_built_after_resuming(build, tmp_path):
    adam = dict(
        default_hooks=HOOKS_OF_RUNS,
        optim_wrapper=dict(
            constructor='FusedOptimWrapperConstructor', optimizer=dict(type='Adam', lr=0.1)
        ),
    )
    plain = copy.deepcopy(adam)
    plain['optim_wrapper']['optimizer']['fused'] = False
    build(tmp_path, train_cfg=dict(type='ResumableTrainLoop', max_epochs=1), **plain).train()
    for settings, fused in ((adam, True), (plain, False)):
        runner = build(
            tmp_path, resume=True, train_cfg=dict(type='ResumableTrainLoop', max_epochs=2),
            **settings,
        )  # fmt: skip
        runner.train()
        assert {group['fused'] for group in runner.optim_wrapper.param_groups} == {fused}


def test_unfinished_files_of_a_killed_run_are_removed(build, interrupted):
    (interrupted / 'epoch_4.pth.partial').write_bytes(b'torn')
    resume(build, interrupted)
    assert list(interrupted.glob('*.partial')) == []


def test_epochs_of_another_length_go_on_at_their_beginning(build, interrupted, toy_data):
    loader = dict(
        batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type=toy_data),
        collate_fn=dict(type='default_collate'),
    )  # fmt: skip
    runner = build(
        interrupted, resume=True, train_dataloader=loader,
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=4), default_hooks=HOOKS_OF_RUNS,
    )  # fmt: skip
    runner.train()
    assert runner.iter == 4 * 4


def test_midst_of_an_epoch_of_another_length_is_refused(build, interrupted):
    content = torch.load(interrupted / 'epoch_3.pth', weights_only=True)
    content['meta'].update(epoch=3, iter=3 * 7 + 2, epoch_length=7)
    torch.save(content, interrupted / 'preempted_iter_23.pth')
    with pytest.raises(ValueError, match='after 2 of the 7 batches of an epoch, which has 2'):
        resume(build, interrupted)


def test_full_disk_is_one_error_and_earlier_checkpoints_stay(build, interrupted, monkeypatch):
    def fail(partial, path):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(runner_module, 'put_in_place', fail)
    shutil.copytree(interrupted, before := interrupted.with_name('before'))
    with pytest.raises(
        OSError, match=r'epoch_4.pth could not be written: No space left.*epoch_3.pth'
    ):
        resume(build, interrupted)
    assert list(interrupted.glob('*.partial')) == []
    for path in before.glob('*.pth'):
        assert (interrupted / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize('purpose', ['test', 'resume'])
def test_a_checkpoint_is_read_once(build, tmp_path, trained, monkeypatch, purpose):
    reads = []

    def count(path, *args):
        reads.append(str(path))
        return read_checkpoint(path, *args)

    read_checkpoint = checkpoint_reader.read_checkpoint
    monkeypatch.setattr(checkpoint_reader, 'read_checkpoint', count)
    if purpose == 'test':
        build(tmp_path, train=False, load_from=str(trained)).test()
    else:
        build(trained.parent, resume=True).train()
    assert reads == [str(trained)]
