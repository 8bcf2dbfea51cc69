"""Ranking measures, protocols, re-ranking and the metrics that use them."""

from csipreid.evaluation.cross_modal_retrieval_metric import CrossModalRetrievalMetric
from csipreid.evaluation.dump_features import DumpFeatures
from csipreid.evaluation.reid_metric import ReIDMetric
from csipreid.evaluation.skeleton_retrieval_metric import SkeletonRetrievalMetric

__all__ = ['CrossModalRetrievalMetric', 'DumpFeatures', 'ReIDMetric', 'SkeletonRetrievalMetric']
