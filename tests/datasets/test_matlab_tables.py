import sys

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from csipreid.datasets.matlab_tables import read_integers

TABLE = np.array([[1, 4, -1, 2], [5, 9, 1500, 1]])


def save_and_read(folder, value, key='track', read_key='track', **others):
    savemat(folder / 'table.mat', {key: value, **others})
    return read_integers(folder / 'table.mat', read_key)


@pytest.mark.parametrize('dtype', ['int16', 'int32', 'float32', 'float64'])
def test_any_number_type_gives_integers(tmp_path, dtype):
    table = save_and_read(tmp_path, TABLE.astype(dtype))
    assert table.dtype == np.int64
    assert np.array_equal(table, TABLE)


def test_subtracting_from_unsigned_numbers_does_not_wrap(tmp_path):
    assert (save_and_read(tmp_path, np.array([[0]], dtype=np.uint16)) - 1).item() == -1


def test_a_single_row_stays_a_row(tmp_path):
    assert save_and_read(tmp_path, TABLE[:1]).shape == (1, 4)


def test_a_struct_of_columns_is_a_table(tmp_path):
    struct = dict(zip('abcd', TABLE.T[:, :, None], strict=True))
    assert np.array_equal(save_and_read(tmp_path, struct), TABLE)


def test_a_struct_with_one_field_is_that_field(tmp_path):
    assert np.array_equal(save_and_read(tmp_path, {'data': TABLE}), TABLE)


def test_an_array_of_structs_is_a_table(tmp_path):
    structs = np.array(
        [tuple(row) for row in TABLE.tolist()],
        dtype=[(name, object) for name in ('first', 'last', 'pid', 'cam')],
    )
    assert np.array_equal(save_and_read(tmp_path, structs), TABLE)


def test_an_array_of_structs_with_one_row_is_a_table(tmp_path):
    struct = dict(zip('abcd', TABLE[0].tolist(), strict=True))
    assert np.array_equal(save_and_read(tmp_path, struct), TABLE[:1])


def test_a_cell_array_is_a_table(tmp_path):
    assert np.array_equal(save_and_read(tmp_path, TABLE.astype(object)), TABLE)


def test_a_single_variable_may_have_any_name(tmp_path):
    assert np.array_equal(save_and_read(tmp_path, TABLE, key='info'), TABLE)


def test_a_missing_variable_among_several_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"variable 'track', got \['a', 'b'\]"):
        save_and_read(tmp_path, TABLE, key='a', b=TABLE)


def test_fractions_are_an_error(tmp_path):
    with pytest.raises(ValueError, match='whole numbers only'):
        save_and_read(tmp_path, TABLE + 0.5)


def test_nan_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='whole numbers only'):
        save_and_read(tmp_path, np.array([[1.0, np.nan]]))


def test_text_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='must hold real numbers, got <U'):
        save_and_read(tmp_path, np.array(['one']))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'table\.mat not found; see README'):
        read_integers(tmp_path / 'table.mat', 'track')


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / 'table.mat').write_bytes(b'no MATLAB file at all' * 20)
    with pytest.raises(ValueError, match=r'table\.mat is not a readable MATLAB file'):
        read_integers(tmp_path / 'table.mat', 'track')


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / 'table.mat').touch()
    with pytest.raises(ValueError, match=r'table\.mat is not a readable MATLAB file'):
        read_integers(tmp_path / 'table.mat', 'track')


def save_7_3(path, **variables):
    """Write a MATLAB 7.3 file: HDF5 after 512 bytes of text, matrices transposed."""
    with h5py.File(path, 'w', userblock_size=512) as file:
        for name, value in variables.items():
            file[name] = np.asarray(value, np.float64).T
            file[name].attrs['MATLAB_class'] = np.bytes_('double')
    with open(path, 'r+b') as file:
        file.write(b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(124) + b'\x00\x02IM')


def test_version_7_3_is_read_like_the_others(tmp_path):
    save_7_3(tmp_path / 'table.mat', track=TABLE, other=[[1]])
    assert np.array_equal(read_integers(tmp_path / 'table.mat', 'track'), TABLE)


def test_a_truncated_version_7_3_is_named(tmp_path):
    save_7_3(tmp_path / 'table.mat', track=TABLE)
    content = (tmp_path / 'table.mat').read_bytes()
    (tmp_path / 'table.mat').write_bytes(content[:1000])
    with pytest.raises(ValueError, match=r'table\.mat is not a readable MATLAB file'):
        read_integers(tmp_path / 'table.mat', 'track')


def test_version_7_3_without_h5py_says_what_to_do(tmp_path, monkeypatch):
    save_7_3(tmp_path / 'table.mat', track=TABLE)
    monkeypatch.setitem(sys.modules, 'h5py', None)
    with pytest.raises(ValueError, match=r"needs h5py; pip install 'csipreid\[lsvid\]'"):
        read_integers(tmp_path / 'table.mat', 'track')
