"""What all data sets of tracklets have in common."""

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger

from csipreid.datasets.single_frames import FrameTable, LoadFrameFeatures, SingleFrames
from csipreid.feature_cache import FrameFeatures
from csipreid.registry import TRANSFORMS

Subset = Literal['train', 'query', 'gallery']

_JUNK = -1  # pid of a tracklet that shows nobody, or too little of somebody
_DISTRACTOR = 0  # pid of all persons without a query


class TrackletDataset(BaseDataset):
    """Base of the data sets whose items are tracklets of persons.

    A data set of this kind says only which tracklets it has, in
    :meth:`load_tracklets`. This class drops junk (pid -1), numbers the training
    identities, counts identities and cameras, checks the files before a run and
    makes every random transform reproducible.

    Each item, as the pipeline receives it:

    - ``frame_paths``, ``skeleton_paths``: lists of paths, one per frame;
    - ``pid``: person identity as the data set numbers it, 0 for distractors;
    - ``camid``: camera, 0-based, -1 when unknown;
    - ``label``: index of the identity in [0, K), in ascending order of pid; -1 outside training;
    - ``subset``: 'train', 'query' or 'gallery';
    - ``sample_idx``: index of the tracklet in the data set;
    - ``rng``: :class:`numpy.random.Generator` from which every transform draws. It depends only
      on the seed, the epoch, the index and how often the same index stood before in the same
      batch; hence the items are the same for any number of workers and after a resume.

    ``metainfo`` holds ``dataset_name``, ``num_ids`` (training: the number of labels K; otherwise
    of identities without distractors) and ``num_cams`` (largest camid + 1), both counted.

    Args:
        subset: Part to load; 'test' is query, then gallery, in one data set.
        data_root: Folder of the data set.
        pipeline: Transforms, or dicts that describe them.
        check_files: Whether to look for the files that the pipeline will need before the
            first item is loaded: ``check_files`` of each transform that has it is called.
        **kwargs: Passed to :class:`mmengine.dataset.BaseDataset`. Labels stay gap-free
            under ``indices``.

    Raises:
        ValueError: If ``subset`` is unknown or holds no tracklet, a tracklet holds no frame, or
            a frame comes twice.
    """

    _indices: int | Sequence[int] | None

    def __init__(
        self,
        subset: Literal['train', 'query', 'gallery', 'test'],
        data_root: str | os.PathLike = '',
        pipeline: Sequence[dict | Callable] = (),
        check_files: bool = True,
        **kwargs: Any,
    ) -> None:
        if subset not in (*get_args(Subset), 'test'):
            raise ValueError(
                f"subset must be 'train', 'query', 'gallery' or 'test', got {subset!r}"
            )
        self.subset = subset
        self.check_files = check_files
        # Shared memory: workers that outlive an epoch see the next one.
        self._seed_and_epoch = torch.zeros(2, dtype=torch.int64).share_memory_()
        super().__init__(
            data_root=os.fspath(data_root),
            pipeline=[TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline],
            **kwargs,
        )

    @abstractmethod
    def load_tracklets(self, subset: Subset) -> list[dict]:
        """List the tracklets of one subset, junk included.

        Returns:
            For each tracklet ``frame_paths``, ``skeleton_paths``, ``pid`` and ``camid``.
        """

    def cut_tracklet(self, tracklet: dict, subset: Subset) -> list[dict]:
        """Cut a tracklet into the items of the data set; by default it is one item."""
        return [tracklet]

    def load_data_list(self) -> list[dict]:
        """Number the identities of the subset and count its cameras."""
        parts: tuple = ('query', 'gallery') if self.subset == 'test' else (self.subset,)
        self.data_list = []
        seen: set[str] = set()  # of query and gallery together: a frame in both finds itself
        for part in parts:
            tracklets = [item for item in self.load_tracklets(part) if item['pid'] != _JUNK]
            _check_frames(tracklets, part, seen)
            cut = [piece for item in tracklets for piece in self.cut_tracklet(item, part)]
            if not cut:
                raise ValueError(
                    f'the {part} set of {self.data_root!r} holds no tracklet, junk not counted'
                )
            self.data_list += [dict(item, subset=part) for item in cut]
        if self._indices is not None:  # chosen before numbering, or labels would have gaps
            self.data_list = self._get_unserialized_subset(self._indices)
            self._indices = None
        items = self.data_list
        if not items:
            raise ValueError('indices must choose at least one tracklet')
        pids = sorted({item['pid'] for item in items})
        labels = {pid: label for label, pid in enumerate(pids)}
        for item in items:
            item['label'] = labels[item['pid']] if self.subset == 'train' else -1
        persons = pids if self.subset == 'train' else [pid for pid in pids if pid != _DISTRACTOR]
        self._metainfo['num_ids'] = len(persons)
        cameras = {item['camid'] for item in items}
        self._metainfo['num_cams'] = max(cameras) + 1
        if self.subset == 'test' and len(cameras) == 1 and is_main_process():
            MMLogger.get_current_instance().warning(
                f'all test tracklets of {self.data_root!r} are of one camera '
                f'(camera {_number(cameras.pop())}): no query has a match under another '
                "camera; the protocol of the evaluation must have same_camera='keep'"
            )
        return items

    def full_init(self) -> None:
        """Load the annotations, then let the transforms look for their files."""
        if self._fully_initialized:
            return
        super().full_init()
        if not self.check_files:
            return
        for transform in self.pipeline.transforms:
            if hasattr(transform, 'check_files'):
                transform.check_files(self.get_data_info(index) for index in range(len(self)))

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Choose the random draws of the epoch to come.

        Args:
            epoch: Epoch number, from 0.
            seed: Seed of the run, from 0; None leaves it as it is (0 at first).
        """
        if seed is not None:
            self._seed_and_epoch[0] = seed
        self._seed_and_epoch[1] = epoch

    def single_frames(self) -> SingleFrames:
        """Return the frames that items may use, one by one, as the pipeline prepares them.

        Raises:
            ValueError: If a step of the pipeline may change frames from item to item.
        """
        self.full_init()
        steps = self.pipeline.transforms
        strange = [t for t in steps if getattr(t, 'frame_change', '') not in ('none', 'fixed')]
        if strange:
            names = ', '.join(type(t).__name__ for t in strange)
            raise ValueError(f'{names} may change frames from item to item')
        candidates = next((t.candidates for t in steps if hasattr(t, 'candidates')), None)
        tracklets = [self.get_data_info(index)['frame_paths'] for index in range(len(self))]
        fixed = [t for t in steps if t.frame_change == 'fixed']
        return SingleFrames(FrameTable(tracklets, candidates), fixed, self.data_root)

    def use_frame_features(self, features: FrameFeatures, table: FrameTable) -> None:
        """Load stored features instead of frames from now on.

        Args:
            features: Those of the frames of ``table``.
            table: The ``table`` of :meth:`single_frames`.
        """
        steps = list(self.pipeline.transforms)
        place = next(i for i, t in enumerate(steps) if t.frame_change == 'fixed')
        others = [t for t in steps[place:] if t.frame_change == 'none']
        self.pipeline.transforms = [*steps[:place], LoadFrameFeatures(features, table), *others]

    def prepare_data(self, idx: int, occurrence: int = 0) -> Any:
        """Run the pipeline on one tracklet.

        Args:
            idx: Index of the tracklet.
            occurrence: How often the index stood before in the same batch.
        """
        results = self.get_data_info(idx)
        seed, epoch = self._seed_and_epoch.tolist()
        results['rng'] = np.random.default_rng((seed, epoch, results['sample_idx'], occurrence))
        return self.pipeline(results)

    def __getitems__(self, indices: Sequence[int]) -> list:
        """Load one batch; a data loader prefers this to one call per item."""
        self.full_init()
        before: Counter = Counter()
        batch = []
        for index in indices:
            batch.append(self.prepare_data(index, before[index]))
            before[index] += 1
        return batch


def _check_frames(tracklets: list[dict], subset: Subset, seen: set[str]) -> None:
    """Refuse tracklets without frames and frames that come twice, also among those seen."""
    for number, item in enumerate(tracklets, start=1):
        paths = item['frame_paths']
        if not paths:
            raise ValueError(
                f'tracklet {number} of the {subset} set (person {item["pid"]}) holds no frame'
            )
        skeletons = item.get('skeleton_paths', paths)
        if len(paths) != len(skeletons):
            raise ValueError(
                f'tracklet {number} of the {subset} set (person {item["pid"]}) has {len(paths)} '
                f'frames and {len(skeletons)} skeletons; they go in pairs'
            )
        before = len(seen)
        seen.update(paths)
        if len(seen) < before + len(paths):
            raise ValueError(
                f'tracklet {number} of the {subset} set (person {item["pid"]}, first frame '
                f'{paths[0]}) holds a frame that came before; each frame belongs to one tracklet, '
                'once'
            )


def _number(camid: int) -> str:
    """Name a camera as files do, from 1."""
    return 'unknown' if camid < 0 else f'{camid + 1}'
