"""The launch scripts, on stand-ins for slurm and for Python."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'

# Each stand-in notes how it was called; srun runs one task of four, sbatch the job at once.
STAND_INS = dict(
    scontrol='if [ "$1" = show ]; then echo node1; echo node2; fi',
    srun='while [ "${1#-}" != "$1" ]; do shift; done\n'
    'SLURM_PROCID=${TASK:-3} SLURM_NTASKS=4 SLURM_LOCALID=1 "$@"\nexit "${SRUN_STATUS:-$?}"',
    sbatch='while [ "${1#-}" != "$1" ]; do shift; done\n'
    'SLURM_JOB_ID=7 SLURM_JOB_NODELIST=node[1-2] bash "$@"',
    python='echo "rank $RANK of $WORLD_SIZE, local $LOCAL_RANK, at $MASTER_ADDR:$MASTER_PORT"\n'
    'echo "${SRUN_CPUS_PER_TASK:-unset} ${CSIPREID_STATUS_FILE:-unset}" > "$NOTES"\n'
    'if [ "${STATUS:-0}" = 75 ]; then echo 75 > "${CSIPREID_STATUS_FILE:-/dev/null}"; fi\n'
    'exit "${STATUS:-0}"',
)


@pytest.fixture
def submit(tmp_path):
    """Submit a job and return its exit status, its output and how each program was called."""
    for name, body in STAND_INS.items():
        path = tmp_path / name
        note = f'echo "$@" >> {tmp_path}/{name}.calls'
        path.write_text(f'#!/usr/bin/env bash\n{note}\n{body}\n')
        path.chmod(0o755)

    def run(*arguments, **environment):
        result = subprocess.run(
            ['bash', TOOLS / 'slurm_train.sh', *arguments],
            env=dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', PYTHON='python',
                     NOTES=str(tmp_path / 'notes'))
            | environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        calls = {path.stem: path.read_text() for path in tmp_path.glob('*.calls')}
        return result.returncode, result.stdout, calls

    return run


def test_slurm_starts_one_process_per_task(submit):
    status, output, calls = submit('gpu', 'name', 'config.py', '--seed', '1', GPUS_PER_NODE='2')
    assert status == 0
    assert output == 'rank 3 of 4, local 1, at node1:20007\n'
    assert f'{TOOLS}/train.py config.py --seed 1 --launcher pytorch' in calls['python']
    for option in ('--partition=gpu', '--job-name=name', '--ntasks-per-node=2', '--gres=gpu:2'):
        assert option in calls['sbatch'].split()


def test_slurm_tells_the_job_in_time_and_may_requeue_it(submit):
    _, _, calls = submit('gpu', 'name', 'config.py', GRACE='60', SBATCH_ARGS='--time=10 --mem=1G')
    assert {'--signal=TERM@60', '--requeue', '--time=10', '--mem=1G'} <= set(
        calls['sbatch'].split()
    )


def test_preempted_job_is_queued_again(submit):
    status, _, calls = submit('gpu', 'name', 'config.py', STATUS='75')
    assert status == 75
    assert 'requeue 7' in calls['scontrol']


def test_preempted_job_is_queued_again_though_srun_had_to_kill_a_task(submit):
    status, _, calls = submit('gpu', 'name', 'config.py', STATUS='75', TASK='0', SRUN_STATUS='137')
    assert status == 75
    assert 'requeue 7' in calls['scontrol']


def test_only_the_first_task_writes_its_status_where_the_job_reads_it(submit, tmp_path):
    submit('gpu', 'name', 'config.py', TASK='0')
    path = (tmp_path / 'notes').read_text().split()[1]
    assert path != 'unset'
    assert not Path(path).exists()  # any more
    submit('gpu', 'name', 'config.py', TASK='1')
    assert (tmp_path / 'notes').read_text().split()[1] == 'unset'


@pytest.mark.parametrize(
    ('given', 'cpus'),
    [
        (dict(SLURM_CPUS_PER_TASK='5'), '5'),
        (dict(SLURM_CPUS_PER_TASK='5', SRUN_CPUS_PER_TASK='3'), '3'),
        (dict(), 'unset'),
    ],
)
def test_tasks_get_the_processors_that_the_job_asked_for(submit, tmp_path, given, cpus):
    submit('gpu', 'name', 'config.py', **given)
    assert (tmp_path / 'notes').read_text().split()[0] == cpus


@pytest.mark.parametrize('status', ['0', '1'])
def test_other_ends_are_final(submit, status):
    code, _, calls = submit('gpu', 'name', 'config.py', STATUS=status)
    assert code == int(status)
    assert 'requeue' not in calls['scontrol']


def test_job_resumes_only_when_it_comes_again(submit):
    assert '--resume' not in submit('gpu', 'name', 'config.py')[2]['python']
    assert submit('gpu', 'name', 'c.py', SLURM_RESTART_COUNT='1')[2]['python'].endswith(
        'c.py --launcher pytorch --resume\n'
    )


def heed_signals():
    """Undo what nohup and the background of a script do: a shell cannot trap what they ignore."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def launch(tmp_path):
    """Start dist_train.sh with a stand-in for torchrun."""

    def run(body, **kwargs):
        python = tmp_path / 'python'
        python.write_text(f'#!/usr/bin/env bash\n{body}\n')
        python.chmod(0o755)
        return subprocess.Popen(
            ['bash', TOOLS / 'dist_train.sh', 'config.py', '2'], preexec_fn=heed_signals,
            env=dict(os.environ, PYTHON=str(python)), stdout=subprocess.PIPE, text=True, **kwargs,
        )  # fmt: skip

    return run


@pytest.mark.parametrize('status', [0, 1, 3])
def test_status_of_the_processes_is_that_of_the_script(launch, status):
    assert launch(f'exit {status}').wait() == status


def test_status_that_torchrun_hides_is_told(launch):
    assert launch('echo 75 > "$CSIPREID_STATUS_FILE"; exit 1').wait() == 75


def test_signal_reaches_the_processes_and_is_waited_for(launch):
    script = launch(
        'trap \'sleep 0.5; echo saved; echo 75 > "$CSIPREID_STATUS_FILE"; exit 1\' TERM\n'
        'echo ready\nwhile true; do sleep 0.1; done'
    )
    assert script.stdout.readline() == 'ready\n'
    script.terminate()
    assert script.stdout.read() == 'saved\n'
    assert script.wait() == 75


# Saves when told to by SIGTERM, and is lost at Ctrl-C, as the processes of torchrun are.
# In Python: a shell does not catch what was ignored when it began, and torchrun does.
SAVES = f"""exec {sys.executable} -u - << 'END'
import os, signal, time

def save(number, frame):
    print('told')
    time.sleep(0.5)
    with open(os.environ['CSIPREID_STATUS_FILE'], 'w') as file:
        file.write('75')
    os._exit(1)

def lose(number, frame):
    print('lost')
    os._exit(1)

signal.signal(signal.SIGTERM, save)
signal.signal(signal.SIGINT, lose)
signal.signal(signal.SIGHUP, lose)
print('ready')
while True:
    time.sleep(0.1)
END"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGHUP])
def test_a_terminal_speaks_to_the_script_alone(launch, number):
    script = launch(SAVES, start_new_session=True)
    assert script.stdout.readline() == 'ready\n'
    os.killpg(script.pid, number)  # as a terminal does
    assert script.stdout.read() == 'told\n'
    assert script.wait() == 75


def test_launcher_is_told_once(launch):
    script = launch(SAVES)
    assert script.stdout.readline() == 'ready\n'
    script.terminate()
    assert script.stdout.readline() == 'told\n'
    script.terminate()
    script.send_signal(signal.SIGINT)
    assert script.stdout.read() == ''
    assert script.wait() == 75


@pytest.mark.parametrize(('given', 'seconds'), [('', '300'), ('7', '7')])
def test_processes_have_time_to_save(launch, monkeypatch, given, seconds):
    monkeypatch.setenv('TORCH_ELASTIC_SHUTDOWN_TIMEOUT', given)
    assert launch('echo "$TORCH_ELASTIC_SHUTDOWN_TIMEOUT"').communicate()[0] == f'{seconds}\n'
