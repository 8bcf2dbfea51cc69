import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from csipreid.skeletons.packed import PackedSkeletons

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/csip/stage1_folder.py')
FUNCTION = """
import numpy as np

def estimate(crops):
    return [(np.full((24, 3), crop.mean(), np.float32), 0.5) for crop in crops]
"""


def load(name):
    path = ROOT / f'tools/dataset_converters/{name}.py'
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


extract_skeletons = load('extract_skeletons')
cut_tracklets = load('cut_tracklets')
box_people = load('box_people')


@pytest.fixture
def estimator(tmp_path):
    (tmp_path / 'mine.py').write_text(FUNCTION)
    function = f'{tmp_path / "mine.py"}:estimate'
    return ['--estimator', 'function', '--function', function, '--layout', 'smpl']


@pytest.fixture
def root(tmp_path):
    """A folder data set: one person in each subset, two frames."""
    for subset, pid in (('train', 1), ('query', 2), ('gallery', 2)):
        folder = tmp_path / f'data/{subset}/{pid}/0001'
        folder.mkdir(parents=True)
        for frame in range(2):
            cv2.imwrite(str(folder / f'{frame}.png'), np.full((8, 4, 3), 9 * frame + 1, np.uint8))
    return tmp_path / 'data'


def run(root, estimator, *more):
    extract_skeletons.main(['--config', CONFIG, '--data-root', str(root), *estimator, *more])


def test_skeletons_go_where_training_looks_for_them_and_are_packed(root, estimator, capsys):
    run(root, estimator)
    content = json.loads((root / 'skeleton_3d/train/1/0001/1.json').read_text())
    assert content['confidence'] == 0.5
    assert np.shape(content['keypoints']) == (17, 3)
    packs = sorted((root / 'skeleton_3d').glob('*.skeletons.npz'))
    assert [len(PackedSkeletons(str(pack))) for pack in packs] == [2, 2, 2]
    assert '6 skeletons written, 6 of them found; 0 were there before' in capsys.readouterr().out


def test_the_last_of_two_shards_packs(root, estimator, capsys):
    run(root, estimator, '--batch-size', '1', '--shard', '1/2')
    assert 'not packed: 3 skeletons are left' in capsys.readouterr().out
    run(root, estimator, '--batch-size', '1', '--shard', '0/2')
    assert capsys.readouterr().out.count('packed: ') == 3


def test_an_unreadable_frame_ends_in_an_error_after_the_others(root, estimator, capsys):
    (root / 'train/1/0001/0.png').write_bytes(b'')
    with pytest.raises(SystemExit, match='1 frames could not be read, none packed'):
        run(root, estimator)
    assert '5 skeletons written' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--estimator', 'blazepose'], 'estimator blazepose needs --model'),
        (['--estimator', 'blazepose', '--model', 'none'], 'model none not found; see README'),
        (['--estimator', 'hmr2', '--model', 'x'], r"estimator hmr2 takes no \['model'\]"),
        (['--estimator', 'hmr2'], 'HMR2Estimator needs hmr2'),
        (['--estimator', 'function', '--function', 'x:y', '--shard', '2/2'], '--shard must be I/N'),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said(root, arguments, message):
    with pytest.raises(SystemExit, match=message):
        run(root, arguments)


@pytest.fixture
def video(tmp_path):
    """A bright person of 20 x 36 pixels walks through 30 dark frames, after 3 empty ones."""
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (96, 48))
    for number in range(-3, 30):
        frame = np.full((48, 96, 3), 40, np.uint8)
        if number >= 0:
            frame[6:42, 2 * number + 6 : 2 * number + 26] = 200
        writer.write(frame)
    writer.release()
    return str(path)


@pytest.fixture
def boxes(video, tmp_path):
    box_people.main([video, '--out', str(tmp_path / 'boxes.txt')])
    return str(tmp_path / 'boxes.txt')


def test_a_walking_person_is_boxed_as_one_track(boxes):
    rows = np.loadtxt(boxes, delimiter=',')
    assert rows[:, 0].tolist() == list(range(4, 34))
    assert set(rows[:, 1]) == {1}
    assert np.abs(rows[0, 2:6] - [6, 6, 20, 36]).max() <= 4


def test_no_frame_without_people_is_an_error(video, tmp_path):
    with pytest.raises(SystemExit, match='33 frames, so it has no frame 99'):
        box_people.main([video, '--out', str(tmp_path / 'b.txt'), '--background', '99'])


def test_tracks_become_tracklets_of_a_folder_data_set(video, boxes, tmp_path):
    cut_tracklets.main([video, boxes, '--out', str(tmp_path / 'cut'), '--length', '12'])
    lengths = {
        str(folder.relative_to(tmp_path / 'cut')): len(list(folder.iterdir()))
        for folder in (tmp_path / 'cut').glob('*/*/*')
    }
    assert lengths == {
        'query/1/0001t000': 12,
        'gallery/1/0001t001': 12,
        'gallery/1/0001t002': 6,
    }
    crop = cv2.imread(str(tmp_path / 'cut/query/1/0001t000/000004.jpg'))
    assert crop.mean() > 150


def test_tracks_for_training_persons_and_cameras_are_named(video, boxes, tmp_path):
    arguments = [video, boxes, '--out', str(tmp_path / 'cut'), '--camera', '2']
    cut_tracklets.main([*arguments, '--train-tracks', '1', '--pids', '1:77'])
    assert len(list((tmp_path / 'cut/train/77/c2_0001t000').iterdir())) == 30


@pytest.mark.parametrize('more', [['--train-tracks', '4'], ['--pids', '4:1'], ['--pids', 'x:1']])
def test_a_track_that_is_not_there_is_named(video, boxes, tmp_path, more):
    with pytest.raises(SystemExit, match=r'no boxes of the tracks \[4\]|pairs of numbers'):
        cut_tracklets.main([video, boxes, '--out', str(tmp_path / 'cut'), *more])


def test_skeletons_of_a_video_are_named_by_track_and_frame(video, boxes, estimator, tmp_path):
    out = tmp_path / 'skeletons'
    extract_skeletons.main(
        ['--video', video, '--boxes', boxes, '--out', str(out), '--batch-size', '7', *estimator]
    )
    files = sorted(str(path.relative_to(out)) for path in out.rglob('*.json'))
    assert files == [f'0001/{frame:06}.json' for frame in range(4, 34)]
    assert len(PackedSkeletons(f'{out}.skeletons.npz')) == 30


def cut(video, text, folder, *more):
    boxes = folder / 'boxes.txt'
    boxes.write_text(text)
    cut_tracklets.main([video, str(boxes), '--out', str(folder / 'cut'), *more])


def crops_of(folder):
    return sorted(p.relative_to(folder / 'cut').as_posix() for p in folder.glob('cut/*/*/*/*.jpg'))


ROWS = ''.join(f'{frame},{track},9,5,20,30\n' for frame in range(1, 7) for track in (1, 2))


def test_cutting_again_leaves_nothing_of_the_first_cut(video, tmp_path, capsys):
    cut(video, ROWS, tmp_path, '--length', '2', '--camera', '3')
    cut(video, ROWS, tmp_path, '--length', '4', '--train-tracks', '2')
    assert '24 crops' not in capsys.readouterr().out
    frames = crops_of(tmp_path)
    assert len(frames) == 12
    assert len({(frame.split('/')[1], frame.split('/')[3]) for frame in frames}) == 12


def test_cutting_again_says_what_it_removed(video, tmp_path, capsys):
    cut(video, ROWS, tmp_path, '--length', '2')
    cut(video, ROWS, tmp_path, '--length', '3')
    assert '6 frames of an earlier run on ' in capsys.readouterr().out


def test_another_video_is_not_cut_into_the_same_tracklets(video, tmp_path):
    cut(video, ROWS, tmp_path, '--camera', '1')
    other = tmp_path / 'other.avi'
    other.write_bytes(Path(video).read_bytes())
    before = crops_of(tmp_path)
    with pytest.raises(
        SystemExit, match=r"query/1/c1_0001t000 holds '000001\.jpg', which this run"
    ):
        cut(str(other), ROWS, tmp_path, '--camera', '1')
    assert crops_of(tmp_path) == before
    cut(str(other), ROWS, tmp_path, '--camera', '2')
    assert len(crops_of(tmp_path)) == 24


def test_nothing_is_written_if_a_frame_is_missing(video, tmp_path):
    with pytest.raises(SystemExit, match='has no frame 99, for which there is a box'):
        cut(video, f'{ROWS}99,1,9,5,20,30\n', tmp_path)
    assert not (tmp_path / 'cut').exists()


def test_a_track_0_needs_a_person(video, tmp_path):
    rows = '1,0,9,5,20,30\n2,5,9,5,20,30\n'
    with pytest.raises(SystemExit, match=r'person 0 stands for distractors; .* --pids 0:6'):
        cut(video, rows, tmp_path)
    cut(video, rows, tmp_path, '--pids', '0:6')
    assert crops_of(tmp_path) == ['query/5/0005t000/000002.jpg', 'query/6/0000t000/000001.jpg']


@pytest.mark.parametrize('pids', [['5:0'], ['5:1', '5:2'], ['5:-1'], ['٥:1']])
def test_persons_that_cannot_be_are_named(video, tmp_path, pids):
    with pytest.raises(SystemExit, match=r'persons count from 1|names track 5 twice|pairs of num'):
        cut(video, '2,5,9,5,20,30\n', tmp_path, '--pids', *pids)


def test_the_video_is_not_overwritten_with_its_boxes(video):
    with pytest.raises(SystemExit, match='is the video itself'):
        box_people.main([video, '--out', video])
    assert Path(video).stat().st_size > 1000


def test_other_boxes_leave_no_skeleton_of_the_first(video, estimator, tmp_path, capsys):
    out = tmp_path / 'skeletons'
    for rows in (ROWS, '1,1,9,5,20,30\n2,1,9,5,24,30\n'):
        (tmp_path / 'boxes.txt').write_text(rows)
        arguments = ['--video', video, '--boxes', str(tmp_path / 'boxes.txt'), '--out', str(out)]
        extract_skeletons.main([*arguments, '--batch-size', '1', *estimator])
    said = capsys.readouterr().out
    assert '1 skeletons written, 1 of them found; 1 were there before' in said
    assert '1 of them in place of those from other frames or settings' in said
    assert '10 skeletons removed whose frames or boxes are gone' in said
    assert len(PackedSkeletons(f'{out}.skeletons.npz')) == 2


def test_a_frame_that_is_gone_leaves_no_skeleton(root, estimator, capsys):
    run(root, estimator)
    (root / 'train/1/0001/1.png').unlink()
    run(root, estimator)
    assert '1 skeletons removed whose frames or boxes are gone' in capsys.readouterr().out
    assert not (root / 'skeleton_3d/train/1/0001/1.json').exists()
