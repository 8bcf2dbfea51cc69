"""Stage 2 of CLIP-ReID on clips: an image tower trained towards fixed texts."""

from torch import Tensor

from csipreid.models.backbones import ImageTokens
from csipreid.models.cross_modal import labels_of
from csipreid.models.prototypes import PrototypeBank
from csipreid.models.tracklet_reid import TrackletReID
from csipreid.models.training_outputs import TrainingOutputs
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


@MODELS.register_module()
class TextGuidedReID(TrackletReID):
    """Train an image encoder with the texts of stage 1 as a classifier.

    A clip's features are means over its frames: the global token before the last layer
    (where the encoder gives it), the global token, and its projection. All have a triplet
    loss, the last two an identity loss, and the projection is compared with the text of
    each identity. Found by the last two.

    Source:
        Li et al., "CLIP-ReID: Exploiting Vision-Language Model for Image
        Re-Identification without Concrete Text Labels", AAAI 2023; means over frames as
        in the code of Yu et al., "TF-CLIP", AAAI 2024.

    Args:
        num_ids: Number of training identities K.
        num_cams: Number of cameras in the training set.
        image_encoder: Config of the image encoder.
        identity_head: Config of the identity heads, built twice.
        identity_loss: Config of the loss on identity scores, summed over heads.
        triplet_loss: Config of the loss on features, summed over them.
        prototype_loss: Config of the loss between clips and texts.
        camera_embedding: Config of the camera embedding; None leaves it out.
        max_clips: Clips that testing prepares and computes at a time; bounds its memory.
        flip_test: Whether a test embedding is the mean of those of a clip and of
            its mirror image, left and right exchanged.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.

    Attributes:
        training_only: Beginnings of the names of weights that no test reads.
    """

    training_only = ('prototype_bank.', 'image_head.', 'projected_head.')

    def __init__(
        self,
        num_ids: int,
        num_cams: int,
        image_encoder: dict,
        identity_head: dict,
        identity_loss: dict,
        triplet_loss: dict,
        prototype_loss: dict,
        camera_embedding: dict | None = None,
        max_clips: int = 64,
        flip_test: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            num_ids,
            num_cams,
            image_encoder,
            identity_loss,
            triplet_loss,
            camera_embedding,
            max_clips,
            flip_test,
            data_preprocessor,
            init_cfg,
        )
        feat_dim, embed_dim = self.image_encoder.feat_dim, self.image_encoder.embed_dim
        self.prototype_bank = PrototypeBank(num_ids, embed_dim, ('text',))
        self.image_head, self.projected_head = (
            MODELS.build(identity_head, default_args=dict(in_dim=in_dim, num_ids=num_ids))
            for in_dim in (feat_dim, embed_dim)
        )
        self.prototype_loss = MODELS.build(prototype_loss)

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of a batch of B clips, each of shape ().

        ``loss_id``, ``loss_triplet`` and ``loss_prototype``.

        Raises:
            ValueError: If a label or camera is out of range, or the texts are missing.
        """
        labels = labels_of(data_samples, inputs['frames'].device, self.num_ids)
        features, scores, _, prototypes, _ = self.training_outputs(inputs, data_samples)
        return dict(
            loss_id=sum(self.identity_loss(score, labels) for score in scores),
            loss_triplet=sum(self.triplet_loss(feature, labels) for feature in features),
            loss_prototype=self.prototype_loss(features[-1], prototypes, labels),
        )

    def training_outputs(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> TrainingOutputs:
        """Run all that the losses need.

        Returns:
            Features: the early one if there is any, then those of :meth:`test_features`;
            scores of the latter two; prototypes as a table (K, P).

        Raises:
            ValueError: If a camera is out of range or the texts are missing.
        """
        self.prototype_bank.check_filled(
            'train stage 1 of CLIP-ReID and name its checkpoint with --stage1-checkpoint, or load '
            'a checkpoint that holds them'
        )
        image = self.encode_frames(inputs['frames'], [sample.camid for sample in data_samples])
        features = self.test_features(image)
        heads = (self.image_head, self.projected_head)
        scores = [head(feature) for head, feature in zip(heads, features, strict=True)]
        early = [] if image.early is None else [image.early.mean(dim=1)]
        texts = self.prototype_bank.text_prototypes
        return TrainingOutputs(early + features, scores, None, texts, None)

    def test_features(self, image: ImageTokens) -> list[Tensor]:
        """Return the mean global token (N, W) and its projection (N, P)."""
        return [part[:, :, 0].mean(dim=1) for part in (image.tokens, image.projected)]
