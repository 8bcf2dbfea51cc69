from types import SimpleNamespace

import pytest
import torch
from torch import nn

from csipreid.models.cross_modal import CrossModalEmbeddings
from csipreid.models.prototypes import PrototypeBank
from csipreid.registry import HOOKS
from csipreid.structures import ReIDDataSample


class Model(nn.Module):
    """Embeds a clip by numbers that come with it."""

    def __init__(self, num_ids):
        super().__init__()
        self.prototype_bank = PrototypeBank(num_ids, 2)
        self.modes = []

    def embed_tracklets(self, batch):
        inputs = batch['inputs']
        self.modes.append(self.training)
        image = torch.stack(inputs['image'])
        return CrossModalEmbeddings(image, 10 * image, torch.tensor(inputs['valid']))


class Logger:
    def __init__(self):
        self.lines = []

    def info(self, line):
        self.lines.append(line)

    warning = info


def runner(*clips, num_ids=3):
    """Clips of (label, embedding, has skeleton), one batch each."""
    batches = [
        dict(
            inputs=dict(image=[torch.tensor(value)], valid=[valid]),
            data_samples=[ReIDDataSample(label=label)],
        )
        for label, value, valid in clips
    ]

    class Loader(list):
        dataset = None

    model = Model(num_ids)
    return SimpleNamespace(
        model=model, bare_model=model, build_dataloader=lambda *args, **kwargs: Loader(batches),
        seed=0, epoch=0, rank=0, train_loop=SimpleNamespace(), logger=Logger(),
    )  # fmt: skip


def build(**kwargs):
    return HOOKS.build(dict(type='PrototypeHook', dataloader={}, **kwargs))


CLIPS = [
    (2, [1.0, 0.0], True),
    (0, [4.0, 4.0], True),
    (2, [3.0, 2.0], False),
    (1, [5.0, 6.0], False),
]


def test_rows_are_means_placed_by_label():
    fake = runner(*CLIPS)
    build().before_train(fake)
    bank = fake.bare_model.prototype_bank
    assert bank.image_prototypes.tolist() == [[4, 4], [5, 6], [2, 1]]
    assert bank.is_filled


def test_clips_without_skeleton_do_not_count_for_the_skeleton_prototype():
    fake = runner(*CLIPS)
    build().before_train(fake)
    rows = fake.bare_model.prototype_bank.skeleton_prototypes.tolist()
    assert rows[0] == [40, 40]
    assert rows[2] == [10, 0]


def test_identity_without_any_skeleton_gets_its_image_prototype_and_is_reported():
    fake = runner(*CLIPS)
    build().before_train(fake)
    assert fake.bare_model.prototype_bank.skeleton_prototypes[1].tolist() == [5, 6]
    assert any('1 identities have no skeleton' in line for line in fake.logger.lines)


def test_label_without_a_tracklet_is_an_error():
    with pytest.raises(ValueError, match=r'1 training labels have no tracklet.*\[1\]'):
        build().before_train(runner(CLIPS[0], CLIPS[1]))


def test_filled_prototypes_are_kept():
    fake = runner(*CLIPS)
    fake.bare_model.prototype_bank.fill(torch.ones(3, 2), torch.ones(3, 2))
    build().before_train(fake)
    assert (fake.bare_model.prototype_bank.image_prototypes == 1).all()


@pytest.mark.parametrize('train_mode', [False, True])
def test_mode_is_as_asked_and_restored(train_mode):
    fake = runner(*CLIPS)
    fake.bare_model.train()
    build(train_mode=train_mode).before_train(fake)
    assert set(fake.bare_model.modes) == {train_mode}
    assert fake.bare_model.training


def test_refresh_happens_every_so_many_epochs():
    fake = runner(*CLIPS)
    hook = build(refresh_interval=2)
    for epoch in range(5):
        fake.epoch = epoch
        hook.before_train_epoch(fake)
    assert len(fake.bare_model.modes) == 2 * len(CLIPS)


def test_epoch_that_goes_on_keeps_the_prototypes_of_its_beginning():
    fake = runner(*CLIPS)
    fake.epoch = 2
    fake.train_loop = SimpleNamespace(batches_done=1)
    build(refresh_interval=2).before_train_epoch(fake)
    assert fake.bare_model.modes == []


def test_dropout_of_a_refresh_does_not_depend_on_what_was_drawn_before():
    drawn = []
    for before in (0, 5):
        fake = runner(*CLIPS)
        fake.epoch = 2
        torch.rand(before)
        build(refresh_interval=2, train_mode=True).before_train_epoch(fake)
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1]
