"""What an examination found."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

_EXAMPLES = 5

Severity = Literal['error', 'warning', 'note']


@dataclass(frozen=True)
class Finding:
    """One kind of trouble in one subset.

    Args:
        severity: 'error' when training or testing would fail, 'warning' when it would run on
            doubtful data, 'note' otherwise.
        kind: Short name of the trouble.
        subset: Where it is; 'all' if it concerns several.
        message: What is wrong and what to do.
        count: How many things are concerned.
        examples: The first few of them.
    """

    severity: Severity
    kind: str
    subset: str
    message: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f'{self.severity.upper():8}{self.subset:8}{self.kind}: {self.message}']
        return '\n'.join([*lines, *(f'{"":16}{example}' for example in self.examples)])


@dataclass
class Report:
    """Everything that an examination found.

    Args:
        subsets: Counts of each subset.
        matching: What the evaluation would do, in counts.
        findings: The troubles.
    """

    subsets: dict[str, dict[str, Any]] = field(default_factory=dict)
    matching: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(
        self,
        severity: Severity,
        kind: str,
        subset: str,
        message: str,
        things: Iterable[Any] = (),
        count: int | None = None,
    ) -> None:
        """Add a finding; ``things`` are all that it concerns."""
        listed = [str(thing) for thing in things]
        number = max(1, len(listed)) if count is None else count
        self.findings.append(
            Finding(severity, kind, subset, message, number, tuple(listed[:_EXAMPLES]))
        )

    @property
    def fit(self) -> bool:
        """Whether training and testing would run."""
        return not any(finding.severity == 'error' for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the report in plain values."""
        return dict(
            fit=self.fit,
            subsets=self.subsets,
            matching=self.matching,
            findings=[
                {**vars(finding), 'examples': list(finding.examples)} for finding in self.findings
            ],
        )
