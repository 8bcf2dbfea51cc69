"""Drawing of tracklets, rankings and curves."""

from csipreid.visualization.reid_visualizer import ReIDVisualizer

__all__ = ['ReIDVisualizer']
