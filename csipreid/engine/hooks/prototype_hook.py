"""Prototypes of the training identities."""

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.progress import track

from csipreid.engine.hooks.randomness_hook import seed_generators
from csipreid.engine.sharding import whole_parameters
from csipreid.registry import HOOKS


@HOOKS.register_module()
class PrototypeHook(Hook):
    """Build the image prototypes, and those of skeletons if the model has any.

    A prototype is the mean embedding of an identity's tracklets, over the whole
    training set; that of a tracklet is the mean over its clips. The loader's sampler
    shards the set over the ranks, the sums per identity are reduced in float64, and
    row k belongs to label k. They are kept in the checkpoint, so a resumed run does
    not build them again.

    An identity of which no frame has a skeleton gets its image prototype as its
    skeleton prototype; the log names how many there are.

    The published code computes them in training mode (dropout active) and on
    random frames; ``train_mode=True`` and a pipeline with
    ``SampleClip(mode='restricted_random')`` reproduce that.

    Args:
        dataloader: Config of a loader over the training set, without augmentation,
            with a sampler that visits each item once.
        refresh_interval: Rebuild them every so many epochs; 0 never does.
        train_mode: Whether the encoders stay in training mode.
    """

    def __init__(
        self, dataloader: dict, refresh_interval: int = 0, train_mode: bool = False
    ) -> None:
        self.dataloader = dataloader
        self.refresh_interval = refresh_interval
        self.train_mode = train_mode

    def before_train(self, runner: Runner) -> None:
        """Build the prototypes unless a checkpoint brought them."""
        if not runner.bare_model.prototype_bank.is_filled:
            self._build(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Refresh the prototypes, unless the run goes on within an epoch that did so."""
        if getattr(runner.train_loop, 'batches_done', 0):
            return
        if self.refresh_interval and runner.epoch and runner.epoch % self.refresh_interval == 0:
            self._build(runner)

    @torch.no_grad()
    def _build(self, runner: Runner) -> None:
        """Average the embeddings of every identity."""
        model = runner.bare_model
        bank = model.prototype_bank
        loader = runner.build_dataloader(self.dataloader, seed=runner.seed)
        if hasattr(loader.dataset, 'set_epoch'):
            loader.dataset.set_epoch(runner.epoch, runner.seed)
        sums = torch.zeros(2, *bank.image_prototypes.shape, dtype=torch.float64)
        counts = torch.zeros(2, len(bank.image_prototypes), dtype=torch.float64)

        seed_generators(runner.seed, runner.epoch, runner.rank)  # of dropout in training mode
        was_training = model.training
        model.train(self.train_mode)
        quiet = runner.rank != 0
        with whole_parameters(runner.model):  # the ranks' batches differ in number
            for batch in track(loader, 'Building prototypes', disable=quiet, transient=True):
                labels = torch.tensor([sample.label for sample in batch['data_samples']])
                pair = model.embed_tracklets(batch)
                valid = pair.valid.cpu()
                sums[0].index_add_(0, labels, pair.image.double().cpu())
                sums[1].index_add_(0, labels[valid], pair.skeleton.double().cpu()[valid])
                counts[0] += torch.bincount(labels, minlength=counts.shape[1])
                counts[1] += torch.bincount(labels[valid], minlength=counts.shape[1])
        model.train(was_training)

        device = bank.image_prototypes.device
        sums, counts = sums.to(device), counts.to(device)
        all_reduce(sums)
        all_reduce(counts)
        with_skeletons = 'skeleton' in bank.modalities
        self._check(runner, counts.cpu().numpy(), with_skeletons)
        image, skeleton = sums / counts.clamp(min=1)[..., None]
        skeleton = torch.where(counts[1, :, None] > 0, skeleton, image)
        bank.fill(*(image.float(), skeleton.float())[: 1 + with_skeletons])
        runner.logger.info(
            f'prototypes of {len(image)} identities built from {int(counts[0].sum())} tracklets'
        )

    @staticmethod
    def _check(runner: Runner, counts: np.ndarray, with_skeletons: bool) -> None:
        """Refuse identities without tracklets, report those without skeletons."""
        empty = np.flatnonzero(counts[0] == 0)
        if len(empty):
            raise ValueError(
                f'{len(empty)} training labels have no tracklet to build a prototype from: '
                f'{empty[:5].tolist()} …; the prototype loader must cover the training set'
            )
        bare = np.flatnonzero(counts[1] == 0)
        if with_skeletons and len(bare):
            runner.logger.warning(
                f'{len(bare)} identities have no skeleton at all; their image prototype stands '
                'in for the skeleton prototype'
            )
