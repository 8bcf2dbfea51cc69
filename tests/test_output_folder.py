import json

import pytest

from csipreid.output_folder import OutputFolder, check_complete


def write(folder, names, **kwargs):
    """Write files that hold their own names."""
    output = OutputFolder(folder, 'tool', **kwargs)
    with output:
        for name in names:
            path = output.staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    return output


def visible(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and '.csipreid' not in path.parts
    )


def test_a_second_run_leaves_nothing_of_the_first(tmp_path):
    write(tmp_path / 'out', ['a/1', 'a/2', 'b/1'])
    output = write(tmp_path / 'out', ['a/2', 'c/1'])
    assert visible(tmp_path / 'out') == ['a/2', 'c/1']
    assert output.removed == 2
    assert not (tmp_path / 'out/b').exists()


def test_files_of_others_stay(tmp_path):
    write(tmp_path, ['a/1'], places=['a'])
    (tmp_path / 'notes.txt').touch()
    write(tmp_path, ['b/1'], places=['b'])
    assert visible(tmp_path) == ['b/1', 'notes.txt']


@pytest.mark.parametrize('name', ['other', 'a/other'])
def test_a_place_with_something_else_is_refused_before_anything_is_done(tmp_path, name):
    write(tmp_path, ['a/1'])
    (tmp_path / name).touch()
    with pytest.raises(FileExistsError, match="holds 'other', which this run of tool does not"):
        write(tmp_path, ['a/2'], places=['', 'a'])
    assert visible(tmp_path) == ['a/1', name]


def test_sources_share_a_folder_but_not_a_place(tmp_path):
    write(tmp_path, ['a/1'], source='first', places=['a'])
    write(tmp_path, ['b/1'], source='second', places=['b'])
    assert visible(tmp_path) == ['a/1', 'b/1']
    with pytest.raises(FileExistsError, match="holds '1', which this run"):
        write(tmp_path, ['a/1'], source='second', places=['a'])


def test_a_failure_leaves_everything_as_it_was(tmp_path):
    write(tmp_path / 'out', ['a/1'])
    with pytest.raises(IsADirectoryError):  # after the first file
        write(tmp_path / 'out', ['2', '.'])
    assert visible(tmp_path / 'out') == ['a/1']
    with pytest.raises(IsADirectoryError):
        write(tmp_path / 'new', ['2', '.'])
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize('killed_after', range(5))
def test_the_next_run_cleans_up_after_one_that_was_killed(tmp_path, monkeypatch, killed_after):
    """Whatever step the second run gets to, the third gives what a fresh one would."""
    from csipreid import output_folder

    write(tmp_path, ['a/1', 'a/2'])
    steps = iter(range(100))
    replace = output_folder.os.replace

    def killed(*args):
        if next(steps) >= killed_after:
            monkeypatch.setattr(output_folder.shutil, 'rmtree', lambda *args, **kwargs: None)
            raise KeyboardInterrupt
        replace(*args)

    monkeypatch.setattr(output_folder.os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, ['a/2', 'b/1', 'b/2'])
    monkeypatch.undo()
    write(tmp_path, ['c/1'])
    assert visible(tmp_path) == ['c/1']
    check_complete(tmp_path)


def test_a_half_written_folder_is_told_from_a_whole_one(tmp_path):
    write(tmp_path, ['a/1'], source='video.mp4')
    check_complete(tmp_path)
    (record,) = (tmp_path / '.csipreid').glob('*.json')
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | dict(complete=False)))
    with pytest.raises(ValueError, match=r"half written: tool was stopped .*'video\.mp4'; run it"):
        check_complete(tmp_path)


@pytest.mark.parametrize('name', ['../victim', '/victim', 'a/../../victim', 'link/victim', '', 7])
def test_a_list_that_names_files_elsewhere_removes_none(tmp_path, name):
    victim = tmp_path / 'victim'
    victim.touch()
    out = tmp_path / 'out'
    write(out, ['1'])
    (out / 'link').symlink_to(tmp_path)
    (record,) = (out / '.csipreid').glob('*.json')
    record.write_text(json.dumps(dict(complete=True, files=[name])))
    with pytest.raises(ValueError, match='which is no file below'):
        write(out, ['2'])
    assert victim.exists()


@pytest.mark.parametrize('text', ['', '[]', '{"files": 3}', '[' * 100_000])
def test_a_broken_list_is_named(tmp_path, text):
    write(tmp_path, ['1'])
    (record,) = (tmp_path / '.csipreid').glob('*.json')
    record.write_text(text)
    with pytest.raises(ValueError, match=r'tool-.*\.json (is not the list|names None)'):
        write(tmp_path, ['1'])


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(FileExistsError, match='out is a file; name a folder'):
        write(tmp_path / 'out', ['1'])
