"""Joint layouts: names, bones, left/right pairs and root."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """How the joints of a skeleton are ordered and connected.

    Args:
        name: Name by which configs refer to the layout.
        joints: Joint names, in storage order, V of them.
        bones: Pairs (parent, child) of joint indices; together a tree.
        root: Index of the joint that is the origin of a centred skeleton.
        flip_pairs: Pairs (left, right) of joints that change places in a mirror.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    root: int
    flip_pairs: tuple[tuple[int, int], ...]

    @property
    def num_joints(self) -> int:
        """Number of joints V."""
        return len(self.joints)

    @property
    def flip_order(self) -> tuple[int, ...]:
        """Joint order of the mirrored skeleton: ``mirrored = skeleton[flip_order]``, (V,)."""
        order = list(range(self.num_joints))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return tuple(order)


# Human3.6M subset of 17 joints (Ionescu et al., TPAMI 2014), in the order of the
# published CSIP-ReID skeleton files. It calls joint 9 neck or nose.
_H36M = Layout(
    name='h36m',
    joints=(
        'pelvis',
        'right_hip',
        'right_knee',
        'right_ankle',
        'left_hip',
        'left_knee',
        'left_ankle',
        'spine',
        'thorax',
        'neck',
        'head',
        'left_shoulder',
        'left_elbow',
        'left_wrist',
        'right_shoulder',
        'right_elbow',
        'right_wrist',
    ),
    bones=(
        (0, 1),
        (1, 2),
        (2, 3),
        (0, 4),
        (4, 5),
        (5, 6),
        (0, 7),
        (7, 8),
        (8, 9),
        (9, 10),
        (8, 11),
        (11, 12),
        (12, 13),
        (8, 14),
        (14, 15),
        (15, 16),
    ),
    root=0,
    flip_pairs=((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16)),
)

_LAYOUTS = {layout.name: layout for layout in (_H36M,)}


def get_layout(name: str) -> Layout:
    """Return the layout called ``name``.

    Raises:
        ValueError: If no layout has that name.
    """
    if name not in _LAYOUTS:
        raise ValueError(f'unknown layout {name!r}; known layouts: {sorted(_LAYOUTS)}')
    return _LAYOUTS[name]
