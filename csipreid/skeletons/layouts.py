"""Joint layouts: names, bones, left/right pairs and root."""

from collections.abc import Sequence
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


def register_layout(
    name: str, joints: Sequence[str], bones: Sequence[tuple[str, str]], root: str
) -> Layout:
    """Make a layout known under a name; a config imports who calls this by ``custom_imports``.

    Args:
        name: New name.
        joints: Names of the joints in storage order, each once. One that begins with ``left_``
            needs its partner ``right_``; joints named as those of 'h36m' can be mapped to it.
        bones: Pairs (parent, child) of joints, from the root outwards; together a tree.
        root: Joint that is the origin of a centred skeleton.

    Raises:
        ValueError: If another layout has the name, a joint comes twice or has no partner, or
            the bones name unknown joints or form no tree from the root.
    """
    names = set(joints)
    if len(names) < len(joints) or root not in names:
        raise ValueError(f'layout {name!r}: joints must come once each, and the root among them')
    unknown = {joint for bone in bones for joint in bone} - names
    partners = {f'right_{j.removeprefix("left_")}' for j in names if j.startswith('left_')}
    if unknown or partners - names:
        raise ValueError(
            f'layout {name!r} has no joint {sorted(unknown | (partners - names))[0]!r}, which a '
            'bone or the other side needs'
        )
    reached = {root}
    for parent, child in bones:
        if parent not in reached or child in reached:
            raise ValueError(
                f'layout {name!r}: the bone from {parent!r} to {child!r} does not lead from the '
                'root outwards to a new joint'
            )
        reached.add(child)
    if reached != names:
        raise ValueError(f'layout {name!r}: no bone leads to {sorted(names - reached)[0]!r}')
    layout = _build(name, dict(joints=tuple(joints), bones=tuple(bones), root=root))
    if _LAYOUTS.setdefault(name, layout) != layout:
        raise ValueError(f'there is another layout {name!r}; choose a new name')
    return layout


def get_layout(name: str) -> Layout:
    """Return the layout called ``name``.

    Raises:
        ValueError: If no layout has that name.
    """
    if name not in _LAYOUTS:
        raise ValueError(f'unknown layout {name!r}; known layouts: {sorted(_LAYOUTS)}')
    return _LAYOUTS[name]
