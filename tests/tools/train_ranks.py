"""Run tools/train.py in some processes at a time, as torchrun would, from one import.

Usage: train_ranks.py RUNS.json, a list of dict(world=…, arguments=[…], log=FILE).
"""

import json
import os
import runpy
import socket
import sys
import traceback
from pathlib import Path

import mmengine.runner.runner
from mmengine.config import Config

from csipreid import registry

TRAIN = str(Path(__file__).parents[2] / 'tools' / 'train.py')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def work(rank, port, run):
    """Be one process of a run."""
    log = os.open(run['log'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(run['world']),
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
    )  # fmt: skip
    sys.argv = [TRAIN, *run['arguments'], '--launcher', 'pytorch']
    try:
        runpy.run_path(TRAIN, run_name='__main__')
    except SystemExit as stop:
        sys.stderr.write(f'{stop.code}\n')
        return 1 if stop.code else 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def save_time():
    """Leave out what takes half of a short run: formatting configs, describing the machine."""
    Config.pretty_text = property(lambda cfg: f'cfg = {cfg.to_dict()!r}\n')
    mmengine.runner.runner.collect_env = dict


def main():
    save_time()
    for child in vars(registry).values():
        if isinstance(child, registry.Registry):
            child.import_from_location()
    for run in json.loads(Path(sys.argv[1]).read_text()):
        port = free_port()
        children = []
        for rank in range(run['world']):
            pid = os.fork()
            if pid == 0:
                code = work(rank, port, run)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            children.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        if any(codes):
            sys.exit(f'{run}: exit codes {codes}')


if __name__ == '__main__':
    main()
