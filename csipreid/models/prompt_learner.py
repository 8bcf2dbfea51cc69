"""Stage 1 of CLIP-ReID: learn words for each identity."""

import torch
from torch import Tensor, nn

from csipreid.models.cross_modal import clip_counts, labels_of, mean_over_clips
from csipreid.models.frozen_tower import FrozenTowerModel
from csipreid.models.prototypes import PrototypeBank
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


@MODELS.register_module()
class PromptLearner(FrozenTowerModel):
    """Learn words whose sentence CLIP's text tower takes for the images of a person.

    Neither tower trains, only ``prompts``. What the sentences give becomes the
    prototypes of stage 2 (``TextGuidedReID``): ``TextPrototypeHook`` computes them for
    each checkpoint, so that stage 2 needs no text tower.

    Source:
        Li et al., "CLIP-ReID: Exploiting Vision-Language Model for Image
        Re-Identification without Concrete Text Labels", AAAI 2023. It knows images;
        here a tracklet is the mean of its frames.

    Args:
        num_ids: Number of training identities K.
        image_encoder: Config of the image encoder.
        text_encoder: Config of the text encoder; its width P comes from the image encoder.
        loss: Config of the loss between both.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.

    Attributes:
        prompts: The words, float, (K, n, W), with n and W of the text encoder.
        prototype_bank: What the sentences of all identities give, ``text_prototypes``.
    """

    def __init__(
        self,
        num_ids: int,
        image_encoder: dict,
        text_encoder: dict,
        loss: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(image_encoder, data_preprocessor, init_cfg)
        self.num_ids = num_ids
        embed_dim = self.image_encoder.embed_dim
        self.text_encoder = MODELS.build(text_encoder, default_args=dict(embed_dim=embed_dim))
        words = (num_ids, self.text_encoder.num_words, self.text_encoder.width)
        self.prompts = nn.Parameter(0.02 * torch.randn(words))
        self.prototype_bank = PrototypeBank(num_ids, embed_dim, ('text',))
        self.contrastive_loss = MODELS.build(loss)
        self.train(self.training)

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Return ``loss_contrastive`` of a batch of tracklets, of shape ().

        Raises:
            ValueError: If a label is out of range.
        """
        clips = self.extract_feat(inputs)
        images = mean_over_clips(clips, clip_counts(data_samples, len(clips)))  # (B, P)
        labels = labels_of(data_samples, images.device, self.num_ids)
        texts = self.text_encoder(self.prompts[labels])
        return dict(loss_contrastive=self.contrastive_loss(texts, images, labels))

    @torch.no_grad()
    def update_prototypes(self, max_texts: int = 256) -> None:
        """Fill the prototypes from the words of now.

        Args:
            max_texts: Sentences computed at a time.
        """
        parts = [self.text_encoder(words) for words in self.prompts.split(max_texts)]
        self.prototype_bank.fill(torch.cat(parts).float())
