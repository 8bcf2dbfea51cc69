"""What is known and predicted about one tracklet."""

import numpy as np
from mmengine.structures import BaseDataElement
from torch import Tensor


class ReIDDataSample(BaseDataElement):
    """One tracklet's annotation and, after the model, its embeddings.

    Every attribute is optional. A model writes its results into the samples it
    is given; metrics read them as a dict.

    Attributes:
        pid: Person identity as the data set numbers it; -1 junk, 0 distractor.
        camid: Camera, 0-based; -1 when unknown.
        label: Gap-free training index in [0, K); -1 outside training.
        subset: 'train', 'query' or 'gallery'.
        frame_paths: Paths of all frames of the tracklet, in time order.
        num_clips: Number of clips that stand for the tracklet.
        skeleton_valid: Whether each frame of the clip has a skeleton, bool, (T,), an
            array from the data set; models take tensors too.
        embedding: Vector for retrieval, float, (D,).
        image_embedding: Image vector in the space shared with skeletons, (D,).
        skeleton_embedding: Skeleton vector in the same space, (D,).
        has_skeleton: Whether any frame of the clip has a skeleton.
    """

    pid: int
    camid: int
    label: int
    subset: str
    frame_paths: list[str]
    num_clips: int
    skeleton_valid: np.ndarray | Tensor
    embedding: Tensor
    image_embedding: Tensor
    skeleton_embedding: Tensor
    has_skeleton: bool
