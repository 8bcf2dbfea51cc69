import pytest

from csipreid.datasets.mot_boxes import TrackedBox
from csipreid.pose_estimation.origins import (
    check_video_folder,
    describe_recipe,
    is_current,
    make_origin,
    remove_left_over,
)
from csipreid.skeletons.files import write_skeleton_file

BOX = TrackedBox(1, 1, 0, 0, 4, 4)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a skeleton made from a source; it returns both paths."""

    def make(name, source='video.avi', box=BOX, recipe='recipe'):
        path, target = tmp_path / source, tmp_path / 'out' / name
        if not path.exists():
            path.write_text(source)
        write_skeleton_file(target, None, 0.5, make_origin(str(path), str(target), box, recipe))
        return str(path), str(target)

    return make


def test_a_skeleton_holds_as_long_as_its_box_and_recipe(write):
    paths = write('1/000001.json')
    assert is_current(*paths, BOX, 'recipe')
    assert not is_current(*paths, BOX, 'other')
    assert not is_current(*paths, BOX._replace(width=5), 'recipe')
    assert not is_current(*paths, None, 'recipe')


def test_no_file_is_not_current(write, tmp_path):
    source, _ = write('1.json')
    assert not is_current(source, str(tmp_path / '2.json'), BOX, 'recipe')


def test_the_recipe_knows_the_settings_and_the_files_they_name(tmp_path):
    model = tmp_path / 'model.tflite'
    model.write_text('one')
    recipes = {describe_recipe(dict(type='A', model=str(model)))}
    recipes.add(describe_recipe(dict(type='B', model=str(model))))
    model.write_text('two')
    recipes.add(describe_recipe(dict(type='A', model=str(model))))
    assert len(recipes) == 3


def test_a_folder_holds_the_skeletons_of_one_video(write, tmp_path):
    source, _ = write('1/000001.json')
    check_video_folder(str(tmp_path / 'out'), source)
    check_video_folder(str(tmp_path / 'none'), source)
    write('1/000002.json', source='other.avi')
    with pytest.raises(
        ValueError, match=r'000002\.json is no skeleton of .*video\.avi; each video'
    ):
        check_video_folder(str(tmp_path / 'out'), source)


@pytest.mark.parametrize('video', [True, False])
def test_what_belongs_to_nothing_any_more_is_removed_and_no_more(write, tmp_path, video):
    _, kept = write('kept.json')
    write('other.json')
    write('gone.json', source='frame.jpg')
    (tmp_path / 'frame.jpg').unlink()
    (tmp_path / 'out/foreign.json').write_text('{"keypoints": []}')
    removed = remove_left_over(str(tmp_path / 'out'), {kept}, video)
    left = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert left == ['foreign.json', 'kept.json'] + ([] if video else ['other.json'])
    assert removed == (2 if video else 1)
