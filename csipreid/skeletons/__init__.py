"""Skeleton layouts and the graphs they span: NumPy and SciPy only."""

from csipreid.skeletons.graph import adjacency, laplacian_encoding, normalized_laplacian
from csipreid.skeletons.layouts import Layout, get_layout

__all__ = ['Layout', 'adjacency', 'get_layout', 'laplacian_encoding', 'normalized_laplacian']
