"""Two sound data sets, of folders and in the layout of MARS, and configs that read them."""

import json
import zlib

import cv2
import numpy as np
import pytest
from scipy.io import savemat

NUM_FRAMES = 6
# (folder data set) subset, person, tracklet.
FOLDERS = [
    *(('train', 1, 'c1_1'), ('train', 1, 'c2_1'), ('train', 2, 'c1_1'), ('train', 2, 'c2_1')),
    *(('query', 3, 'c1_1'), ('gallery', 3, 'c2_1'), ('query', 4, 'c2_1'), ('gallery', 4, 'c1_1')),
]
# (MARS) person, camera; the first and third of the test set query.
MARS_TRAIN = [('0001', 1), ('0001', 2), ('0002', 1), ('0002', 2)]
MARS_TEST = [('0003', 1), ('0003', 2), ('0004', 2), ('0004', 1), ('00-1', 1), ('0000', 2)]


def body(person, frame):
    """A body of 1.6 m, y down, that sways a little and differs from person to person."""
    heights = {0: 0, 1: 0, 4: 0, 2: 0.4, 5: 0.4, 3: 0.8, 6: 0.8, 7: -0.25, 8: -0.5, 9: -0.65}
    heights |= {10: -0.8, 11: -0.5, 14: -0.5, 12: -0.25, 15: -0.25, 13: 0, 16: 0}
    sides = {1: -0.1, 2: -0.1, 3: -0.1, 4: 0.1, 5: 0.1, 6: 0.1}
    sides |= {11: 0.2, 12: 0.2, 13: 0.2, 14: -0.2, 15: -0.2, 16: -0.2}
    joints = np.array([[sides.get(j, 0), heights[j], 0] for j in range(17)])
    joints = joints * (1 + 0.02 * person)
    return joints + np.array([0, 0, 0.01 * frame + 0.1])


def write_frame(root, relative, person, number):
    """Write a frame and its skeleton."""
    path = root / f'{relative}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((zlib.crc32(relative.encode()), number))
    cv2.imwrite(str(path), rng.integers(256, size=(32, 16, 3), dtype=np.uint8))
    path = root / 'skeleton_3d' / f'{relative}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(keypoints=body(person, number).tolist(), confidence=0.9)))


@pytest.fixture
def folder_root(tmp_path):
    for index, (subset, person, tracklet) in enumerate(FOLDERS):
        for number in range(NUM_FRAMES):
            relative = f'{subset}/{person}/{tracklet}/{number}'
            write_frame(tmp_path, relative, person, number + 10 * index)
    return tmp_path


@pytest.fixture
def mars_root(tmp_path):
    info = tmp_path / 'info'
    info.mkdir()
    for split, tracklets in (('train', MARS_TRAIN), ('test', MARS_TEST)):
        names, rows = [], []
        for index, (person, camera) in enumerate(tracklets):
            rows.append(
                [len(names) + 1, len(names) + NUM_FRAMES, int(person.lstrip('0') or 0), camera]
            )
            for number in range(1, NUM_FRAMES + 1):
                name = f'{person}C{camera}T{index:04}F{number:03}'
                names.append(name)
                relative = f'bbox_{split}/{person}/{name}'
                write_frame(tmp_path, relative, max(0, rows[-1][2]), number + 10 * index)
        (info / f'{split}_name.txt').write_text(''.join(f'{name}.jpg\n' for name in names))
        savemat(info / f'tracks_{split}_info.mat', {f'track_{split}_info': np.array(rows)})
    savemat(info / 'query_IDX.mat', {'query_IDX': np.array([[1, 3]])})
    return tmp_path


@pytest.fixture
def make_config():
    """Return a function that makes a config as a file would."""

    def make(kind, root, protocol='market', missing='mask', **kwargs):
        pipeline = [
            dict(type='SampleClip', clip_len=4, mode='dense'),
            dict(type='LoadFrames'),
            dict(type='LoadSkeletons', missing=missing),
            dict(type='ResizeFrames', size=(32, 16)),
            dict(type='CenterSkeletons'),
            dict(type='PackReIDInputs'),
        ]
        dataset = dict(type=kind, data_root=str(root), pipeline=pipeline, **kwargs)
        return dict(
            model=dict(type='VideoReID', camera_embedding=dict(type='CameraEmbedding')),
            train_dataloader=dict(
                batch_size=4,
                sampler=dict(type='IdentitySampler', batch_size=4, num_instances=2),
                dataset=dict(dataset, subset='train'),
            ),
            test_dataloader=dict(batch_size=4, dataset=dict(dataset, subset='test')),
            test_evaluator=dict(type='ReIDMetric', protocol=protocol),
        )

    return make
