"""Models of both stages and the parts they are built from."""

from csipreid.models import backbones, heads, losses, prototypes, temporal
from csipreid.models.color_histogram import ColorHistogramReID
from csipreid.models.cross_modal import CrossModalEmbeddings
from csipreid.models.data_preprocessor import ReIDDataPreprocessor, SkeletonDataPreprocessor
from csipreid.models.skeleton_image_pretrainer import SkeletonImagePretrainer
from csipreid.models.skeleton_reid import BoneLengthReID, SkeletonReID
from csipreid.models.video_reid import VideoReID

__all__ = [
    'BoneLengthReID',
    'ColorHistogramReID',
    'CrossModalEmbeddings',
    'ReIDDataPreprocessor',
    'SkeletonDataPreprocessor',
    'SkeletonImagePretrainer',
    'SkeletonReID',
    'VideoReID',
    'backbones',
    'heads',
    'losses',
    'prototypes',
    'temporal',
]
