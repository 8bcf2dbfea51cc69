"""Encoders of frames, skeletons, cameras and texts."""

from csipreid.models.backbones.camera_embedding import CameraEmbedding
from csipreid.models.backbones.clip_vision_transformer import CLIPVisionTransformer
from csipreid.models.backbones.image_tokens import ImageTokens
from csipreid.models.backbones.mmpretrain_image_encoder import MMPretrainImageEncoder
from csipreid.models.backbones.prompted_text_encoder import PromptedTextEncoder
from csipreid.models.backbones.skeleton_graph_transformer import SkeletonGraphTransformer
from csipreid.models.backbones.transg_encoder import TranSGEncoder

__all__ = [
    'CLIPVisionTransformer',
    'CameraEmbedding',
    'ImageTokens',
    'MMPretrainImageEncoder',
    'PromptedTextEncoder',
    'SkeletonGraphTransformer',
    'TranSGEncoder',
]
