"""Keys of published checkpoints and of ours, as pure functions."""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from csipreid.models.backbones.published_encoding import PUBLISHED_H36M_ENCODING
from csipreid.models.official_layouts import (
    CSIP,
    ENCODING,
    OfficialLayout,
    layout_of_official,
    layout_of_ours,
)

_TRANSPOSED = ('image_encoder.proj', 'skeleton_encoder.proj_ske')  # (in, out) there
_UNSQUEEZED = {  # axes of size 1 that ours have in front
    'image_encoder.class_embedding': 2,
    'image_encoder.positional_embedding': 1,
}
# Of CLIP-ReID's text side: published name, ours, axes of size 1 in front there.
_TEXT = (
    ('prompt_learner.cls_ctx', 'prompts', 0),
    ('prompt_learner.token_prefix', 'text_encoder.prefix', 1),
    ('prompt_learner.token_suffix', 'text_encoder.suffix', 1),
)


def official_to_csipreid_keys(official: Iterable[str]) -> dict[str, str]:
    """Pair the keys of a published checkpoint with ours.

    Args:
        official: Keys of the checkpoint; they tell which method it is of, and how
            many layers there are.

    Returns:
        Published key to ours, for all keys that have an effect.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    keys = set(official)
    layout = layout_of_official(keys)
    keys = {key for key in keys if not layout.is_apart(key)}
    pairs = dict(_expand(layout, keys, 0))
    _check(keys, set(pairs), f'published {layout.name}')
    return pairs


def csipreid_to_official_keys(ours: Iterable[str]) -> dict[str, str]:
    """Pair our keys of a stage-2 model with those of a published checkpoint.

    Args:
        ours: Keys of a model with all parts of the published one.

    Returns:
        Our key to the published one, for all keys that have one.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    keys = set(ours)
    layout = layout_of_ours(keys)
    keys -= set(layout.ours_only)
    pairs = {mine: theirs for theirs, mine in _expand(layout, keys, 1)}
    _check(keys, set(pairs), 'csipreid stage-2')
    return pairs


def official_to_csipreid(
    state_dict: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Convert a published state dict of CSIP-ReID, TF-CLIP or CLIP-ReID.

    Args:
        state_dict: Tensors in the published key layout.

    Returns:
        The state dict of the model of stage 2 without prototypes, for CSIP-ReID with
        the table of the published positional encoding, which those weights were
        trained with; and the tensors that it does not hold, under their published
        keys: those without effect, and the text side of CLIP-ReID.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    converted = {}
    for theirs, mine in official_to_csipreid_keys(state_dict).items():
        tensor = state_dict[theirs]
        tensor = tensor.T if theirs in _TRANSPOSED else tensor
        converted[mine] = tensor[(None,) * _UNSQUEEZED.get(theirs, 0)].contiguous()
    layout = layout_of_official(set(state_dict))
    if layout is CSIP:
        converted[ENCODING] = torch.tensor(PUBLISHED_H36M_ENCODING)
    apart = {key: tensor for key, tensor in state_dict.items() if layout.is_apart(key)}
    return converted, apart


def csipreid_to_official(
    state_dict: Mapping[str, Tensor], apart: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Convert the state dict of a model of stage 2 to the published layout.

    Args:
        state_dict: Of a model with all parts of the published one.
        apart: Tensors to add, as :func:`official_to_csipreid` returns them.

    Returns:
        State dict in the published key layout.

    Raises:
        ValueError: If a key is missing or unknown, or the model's positional
            encoding is not the published table, which is not in such files.
    """
    encoding = state_dict.get(ENCODING)
    table = torch.tensor(PUBLISHED_H36M_ENCODING)
    if encoding is not None and not torch.equal(encoding.cpu(), table):
        raise ValueError(
            'the skeleton encoder has another positional encoding than the published code, '
            "which would therefore compute other features; train with encoding='published'"
        )
    converted = {}
    for mine, theirs in csipreid_to_official_keys(state_dict).items():
        tensor = state_dict[mine][(0,) * _UNSQUEEZED.get(theirs, 0)]
        converted[theirs] = (tensor.T if theirs in _TRANSPOSED else tensor).contiguous()
    return {**converted, **(apart or {})}


def text_to_csipreid(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the text side of a published CLIP-ReID state dict.

    Args:
        official: With the keys ``prompt_learner.*`` and ``text_encoder.*``; others
            are left out.

    Returns:
        ``prompts`` and ``text_encoder.*`` of a ``PromptLearner``.

    Raises:
        ValueError: If the prompts are missing.
    """
    _check(set(official) & {row[0] for row in _TEXT}, {row[0] for row in _TEXT}, 'CLIP-ReID text')
    converted = {key: t for key, t in official.items() if key.startswith('text_encoder.')}
    for theirs, mine, axes in _TEXT:
        converted[mine] = official[theirs][(0,) * axes]
    return converted


def _expand(layout: OfficialLayout, keys: set[str], side: int) -> list[tuple[str, str]]:
    """Replace '#' in the pairs by every layer number up to the largest in ``keys``.

    Keys that a checkpoint may lack are left out where it does.
    """
    expanded = []
    for pair in layout.pairs:
        if pair[side] in layout.optional and pair[side] not in keys:
            continue
        if '#' not in pair[0]:
            expanded.append(pair)
            continue
        stack = re.escape(pair[side].split('#')[0])
        found = (re.match(stack + r'(\d+)\.', key) for key in keys)
        depth = max((int(match[1]) + 1 for match in found if match), default=1)
        for number in range(depth):
            theirs, ours = (key.replace('#', str(number)) for key in pair)
            expanded.append((theirs, ours))
    return expanded


def _check(keys: set[str], expected: set[str], layout: str) -> None:
    """Refuse keys that differ from the expected ones.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    problems = [
        f'{len(names)} {kind}: {", ".join(sorted(names)[:5])}{" …" if len(names) > 5 else ""}'
        for kind, names in (('missing', expected - keys), ('unknown', keys - expected))
        if names
    ]
    if problems:
        raise ValueError(f'not a {layout} state dict; {"; ".join(problems)}')
