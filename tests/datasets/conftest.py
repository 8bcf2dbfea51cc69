"""A small data set in the layout of MARS, with frames and skeletons."""

import json

import cv2
import numpy as np
import pytest
from scipy.io import savemat

# (person as in the names, camera, number of frames). Two training identities, 7 and 3.
TRAIN = [('0007', 1, 9), ('0007', 2, 3), ('0003', 1, 8), ('0003', 2, 5), ('0007', 1, 12)]
# Junk, two distractors, and two test identities.
TEST = [
    ('00-1', 1, 2),
    ('0000', 2, 4),
    ('0000', 1, 4),
    ('0005', 1, 6),
    ('0005', 2, 9),
    ('0006', 2, 3),
    ('0006', 1, 3),
]
QUERY = [[4, 6]]  # 1-based rows: one tracklet of 5 and one of 6


def write_lists(root, split, tracklets, extension='.jpg', newline='\n'):
    """Write name list and table of one split; return the names of each tracklet."""
    groups, rows, first = [], [], 1
    for number, (pid, camera, length) in enumerate(tracklets, start=1):
        prefix = f'{pid}C{camera}T{number:04}'
        groups.append([f'{prefix}F{frame:03}{extension}' for frame in range(1, length + 1)])
        rows.append([first, first + length - 1, int(pid.lstrip('0') or 0), camera])
        first += length
    info = root / 'info'
    info.mkdir(exist_ok=True)
    text = ''.join(name + newline for names in groups for name in names)
    (info / f'{split}_name.txt').write_bytes(text.encode())
    savemat(info / f'tracks_{split}_info.mat', {f'track_{split}_info': np.array(rows)})
    return groups


@pytest.fixture
def write_mars_lists(tmp_path):
    """Return a function that writes the lists alone and returns the root."""

    def write(train=TRAIN, test=TEST, query=QUERY, **kwargs):
        write_lists(tmp_path, 'train', train, **kwargs)
        write_lists(tmp_path, 'test', test, **kwargs)
        savemat(tmp_path / 'info/query_IDX.mat', {'query_IDX': np.array(query)})
        return tmp_path

    return write


@pytest.fixture
def mars_root(write_mars_lists):
    """Return the root of the lists, without frames and skeletons."""
    return write_mars_lists()


@pytest.fixture
def write_mars(write_mars_lists):
    """Return a function that writes lists, frames and skeletons and returns the root."""

    def write(skeletons='skeleton_3d', extension='.jpg', size=(16, 8), **kwargs):
        root = write_mars_lists(extension=extension, **kwargs)
        for split in ('train', 'test'):
            for name in (root / 'info' / f'{split}_name.txt').read_text().split():
                pid, _, number = name.split('.')[0].replace('F', 'C').split('C')
                frame = root / f'bbox_{split}' / pid / name
                frame.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(frame), np.full((*size, 3), 10 * int(number), np.uint8))
                skeleton = root / skeletons / f'bbox_{split}' / pid / f'{name.split(".")[0]}.json'
                skeleton.parent.mkdir(parents=True, exist_ok=True)
                joints = np.arange(51).reshape(17, 3) + int(number)
                skeleton.write_text(json.dumps({'keypoints': joints.tolist()}))
        return root

    return write
