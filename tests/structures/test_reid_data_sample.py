import torch

from csipreid.structures import ReIDDataSample


def test_sample_becomes_a_dict_that_metrics_read():
    sample = ReIDDataSample(pid=7, camid=2, subset='query')
    sample.embedding = torch.ones(3)
    assert sample.to_dict().keys() >= {'pid', 'camid', 'subset', 'embedding'}
    assert sample.to_dict()['pid'] == 7


def test_moving_a_sample_moves_its_tensors():
    sample = ReIDDataSample(embedding=torch.ones(3))
    assert sample.to(torch.float64).embedding.dtype == torch.float64
