"""Samplers: which tracklets form a batch."""

from csipreid.datasets.samplers.identity_sampler import IdentitySampler

__all__ = ['IdentitySampler']
