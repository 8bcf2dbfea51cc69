"""Training with parameters, gradients and optimiser state sharded over the processes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import broadcast, get_rank
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from csipreid.engine.activation_checkpointing import check_is_called
from csipreid.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class FullyShardedModel(nn.Module):
    """Keep 1/W of the model on each of W processes while it trains (FSDP).

    Parameters, gradients and optimiser state are divided; a group of parameters is
    gathered just before it is used and dropped afterwards. The steps are those of
    DDP. ``model_wrapper_cfg = dict(type='FullyShardedModel', groups=[...])`` in a
    config asks for it; runs of one process ignore it. It goes with ``compile`` and with
    ``activation_checkpointing``, but not with both.

    The model is whole until its first training step, so all that prepares a training
    works as ever: initialisation, weights handed over, resuming, prototypes, cached
    features. Each process therefore has to hold parameters and, to resume, optimiser
    state once, without gradients and activations. The model is whole again in
    evaluation mode and within :func:`whole_parameters`, since the processes do not
    run equally many test batches. Checkpoints are written whole: see
    :func:`whole_state`.

    Source:
        Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data
        Parallel", VLDB 2023, as in torch's ``fully_shard``.

    Args:
        module: Model, on its device.
        groups: Names of the model's lists of layers; each layer is gathered on its
            own. What they leave of the model stays gathered during a step.

    Attributes:
        module: The model.
        is_sharded: Whether training has begun, and with it sharding.
        is_gathered: Whether all parameters are held meanwhile.

    Raises:
        RuntimeError: If torch is older than 2.6.
        ValueError: If there is no such list of layers.
    """

    def __init__(self, module: BaseModel, groups: Sequence[str]) -> None:
        super().__init__()
        _fully_shard()
        self.module = module
        self.layers: list[Any] = [layer for group in groups for layer in _layers(module, group)]
        self.is_sharded = False
        self.is_gathered = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model."""
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Train on one batch; the first shards model and optimiser."""
        if not self.is_sharded:
            self.shard(optim_wrapper.optimizer)
        return self.module.train_step(data, optim_wrapper)

    def val_step(self, data: Any) -> list:
        """Embed one batch."""
        return self.module.val_step(data)

    def test_step(self, data: Any) -> list:
        """Embed one batch."""
        return self.module.test_step(data)

    def train(self, mode: bool = True) -> 'FullyShardedModel':
        """Set the training mode; in evaluation mode the parameters are whole."""
        super().train(mode)
        if self.is_sharded and self.is_gathered == mode:
            self.gather(not mode)
        return self

    def shard(self, optimizer: Optimizer) -> None:
        """Divide the model and its optimiser, in place.

        Args:
            optimizer: Optimiser of the model's parameters, with or without state.
        """
        fully_shard = _fully_shard()
        for tensor in [*self.module.parameters(), *self.module.buffers()]:
            broadcast(tensor.detach())  # as DDP does: rank 0 decides
        old = dict(self.module.named_parameters())
        for layer in self.layers:
            fully_shard(layer)
        fully_shard(self.module)
        _replace_parameters(optimizer, old, dict(self.module.named_parameters()))
        self.is_sharded = True

    def gather(self, whole: bool) -> None:
        """Hold all parameters from now on, or only a share of them."""
        self.is_gathered = whole
        parts: list[Any] = [*self.layers, self.module]
        for part in parts:
            # As torch does, the root's own parameters stay from forward to backward.
            part.set_reshard_after_forward(not whole and part is not self.module, recurse=False)
            part.reshard()
        for part in parts if whole else ():
            part.unshard()


@contextmanager
def whole_parameters(model: nn.Module) -> Iterator[None]:
    """Hold all parameters, for forward passes that not every process makes as often.

    Every process has to enter. Models that are not sharded are left as they are.

    Args:
        model: The runner's model, with its wrapper.
    """
    if not isinstance(model, FullyShardedModel) or not model.is_sharded or model.is_gathered:
        yield
        return
    model.gather(True)
    try:
        yield
    finally:
        model.gather(False)


@contextmanager
def whole_state(model: nn.Module, optim_wrapper: OptimWrapper) -> Iterator[None]:
    """Let the state dicts of a sharded model and its optimiser be whole on rank 0.

    Every process has to enter. Other models are left as they are.

    Args:
        model: The runner's model, with its wrapper.
        optim_wrapper: Its optimiser.
    """
    if not isinstance(model, FullyShardedModel) or not model.is_sharded:
        yield
        return
    optimizer = optim_wrapper.optimizer
    weights = _whole(model.module.state_dict())
    state = _whole(optimizer.state_dict())
    handles = [
        model.module.register_state_dict_post_hook(lambda _, own, *__: own.update(weights)),
        optimizer.register_state_dict_post_hook(lambda *_: state),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        model.gather(model.is_gathered)  # taking a state dict has resharded it


def _whole(value: Any) -> Any:
    """Gather the sharded tensors of nested containers, on the host of rank 0 only."""
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if hasattr(value, 'full_tensor'):
        whole = value.full_tensor()
        return whole.cpu() if get_rank() == 0 else None
    return value


def _replace_parameters(
    optimizer: Optimizer, old: Mapping[str, nn.Parameter], new: Mapping[str, Any]
) -> None:
    """Let an optimiser go on with sharded parameters, and shard its state.

    Args:
        optimizer: Optimiser of some of the old parameters.
        old: Parameters before sharding, by name.
        new: Parameters after it.
    """
    from torch.distributed.tensor import distribute_tensor

    successor = {id(parameter): new[name] for name, parameter in old.items()}
    for group in optimizer.param_groups:
        group['params'] = [successor[id(parameter)] for parameter in group['params']]
    for parameter in [p for p in old.values() if p in optimizer.state]:
        state = optimizer.state.pop(parameter)
        sharded = successor[id(parameter)]
        for key, value in state.items():
            # Moments are shaped like their parameter; a count of steps is not.
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[key] = distribute_tensor(value, sharded.device_mesh, sharded.placements)
        optimizer.state[sharded] = state


def _layers(module: nn.Module, group: str) -> list[nn.Module]:
    """Return the layers of one of the model's lists."""
    try:
        layers = module.get_submodule(group)
    except AttributeError as error:
        raise ValueError(f'groups: the model has no part {group!r}') from error
    if not isinstance(layers, nn.ModuleList | nn.Sequential):
        raise ValueError(f'groups: {group!r} must be a list of layers, got {type(layers).__name__}')
    for name, _ in layers.named_children():
        check_is_called(module, f'{group}.{name}', 'groups')
    return list(layers)


def _fully_shard() -> Any:
    """Return torch's function."""
    try:
        from torch.distributed.fsdp import fully_shard
    except ImportError as error:
        raise RuntimeError(
            f'FullyShardedModel needs torch 2.6 or newer, got {torch.__version__}; '
            'leave model_wrapper_cfg out to train with DDP'
        ) from error
    return fully_shard
