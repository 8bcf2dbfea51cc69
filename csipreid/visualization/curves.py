"""Plots as images: curves and a table of numbers."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe-Ito palette: told apart by colour-blind readers.
_PALETTE = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000')


def draw_curves(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    x_label: str = '',
    y_label: str = '',
    panel_size: tuple[float, float] = (4.5, 3.2),
    log_x: bool = False,
) -> np.ndarray:
    """Plot named curves, one panel beside another.

    Args:
        panels: Panel title -> curve name -> (x values, y values).
        x_label: What x is, with its unit, for all panels.
        y_label: What y is, with its unit, for all panels.
        panel_size: Width and height of a panel in inches of 100 pixels.
        log_x: Whether x is logarithmic.

    Returns:
        RGB image, uint8, (H, W, 3).

    Raises:
        ValueError: If there is no panel.
    """
    if not panels:
        raise ValueError('there is nothing to plot: panels is empty')
    figure = Figure(figsize=(panel_size[0] * len(panels), panel_size[1]), dpi=100)
    for number, (title, curves) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        for index, (name, (x, y)) in enumerate(curves.items()):
            marker = 'o' if len(x) <= 20 else ''
            colour = _PALETTE[index % len(_PALETTE)]
            axes.plot(x, y, label=name, color=colour, marker=marker, markersize=3)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(alpha=0.3)
        if log_x:
            axes.set_xscale('log')
        if len(curves) > 1:
            axes.legend(fontsize=8)
    return _render(figure)


def draw_matrix(
    values: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], title: str = ''
) -> np.ndarray:
    """Draw a table of percentages, shaded by value; NaN cells stay blank.

    Args:
        values: Percent in [0, 100] or NaN, float, (R, S).
        row_names: Names of the R rows.
        column_names: Names of the S columns.
        title: Line above the table.

    Returns:
        RGB image, uint8, (H, W, 3).

    Raises:
        ValueError: If the names do not fit the table.
    """
    if values.shape != (len(row_names), len(column_names)):
        raise ValueError(
            f'values of shape {values.shape} need as many names, '
            f'got {len(row_names)} for rows and {len(column_names)} for columns'
        )
    size = (1.6 + 0.55 * values.shape[1], 1.2 + 0.45 * values.shape[0])
    figure = Figure(figsize=size, dpi=100)
    axes = figure.add_subplot()
    axes.imshow(np.ma.masked_invalid(values), cmap='viridis', vmin=0, vmax=100, aspect='auto')
    axes.set_xticks(range(len(column_names)), column_names, fontsize=8)
    axes.set_yticks(range(len(row_names)), row_names, fontsize=8)
    axes.set_title(title, fontsize=10)
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = 'black' if value > 60 else 'white'
            axes.text(
                column, row, f'{value:.1f}', ha='center', va='center', color=colour, fontsize=8
            )
    return _render(figure)


def _render(figure: Figure) -> np.ndarray:
    """Rasterise a figure without touching pyplot's global state."""
    figure.tight_layout()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
