import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location(
    'browse_dataset', ROOT / 'tools/analysis_tools/browse_dataset.py'
)
browse_dataset = importlib.util.module_from_spec(spec)
spec.loader.exec_module(browse_dataset)


@pytest.fixture
def root(tmp_path):
    """A folder data set: a person in each subset, 8 frames, skeletons for the training person."""
    rng = np.random.default_rng(0)
    for subset, pid in (('train', 1), ('query', 2), ('gallery', 2)):
        for frame in range(8):
            path = tmp_path / f'{subset}/{pid}/0001/{frame}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((32, 16, 3), 20 * frame, np.uint8))
            if subset == 'train' and frame != 3:
                file = tmp_path / f'skeleton_3d/{subset}/{pid}/0001/{frame}.json'
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps({'keypoints': rng.normal(size=(17, 3)).tolist()}))
    return tmp_path


def run(root, stage, *more):
    config = str(ROOT / f'configs/csip/stage{stage}_folder.py')
    browse_dataset.main([config, '--data-root', str(root), '--out', str(root / 'browse'), *more])


def test_the_page_holds_every_clip_and_needs_no_other_file(root):
    run(root, 2)
    page = (root / 'browse/index.html').read_text()
    assert page.count('<img') == 1
    assert '#0, train, person 1, camera unknown, 8 frames; 7 of 8 skeletons' in page
    assert 'src="data:image/png;base64,' in page
    assert 'http' not in page


def test_a_strip_has_a_row_of_frames_and_two_of_skeletons(root):
    run(root, 1, '--png', '--height', '64')
    image = cv2.imread(str(root / 'browse/train_000000.png'))
    assert image.shape == (3 * 64 + 2 * 2, 8 * 32 + 7 * 2, 3)


def test_skeletons_are_drawn_and_missing_ones_are_grey(root):
    run(root, 1, '--png', '--height', '64')
    image = cv2.imread(str(root / 'browse/train_000000.png'))
    panels = [image[70:126, 34 * t : 34 * t + 32] for t in range(8)]
    assert [panel.std() < 1 for panel in panels] == [t == 3 for t in range(8)]
    assert panels[3].mean() == 128


def test_testing_shows_frames_alone(root):
    run(root, 2, '--png', '--height', '64', '--subset', 'query')
    assert cv2.imread(str(root / 'browse/query_000000.png')).shape[0] == 64


def test_a_broken_data_set_ends_in_a_sentence(root):
    (root / 'train/1/0001/2.png').write_bytes(b'')
    with pytest.raises(SystemExit, match=r'error: .*2\.png is not an image'):
        run(root, 2)


def test_an_index_that_is_not_there_is_named(root):
    with pytest.raises(SystemExit, match='--indices must be below 1, got 5'):
        run(root, 2, '--indices', '5')


def test_cameras_are_numbered_as_in_the_names():
    item = dict(subset='query', pid=5, camid=0, frame_paths=['a/c1_2/0.jpg'])
    assert 'person 5, camera 1, 1 frames' in browse_dataset.caption(0, item)


def test_a_second_browse_leaves_nothing_of_the_first(root, capsys):
    run(root, 1, '--png')
    run(root, 2, '--png', '--subset', 'query')
    assert '1 files of an earlier run removed' in capsys.readouterr().out
    assert sorted(path.name for path in (root / 'browse').glob('*.png')) == ['query_000000.png']


def test_a_folder_of_something_else_is_refused(root):
    (root / 'browse').mkdir()
    (root / 'browse/index.html').write_text('mine')
    with pytest.raises(SystemExit, match=r"holds 'index\.html', which this run of browse_dataset"):
        run(root, 2)
    assert (root / 'browse/index.html').read_text() == 'mine'
