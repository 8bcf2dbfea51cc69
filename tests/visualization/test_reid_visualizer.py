import cv2
import numpy as np

from csipreid.registry import VISUALIZERS
from csipreid.visualization.ranking_sheet import RankedTracklet


def test_sheet_reaches_the_backend(tmp_path):
    visualizer = VISUALIZERS.build(
        dict(
            type='ReIDVisualizer',
            name='sheet',
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path),
        )
    )
    row = [RankedTracklet([np.zeros((8, 4, 3), np.uint8)], 'query')]
    visualizer.add_ranking('worst', [row], layout='h36m', step=3)
    written = list(tmp_path.rglob('worst_3.png'))
    assert len(written) == 1
    assert cv2.imread(str(written[0])).shape[0] > 100
