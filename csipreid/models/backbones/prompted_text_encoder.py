"""CLIP's text tower on sentences of which some words are learned."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS

CONTEXT_LEN = 77  # tokens of a sentence, as in all of CLIP's towers


@MODELS.register_module()
class PromptedTextEncoder(nn.Module):
    """Encode one sentence, in place of whose X stand learned vectors.

    Tower and tokenizer are those of open_clip (``pip install 'csipreid[clip]'``). Of the
    token embedding only the rows of the sentence are kept: a state dict with the whole
    one (``token_embedding.weight``) may be loaded, and the rows are taken from it.

    The tower does not train. No token sees those behind it, so that what stands behind
    the end of the sentence is not computed.

    Source:
        Li et al., "CLIP-ReID: Exploiting Vision-Language Model for Image
        Re-Identification without Concrete Text Labels", AAAI 2023.

    Args:
        embed_dim: Width P of the result.
        width: Width W of the tokens.
        num_layers: Layers of the tower.
        num_heads: Attention heads; must divide ``width``.
        prompt: The sentence, with X for each learned vector, side by side.
        activation: Non-linearity of the feed-forward layers; see ``CLIPVisionTransformer``.

    Attributes:
        num_words: Number n of learned vectors.
        token_ids: Numbers of the ``CONTEXT_LEN`` tokens.
        places: Which of them are learned.
        prefix: Embeddings of the tokens before them, float, (·, W).
        suffix: Of those behind them, up to ``CONTEXT_LEN``, float, (·, W).

    Raises:
        ImportError: If open_clip is not installed.
        ValueError: If the sentence has no X, X in several places, or is too long.
    """

    prefix: Tensor
    suffix: Tensor
    attn_mask: Tensor

    def __init__(
        self,
        embed_dim: int,
        width: int = 512,
        num_layers: int = 12,
        num_heads: int = 8,
        prompt: str = 'A photo of a X X X X person.',
        activation: Literal['quick_gelu', 'gelu'] = 'quick_gelu',
    ) -> None:
        super().__init__()
        try:
            from open_clip.tokenizer import SimpleTokenizer
            from open_clip.transformer import QuickGELU, TextTransformer
        except ImportError as error:
            raise ImportError(
                'the text tower and its tokenizer come from open_clip, which is not installed: '
                "pip install 'csipreid[clip]'"
            ) from error
        activations = dict(quick_gelu=QuickGELU, gelu=nn.GELU)
        if activation not in activations:
            raise ValueError(f'activation must be one of {list(activations)}, got {activation!r}')
        if width % num_heads:
            raise ValueError(f'num_heads must divide width, got {num_heads} and {width}')
        self.width = width
        ids, start, self.num_words = _tokenize(SimpleTokenizer(), prompt)
        self._end = len(ids) - 1
        ids += [0] * (CONTEXT_LEN - len(ids))
        self.token_ids = ids
        self.places = range(start, start + self.num_words)
        tower = TextTransformer(
            context_length=CONTEXT_LEN,
            vocab_size=1,  # its token embedding is not used
            width=width,
            heads=num_heads,
            layers=num_layers,
            output_dim=embed_dim,
            act_layer=activations[activation],
        )
        self.positional_embedding = tower.positional_embedding
        self.transformer = tower.transformer
        self.ln_final = tower.ln_final
        self.text_projection = tower.text_projection
        self.register_buffer('attn_mask', tower.attn_mask, persistent=False)
        # As CLIP draws its token embedding; equal tokens have equal rows.
        rows = {token: 0.02 * torch.randn(width) for token in dict.fromkeys(ids)}
        for name, part in (('prefix', ids[:start]), ('suffix', ids[self.places.stop :])):
            self.register_buffer(name, torch.stack([rows[token] for token in part]))
        self.requires_grad_(False)

    def forward(self, words: Tensor) -> Tensor:
        """Encode sentences.

        Args:
            words: What stands for X in each, float, (N, n, W).

        Returns:
            Feature of the end of each sentence, not normalised, float, (N, P).
        """
        length = self._end + 1
        tokens = (self.embed(words) + self.positional_embedding)[:, :length]
        tokens = self.transformer(tokens, attn_mask=self.attn_mask[:length, :length])
        return self.ln_final(tokens[:, -1]) @ self.text_projection

    def embed(self, words: Tensor) -> Tensor:
        """Put words (N, n, W) into the sentence, float, (N, ``CONTEXT_LEN``, W)."""
        before, behind = (part.expand(len(words), -1, -1) for part in (self.prefix, self.suffix))
        return torch.cat([before, words, behind], dim=1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take the rows of the sentence from a whole token embedding."""
        table = state_dict.pop(f'{prefix}token_embedding.weight', None)
        if table is not None and len(table) > max(self.token_ids):
            state_dict[f'{prefix}prefix'] = table[self.token_ids[: self.places.start]]
            state_dict[f'{prefix}suffix'] = table[self.token_ids[self.places.stop :]]
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _tokenize(tokenizer: Any, prompt: str) -> tuple[list[int], int, int]:
    """Return the tokens of a sentence, the place of the first X and the number of X.

    Raises:
        ValueError: If it has no X, X in several places, or is too long.
    """
    inside = tokenizer.encode(prompt)
    learned = tokenizer.encode('X')[0]
    count = inside.count(learned)
    ids = [tokenizer.sot_token_id, *inside, tokenizer.eot_token_id]
    start = ids.index(learned) if count else 0
    if not count or ids[start : start + count] != [learned] * count:
        raise ValueError(
            f'prompt must hold one X for each learned word, side by side, got {prompt!r}'
        )
    if len(ids) > CONTEXT_LEN:
        raise ValueError(f'prompt has {len(ids)} tokens, at most {CONTEXT_LEN} fit: {prompt!r}')
    return ids, start, count
