from pathlib import Path

import pytest
from mmengine.hooks import Hook


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
    values = [1.0, 3.0, 2.0]
    monkeypatch.setattr(
        'mmengine.evaluator.Evaluator.evaluate', lambda self, size: dict(score=values.pop(0))
    )


def test_best_checkpoint_is_never_absent(build, tmp_path, scores, toy_data):
    watch = Watch()
    runner = build(
        tmp_path, train_cfg=dict(type='ResumableTrainLoop', max_epochs=3),
        default_hooks=hooks(max_keep_ckpts=1, save_best='score', rule='greater'),
        val_cfg=dict(), val_evaluator=[],
        val_dataloader=dict(
            batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'), dataset=dict(type=toy_data),
        ),
    )  # fmt: skip
    runner.register_hook(watch)
    runner.train()
    after_first = [seen for seen in watch.seen if 'epoch_2.pth' in seen]
    assert all(any(name.startswith('best_') for name in seen) for seen in after_first)
    assert names(tmp_path) == ['best_score_epoch_2.pth', 'epoch_3.pth']
