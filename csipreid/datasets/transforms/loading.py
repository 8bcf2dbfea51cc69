"""Loading of frames and skeletons from disk."""

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger

from csipreid.datasets.transforms.file_listing import find_missing, find_twins
from csipreid.datasets.transforms.image_files import decode_image
from csipreid.datasets.transforms.skeleton_files import SkeletonReader
from csipreid.registry import TRANSFORMS
from csipreid.skeletons import get_layout

Missing = Literal['error', 'mask', 'nearest', 'zeros']

_SIZED = 32  # skeletons that are measured before a run
_LARGEST = 50.0  # metres that no body measures


@TRANSFORMS.register_module()
class LoadFrames(BaseTransform):
    """Decode the chosen frames; one that is chosen several times is decoded once.

    Required keys: ``frame_paths``, ``frame_inds``.

    Added keys: ``frames`` (list of T arrays, or N T of them for N clips; uint8, RGB, (H, W, 3)
    each; H and W may differ from frame to frame).

    Raises:
        ValueError: If a file is not an image or ends too early; it is named.
    """

    frame_change = 'fixed'

    def transform(self, results: dict) -> dict:
        """Decode the frames."""
        inds = results['frame_inds'].ravel()
        paths = results['frame_paths']
        frames = {index: decode_image(paths[index]) for index in set(inds.tolist())}
        results['frames'] = [frames[index] for index in inds.tolist()]
        return results

    def check_files(self, tracklets: Iterable[dict]) -> None:
        """Look for all frames of the tracklets.

        Raises:
            FileNotFoundError: If any is missing.
            ValueError: If two of them are one file, by links.
        """
        paths = [path for tracklet in tracklets for path in tracklet['frame_paths']]
        missing = find_missing(paths)
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of {len(paths)} frames not found, the first is {missing[0]}; '
                'see README, "Data", for the folder layout'
            )
        twins = find_twins(paths)
        if twins:
            raise ValueError(
                f'{len(twins)} frames are the same file as another, the first is {twins[0][1]} '
                f'= {twins[0][0]}; each frame belongs to one tracklet, once'
            )


@TRANSFORMS.register_module()
class LoadSkeletons(BaseTransform):
    """Load the 3D skeletons of the chosen frames.

    A frame is without skeleton when its file does not exist, or all its coordinates are zero.

    Required keys: ``skeleton_paths``, ``frame_inds``.

    Added keys: ``skeletons`` (float32, (T, V, 3), metres; N T instead of T for N clips),
    ``skeleton_valid`` (bool, (T,): whether the skeleton may be used), ``layout`` (its name).

    Args:
        layout: Joint layout of the files.
        missing: What to do with a frame without skeleton. 'error': raise. 'mask': leave zeros
            and mark it as not valid. 'nearest': take the skeleton of the nearest frame of the
            tracklet that has one, the earlier of two, even if it lies outside the clip; in a
            tracklet that has none at all, fall back to 'mask'. 'zeros': take all joints at the
            root for a pose, as the published CSIP-ReID code does where a file holds only zeros.

    Raises:
        FileNotFoundError: In the mode 'error', for a frame without skeleton.
        ValueError: If ``missing`` or ``layout`` is unknown, or a file is broken; it is named.
    """

    frame_change = 'none'

    def __init__(self, layout: str = 'h36m', missing: Missing = 'error') -> None:
        if missing not in get_args(Missing):
            raise ValueError(f'missing must be one of {get_args(Missing)}, got {missing!r}')
        self.layout = get_layout(layout)
        self.missing = missing
        self.reader = SkeletonReader(self.layout.num_joints, self.layout.name)

    def transform(self, results: dict) -> dict:
        """Load the skeletons."""
        if 'flip' in results:
            raise ValueError('LoadSkeletons must stand before FlipClip in the pipeline')
        paths = results['skeleton_paths']
        inds = results['frame_inds'].ravel().tolist()
        skeletons, valid = self.reader.read([paths[index] for index in inds])
        if self.missing == 'zeros':
            valid[:] = True
        elif self.missing != 'mask' and not valid.all():
            self._fill(skeletons, valid, inds, paths)
        results['skeletons'] = skeletons
        results['skeleton_valid'] = valid
        results['layout'] = self.layout.name
        return results

    def _check_unit(self, groups: list[list[str]]) -> None:
        """Refuse skeletons that are too large for metres, judged by a few of them."""
        step = max(1, len(groups) // _SIZED)
        skeletons, found = self.reader.read([paths[0] for paths in groups[::step]])
        sizes = np.ptp(skeletons[found], axis=1).max(axis=1)
        if found.any() and np.median(sizes) > _LARGEST:
            raise ValueError(
                f'skeletons must be in metres, but the bodies measure {np.median(sizes):.0f}, '
                f'like {groups[0][0]}; divide them (millimetres by 1000) or extract them again'
            )

    def _fill(
        self, skeletons: np.ndarray, valid: np.ndarray, inds: list[int], paths: list[str]
    ) -> None:
        """Do about frames without skeleton what the policy says, in place."""
        known: dict[int, np.ndarray | None] = {
            index: skeletons[place] if valid[place] else None for place, index in enumerate(inds)
        }
        for place, index in enumerate(inds):
            if valid[place]:
                continue
            if self.missing == 'error':
                raise FileNotFoundError(
                    f'{paths[index]} does not exist or holds only zeros; '
                    "extract it, or set missing='mask' or 'nearest' in LoadSkeletons"
                )
            nearest = self._nearest(index, paths, known)
            if nearest is not None:
                skeletons[place] = nearest
                valid[place] = True

    def _nearest(
        self, index: int, paths: list[str], known: dict[int, np.ndarray | None]
    ) -> np.ndarray | None:
        """Return the skeleton of the nearest frame that has one, None if none has."""
        for distance in range(1, len(paths)):
            for other in (index - distance, index + distance):
                if not 0 <= other < len(paths):
                    continue
                if other not in known:
                    skeletons, found = self.reader.read([paths[other]])
                    known[other] = skeletons[0] if found[0] else None
                if known[other] is not None:
                    return known[other]
        return None

    def check_files(self, tracklets: Iterable[dict]) -> None:
        """Look for the skeleton files of the tracklets; log how many do not exist.

        A few are read, so that another unit or layout is an error before the run.

        Raises:
            FileNotFoundError: If there is none at all, or, in the mode 'error', any is missing.
            ValueError: If the skeletons are not in metres, or a file is broken.
        """
        groups = [tracklet['skeleton_paths'] for tracklet in tracklets]
        missing = self.reader.find_missing(path for paths in groups for path in paths)
        self._check_unit(groups)
        if not missing:
            return
        total = sum(map(len, groups))
        message = f'{len(missing)} of {total} skeleton files not found, the first is {missing[0]}'
        if len(missing) == total:
            raise FileNotFoundError(f'{message}; see README, "Data", for the folder layout')
        if self.missing == 'error':
            raise FileNotFoundError(
                f"{message}; extract them, or set missing='nearest' or 'mask' in LoadSkeletons"
            )
        if is_main_process():
            lacking = set(missing)
            without = sum(lacking.issuperset(paths) for paths in groups)
            MMLogger.get_current_instance().info(
                f'{message}; {without} of {len(groups)} tracklets have none at all; '
                f'policy: {self.missing}'
            )
