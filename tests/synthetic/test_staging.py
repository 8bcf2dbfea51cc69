import pytest

from csipreid.synthetic.staging import staged


def test_folder_appears_when_complete(tmp_path):
    with staged(tmp_path / 'out') as partial:
        (partial / 'file').write_text('x')
        assert not (tmp_path / 'out').exists()
    assert (tmp_path / 'out/file').read_text() == 'x'
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / 'out'):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_what_was_there(tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/old').write_text('x')
    with pytest.raises(RuntimeError), staged(tmp_path / 'out'):
        raise RuntimeError
    assert (tmp_path / 'out/old').exists()


def test_remains_of_a_killed_run_are_removed(tmp_path):
    (tmp_path / '.out.partial').mkdir()
    (tmp_path / '.out.partial/stale').write_text('x')
    with staged(tmp_path / 'out'):
        pass
    assert list((tmp_path / 'out').iterdir()) == []


def test_a_folder_never_stands_half_under_its_name(tmp_path, monkeypatch):
    """Killed between the two renames, the old folder comes back with the next run."""
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/old').write_text('x')
    with monkeypatch.context() as patch:
        rename = type(tmp_path).rename
        patch.setattr(
            type(tmp_path), 'rename',
            lambda path, to: rename(path, to) if path.name == 'out' else killed(),
        )  # fmt: skip
        with pytest.raises(KeyboardInterrupt), staged(tmp_path / 'out'):
            pass
    assert not (tmp_path / 'out').exists()
    with pytest.raises(RuntimeError), staged(tmp_path / 'out'):
        raise RuntimeError
    assert (tmp_path / 'out/old').read_text() == 'x'
    with staged(tmp_path / 'out'):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def killed():
    raise KeyboardInterrupt
