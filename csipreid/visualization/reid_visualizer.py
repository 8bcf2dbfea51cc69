"""Visualizer that shows ranked tracklets."""

from collections.abc import Sequence

from mmengine.visualization import Visualizer

from csipreid.registry import VISUALIZERS
from csipreid.skeletons import get_layout
from csipreid.visualization.ranking_sheet import RankedTracklet, draw_ranking


@VISUALIZERS.register_module()
class ReIDVisualizer(Visualizer):
    """MMEngine's visualizer, with ranking sheets.

    A sheet goes to every backend as an image, like anything else that MMEngine
    logs.
    """

    def add_ranking(
        self,
        name: str,
        queries: Sequence[Sequence[RankedTracklet]],
        num_frames: int = 4,
        layout: str | None = None,
        step: int = 0,
    ) -> None:
        """Draw a ranking sheet and hand it to the backends.

        Args:
            name: Name of the image.
            queries: For each query, the query itself and then its ranked
                tracklets, nearest first.
            num_frames: Frames shown of each tracklet.
            layout: Name of the joint layout of the skeletons; None hides them.
            step: Step or epoch of the model.
        """
        sheet = draw_ranking(queries, num_frames, layout=get_layout(layout) if layout else None)
        self.add_image(name, sheet, step)
