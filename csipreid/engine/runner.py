"""The runner: MMEngine's, with sizes from the data and checkpoints that are safe."""

import copy
import functools
import inspect
import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import distributed as torch_distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from csipreid.checkpoint import data_sizes, fill_module, put_in_place
from csipreid.engine.activation_checkpointing import checkpoint_activations
from csipreid.engine.agreement import from_first_rank
from csipreid.engine.checkpoint_reader import CheckpointReader
from csipreid.engine.compilation import compile_options, compile_parts
from csipreid.engine.resuming import begin_run, checkpoints_of, remove_partial
from csipreid.engine.run_settings import FormattedConfig
from csipreid.engine.sharding import FullyShardedModel, whole_state
from csipreid.engine.training_state import (
    check_training_state,
    resume_training,
    training_meta,
)
from csipreid.registry import FUNCTIONS, MODEL_WRAPPERS, MODELS, RUNNERS
from csipreid.worker_processes import end_workers_with_parent

_SIZES = ('num_ids', 'num_cams')  # model arguments that the data decides
# The default hooks that MMEngine itself lets a config switch off with None.
_STOCK_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)


@RUNNERS.register_module()
class ReIDRunner(Runner):
    """MMEngine's runner for person re-identification.

    It differs from :class:`mmengine.runner.Runner` in this:

    - A model that takes ``num_ids`` or ``num_cams`` gets them from the training
      set or, when there is none, from the checkpoint to be tested, so no config
      types them.
    - Data, weights and sizes are checked while it is built, before anything
      long starts: data sets are read, and hooks that have a method
      ``check(runner)`` are asked.
    - Checkpoints are written to a temporary name and renamed, and are read
      without running code from them. One that does not fit is an error; to
      resume, the farthest one that is whole and fits is taken.
    - Distributed runs without a GPU use gloo.
    """

    cfg: Any
    # Configs until they are built.
    _train_dataloader: Any
    _val_dataloader: Any
    optim_wrapper: Any
    param_schedulers: Any

    def __init__(self, **kwargs: Any) -> None:
        self._checkpoints = CheckpointReader()
        super().__init__(**kwargs)
        if self._val_dataloader is not None:
            self._val_dataloader = self._early_dataloader(self._val_dataloader)
        for hook in self.hooks:
            if hasattr(hook, 'check'):
                hook.check(self)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, without the deprecation notices of MMEngine to itself."""
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(lambda record: 'will be deprecated in future' not in record.getMessage())
        return logger

    @staticmethod
    def build_dataloader(dataloader: DataLoader | dict, *args: Any, **kwargs: Any) -> DataLoader:
        """Build a loader that collates by ``collate_clips`` unless its config says otherwise.

        Args:
            dataloader: Loader or its config.
            *args: See :meth:`mmengine.runner.Runner.build_dataloader`.
            **kwargs: See there.
        """
        if isinstance(dataloader, dict):
            collate = dict(type=FUNCTIONS.get('collate_clips'))
            dataloader = dict(dict(collate_fn=collate), **dataloader)
            return end_workers_with_parent(Runner.build_dataloader(dataloader, *args, **kwargs))
        return Runner.build_dataloader(dataloader, *args, **kwargs)

    @property
    def bare_model(self) -> nn.Module:
        """The model without its distributed wrapper."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    @property
    def will_train(self) -> bool:
        """Whether the run was configured to train."""
        return self._train_dataloader is not None

    def setup_env(self, env_cfg: dict) -> None:
        """Set up processes; on a machine without GPU, start gloo first."""
        if self.distributed and not is_distributed() and not torch.cuda.is_available():
            torch_distributed.init_process_group('gloo')
        super().setup_env(env_cfg)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model after filling in the sizes that the data decides."""
        if isinstance(model, dict):
            model = copy.deepcopy(model)
            if self._train_dataloader is not None:
                self._train_dataloader = self._early_dataloader(self._train_dataloader)
            kind = model['type']  # a name or a class
            kind = MODELS.get(kind) if isinstance(kind, str) else kind
            wanted = inspect.signature(kind).parameters
            unset = [name for name in _SIZES if name in wanted and model.get(name) is None]
            sizes = self._sizes() if unset else {}
            model.update({name: sizes[name] for name in unset})
        return super().build_model(model)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model; on the CPU the wrapper must not be given a device index.

        Raises:
            ValueError: If there is no wrapper of that name, or it does not go with
                other settings.
        """
        if not self.distributed or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        wrapper = dict(model_wrapper_cfg or {})
        name = wrapper.pop('type', 'MMDistributedDataParallel')
        kind = MODEL_WRAPPERS.get(name) if isinstance(name, str) else name
        if kind is None:
            raise ValueError(f'model_wrapper_cfg: there is no model wrapper {name!r}')
        both = self.cfg.get('compile') and self.cfg.get('activation_checkpointing')
        if both and issubclass(kind, FullyShardedModel):
            raise ValueError(
                'a sharded model trains with compile or with activation_checkpointing, not with '
                'both: what torch compiled computes again from weights that are gone; leave one out'
            )
        if issubclass(kind, DistributedDataParallel):
            unused = self.cfg.get('find_unused_parameters', False)
            wrapper = dict(broadcast_buffers=False, find_unused_parameters=unused) | wrapper
            if not torch.cuda.is_available():
                wrapper['device_ids'] = None
        return super().wrap_model(dict(wrapper, type=kind), model)

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Register the default hooks, without those that a config sets to None."""
        hooks = {
            name: hook
            for name, hook in (hooks or {}).items()
            if hook is not None or name in _STOCK_HOOKS
        }
        super().register_default_hooks(hooks)

    def load_checkpoint(
        self,
        filename: str,
        map_location: Any = 'cpu',
        strict: bool = True,
        revise_keys: list | None = None,
    ) -> dict:
        """Fill the model from a checkpoint that has to fit.

        When the run only tests, weights that only training needs may be absent
        (the model names them in ``training_only``).

        Args:
            filename: Checkpoint file.
            map_location: Where the tensors go; see :func:`torch.load`.
            strict: Kept for MMEngine's interface; a misfit is always an error.
            revise_keys: Kept for MMEngine's interface; keys are taken as they are.

        Returns:
            The whole checkpoint.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read or does not fit the model.
        """
        checkpoint = self._checkpoints.take(filename, map_location)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        self._fill(checkpoint, filename)
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    def load_or_resume(self) -> None:
        """Load or resume a checkpoint; to resume, the farthest that is whole and fits.

        Raises:
            ValueError: If there are checkpoints, but none that can be resumed.
        """
        if self.will_train and self.rank == 0:
            remove_partial(self.work_dir)
        if self._has_loaded:
            return
        path = self._load_from
        if self._resume and path is None:
            path = from_first_rank(self._farthest_checkpoint)
            if path is not None:
                self.resume(str(path))
                return
            self.logger.info(f'no checkpoint in {self.work_dir}: training begins anew')
        if self.will_train:
            resumed = path if self._resume else None
            earlier = from_first_rank(lambda: begin_run(self.work_dir, resumed))
            if earlier:
                self.logger.info(
                    f'{self.work_dir} holds checkpoints of an earlier run, such as {earlier[0]}: '
                    'this run writes over them when it gets there; --resume leaves them out'
                )
        if path is not None:
            super().load_or_resume()

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
    ) -> None:
        """Go on from a checkpoint of a training, under the config of now.

        Unlike in MMEngine nothing that the checkpoint holds is evaluated, and rates,
        schedules and other settings are those of the config; the log names what differs.

        Args:
            filename: Checkpoint file.
            resume_optimizer: Kept for MMEngine's interface; must be True.
            resume_param_scheduler: Kept for MMEngine's interface; must be True.
            map_location: Where the tensors go; 'default' is the device of the run.

        Raises:
            ValueError: If it does not fit, or was written in the midst of an epoch
                of another number of batches.
        """
        if not (resume_optimizer and resume_param_scheduler):
            raise ValueError('a run is resumed as a whole; load_checkpoint takes the weights alone')
        location = get_device() if map_location == 'default' else map_location
        checkpoint = self.load_checkpoint(filename, map_location=location)
        check_training_state(checkpoint, f'checkpoint {filename}')
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        if self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        resume_training(self, checkpoint, f'checkpoint {filename}')
        self.logger.info(f'resumed epoch: {self.epoch}, iter: {self.iter}')

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a checkpoint under a temporary name, then rename it.

        Args:
            out_dir: Directory, on a local file system.
            filename: Name of the file.
            file_client_args: Kept for MMEngine's interface; must be None.
            **kwargs: See :meth:`mmengine.runner.Runner.save_checkpoint`.

        Raises:
            OSError: If the disk is full or gone; earlier checkpoints are not touched.
        """
        path = Path(out_dir) / filename
        partial = path.with_name(f'{filename}.partial')
        meta = dict(kwargs.pop('meta', None) or {}, **training_meta(self))
        cfg = self.cfg
        self.cfg = self._formatted_config
        try:
            with whole_state(self.model, self.optim_wrapper):
                super().save_checkpoint(
                    out_dir, partial.name, file_client_args, meta=meta, **kwargs
                )
            if self.rank == 0:
                put_in_place(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            earlier = checkpoints_of(out_dir, len(self.train_dataloader))
            raise OSError(
                f'checkpoint {path} could not be written: {error.strerror or error} '
                f'({shutil.disk_usage(out_dir).free / 1e9:.2f} GB are free there)'
                + (f'; the one before it is {earlier[0]}' if earlier else '')
            ) from error
        finally:
            self.cfg = cfg

    @functools.cached_property
    def _formatted_config(self) -> Any:
        """The config as checkpoints hold it."""
        return FormattedConfig(self.cfg)

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict | None = None) -> None:
        """Scale the rates of all groups, and the one that stands for them in the log.

        Args:
            optim_wrapper: Wrapper of the optimiser.
            auto_scale_lr: ``enable`` and ``base_batch_size``; see MMEngine.
        """
        base: Any = getattr(optim_wrapper, 'base_param_settings', None)  # None with one group
        before = 0 if base is None else optim_wrapper.param_groups[0]['lr']
        super().scale_lr(optim_wrapper, auto_scale_lr)
        if before:
            base['lr'] *= optim_wrapper.param_groups[0]['lr'] / before

    def _init_model_weights(self) -> None:
        """Initialise the model, then set up activation checkpointing."""
        super()._init_model_weights()
        # MMEngine would read the key next and checkpoint in a way that loses the gradients
        # of a module whose input needs none; _maybe_compile puts it back.
        self._checkpointed = self.cfg.pop('activation_checkpointing', None)
        if self._checkpointed:
            names = checkpoint_activations(self.bare_model, self._checkpointed)
            self.logger.info(f'activations are computed twice in {len(names)} modules: {names}')

    def _maybe_compile(self, target: str) -> None:
        """Compile the heavy parts of the model, as the key ``compile`` of the config says.

        Args:
            target: Kept for MMEngine's interface; parts are compiled, no method.

        Raises:
            ValueError: If there is no compiler or nothing to compile.
        """
        if self._checkpointed is not None:
            self.cfg.activation_checkpointing = self._checkpointed
        options = compile_options(self.cfg.get('compile'))
        if options is not None:
            parts = compile_parts(self.bare_model, options)
            self.logger.info(f'compiled, so the first iterations take long: {parts}')

    def _early_dataloader(self, dataloader: Any) -> Any:
        """Build a data loader now, so that what is wrong with the data shows now."""
        return self.build_dataloader(
            dataloader,
            seed=self.seed,
            diff_rank_seed=self._randomness_cfg.get('diff_rank_seed', False),
        )

    def _sizes(self) -> dict[str, int]:
        """Return the number of identities and cameras of the training data."""
        if self._train_dataloader is not None:
            return self._train_dataloader.dataset.metainfo
        if self._load_from is None:
            raise ValueError('a checkpoint is needed to test this model; pass it, or train first')
        return data_sizes(self._checkpoints.look_into(self._load_from), self._load_from)

    def _farthest_checkpoint(self) -> Path | None:
        """Return the farthest checkpoint of the work directory that can be resumed."""
        paths = checkpoints_of(self.work_dir, len(self.train_dataloader))
        for path in paths:
            try:
                checkpoint = self._checkpoints.look_into(path, get_device())  # as resume() does
                check_training_state(checkpoint, f'checkpoint {path}')
                self._fill(checkpoint, str(path))
            except ValueError as error:
                self.logger.warning(f'not resumed: {error}')
            else:
                return path
        if paths:
            raise ValueError(
                f'none of the {len(paths)} checkpoints in {self.work_dir} can be resumed, see '
                'above; remove them to begin anew, or choose another --work-dir'
            )
        return None

    def _fill(self, checkpoint: dict, filename: str) -> None:
        """Fill the model from a checkpoint, which has to fit."""
        self._compare_sizes(checkpoint, filename)
        model = self.bare_model
        optional = () if self.will_train else getattr(model, 'training_only', ())
        fill_module(model, checkpoint['state_dict'], f'checkpoint {filename}', optional)

    def _compare_sizes(self, checkpoint: dict, filename: str) -> None:
        """Refuse to train on from a checkpoint of other identities or cameras."""
        theirs = checkpoint.get('meta', {}).get('dataset_meta') or {}
        for name in _SIZES:
            ours = getattr(self.bare_model, name, None)
            if ours is not None and name in theirs and theirs[name] != ours:
                raise ValueError(
                    f'checkpoint {filename} was trained with {name}={theirs[name]}, the model '
                    f'has {name}={ours}; is this the checkpoint of another data set?'
                )
