"""Weights from a file, for a module that they have to fit."""

from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from mmengine.runner import CheckpointLoader
from torch import nn

from csipreid.checkpoint import first_few
from csipreid.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class FittingPretrainedInit(PretrainedInit):
    """MMEngine's ``init_cfg`` of the type 'Pretrained', for weights that have to fit.

    MMEngine loads what fits and warns of the rest, so that a backbone whose file names
    its weights otherwise trains from random values. Here every weight has to be in the
    file; what the file holds besides, such as a classifier, is counted in the log.
    The file is read without running code from it.

    Args:
        checkpoint: File, or an address.
        prefix: What the names of the wanted weights begin with in the file, such as
            'backbone'.
        map_location: Where the tensors go; see :func:`torch.load`.
    """

    def __call__(self, module: nn.Module) -> None:
        """Fill a module.

        Raises:
            OSError: If the file cannot be had.
            ValueError: If it is no plain checkpoint or does not fit.
        """
        content = CheckpointLoader.load_checkpoint(self.checkpoint, self.map_location)
        state = content.get('state_dict', content)
        prefix = f'{self.prefix.rstrip(".")}.' if self.prefix else ''
        chosen = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        kind = type(module).__name__
        try:
            result = module.load_state_dict(chosen, strict=False)
        except RuntimeError as error:  # torch's way to report shapes
            lines = [line.strip() for line in str(error).splitlines()[1:]]
            raise ValueError(
                f'{self.checkpoint} does not fit {kind}: {first_few(lines)}'
            ) from error
        missing = [key for key in result.missing_keys if not key.endswith('.num_batches_tracked')]
        if missing:
            raise ValueError(
                f'{self.checkpoint} does not fit {kind}: {len(missing)} of its '
                f'{len(module.state_dict())} weights are not in the file'
                f'{f" below {prefix!r}" if prefix else ""}: {first_few(missing)}; the file has '
                f'{first_few(list(state))}{_hint(missing, state, prefix)}'
            )
        unused = len(state) - len(chosen) + len(result.unexpected_keys)
        print_log(f'{kind} filled from {self.checkpoint}; {unused} of its tensors are not used')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())


def _hint(missing: list[str], state: dict, prefix: str) -> str:
    """Name the prefix under which the missing weights are in the file, if there is one."""
    found = {key.removesuffix(missing[0]) for key in state if key.endswith(f'.{missing[0]}')}
    for other in sorted(found - {prefix}):
        if all(f'{other}{key}' in state for key in missing):
            return f'; set prefix={other.rstrip(".")!r}'
    return ''
