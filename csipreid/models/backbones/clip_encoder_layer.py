"""A layer of CLIP's tower that does no more than is asked for."""

from mmengine.model import BaseModule
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.models.feed_forward import feed_forward


class CLIPEncoderLayer(BaseModule):
    """mmpretrain's layer with its parts and their names, but other ways to compute it.

    It keeps less for the gradient (:func:`csipreid.models.feed_forward.feed_forward`)
    and can leave out what nobody reads of the last layer.

    Args:
        layer: Layer of mmpretrain to take the parts from; without dropout.
        activation: Its activation, 'quick_gelu' or 'gelu'.
    """

    uncalled_children = ('attn', 'ffn')

    def __init__(self, layer: TransformerEncoderLayer, activation: str) -> None:
        super().__init__(layer.init_cfg)
        self.ln1 = layer.ln1
        self.attn = layer.attn
        self.ln2 = layer.ln2
        self.ffn = layer.ffn
        self.activation = activation

    def init_weights(self) -> None:
        """Initialise the parts, the feed-forward as mmpretrain does."""
        super().init_weights()
        for module in self.ffn.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def forward(self, tokens: Tensor, only_first: bool = False) -> Tensor:
        """Transform tokens.

        Args:
            tokens: Float, (N, L, W).
            only_first: Whether only the first token is asked for. Its query looks at
                the keys of all; nobody looks at the others.

        Returns:
            Float, (N, L, W), or (N, 1, W) for the first alone.
        """
        normed = self.ln1(tokens)
        if only_first:
            tokens = tokens[:, :1] + self._attend_from_first(normed)
        else:
            tokens = tokens + self._attend(normed)
        widen, narrow = self.ffn.layers[0][0], self.ffn.layers[1]
        normed = self.ln2(tokens)
        return feed_forward(normed, widen, narrow, self.activation, identity=tokens)

    def _attend(self, normed: Tensor) -> Tensor:
        """Let the tokens (N, L, W) attend to one another.

        Unlike mmpretrain's, the parts of the projection are taken at once, so that their
        gradients are written once and not each into a tensor of zeros for all three.
        """
        attn = self.attn
        parts = attn.qkv(normed).unflatten(-1, (3, attn.num_heads, -1)).unbind(2)
        return self._project(*(part.transpose(1, 2) for part in parts))

    def _attend_from_first(self, normed: Tensor) -> Tensor:
        """Let the first token of (N, L, W) attend to all, (N, 1, W)."""
        attn, weight, bias = self.attn, self.attn.qkv.weight, self.attn.qkv.bias
        width = attn.embed_dims
        query = F.linear(normed[:, :1], weight[:width], bias[:width])
        key, value = F.linear(normed, weight[width:], bias[width:]).chunk(2, dim=-1)
        parts = (part.unflatten(-1, (attn.num_heads, -1)) for part in (query, key, value))
        return self._project(*(part.transpose(1, 2) for part in parts))

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend, (N, heads, ·, d) each, and project to (N, ·, W)."""
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.attn.proj(attended.transpose(1, 2).flatten(2))
