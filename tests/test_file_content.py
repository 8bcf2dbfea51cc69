import numpy as np
import pytest
import torch

from csipreid.file_content import describe_content, read_text


@pytest.mark.parametrize(
    ('content', 'name'),
    [
        (b'', 'an empty file'),
        (b'\0' * 700, 'a file of zeros'),
        (b'<html>', 'an HTML page'),
        (b'\xef\xbb\xbf <!doctype HTML>', 'an HTML page'),
        (b'<?xml version="1.0"?><Error>', 'an XML document'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'a git-lfs pointer'),
        ('schöner Text, länger als der Anfang '.encode() * 40, 'plain text'),
        (b'[1, 2]', 'JSON'),
        (b'\x1f\x8b\x08', 'a gzip archive'),
        (b'\xff\xd8\xff\xe0', 'a JPEG image'),
    ],
)
def test_content_is_named(tmp_path, content, name):
    (tmp_path / 'file').write_bytes(content)
    assert describe_content(tmp_path / 'file').startswith(name)


@pytest.mark.parametrize('old', [True, False])
def test_checkpoints_and_arrays_may_be_what_they_are(tmp_path, old):
    path = tmp_path / 'file'
    torch.save(dict(a=torch.ones(3)), path, _use_new_zipfile_serialization=not old)
    assert describe_content(path) is None
    np.savez(tmp_path / 'a.npz', a=np.ones(3))
    assert describe_content(tmp_path / 'a.npz') is None


@pytest.mark.parametrize(
    ('content', 'name'),
    [
        (b'<!DOCTYPE html><html>', 'an HTML page'),
        (b'version https://git-lfs.github.com/spec/v1\noid', 'a git-lfs pointer'),
        (b'\x89PNG\r\n', 'a PNG image'),
        (b'1,2\0,3', 'something else'),
        ('é'.encode('latin-1'), 'something else'),
    ],
)
def test_what_is_no_text_is_not_read_as_one(tmp_path, content, name):
    (tmp_path / 'file').write_bytes(content)
    with pytest.raises(ValueError, match=rf'file must be a text file \(UTF-8\), but is {name}'):
        read_text(tmp_path / 'file')


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / 'file').write_bytes(b'\xef\xbb\xbf1,2\r\n3')
    assert read_text(tmp_path / 'file') == '1,2\n3'
