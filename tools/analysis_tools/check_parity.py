"""Hold the toolbox against recorded numbers of published implementations.

A directory holds ``official_state_dict.pth`` (weights in the published key
layout of CSIP-ReID, TF-CLIP or CLIP-ReID), ``io.npz`` (inputs and outputs) and
``meta.json`` (sizes, gradient norms and twelve optimiser steps). The weights are
converted; models, optimisers and schedules are built from the ``_published``
configs with the sizes of ``meta.json`` put in; and every recorded number is
compared.

Example::

    python tools/analysis_tools/check_parity.py tests/data/golden_a --json parity.json
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import parity_clipreid
import parity_csip
import parity_tfclip
from parity_rows import Row, read_case

from csipreid.arguments import output_file
from csipreid.models.official_layouts import CLIPREID, TFCLIP, layout_of_official

_METHODS = {TFCLIP.name: parity_tfclip, CLIPREID.name: parity_clipreid}


def check(folder: Path) -> list[Row]:
    """Compare all that a directory records; what cannot be compared fails."""
    try:
        case = read_case(folder)
        layout = layout_of_official({*case.official_names.values(), *case.apart})
        blocks = _METHODS.get(layout.name, parity_csip).blocks(case)
    except Exception as error:
        return [Row('contents of the directory', None, None, 0.0, False, None, _tell(error))]
    rows: list[Row] = []
    for name, block in blocks.items():
        try:
            rows.extend(block())
        except Exception as error:
            rows.append(Row(name, None, None, 0.0, False, None, _tell(error)))
    return rows


def _tell(error: Exception) -> str:
    """Say what an exception means for a directory."""
    if isinstance(error, KeyError):
        return f'{error.args[0]} is missing'
    return f'{type(error).__name__}: {error}'


def table(rows: Sequence[Row]) -> list[str]:
    """Lay out rows as text, one line for each group."""
    lines = [f'{"quantity":<44}{"max abs diff":>14}{"max rel diff":>14}{"tolerance":>11}  result']
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group or row.quantity, []).append(row)
    for name, members in groups.items():
        grouped = members[0].group is not None
        label = f'{name} ({len(members)})' if grouped else name
        result = 'PASS' if all(row.passed for row in members) else 'FAIL'
        lines.append(
            f'{label:<44}{_worst(members, "absolute"):>14}{_worst(members, "relative"):>14}'
            f'{members[0].tolerance:>11.0e}  {result}'
        )
        for row in [row for row in members if not row.passed]:
            reason = row.note or (f'differs by {row.absolute:.2e}' if grouped else '')
            if reason:
                lines.append(f'    {row.quantity}: {reason}' if grouped else f'    {reason}')
    return lines


def _worst(rows: Sequence[Row], kind: str) -> str:
    """Format the largest difference of some rows."""
    values = [getattr(row, kind) for row in rows if getattr(row, kind) is not None]
    return f'{float(np.max(values)):.2e}' if values else '-'


def main(argv: Sequence[str] | None = None) -> None:
    """Check every directory; exit with status 1 if anything fails or is missing."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folders', nargs='+', type=Path, metavar='DIR', help='recorded numbers')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='file for all rows')
    args = parser.parse_args(argv)
    results = {}
    for folder in args.folders:
        rows = results[str(folder)] = check(folder)
        print(folder, *table(rows), '', sep='\n')
    failed = sum(not row.passed for rows in results.values() for row in rows)
    if args.json is not None:
        folders = {name: [asdict(row) for row in rows] for name, rows in results.items()}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        partial = args.json.with_name(f'{args.json.name}.partial')
        partial.write_text(json.dumps(dict(passed=not failed, folders=folders), indent=2) + '\n')
        os.replace(partial, args.json)
    print(f'{failed} numbers differ or are missing' if failed else 'all numbers agree')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
