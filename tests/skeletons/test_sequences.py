import numpy as np
import pytest

from csipreid.skeletons.sequences import read_sequences, write_sequences


class Creates:
    """Its pickle opens a file to write."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def save(folder, prefix='', **arrays):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f'{prefix if name.startswith("source") else ""}{name}_IAS_6.npy', array)
    return str(folder)


def transg(folder, prefix='', sequences=3, joints=20, flat=False):
    """Coordinates that say where they stand: 1000 s + 100 t + j, plus 0.1, 0.2, 0.3 for axes."""
    s, t, j = np.ogrid[:sequences, :6, :joints]
    base = (1000 * s + 100 * t + j) * 1e-3
    parts = {f'source_{a}': base + 0.1 * (i + 1) for i, a in enumerate('xyz')}
    if flat:
        parts = {name: array.reshape(-1, joints) for name, array in parts.items()}
    return save(folder, prefix, frame_id=np.array([7, 3, 3][:sequences]), **parts)


@pytest.mark.parametrize('flat', [False, True])
def test_transg_coordinates_stand_where_they_belong(tmp_path, flat):
    table = read_sequences(transg(tmp_path / 'a', 't_', flat=flat), 'kinect20', 20)
    assert table.skeletons.shape == (18, 20, 3)
    assert table.starts.tolist() == [0, 6, 12, 18]
    assert table.pid.tolist() == [7, 3, 3]
    # Sequence 1, frame 4, joint 5, z.
    assert table.skeletons[10, 5, 2] == pytest.approx(1.405 + 0.3, abs=1e-5)


def test_pickled_ids_are_not_executed(tmp_path):
    folder = transg(tmp_path / 'a')
    created = tmp_path / 'created'
    np.save(tmp_path / 'a' / 'ids_IAS_6.npy', np.array([Creates(str(created))], object))
    assert len(read_sequences(folder, 'kinect20', 20)) == 3
    assert not created.exists()


def test_pickled_coordinates_are_refused_unread(tmp_path):
    folder = transg(tmp_path / 'a')
    created = tmp_path / 'created'
    np.save(tmp_path / 'a' / 'source_y_IAS_6.npy', np.array([Creates(str(created))], object))
    with pytest.raises(ValueError, match=r'source_y_IAS_6\.npy is no plain array'):
        read_sequences(folder, 'kinect20', 20)
    assert not created.exists()


def test_another_number_of_joints_is_one_sentence(tmp_path):
    folder = transg(tmp_path / 'a', joints=14)
    with pytest.raises(ValueError, match='skeletons of 25 joints'):
        read_sequences(folder, 'kinect25', 25)


def test_missing_axis_is_named(tmp_path):
    folder = transg(tmp_path / 'a')
    (tmp_path / 'a' / 'source_z_IAS_6.npy').unlink()
    with pytest.raises(FileNotFoundError, match=r'one \*source_z_\*.npy'):
        read_sequences(folder, 'kinect20', 20)


def test_what_is_written_is_read(tmp_path):
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 17, 3)).astype(np.float32) for n in (4, 2, 3)]
    path = tmp_path / 'deep' / 'a.npz'
    write_sequences(path, sequences, [5, 2, 5], 'h36m', camids=[0, 1, 1])
    table = read_sequences(str(path), 'h36m', 17)
    assert table.starts.tolist() == [0, 4, 6, 9]
    assert table.pid.tolist() == [5, 2, 5]
    assert table.camid.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(table.skeletons, np.concatenate(sequences))
    with pytest.raises(ValueError, match="layout 'h36m', the config says 'coco'"):
        read_sequences(str(path), 'coco', 17)


def test_sequences_of_one_length_may_be_one_array(tmp_path):
    skeletons = np.random.default_rng(0).normal(size=(3, 4, 17, 3))
    np.savez(tmp_path / 'a.npz', skeletons=skeletons, pid=np.array([1, 1, 2]), view=np.arange(3))
    table = read_sequences(str(tmp_path / 'a.npz'), 'h36m', 17)
    assert table.camid.tolist() == [0, 1, 2]
    np.testing.assert_allclose(table.skeletons[5], skeletons[1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(pid=np.array([1, 2, 2, 2])), 'more than one pid'),
        (dict(sequence=np.array([0, 1, 0, 1])), 'follow one another'),
        (dict(pid=np.array([1.5] * 4)), 'whole numbers'),
        (dict(pid=np.array([-1] * 4)), 'numbers from 0'),
        (dict(skeletons=np.full((4, 17, 3), np.nan)), '4 skeletons hold NaN'),
        (dict(skeletons=np.arange(204).reshape(4, 17, 3) * 100), 'must be in metres'),
        (dict(skeletons=np.zeros((4, 18, 3))), r'must have shape \(17, 3\)'),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, change, message):
    arrays = dict(
        skeletons=np.ones((4, 17, 3)), pid=np.array([1, 1, 2, 2]), sequence=np.array([0, 0, 1, 1])
    )
    np.savez(tmp_path / 'a.npz', **(arrays | change))
    with pytest.raises(ValueError, match=message):
        read_sequences(str(tmp_path / 'a.npz'), 'h36m', 17)


def test_joint_order_says_where_a_joint_stands_in_the_file(tmp_path):
    order = [1, 0, *range(2, 17)]
    np.savez(tmp_path / 'a.npz', skeletons=np.random.rand(1, 2, 17, 3), pid=np.array([1]))
    plain, turned = (
        read_sequences(str(tmp_path / 'a.npz'), 'h36m', 17, o).skeletons for o in (None, order)
    )
    np.testing.assert_array_equal(turned[:, 0], plain[:, 1])
    np.testing.assert_array_equal(turned[:, 5], plain[:, 5])
