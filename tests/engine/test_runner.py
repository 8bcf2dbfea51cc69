"""The runner on a toy model and a toy data set of its own."""

import itertools

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn

from csipreid.registry import RUNNERS

_runs = itertools.count()


class ToyModel(BaseModel):
    training_only = ('classifier.',)

    def __init__(self, num_ids, num_cams):
        super().__init__()
        self.num_ids, self.num_cams = num_ids, num_cams
        self.tower = nn.Linear(2, 2)
        self.classifier = nn.Linear(2, num_ids)

    def forward(self, x, mode='tensor'):
        if mode == 'loss':
            return dict(loss=self.classifier(self.tower(x)).square().mean())
        return [dict(score=self.tower(x).sum())]


class ToyData(torch.utils.data.Dataset):
    def __init__(self, num_ids=3):
        self.metainfo = dict(dataset_name='toy', num_ids=num_ids, num_cams=2)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(x=torch.full((2,), float(index)))


class ToyMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(count=len(results))


def build(tmp_path, train=True, **changes):
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'), dataset=dict(type=ToyData),
    )  # fmt: skip
    cfg = dict(
        runner_type='ReIDRunner', default_scope='csipreid', work_dir=str(tmp_path),
        experiment_name=f'toy{next(_runs)}', log_level='WARNING', randomness=dict(seed=0),
        model=dict(type=ToyModel), test_dataloader=loader, test_cfg=dict(),
        test_evaluator=dict(type=ToyMetric),
        default_hooks=dict(plain=dict(type='PlainCheckpointHook')),
    )  # fmt: skip
    if train:
        cfg |= dict(
            train_dataloader=loader, train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        )  # fmt: skip
    return RUNNERS.build(Config(cfg | changes))


@pytest.fixture
def trained(tmp_path):
    """Checkpoint of one epoch with three identities."""
    build(tmp_path / 'first').train()
    return tmp_path / 'first' / 'epoch_1.pth'


def test_model_gets_its_sizes_from_the_training_data(tmp_path):
    runner = build(tmp_path)
    assert (runner.bare_model.num_ids, runner.bare_model.num_cams) == (3, 2)


def test_model_gets_its_sizes_from_the_checkpoint_to_test(tmp_path, trained):
    runner = build(tmp_path, train=False, load_from=str(trained))
    assert runner.bare_model.classifier.out_features == 3
    assert runner.test() == dict(count=2)


def test_testing_without_a_checkpoint_says_what_is_missing(tmp_path):
    with pytest.raises(ValueError, match='a checkpoint is needed to test this model'):
        build(tmp_path, train=False)


def test_checkpoint_can_be_read_without_running_code(trained):
    content = torch.load(trained, weights_only=True)
    assert content['meta']['dataset_meta'] == dict(dataset_name='toy', num_ids=3, num_cams=2)


def test_no_partial_file_is_left(trained):
    assert list(trained.parent.glob('*.partial')) == []


def test_checkpoint_of_other_identities_is_refused_with_both_numbers(tmp_path, trained):
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type=ToyData, num_ids=5),
    )  # fmt: skip
    runner = build(tmp_path, train_dataloader=loader, load_from=str(trained))
    with pytest.raises(ValueError, match=r'num_ids=3, the model has num_ids=5'):
        runner.train()


def test_weights_of_training_alone_may_be_absent_when_testing(tmp_path, trained):
    content = torch.load(trained, weights_only=True)
    state = content['state_dict']
    content['state_dict'] = {k: v for k, v in state.items() if not k.startswith('classifier.')}
    torch.save(content, tmp_path / 'bare.pth')
    assert build(tmp_path, train=False, load_from=str(tmp_path / 'bare.pth')).test()
    with pytest.raises(ValueError, match='keys are missing'):
        build(tmp_path, load_from=str(tmp_path / 'bare.pth')).train()


def test_hook_that_a_config_sets_to_none_is_left_out(tmp_path):
    runner = build(tmp_path, default_hooks=dict(mine=None, plain=dict(type='PlainCheckpointHook')))
    assert 'PlainCheckpointHook' in [type(hook).__name__ for hook in runner.hooks]


def test_hooks_are_asked_while_the_runner_is_built(tmp_path):
    hook = dict(
        type='LoadPretrainedHook', checkpoint=None, parts=['tower'], hint='train stage 1 first'
    )
    with pytest.raises(ValueError, match='weights for tower are needed: train stage 1 first'):
        build(tmp_path, custom_hooks=[hook])
