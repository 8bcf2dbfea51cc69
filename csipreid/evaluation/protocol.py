"""Evaluation protocols: which items a query is ranked against, and which AP is taken."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from csipreid.evaluation.similarity import Metric


@dataclass(frozen=True)
class Protocol:
    """Rules of one retrieval evaluation.

    Args:
        name: Name printed with every result.
        query_in_gallery: Whether each query is also ranked against the other
            queries. MARS needs it: 140 of its 1980 queries have no match
            elsewhere.
        average_precision: 'step' averages the precision at the matches;
            'trapezoid' integrates precision over recall by trapezoids.
        same_camera: What happens to gallery items of the query's identity and
            camera: left out ('drop') or counted as matches ('keep').
        junk_pid: Identity of tracklets that nothing is ranked against and that
            do not query; None if the data set has none.
        distractor_pid: Identity of gallery items that match no query, for the
            counts only; None if the data set has none.
        metric: 'cosine' compares embeddings by their direction; 'euclidean' by
            their distance as they are, for features that are meant so.

    Raises:
        ValueError: If the rules contradict each other.
    """

    name: str
    query_in_gallery: bool
    average_precision: Literal['step', 'trapezoid'] = 'step'
    same_camera: Literal['drop', 'keep'] = 'drop'
    junk_pid: int | None = -1
    distractor_pid: int | None = 0
    metric: Metric = 'cosine'

    def __post_init__(self) -> None:
        if self.average_precision not in ('step', 'trapezoid'):
            raise ValueError(
                f"average_precision must be 'step' or 'trapezoid', got {self.average_precision!r}"
            )
        if self.same_camera not in ('drop', 'keep'):
            raise ValueError(f"same_camera must be 'drop' or 'keep', got {self.same_camera!r}")
        if self.metric not in ('cosine', 'euclidean'):
            raise ValueError(f"metric must be 'cosine' or 'euclidean', got {self.metric!r}")
        if self.query_in_gallery and self.same_camera == 'keep':
            raise ValueError(
                "query_in_gallery=True needs same_camera='drop': each query would match itself"
            )


_PRESETS = {
    protocol.name: protocol
    for protocol in (
        # Zheng et al., ECCV 2016, the MATLAB code of MARS-evaluation.
        Protocol('mars_official', query_in_gallery=True, average_precision='trapezoid'),
        # The published TF-CLIP code: queries followed by the gallery.
        Protocol('tfclip', query_in_gallery=True),
        # The published CSIP-ReID code: the gallery alone.
        Protocol('csip', query_in_gallery=False),
        # Market-1501 as the Python toolboxes score it; its MATLAB code takes trapezoids.
        Protocol('market', query_in_gallery=False),
        # One camera queries, the other is the gallery; identities are counted from 0.
        Protocol('ilids', query_in_gallery=False, junk_pid=None, distractor_pid=None),
        # Skeletons alone, as TranSG (Rao and Miao, CVPR 2023) scores each of these sets: probe
        # sequences against gallery sequences, whatever the view. It takes metric='euclidean'.
        *(
            Protocol(
                name,
                query_in_gallery=False,
                same_camera='keep',
                junk_pid=None,
                distractor_pid=None,
            )
            for name in ('biwi', 'ias', 'ks20', 'kgbd')
        ),
    )
}


def list_protocols() -> list[str]:
    """Return the names of the presets."""
    return list(_PRESETS)


def get_protocol(protocol: 'str | dict[str, Any] | Protocol') -> Protocol:
    """Return a protocol by name, or a preset with some rules changed.

    Args:
        protocol: A preset's name; or a dict with the preset's name under
            ``base`` and the rules to change, which should include a new
            ``name``; or a protocol, which is returned as it is.

    Raises:
        ValueError: If no preset has that name or a rule is unknown.
    """
    if isinstance(protocol, Protocol):
        return protocol
    rules = dict(protocol) if isinstance(protocol, dict) else {'base': protocol}
    base = rules.pop('base', None)
    if base not in _PRESETS:
        raise ValueError(f'unknown protocol {base!r}; known protocols: {list_protocols()}')
    unknown = set(rules) - set(Protocol.__dataclass_fields__)
    if unknown:
        raise ValueError(
            f'unknown rules {sorted(unknown)} for protocol {base!r}; '
            f'known rules: {sorted(Protocol.__dataclass_fields__)}'
        )
    if rules:
        rules.setdefault('name', f'{base} (changed)')
    return replace(_PRESETS[base], **rules)
