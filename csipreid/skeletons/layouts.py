"""Joint layouts: names, bones, left/right pairs and root."""

from dataclasses import dataclass

from csipreid.skeletons.layout_tables import TABLES


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
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint; the root is its own, (V,)."""
        order = list(range(self.num_joints))
        for parent, child in self.bones:
            order[child] = parent
        return tuple(order)

    @property
    def flip_order(self) -> tuple[int, ...]:
        """Joint order of the mirrored skeleton: ``mirrored = skeleton[flip_order]``, (V,)."""
        order = list(range(self.num_joints))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return tuple(order)


def _build(name: str, table: dict) -> Layout:
    """Make a layout from its table, in which joints are called by name."""
    joints = table['joints']
    index = {joint: number for number, joint in enumerate(joints)}
    return Layout(
        name=name,
        joints=joints,
        bones=tuple((index[parent], index[child]) for parent, child in table['bones']),
        root=index[table['root']],
        flip_pairs=tuple(
            (number, index[f'right_{joint.removeprefix("left_")}'])
            for number, joint in enumerate(joints)
            if joint.startswith('left_')
        ),
    )


_LAYOUTS = {name: _build(name, table) for name, table in TABLES.items()}


def list_layouts() -> list[str]:
    """Return the names of the known layouts."""
    return list(_LAYOUTS)


def get_layout(name: str) -> Layout:
    """Return the layout called ``name``.

    Raises:
        ValueError: If no layout has that name.
    """
    if name not in _LAYOUTS:
        raise ValueError(f'unknown layout {name!r}; known layouts: {sorted(_LAYOUTS)}')
    return _LAYOUTS[name]
