"""Gathered batches, in gloo processes of their own."""

import os
import subprocess
import sys

import pytest
import torch

from csipreid.models.losses.rank_gathering import gather_rows
from csipreid.registry import MODELS

# Forks the processes of one case after another, so that the toolbox is imported once.
WORKER = """
import sys, torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from csipreid.registry import MODELS

folder = sys.argv[1]
data = torch.load(f'{folder}/data.pth', weights_only=True)
MODELS.get('CrossModalSupConLoss')  # imports what the processes need

def work(rank, index, case):
    counts = case['counts']
    distributed.init_process_group(
        'gloo', f'file://{folder}/meet_{index}', rank=rank, world_size=len(counts)
    )
    mine = slice(sum(counts[:rank]), sum(counts[:rank + 1]))
    tower = nn.Linear(6, 10)
    tower.load_state_dict(data['tower'])
    parallel = DistributedDataParallel(tower)
    both = parallel(data['inputs'][mine])
    loss = MODELS.build(dict(type='CrossModalSupConLoss', gather=True))
    if case['modalities'] == 2:
        value = loss(*both.chunk(2, dim=1), data['pids'][mine], data['valid'][mine])
    else:
        value = loss(both, both, data['pids'][mine])
    value.backward()
    result = dict(loss=value.detach(), weight=tower.weight.grad, bias=tower.bias.grad)
    torch.save(result, f'{folder}/{index}_{rank}.pth')
    distributed.destroy_process_group()

for index, case in enumerate(data['cases']):
    torch.multiprocessing.start_processes(
        work, (index, case), nprocs=len(case['counts']), start_method='fork'
    )
"""
# Rows on each rank; equal, as the samplers give them, and unequal.
COUNTS = [[4, 4], [5, 3], [8, 0], [2, 2, 2, 2], [3, 3, 1, 1]]
CASES = [dict(counts=counts, modalities=m) for counts in COUNTS for m in (1, 2)]


def whole_batch(data, case):
    """What one process computes, without gathering."""
    tower = torch.nn.Linear(6, 10)
    tower.load_state_dict(data['tower'])
    loss = MODELS.build(dict(type='CrossModalSupConLoss'))
    both = tower(data['inputs'])
    if case['modalities'] == 2:
        value = loss(*both.chunk(2, dim=1), data['pids'], data['valid'])
    else:
        value = loss(both, both, data['pids'])
    value.backward()
    return dict(loss=value.detach(), weight=tower.weight.grad, bias=tower.bias.grad)


@pytest.mark.slow
def test_loss_and_averaged_gradient_are_those_of_one_process(tmp_path):
    torch.manual_seed(0)
    data = dict(
        tower=torch.nn.Linear(6, 10).state_dict(),
        inputs=torch.randn(8, 6),
        pids=torch.tensor([0, 1, 0, 1, 2, 2, 3, 1]),
        valid=torch.tensor([True, False, True, True, True, True, False, False]),
        cases=CASES,
    )
    torch.save(data, tmp_path / 'data.pth')
    env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    result = subprocess.run(
        [sys.executable, '-c', WORKER, str(tmp_path)],
        env=env, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    for index, case in enumerate(CASES):
        expected = whole_batch(data, case)
        for rank in range(len(case['counts'])):
            got = torch.load(tmp_path / f'{index}_{rank}.pth', weights_only=True)
            torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


def test_one_process_keeps_its_own_rows():
    parts = torch.randn(3, 2), torch.arange(3)
    assert all(a is b for a, b in zip(gather_rows(*parts), parts, strict=True))


def test_gathering_changes_nothing_in_one_process():
    args = torch.randn(4, 8), torch.randn(4, 8), torch.tensor([0, 0, 1, 1])
    own, gathered = (
        MODELS.build(dict(type='CrossModalSupConLoss', gather=gather))(*args)
        for gather in (False, True)
    )
    assert torch.equal(own, gathered)
