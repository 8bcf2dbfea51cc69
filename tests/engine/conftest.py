"""A toy model and a toy data set on which runs take a second."""

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


def _build(tmp_path, train=True, **changes):
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
def build():
    """Build a runner in a folder; keyword arguments change its config."""
    return _build


@pytest.fixture
def toy_data():
    """The type of the data set, of four items."""
    return ToyData
