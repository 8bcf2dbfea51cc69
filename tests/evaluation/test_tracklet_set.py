import numpy as np
import pytest

from csipreid.evaluation.tracklet_set import TrackletSet, stack_tracklets

FIELDS = dict(
    embedding=np.eye(3, 4),
    pid=np.array([7, 7, 8]),
    camid=np.array([1, 2, 1]),
    is_query=np.array([True, False, False]),
)


@pytest.mark.parametrize('field', FIELDS)
@pytest.mark.parametrize('length', [1, 2, 4])
def test_fields_of_another_length_are_neither_cut_nor_broadcast(field, length):
    longer = np.concatenate([FIELDS[field], FIELDS[field][-1:]])
    with pytest.raises(ValueError, match=r'must be \(N, D\) and pid, camid and is_query \(N,\)'):
        TrackletSet(**(FIELDS | {field: longer[:length]}))


def test_cameras_for_each_frame_do_not_pair_with_persons_for_each_tracklet():
    per_frame = np.repeat(FIELDS['camid'], 4)
    with pytest.raises(ValueError, match=r"'camid': \(12,\)"):
        TrackletSet(**(FIELDS | dict(camid=per_frame)))
    with pytest.raises(ValueError, match=r"'pid': \(3, 1\)"):
        TrackletSet(**(FIELDS | dict(pid=FIELDS['pid'][:, None])))


@pytest.mark.parametrize(
    ('field', 'values', 'named'),
    [
        ('pid', ['anna', 'anna', 'ben'], "'anna' in row 0; number the persons"),
        ('pid', [7.0, 7.25, 8.0], '7.25 in row 1'),
        ('camid', [1.0, 2.0, np.nan], 'nan in row 2; number the cameras'),
        ('camid', [1.0, np.inf, 2.0], 'inf in row 1'),
        ('pid', [True, False, True], 'True in row 0'),
    ],
)
def test_what_is_no_whole_number_is_named_with_its_row(field, values, named):
    with pytest.raises(ValueError, match=f'{field} must hold whole numbers, got {named}'):
        TrackletSet(**(FIELDS | {field: np.array(values)}))


@pytest.mark.parametrize('kind', [np.float64, np.uint8, np.int16])
def test_whole_numbers_of_any_type_are_taken(kind):
    taken = TrackletSet(**(FIELDS | dict(pid=FIELDS['pid'].astype(kind))))
    assert taken.pid.dtype == np.int64
    assert taken.pid.tolist() == [7, 7, 8]


def test_roles_are_booleans():
    with pytest.raises(ValueError, match='is_query must hold booleans, got int64'):
        TrackletSet(**(FIELDS | dict(is_query=np.array([1, 0, 0]))))


def test_vectors_of_two_widths_do_not_stack():
    with pytest.raises(ValueError, match=r'got shape \(3,\) in row 1 and \(2,\) in row 0'):
        stack_tracklets([np.zeros(2), np.zeros(3)], [1, 1], [0, 1], ['query', 'gallery'])


def test_one_person_too_few_is_not_made_up():
    vectors = [np.zeros(2)] * 3
    with pytest.raises(ValueError, match=r"'pid': \(2,\)"):
        stack_tracklets(vectors, [1, 1], [0, 1, 2], ['query', 'gallery', 'gallery'])
