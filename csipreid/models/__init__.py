"""Models of both stages and the parts they are built from."""

from csipreid.models import backbones, heads, losses, prototypes, temporal
from csipreid.models.color_histogram import ColorHistogramReID
from csipreid.models.cross_modal import CrossModalEmbeddings
from csipreid.models.data_preprocessor import ReIDDataPreprocessor, SkeletonDataPreprocessor
from csipreid.models.prompt_learner import PromptLearner
from csipreid.models.skeleton_image_pretrainer import SkeletonImagePretrainer
from csipreid.models.skeleton_reid import BoneLengthReID, SkeletonReID
from csipreid.models.text_guided_reid import TextGuidedReID
from csipreid.models.video_reid import VideoReID

__all__ = [
    'BoneLengthReID',
    'ColorHistogramReID',
    'CrossModalEmbeddings',
    'PromptLearner',
    'ReIDDataPreprocessor',
    'SkeletonDataPreprocessor',
    'SkeletonImagePretrainer',
    'SkeletonReID',
    'TextGuidedReID',
    'VideoReID',
    'backbones',
    'heads',
    'losses',
    'prototypes',
    'temporal',
]
