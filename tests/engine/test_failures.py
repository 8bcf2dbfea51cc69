import errno
import os
import signal

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from csipreid.engine.failures import explain, explain_building, fail, in_users_code, report


class Broken(Dataset):
    def __init__(self, how):
        self.how = how

    def __len__(self):
        return 1

    def __getitem__(self, index):
        if self.how == 'gone':
            np.load('/nowhere/0001C1T0001F001.jpg')
        if self.how == 'mistake':
            dict()['frames']
        if self.how == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError('frame.jpg is not an image')


def failure(how):
    with pytest.raises(Exception) as error:  # noqa: PT011
        next(iter(DataLoader(Broken(how), num_workers=1)))
    return error.value


def test_vanished_file_is_named_without_the_traceback_of_the_worker():
    sentence = explain(failure('gone'))
    assert 'No such file' in sentence
    assert '/nowhere/0001C1T0001F001.jpg' in sentence
    assert '\n' not in sentence
    assert 'Traceback' not in sentence


def test_what_the_data_says_is_kept():
    assert explain(failure('broken')) == 'frame.jpg is not an image'


def test_mistake_in_a_worker_keeps_its_traceback():
    assert explain(failure('mistake')) is None


def test_dying_worker_is_explained():
    sentence = explain(failure('killed'))
    assert sentence.startswith('a data worker died (')
    assert 'lower num_workers' in sentence
    assert '\n' not in sentence


def test_dying_worker_is_explained_where_errors_are_caught():
    error = SyntaxError('could not format')
    error.__context__ = failure('killed')
    assert explain(error).startswith('a data worker died (')


def test_full_device_names_what_helps():
    assert 'lower the batch size' in explain(torch.OutOfMemoryError('tried to allocate 2 GiB'))


def test_full_disk_is_one_sentence():
    sentence = explain(OSError(errno.ENOSPC, 'No space left on device'))
    assert 'No space left on device' in sentence


@pytest.mark.parametrize('error', [TypeError('x'), RuntimeError('shapes'), KeyError('a')])
def test_mistakes_in_the_code_keep_their_traceback(error):
    assert explain(error) is None


def test_report_keeps_the_traceback_and_names_the_way_on(tmp_path):
    (tmp_path / 'epoch_1.pth').touch()
    try:
        np.load(tmp_path / 'gone.npy')
    except OSError as error:
        sentence = report(error, str(tmp_path), str(tmp_path))
    assert 'gone.npy' in sentence
    assert f'--resume goes on from the checkpoints in {tmp_path}' in sentence
    assert 'Traceback' in (tmp_path / 'traceback.txt').read_text()


def test_report_of_a_run_without_checkpoints_promises_none(tmp_path):
    assert '--resume' not in report(ValueError('bad'), str(tmp_path), str(tmp_path))


@pytest.fixture
def second_of_two(monkeypatch):
    """Make this process the second of two."""
    monkeypatch.setattr(torch.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(torch.distributed, 'get_rank', lambda: 1)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:545] Read error'),
        RuntimeError('[unbound_buffer.cc:78] Connection closed by peer'),
        torch.distributed.DistBackendError('NCCL error: remote process exited'),
        torch.distributed.DistStoreError(''),
    ],
)
def test_lost_process_points_to_the_others(second_of_two, error):
    assert explain(error).startswith('process 1 lost the others')


@pytest.mark.parametrize('text', ['cannot restore the state', 'no websocket', 'for gloo: shapes'])
def test_mistakes_of_one_of_several_keep_their_traceback(second_of_two, text):
    assert explain(RuntimeError(text)) is None


def test_each_process_has_a_traceback_of_its_own(second_of_two, tmp_path):
    assert 'traceback_rank1.txt' in report(ValueError('bad'), str(tmp_path), str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ['traceback_rank1.txt']


def test_failing_command_says_so_and_ends_with_1(capsys):
    with pytest.raises(SystemExit) as end:
        fail('error: bad')
    assert end.value.code == 1
    assert capsys.readouterr().err == 'error: bad\n'


def raised(function, *arguments):
    with pytest.raises(Exception) as error:  # noqa: PT011
        function(*arguments)
    return error.value


def test_fault_in_a_users_own_class_keeps_its_traceback():
    error = raised(lambda: int('a') if True else None)
    assert in_users_code(error)
    assert explain(error) is None
    text = explain_building(error)
    assert text.startswith('Traceback')
    assert __file__ in text


def test_what_we_or_a_library_refuse_is_one_sentence():
    error = raised(fail_in_csipreid)
    error.__traceback__ = error.__traceback__.tb_next.tb_next  # as if a tool had called it
    assert not in_users_code(error)
    assert explain_building(error) == f'error: {error}'
    missing = KeyError('no such key')
    assert explain_building(missing) == 'error: no such key'
    assert explain_building(ImportError('pip install it')) == 'error: pip install it'
    assert explain_building(ZeroDivisionError('x')).startswith('ZeroDivisionError')


def fail_in_csipreid():
    from csipreid.engine.test_mode import parse_test_mode

    parse_test_mode('none')
