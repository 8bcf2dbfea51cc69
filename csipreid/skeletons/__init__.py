"""Skeleton layouts, the graphs they span and their files: NumPy and SciPy only."""

from csipreid.skeletons.graph import adjacency, laplacian_encoding, normalized_laplacian
from csipreid.skeletons.layouts import Layout, get_layout, list_layouts
from csipreid.skeletons.mapping import mapping_matrix, to_h36m

__all__ = [
    'Layout',
    'adjacency',
    'get_layout',
    'laplacian_encoding',
    'list_layouts',
    'mapping_matrix',
    'normalized_laplacian',
    'to_h36m',
]
