"""CMC and mAP of tracklet retrieval."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from csipreid.evaluation.distances import check_rerank
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.tracklet_set import TrackletSet, stack_tracklets
from csipreid.registry import METRICS


@METRICS.register_module()
class ReIDMetric(BaseMetric):
    """Rank-k, mAP and mINP over a query and a gallery set.

    The embeddings are compared by their cosine, unless the protocol has another
    ``metric``. The protocol and the counts are logged with every evaluation.

    Args:
        protocol: Name of a preset ('mars_official', 'tfclip', 'csip', 'market',
            'ilids', 'biwi', 'ias', 'ks20', 'kgbd'), or a dict with a preset's name
            under ``base`` and the rules to change; see
            :class:`csipreid.evaluation.protocol.Protocol`. The default
            ranks the queries against one another too.
        ranks: Ranks of the CMC curve to report.
        rerank: (k1, k2, lambda) of k-reciprocal re-ranking; None for none.
        test_mode: How clips stand for tracklets, for the log.
        **kwargs: Passed to :class:`mmengine.evaluator.BaseMetric`.
    """

    default_prefix = 'reid'

    def __init__(
        self,
        protocol: str | dict[str, Any] = 'tfclip',
        ranks: Sequence[int] = (1, 5, 10, 20),
        rerank: Sequence[float] | None = None,
        test_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.protocol = get_protocol(protocol)
        self.ranks = tuple(ranks)
        self.rerank = check_rerank(rerank, self.protocol)
        self.test_mode = test_mode

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what ranking needs of each sample, on the CPU.

        Args:
            data_batch: Unused; required by the interface.
            data_samples: Each with ``embedding`` (D,), ``pid``, ``camid`` and
                ``subset`` ('query' or 'gallery').
        """
        self.results += [keep_sample(sample) for sample in data_samples]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return ``mAP``, ``rank-k`` and ``mINP``, in percent.

        Raises:
            ValueError: If the evaluation could not mean anything.
        """
        retrieval = evaluate_retrieval(
            stack_results(results), self.protocol, rerank=self.rerank, test_mode=self.test_mode
        )
        MMLogger.get_current_instance().info(str(retrieval.card))
        return retrieval.measures(self.ranks)


def keep_sample(sample: dict, name: str = 'embedding') -> dict[str, Any]:
    """Return what an evaluation needs of a sample, on the CPU.

    The vector on the CPU takes the place of the one in the sample: the metrics
    of an evaluator are given the same samples, so all keep one copy of it.

    Args:
        sample: With ``pid``, ``camid``, ``subset`` and the vector.
        name: Key of the vector, float, any precision, (D,).

    Returns:
        ``embedding``, float32, (D,), ``pid``, ``camid`` and ``subset``.
    """
    sample[name] = sample[name].detach().cpu().float()
    return dict(
        embedding=sample[name].numpy(),
        pid=sample['pid'],
        camid=sample['camid'],
        subset=sample['subset'],
    )


def stack_results(results: list[dict]) -> TrackletSet:
    """Gather the kept samples into arrays, in their order.

    Args:
        results: Each with ``embedding`` (D,), ``pid``, ``camid`` and ``subset``.
    """
    return stack_tracklets(
        *([result[key] for result in results] for key in ('embedding', 'pid', 'camid', 'subset'))
    )
