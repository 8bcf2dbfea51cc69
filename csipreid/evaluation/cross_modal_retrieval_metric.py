"""Retrieval of images by skeletons."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.reid_metric import keep_sample
from csipreid.evaluation.skeleton_retrieval_metric import measure_usable
from csipreid.registry import METRICS


@METRICS.register_module()
class CrossModalRetrievalMetric(BaseMetric):
    """Rank-k and mAP of finding a person's images by a skeleton sequence.

    The skeleton embedding of each query tracklet is compared with the image
    embeddings of the gallery by their cosine. Queries without any skeleton are
    left out and counted in the log.

    Args:
        ranks: Ranks of the CMC curve to report.
        protocol: A preset's name, or a dict with its name under ``base`` and the
            rules to change; the queries cannot be in the gallery. None leaves out
            gallery tracklets of the query's identity and camera.
        **kwargs: Passed to :class:`mmengine.evaluator.BaseMetric`.
    """

    default_prefix = 'cross_modal'

    def __init__(
        self,
        ranks: Sequence[int] = (1,),
        protocol: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.protocol = get_protocol(protocol or dict(base='csip', name='skeleton to image'))
        if self.protocol.query_in_gallery:
            raise ValueError(
                'queries are skeletons and the gallery images, so the protocol must have '
                f'query_in_gallery=False, got {self.protocol.name!r}'
            )
        self.ranks = tuple(ranks)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each query's skeleton or gallery tracklet's image embedding, on the CPU.

        Args:
            data_batch: Unused; required by the interface.
            data_samples: Each with ``pid``, ``camid`` and ``subset``; queries
                with ``skeleton_embedding`` (D,) and ``has_skeleton``, the
                others with ``image_embedding`` (D,).
        """
        for sample in data_samples:
            is_query = sample['subset'] == 'query'
            kept = keep_sample(sample, 'skeleton_embedding' if is_query else 'image_embedding')
            self.results.append(dict(kept, usable=not is_query or bool(sample['has_skeleton'])))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return ``mAP`` and ``rank-k``, in percent.

        Raises:
            ValueError: If no query has a skeleton, or the evaluation could not
                mean anything.
        """
        return measure_usable(results, self.protocol, self.ranks, 'queries')
