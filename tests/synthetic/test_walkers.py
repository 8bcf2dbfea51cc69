import json
import tempfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from csipreid.skeletons import get_layout
from csipreid.synthetic import write_walkers

SMALL = dict(num_train_ids=3, num_test_ids=3, num_cams=2, tracklets=(1, 1), frames=(8, 8))


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Three and three identities, two cameras, two tracklets of 12 frames in each."""
    out = tmp_path_factory.mktemp('walkers') / 'data'
    return write_walkers(out, **SMALL | dict(tracklets=(2, 2), frames=(12, 12)))


def tracks(root, split):
    """Frame names, pid and camera of each tracklet."""
    names = (root / f'info/{split}_name.txt').read_text().split()
    table = loadmat(root / f'info/tracks_{split}_info.mat')[f'track_{split}_info'].tolist()
    return [(names[first - 1 : last], pid, camera) for first, last, pid, camera in table]


def queries(root):
    return (loadmat(root / 'info/query_IDX.mat')['query_IDX'].ravel() - 1).tolist()


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob('*') if path.is_file()}


def skeletons(root, split, names):
    """Those skeletons of a tracklet that are there, (N, 17, 3)."""
    paths = [root / f'skeleton_3d/bbox_{split}' / n[:4] / f'{n[:-4]}.json' for n in names]
    found = [json.loads(path.read_text())['keypoints'] for path in paths if path.exists()]
    return np.array([keypoints for keypoints in found if np.any(keypoints)]).reshape(-1, 17, 3)


def test_every_identity_appears_as_often_as_asked(root):
    counts = Counter((pid, camera) for _, pid, camera in tracks(root, 'train'))
    assert counts == {(pid, camera): 2 for pid in (1, 3, 5) for camera in (1, 2)}


def test_training_and_test_identities_are_disjoint(root):
    train, test = ({pid for _, pid, _ in tracks(root, split)} for split in ('train', 'test'))
    assert train == {1, 3, 5}
    assert test == {-1, 0, 2, 4, 6}


def test_names_agree_with_the_table_and_exist(root):
    for split in ('train', 'test'):
        for names, pid, camera in tracks(root, split):
            assert len(names) == 12
            for name in names:
                assert int(name[:4].replace('00-', '-')) == pid
                assert int(name[5]) == camera
                assert (root / f'bbox_{split}' / name[:4] / name).is_file()


def test_one_query_per_identity_and_camera(root):
    test = tracks(root, 'test')
    asked = [(test[row][1], test[row][2]) for row in queries(root)]
    assert asked == [(pid, camera) for pid in (2, 4, 6) for camera in (1, 2)]


def test_single_tracklets_leave_a_match_in_the_gallery(tmp_path):
    root = write_walkers(tmp_path / 'data', **SMALL)
    test, asked = tracks(root, 'test'), queries(root)
    gallery = {(pid, camera) for row, (_, pid, camera) in enumerate(test) if row not in asked}
    for row in asked:
        _, pid, camera = test[row]
        assert any(p == pid and c != camera for p, c in gallery)


def test_pictures_are_crops_of_people(root):
    name = tracks(root, 'train')[0][0][0]
    assert cv2.imread(str(root / 'bbox_train' / name[:4] / name)).shape == (128, 64, 3)


def test_bones_of_an_identity_are_the_same_everywhere(root):
    bones = np.array(get_layout('h36m').bones)
    for pid in (1, 3, 5):
        joints = np.concatenate(
            [skeletons(root, 'train', names) for names, p, _ in tracks(root, 'train') if p == pid]
        )
        lengths = np.linalg.norm(joints[:, bones[:, 0]] - joints[:, bones[:, 1]], axis=-1)
        assert np.ptp(lengths, axis=0).max() < 1e-4  # files are rounded to 0.01 mm
        assert 0.3 < lengths[0, 1] < 0.6  # a thigh, in metres


def test_few_skeletons_are_missing_in_both_ways(tmp_path):
    root = write_walkers(tmp_path / 'data', **SMALL | dict(frames=(60, 60)))
    written = list((root / 'skeleton_3d').rglob('*.json'))
    zeros = sum(not np.any(json.loads(path.read_text())['keypoints']) for path in written)
    frames = len(list(root.rglob('*.jpg')))
    absent = frames - len(written)
    assert min(zeros, absent) > 0
    assert 0.01 < (zeros + absent) / frames < 0.09


def test_members_of_a_group_share_their_colours(root):
    groups = json.loads((root / 'walkers.json').read_text())['groups']
    assert groups == {'train': {'1': 0, '3': 0, '5': 0}, 'test': {'2': 0, '4': 0, '6': 0}}


def test_same_seed_gives_the_same_bytes_with_two_processes(tmp_path):
    one = write_walkers(tmp_path / 'one', **SMALL)
    two = write_walkers(tmp_path / 'two', num_workers=2, **SMALL)
    assert contents(one) == contents(two)


def test_another_seed_gives_other_bytes(tmp_path):
    small = SMALL | dict(num_train_ids=1, num_test_ids=1)
    one = contents(write_walkers(tmp_path / 'one', seed=1, **small))
    two = contents(write_walkers(tmp_path / 'two', seed=2, **small))
    changed = [path for path in one if path.suffix == '.jpg' and one[path] != two.get(path)]
    assert len(changed) == sum(path.suffix == '.jpg' for path in one)


def test_finished_set_is_kept(tmp_path):
    out = write_walkers(tmp_path / 'data', **SMALL)
    (out / 'mine').write_text('x')
    write_walkers(out, **SMALL)
    assert (out / 'mine').exists()


def test_other_arguments_need_overwrite(tmp_path):
    out = write_walkers(tmp_path / 'data', **SMALL)
    with pytest.raises(FileExistsError, match='made with other arguments'):
        write_walkers(out, seed=1, **SMALL)
    write_walkers(out, seed=1, overwrite=True, **SMALL)
    assert json.loads((out / 'walkers.json').read_text())['settings']['seed'] == 1


def test_what_is_not_of_the_walkers_is_not_lost_by_overwriting(tmp_path):
    out = write_walkers(tmp_path / 'data', **SMALL)
    (out / 'features.npz').write_text('x')
    with pytest.raises(FileExistsError, match=r"also holds 'features\.npz', .* would be lost"):
        write_walkers(out, seed=1, overwrite=True, **SMALL)
    assert (out / 'features.npz').exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(['kind', 'version', 'settings', 'groups', 'seed']), inner, max_size=4
    ),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    content=JSON
    | st.builds(
        lambda rest: dict(rest, kind='walkers'),
        st.dictionaries(st.sampled_from(['version', 'settings']), JSON),
    ),
    cut=st.integers(0, 60),
    overwrite=st.booleans(),
)
def test_any_remembered_arguments_are_kept_or_refused_in_one_sentence(content, cut, overwrite):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'data', 'walkers.json')
        path.parent.mkdir()
        path.write_text(json.dumps(content)[: None if cut > 40 else cut])
        (path.parent / 'mine').touch()  # so that nothing is overwritten, and none takes long
        with pytest.raises(FileExistsError) as caught:
            write_walkers(path.parent, overwrite=overwrite, **SMALL)
        assert '\n' not in str(caught.value)
        assert sorted(p.name for p in path.parent.iterdir()) == ['mine', 'walkers.json']


@pytest.mark.parametrize('overwrite', [False, True])
def test_foreign_folder_is_never_touched(tmp_path, overwrite):
    (tmp_path / 'thesis.tex').write_text('x')
    with pytest.raises(FileExistsError, match='is not a walkers data set'):
        write_walkers(tmp_path, overwrite=overwrite, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(num_cams=1), 'num_cams must be from 2 to 9, got 1'),
        (dict(num_train_ids=0), 'num_train_ids must be from 1 to 4999, got 0'),
        (dict(seed=-1), 'seed must be from 0'),
        (dict(frames=(9, 8)), r'frames must be \(least, greatest\).*got \(9, 8\)'),
        (dict(tracklets=(0, 2)), 'tracklets must be'),
        (dict(num_workers=0), 'num_workers must be at least 1, got 0'),
    ],
)
def test_wrong_arguments_are_named(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        write_walkers(tmp_path / 'data', **SMALL | wrong)
    assert list(tmp_path.iterdir()) == []
