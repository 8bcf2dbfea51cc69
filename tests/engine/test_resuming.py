import pytest

from csipreid.engine.resuming import begin_run, checkpoints_of, remove_partial, remove_preempted


@pytest.fixture
def work_dir(tmp_path):
    for name in (
        'epoch_9.pth', 'epoch_10.pth', 'preempted_iter_95.pth', 'preempted_iter_104.pth',
        'iter_99.pth', 'best_reid_mAP_epoch_10.pth', 'epoch_11.pth.partial', 'last_checkpoint',
    ):  # fmt: skip
        (tmp_path / name).touch()
    return tmp_path


def names(paths):
    return [path.name for path in paths]


def test_farthest_checkpoint_comes_first(work_dir):
    assert names(checkpoints_of(work_dir, epoch_length=10)) == [
        'preempted_iter_104.pth', 'epoch_10.pth', 'iter_99.pth', 'preempted_iter_95.pth',
        'epoch_9.pth',
    ]  # fmt: skip


def test_epoch_counts_its_iterations(work_dir):
    assert names(checkpoints_of(work_dir, epoch_length=11))[0] == 'epoch_10.pth'


def test_absent_folder_holds_no_checkpoint(tmp_path):
    assert checkpoints_of(tmp_path / 'nowhere') == []


def test_preemption_is_forgotten_once_an_epoch_is_as_far(work_dir):
    remove_preempted(work_dir, epoch_length=10)
    left = names(checkpoints_of(work_dir, epoch_length=10))
    assert left == ['preempted_iter_104.pth', 'epoch_10.pth', 'iter_99.pth', 'epoch_9.pth']


def test_preemption_of_a_first_epoch_is_kept(tmp_path):
    (tmp_path / 'preempted_iter_3.pth').touch()
    remove_preempted(tmp_path, epoch_length=10)
    assert names(checkpoints_of(tmp_path)) == ['preempted_iter_3.pth']


def test_only_unfinished_files_are_removed(work_dir):
    before = {path.name for path in work_dir.iterdir()}
    remove_partial(work_dir)
    assert before - {path.name for path in work_dir.iterdir()} == {'epoch_11.pth.partial'}


def test_checkpoints_of_an_earlier_run_are_left_out_until_they_are_written_over(work_dir):
    assert len(begin_run(work_dir)) == 5
    assert checkpoints_of(work_dir) == []
    (work_dir / 'epoch_9.pth').write_bytes(b'new')
    assert names(checkpoints_of(work_dir)) == ['epoch_9.pth']
    assert begin_run(work_dir) == ['epoch_9.pth']
    assert checkpoints_of(work_dir) == []


def test_checkpoint_that_a_run_goes_on_from_is_its_own(work_dir):
    begin_run(work_dir, work_dir / 'epoch_9.pth')
    assert names(checkpoints_of(work_dir)) == ['epoch_9.pth']


def test_nothing_is_written_where_nothing_was_left(tmp_path):
    assert begin_run(tmp_path / 'nowhere') == []
    assert not (tmp_path / 'nowhere').exists()
