"""Results on disk as JSON."""

import json
import os
from pathlib import Path
from typing import Any


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, whole or not at all; folders are made as needed.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON does not have.
    """
    path = Path(path)
    text = json.dumps(content, indent=2, allow_nan=False) + '\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    partial.write_text(text, encoding='utf-8')
    os.replace(partial, path)
