"""A small data set in the layout of MARS, with frames and skeletons."""

import json

import cv2
import numpy as np
import pytest
from scipy.io import savemat

# pid text, camera, number of frames; two training identities with 3 and 2 tracklets, ...
TRAIN = [('0007', 1, 9), ('0007', 2, 3), ('0003', 1, 8), ('0003', 2, 5), ('0007', 1, 12)]
# ... and for testing junk, distractors, and identities 5 and 6 with a query (rows 4, 6) each.
TEST = [
    ('00-1', 1, 2),
    ('0000', 2, 4),
    ('0000', 1, 4),
    ('0005', 1, 6),
    ('0005', 2, 9),
    ('0006', 2, 3),
    ('0006', 1, 3),
]
QUERY = [4, 6]  # 1-based rows


def write_lists(root, split, tracklets, extension='.jpg', newline='\n'):
    """Write name list and table of one split; return the names of each tracklet."""
    names, rows = [], []
    for number, (pid, camera, length) in enumerate(tracklets, start=1):
        first = sum(map(len, names)) + 1
        names.append(
            [f'{pid}C{camera}T{number:04}F{f:03}{extension}' for f in range(1, length + 1)]
        )
        rows.append([first, first + length - 1, int(pid.lstrip('0') or 0), camera])
    info = root / 'info'
    info.mkdir(exist_ok=True)
    text = ''.join(name + newline for group in names for name in group)
    (info / f'{split}_name.txt').write_bytes(text.encode())
    savemat(info / f'tracks_{split}_info.mat', {f'track_{split}_info': np.array(rows)})
    return names


def write_mars(root, extension='.jpg', train=TRAIN, test=TEST, query=QUERY, size=(16, 8)):
    """Write a whole data set; the grey value of a frame and its skeleton tell its number."""
    for split, tracklets in (('train', train), ('test', test)):
        groups = write_lists(root, split, tracklets, extension)
        for (pid, _, _), names in zip(tracklets, groups, strict=True):
            frames = root / f'bbox_{split}' / pid
            skeletons = root / 'skeleton_3d' / f'bbox_{split}' / pid
            frames.mkdir(parents=True, exist_ok=True)
            skeletons.mkdir(parents=True, exist_ok=True)
            for number, name in enumerate(names):
                cv2.imwrite(str(frames / name), np.full((*size, 3), 10 * number, np.uint8))
                joints = np.arange(51.0).reshape(17, 3) + number
                (skeletons / name).with_suffix('.json').write_text(
                    json.dumps({'keypoints': joints.tolist()})
                )
    savemat(root / 'info' / 'query_IDX.mat', {'query_IDX': np.array([query])})
    return root


@pytest.fixture
def mars_root(tmp_path):
    return write_mars(tmp_path)
