from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

from csipreid.registry import METRICS


@METRICS.register_module()
class Count(BaseMetric):
    """More with each validation, so that each is the best."""

    total = 0

    def process(self, data_batch, data_samples):
        pass

    def evaluate(self, size):
        Count.total += 1
        return dict(count=Count.total)

    def compute_metrics(self, results):
        return {}


class Watch(Hook):
    """Note which checkpoints lie in the folder when another is about to be written."""

    def __init__(self):
        self.seen = []

    def before_save_checkpoint(self, runner, checkpoint):
        self.seen.append(names(runner.work_dir))


def names(work_dir):
    return sorted(path.name for path in Path(work_dir).glob('*.pth'))


def hooks(**kwargs):
    return dict(
        checkpoint=dict(type='SafeCheckpointHook', interval=1, **kwargs),
        plain=dict(type='PlainCheckpointHook'),
    )


def run(build, folder, epochs=4, **kwargs):
    watch = Watch()
    runner = build(
        folder, train_cfg=dict(type='ResumableTrainLoop', max_epochs=epochs),
        default_hooks=hooks(**kwargs),
    )  # fmt: skip
    runner.register_hook(watch)
    runner.train()
    return watch.seen


def test_old_checkpoints_go_only_once_the_new_one_is_there(build, tmp_path):
    seen = run(build, tmp_path, max_keep_ckpts=2)
    assert seen == [
        [], ['epoch_1.pth'], ['epoch_1.pth', 'epoch_2.pth'], ['epoch_2.pth', 'epoch_3.pth'],
    ]  # fmt: skip
    assert names(tmp_path) == ['epoch_3.pth', 'epoch_4.pth']


def test_one_is_kept_where_one_is_asked_for(build, tmp_path):
    run(build, tmp_path, max_keep_ckpts=1)
    assert names(tmp_path) == ['epoch_4.pth']


@pytest.mark.parametrize('count', [3, 5, 6])
def test_as_many_are_kept_as_are_asked_for(build, tmp_path, count):
    run(build, tmp_path, epochs=9, max_keep_ckpts=count)
    assert names(tmp_path) == [f'epoch_{epoch}.pth' for epoch in range(10 - count, 10)]


@pytest.mark.parametrize('name', ['out_dir', 'filename_tmpl'])
def test_places_that_resuming_does_not_look_at_are_refused(build, tmp_path, name):
    with pytest.raises(TypeError, match=f'takes no {name}.*--work-dir'):
        run(build, tmp_path, **{name: 'elsewhere'})


def test_all_are_kept_by_default(build, tmp_path):
    run(build, tmp_path, epochs=3)
    assert names(tmp_path) == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


def test_last_checkpoint_is_named(build, tmp_path):
    run(build, tmp_path, max_keep_ckpts=2)
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_4.pth')
    assert list(tmp_path.glob('*.partial')) == []


@pytest.fixture
def scores(monkeypatch):
    """What the evaluations of the run give, one after the other."""
    values = [dict(score=1.0, other=5.0), dict(score=3.0, other=4.0), dict(score=2.0, other=6.0)]
    monkeypatch.setattr('mmengine.evaluator.Evaluator.evaluate', lambda self, size: values.pop(0))


@pytest.mark.parametrize(
    ('measures', 'best'),
    [
        (['score'], ['best_score_epoch_2.pth']),
        (['score', 'other'], ['best_other_epoch_3.pth', 'best_score_epoch_2.pth']),
    ],
)
def test_best_checkpoint_is_never_absent(build, tmp_path, scores, toy_data, measures, best):
    watch = Watch()
    runner = build(
        tmp_path, train_cfg=dict(type='ResumableTrainLoop', max_epochs=3),
        default_hooks=hooks(max_keep_ckpts=1, save_best=measures, rule='greater'),
        val_cfg=dict(), val_evaluator=[],
        val_dataloader=dict(
            batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'), dataset=dict(type=toy_data),
        ),
    )  # fmt: skip
    runner.register_hook(watch)
    runner.train()
    after_first = [seen for seen in watch.seen if 'epoch_2.pth' in seen]
    for measure in measures:
        name = f'best_{measure}_'
        assert all(any(path.startswith(name) for path in seen) for seen in after_first)
    assert names(tmp_path) == [*best, 'epoch_3.pth']


def test_resumed_run_removes_no_file_but_its_own_checkpoints(build, tmp_path, toy_data):
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'), dataset=dict(type=toy_data),
    )  # fmt: skip
    settings = dict(
        default_hooks=hooks(save_best='count', rule='greater'), val_dataloader=loader,
        val_cfg=dict(), val_evaluator=dict(type='Count'),
    )  # fmt: skip
    run_one = dict(train_cfg=dict(type='ResumableTrainLoop', max_epochs=1))
    build(tmp_path / 'run', **run_one, **settings).train()
    mine, other = tmp_path / 'mine.txt', tmp_path / 'other' / 'best_count_epoch_9.pth'
    other.parent.mkdir()
    for path in (mine, other):
        path.write_text('precious')
    for named in (mine, other, tmp_path):
        content = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
        content['message_hub']['runtime_info'].update(best_ckpt=str(named), best_score=-1)
        torch.save(content, tmp_path / 'crafted.pth')
        build(
            tmp_path / 'run', resume=True, load_from=str(tmp_path / 'crafted.pth'),
            train_cfg=dict(type='ResumableTrainLoop', max_epochs=2), **settings,
        ).train()  # fmt: skip
        assert mine.read_text() == other.read_text() == 'precious'
