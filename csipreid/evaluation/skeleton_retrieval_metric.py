"""Retrieval measures of skeleton embeddings alone."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from csipreid.evaluation.protocol import Protocol, get_protocol
from csipreid.evaluation.reid_metric import keep_sample, stack_results
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.registry import METRICS


@METRICS.register_module()
class SkeletonRetrievalMetric(BaseMetric):
    """Rank-k and mAP of finding a person's skeletons by a skeleton sequence.

    It tells how much of bodies and gait the skeleton encoder keeps; no image is
    used. Tracklets without any skeleton are left out and counted in the log.

    Args:
        ranks: Ranks of the CMC curve to report.
        protocol: A preset's name, or a dict with its name under ``base`` and the
            rules to change.
        **kwargs: Passed to :class:`mmengine.evaluator.BaseMetric`.
    """

    default_prefix = 'skeleton'

    def __init__(
        self,
        ranks: Sequence[int] = (1,),
        protocol: str | dict[str, Any] = 'tfclip',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.protocol = get_protocol(protocol)
        self.ranks = tuple(ranks)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the skeleton embeddings, on the CPU.

        Args:
            data_batch: Unused; required by the interface.
            data_samples: Each with ``pid``, ``camid``, ``subset``,
                ``skeleton_embedding`` (D,) and ``has_skeleton``.
        """
        for sample in data_samples:
            kept = keep_sample(sample, 'skeleton_embedding')
            self.results.append(dict(kept, usable=bool(sample['has_skeleton'])))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return ``mAP`` and ``rank-k``, in percent.

        Raises:
            ValueError: If no tracklet has a skeleton, or the evaluation could not
                mean anything.
        """
        return measure_usable(results, self.protocol, self.ranks, 'tracklets')


def measure_usable(
    results: list[dict], protocol: Protocol, ranks: Sequence[int], lacking: str
) -> dict[str, float]:
    """Evaluate what has a skeleton, and log the card and what was left out.

    Args:
        results: Kept samples, each with ``usable``.
        protocol: Rules of the evaluation.
        ranks: Ranks of the CMC curve to report.
        lacking: What may lack a skeleton: 'tracklets', or 'queries' alone.

    Returns:
        ``mAP`` and ``rank-k``, in percent.

    Raises:
        ValueError: If none of them has a skeleton, or the evaluation could not mean
            anything.
    """
    usable = [result for result in results if result['usable']]
    dropped = len(results) - len(usable)
    wanted = usable if lacking == 'tracklets' else [r for r in usable if r['subset'] == 'query']
    if dropped and not wanted:
        raise ValueError(
            f'none of the {dropped} {lacking} has a skeleton; '
            'the pipeline of this metric needs LoadSkeletons'
        )
    retrieval = evaluate_retrieval(stack_results(usable), protocol)
    MMLogger.get_current_instance().info(
        f'{retrieval.card}\n  left out     {dropped} {lacking} without a skeleton'
    )
    scores = retrieval.measures(ranks)
    del scores['mINP']
    return scores
