"""Skeleton layouts, the graphs they span and their files: NumPy and SciPy only."""

from csipreid.skeletons.graph import adjacency, laplacian_encoding, normalized_laplacian
from csipreid.skeletons.layouts import Layout, get_layout, list_layouts, register_layout
from csipreid.skeletons.mapping import mapping_matrix, to_h36m

__all__ = [
    'Layout',
    'adjacency',
    'get_layout',
    'laplacian_encoding',
    'list_layouts',
    'mapping_matrix',
    'normalized_laplacian',
    'register_layout',
    'to_h36m',
]
