"""What is broken is named, crashes nothing, and does not pass silently into training."""

import json
import logging
import os
import re
import shutil

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from scipy.io import savemat

from csipreid.diagnosis import examine
from csipreid.registry import DATA_SAMPLERS, DATASETS
from csipreid.skeletons.packed import PACK_SUFFIX, write_pack
from csipreid.skeletons.packing import pack_folder

FRAME = 'train/1/c1_1/2.jpg'
SKELETON = 'skeleton_3d/train/1/c1_1/2.json'


def truncate(root):
    content = (root / FRAME).read_bytes()
    (root / FRAME).write_bytes(content[: len(content) // 2])


def write(name, content):
    return lambda root: (root / name).write_text(content)


def remove(name):
    return lambda root: (
        shutil.rmtree(root / name) if (root / name).is_dir() else (root / name).unlink()
    )


def edit(name, change):
    """Change the joints of a skeleton, or of all skeletons of a folder."""

    def edit_files(root):
        path = root / name
        for file in sorted(path.rglob('*.json')) if path.is_dir() else [path]:
            joints = np.array(json.loads(file.read_text())['keypoints'])
            file.write_text(json.dumps(dict(keypoints=change(joints).tolist())))

    return edit_files


def rename(old, new):
    return lambda root: (root / old).rename(root / new)


def one_camera(root):
    for subset in ('query', 'gallery'):
        for folder in list((root / subset).glob('*/c2_1')):
            folder.rename(folder.parent / 'c1_2')


def other_persons(root):
    for folder in list((root / 'gallery').iterdir()):
        folder.rename(folder.parent / f'{int(folder.name) + 50}')


def unlistable(root):
    """A folder that cannot be read, even by root: a link to itself."""
    shutil.rmtree(root / 'train/1/c1_1')
    os.symlink(root / 'train/1/c1_1', root / 'train/1/c1_1')


def copy_frame(root):
    shutil.copy(root / FRAME, root / 'train/2/c1_1/2.jpg')


def pack_broken(root):
    (root / f'skeleton_3d/train{PACK_SUFFIX}').write_bytes(b'PK' + bytes(100))


def pack_other_layout(root):
    folder = root / 'skeleton_3d/train'
    write_pack(
        f'{folder}{PACK_SUFFIX}', ['a'], np.zeros((1, 24, 3)), np.zeros(1), np.ones(1, bool), 'smpl'
    )


def pack_stale(root):
    (root / SKELETON).rename(root / 'later.json')
    pack_folder(root / 'skeleton_3d/train')
    (root / 'later.json').rename(root / SKELETON)


def tiny(root):
    cv2.imwrite(str(root / FRAME), np.full((2, 1, 3), 9, np.uint8))


def empty_split(root):
    for folder in list((root / 'train').iterdir()):
        shutil.rmtree(folder)


def split_is_a_file(root):
    shutil.rmtree(root / 'train')
    (root / 'train').touch()


def overlap(root):
    shutil.copytree(root / 'query/3', root / 'train/3')


def no_bodies(joints):
    return joints * 0


def mirror(joints):
    return joints * [1, -1, 1]


def keep_one_person(root):
    shutil.rmtree(root / 'train/2')


# What is done to the folder data set; kind, severity; what training does about it.
FOLDER_CASES = {
    'truncated JPEG': (truncate, 'frame-unreadable', 'error', 'raises'),
    'zero-byte JPEG': (write(FRAME, ''), 'frame-empty', 'error', 'raises'),
    'web page as JPEG': (write(FRAME, '<html>'), 'frame-unreadable', 'error', 'raises'),
    'zero-byte JSON': (write(SKELETON, ''), 'skeleton-broken', 'error', 'raises'),
    'half a JSON': (write(SKELETON, '{"keypoints": [[0'), 'skeleton-broken', 'error', 'raises'),
    'JSON without keypoints': (write(SKELETON, '{}'), 'skeleton-broken', 'error', 'raises'),
    '16 joints': (edit(SKELETON, lambda j: j[:16]), 'skeleton-joints', 'error', 'raises'),
    'NaN': (edit(SKELETON, lambda j: j * np.nan), 'skeleton-nan', 'error', 'raises'),
    'millimetres': (
        edit('skeleton_3d/train', lambda j: 1000 * j), 'skeleton-unit', 'error', 'raises',
    ),
    'no skeleton at all': (remove('skeleton_3d/train'), 'skeleton-missing', 'error', 'raises'),
    'a missing skeleton': (remove(SKELETON), 'skeleton-missing', 'warning', 'tells'),
    'broken pack': (pack_broken, 'pack-broken', 'error', 'raises'),
    'pack of another layout': (pack_other_layout, 'pack-broken', 'error', 'raises'),
    'person by name': (rename('train/1', 'train/alice'), 'list-broken', 'error', 'raises'),
    'camera 0': (rename('train/1/c1_1', 'train/1/c0_1'), 'list-broken', 'error', 'raises'),
    'camera by name': (rename('train/1/c1_1', 'train/1/left_1'), 'list-broken', 'error', 'raises'),
    'empty tracklet': (lambda r: (r / 'train/1/c1_9').mkdir(), 'list-broken', 'error', 'raises'),
    'empty split': (
        empty_split, 'empty-subset', 'error', 'raises',
    ),
    'missing split': (remove('train'), 'list-missing', 'error', 'raises'),
    'unreadable folder': (unlistable, 'folder-unreadable', 'error', 'raises'),
    'split is a file': (
        split_is_a_file, 'list-missing', 'error', 'raises',
    ),
    'one person for two': (keep_one_person, 'too-few-identities', 'error', 'raises'),
    'only one camera': (one_camera, 'single-camera', 'error', 'tells'),
    'query persons not in the gallery': (other_persons, 'no-match', 'error', None),
    'camera 7 of 2': (
        rename('query/3/c1_1', 'query/3/c7_1'), 'camera-unseen', 'error', None,
    ),
    'pack older than its files': (pack_stale, 'pack-stale', 'warning', 'tells'),
    'image of another person': (copy_frame, 'frame-shared', 'warning', None),
    'tiny image': (tiny, 'frame-tiny', 'warning', None),
    'skeleton of another person': (
        lambda r: shutil.copy(r / SKELETON, r / 'skeleton_3d/train/2/c1_1/2.json'),
        'skeleton-shared', 'warning', None,
    ),
    'skeleton of no frame': (
        lambda r: shutil.copy(r / SKELETON, (r / SKELETON).with_name('99.json')),
        'skeleton-orphan', 'warning', None,
    ),
    'frozen skeletons': (
        edit('skeleton_3d/train/1/c1_1', lambda j: np.ones((17, 3)) * np.arange(17)[:, None] / 10),
        'skeleton-frozen', 'warning', None,
    ),
    'upside down': (
        edit('skeleton_3d/train', mirror), 'skeleton-upside-down', 'warning', None,
    ),
    'centimetre bodies': (
        edit('skeleton_3d/train', lambda j: j / 100), 'skeleton-size', 'warning', None,
    ),
    'a bone twice as long': (
        edit(SKELETON, lambda j: np.vstack([j[:16], j[15] + 2.5 * (j[16] - j[15])])),
        'bone-length', 'warning', None,
    ),
    'all zeros in a tracklet': (
        edit('skeleton_3d/train/1/c1_1', no_bodies), 'tracklet-without-skeleton', 'warning', None,
    ),
    'a person in training and testing': (
        overlap, 'identity-overlap', 'warning', None,
    ),
}  # fmt: skip


def save(root, key, value):
    savemat(root / f'info/{key[0]}.mat', {key[1]: np.array(value)})


def edit_names(root, change):
    path = root / 'info/train_name.txt'
    path.write_text(''.join(f'{name}\n' for name in change(path.read_text().split())))


TRAIN_TABLE = ('tracks_train_info', 'track_train_info')
MARS_CASES = {
    'missing list': (remove('info/train_name.txt'), 'list-missing'),
    'broken table': (write('info/tracks_train_info.mat', 'none'), 'list-broken'),
    'table of another shape': (lambda r: save(r, TRAIN_TABLE, [[1, 6, 1]]), 'list-broken'),
    'frames beyond the list': (lambda r: save(r, TRAIN_TABLE, [[1, 99, 1, 1]]), 'list-broken'),
    'person of another name': (lambda r: save(r, TRAIN_TABLE, [[1, 6, 2, 1]]), 'list-broken'),
    'camera of another name': (lambda r: save(r, TRAIN_TABLE, [[1, 6, 1, 3]]), 'list-broken'),
    'text for a number': (lambda r: save(r, TRAIN_TABLE, ['a', 'b']), 'list-broken'),
    'tracklets that overlap': (
        lambda r: save(r, TRAIN_TABLE, [[1, 4, 1, 1], [4, 6, 1, 1]]), 'list-broken',
    ),
    'files in the wrong order': (
        lambda r: edit_names(r, lambda n: [n[1], n[0], *n[2:]]), 'list-broken',
    ),
    'duplicate frames': (lambda r: edit_names(r, lambda n: [n[0], n[0], *n[2:]]), 'list-broken'),
    'a line missing': (lambda r: edit_names(r, lambda n: n[1:]), 'list-broken'),
    'junk alone': (lambda r: save(r, TRAIN_TABLE, [[1, 6, -1, 1]]), 'list-broken'),
}  # fmt: skip


def train(cfg):
    """Do what a run does with the data before and in its first epoch; return its warnings."""
    records = []
    handler = logging.Handler(logging.INFO)
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        with DefaultScope.overwrite_default_scope('csipreid'):
            dataset = DATASETS.build(cfg['train_dataloader']['dataset'])
            DATA_SAMPLERS.build(
                cfg['train_dataloader']['sampler'], default_args=dict(dataset=dataset)
            )
            for index in range(len(dataset)):
                dataset[index]
            DATASETS.build(cfg['test_dataloader']['dataset'])
    finally:
        logger.removeHandler(handler)
    told = [record.getMessage() for record in records]
    return [text for text in told if not text.startswith('Get class')]


def kinds(report):
    return {(finding.kind, finding.severity) for finding in report.findings}


@pytest.mark.parametrize('name', ['TrackletFolder', 'MARS'])
def test_a_sound_data_set_is_fit(folder_root, make_config, name, request):
    root = folder_root if name == 'TrackletFolder' else request.getfixturevalue('mars_root')
    report = examine(make_config(name, root))
    assert report.fit
    assert [f for f in report.findings if f.severity != 'note'] == []


@pytest.mark.parametrize('case', FOLDER_CASES)
def test_what_is_broken_in_a_folder_is_named(folder_root, make_config, case):
    break_it, kind, severity, _ = FOLDER_CASES[case]
    break_it(folder_root)
    report = examine(make_config('TrackletFolder', folder_root))
    assert (kind, severity) in kinds(report)
    assert report.fit == (severity != 'error')
    json.dumps(report.to_dict())


@pytest.mark.parametrize('case', MARS_CASES)
def test_what_is_broken_in_mars_is_named(mars_root, make_config, case):
    break_it, kind = MARS_CASES[case]
    break_it(mars_root)
    report = examine(make_config('MARS', mars_root))
    assert not report.fit
    (finding,) = [f for f in report.findings if f.severity == 'error' and f.subset == 'train']
    assert finding.kind == kind
    assert set(report.subsets) == {'query', 'gallery'}  # the others are examined all the same


@pytest.mark.parametrize('case', [c for c, v in FOLDER_CASES.items() if v[3] == 'raises'])
def test_training_refuses_it(folder_root, make_config, case):
    FOLDER_CASES[case][0](folder_root)
    with pytest.raises((ValueError, OSError)):
        train(make_config('TrackletFolder', folder_root))


@pytest.mark.parametrize('case', MARS_CASES)
def test_training_refuses_broken_lists(mars_root, make_config, case):
    MARS_CASES[case][0](mars_root)
    with pytest.raises((ValueError, OSError)):
        train(make_config('MARS', mars_root))


@pytest.mark.parametrize(
    ('case', 'message'),
    [
        ('a missing skeleton', 'skeleton files not found'),
        ('pack older than its files', 'skeleton files not found'),
        ('only one camera', 'all test tracklets .* are of one camera'),
    ],
)
def test_training_tells_of_it(folder_root, make_config, case, message):
    FOLDER_CASES[case][0](folder_root)
    told = train(make_config('TrackletFolder', folder_root))
    assert any(re.search(message, text) for text in told)


def test_training_tells_nothing_of_a_sound_data_set(folder_root, make_config):
    assert train(make_config('TrackletFolder', folder_root)) == []


def test_the_policy_error_makes_a_missing_skeleton_an_error(folder_root, make_config):
    (folder_root / SKELETON).unlink()
    report = examine(make_config('TrackletFolder', folder_root, missing='error'))
    assert ('skeleton-missing', 'error') in kinds(report)


def test_lists_only_looks_at_no_file(mars_root, make_config):
    for folder in ('bbox_train', 'bbox_test', 'skeleton_3d'):
        shutil.rmtree(mars_root / folder)
    report = examine(make_config('MARS', mars_root), lists_only=True)
    assert report.fit
    assert report.subsets['gallery']['junk'] == 1
    assert report.subsets['gallery']['distractors'] == 1


def test_a_lost_frame_is_counted(mars_root, make_config):
    (mars_root / 'bbox_train/0001/0001C1T0000F002.jpg').unlink()
    report = examine(make_config('MARS', mars_root))
    (finding,) = [f for f in report.findings if f.kind == 'frame-missing']
    assert (finding.count, finding.subset) == (1, 'train')
    assert finding.examples[0].endswith('0001C1T0000F002.jpg')


def test_skeletons_are_measured(folder_root, make_config):
    report = examine(make_config('TrackletFolder', folder_root))
    skeletons = report.subsets['train']['skeletons']
    assert skeletons['coverage'] == 1
    assert skeletons['found'] == skeletons['frames'] == 24
    assert skeletons['body_size'] == pytest.approx(1.65, abs=0.02)
    assert skeletons['bone_variation'] == pytest.approx(0, abs=1e-3)


def test_unknown_cameras_need_a_protocol_that_keeps_them(folder_root, make_config):
    for folder in list(folder_root.glob('[tqg]*/*/c?_1')):
        folder.rename(folder.parent / folder.name[1:].replace('_', 't'))
    cfg = make_config('TrackletFolder', folder_root)
    assert {('camera-unknown', 'error'), ('single-camera', 'error')} <= kinds(examine(cfg, True))
    cfg['model']['camera_embedding'] = None
    cfg['test_evaluator']['protocol'] = dict(base='market', same_camera='keep')
    assert examine(cfg, True).fit


@pytest.mark.slow
def test_several_processes_find_the_same(folder_root, make_config):
    truncate(folder_root)
    cfg = make_config('TrackletFolder', folder_root)
    assert examine(cfg, num_workers=2).to_dict() == examine(cfg).to_dict()


def test_the_batches_of_a_later_stage_are_checked_too(folder_root, make_config):
    config = make_config('TrackletFolder', folder_root)
    sampler = dict(type='IdentitySampler', batch_size=12, num_instances=4)
    later = dict(train_dataloader=dict(batch_size=12, sampler=sampler))
    report = examine(config, lists_only=True, later={'stage2.py': later})
    assert not report.fit
    (finding,) = [f for f in report.findings if f.severity == 'error']
    assert finding.kind == 'too-few-identities'
    assert 'stage2.py needs 3 persons, there are 2' in finding.message
    sampler['num_instances'] = 6
    assert examine(config, lists_only=True, later={'stage2.py': later}).fit


@pytest.mark.parametrize('wrap', [lambda m: m, lambda m: dict(metrics=m)])
def test_the_metric_with_a_protocol_is_found_among_several(folder_root, make_config, wrap):
    config = make_config('TrackletFolder', folder_root)
    metrics = [dict(type='DumpFeatures', out_file='f.npz'), config['test_evaluator']]
    expected = examine(config, lists_only=True).matching
    assert expected['protocol']
    config['test_evaluator'] = wrap(metrics)
    assert examine(config, lists_only=True).matching == expected
    config['test_evaluator'] = wrap(metrics[:1])
    with pytest.raises(ValueError, match='test_evaluator has no metric with a protocol'):
        examine(config, lists_only=True)
