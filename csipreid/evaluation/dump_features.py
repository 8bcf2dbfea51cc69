"""Writing of the test embeddings to a feature file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from csipreid.evaluation.feature_file import FeatureFile, write_features
from csipreid.evaluation.reid_metric import keep_sample, stack_results
from csipreid.registry import METRICS


@METRICS.register_module()
class DumpFeatures(BaseMetric):
    """Write the embeddings of a test set, so that any protocol can score them later.

    The main process writes the file when all processes have finished; its
    content is described at :func:`csipreid.evaluation.feature_file.write_features`.
    Cameras are numbered there as in the names of the frames: from 1, -1 unknown.

    Args:
        out_file: The ``.npz`` to write; an older one is replaced when the new
            one is complete.
        meta: Further entries of the file's ``meta``, such as the config's name.
        **kwargs: Passed to :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: If the name does not end in ``.npz``.
    """

    default_prefix = 'dump'

    def __init__(self, out_file: str, meta: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if Path(out_file).suffix != '.npz':
            raise ValueError(f'out_file must end in .npz, got {out_file!r}')
        self.out_file = out_file
        self.meta = dict(meta or {})

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep embedding, annotation and frame paths of each sample, on the CPU.

        Args:
            data_batch: Unused; required by the interface.
            data_samples: Each with ``embedding`` (D,), ``pid``, ``camid``,
                ``subset`` and, if known, ``frame_paths``.
        """
        for sample in data_samples:
            kept = keep_sample(sample)
            if kept['camid'] >= 0:
                kept['camid'] += 1
            self.results.append(dict(kept, frame_paths=list(sample.get('frame_paths', ()))))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write the file; there is nothing to measure."""
        meta = {**self.meta, **{key: self.dataset_meta[key] for key in self._dataset_keys()}}
        features = FeatureFile(
            stack_results(results), [result['frame_paths'] for result in results], meta
        )
        write_features(self.out_file, features)
        MMLogger.get_current_instance().info(f'Wrote {len(results)} embeddings to {self.out_file}')
        return {}

    def _dataset_keys(self) -> list[str]:
        """Return the entries of the data set's description that JSON can hold."""
        return [
            key
            for key, value in (self.dataset_meta or {}).items()
            if isinstance(value, str | int | float)
        ]
