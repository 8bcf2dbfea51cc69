"""Reading of a checkpoint that is looked into first and loaded later."""

from pathlib import Path
from typing import Any

from csipreid.checkpoint import read_checkpoint


class CheckpointReader:
    """Read checkpoints; one that was looked into last is not read again to be taken."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[str, str], dict[str, Any]] | None = None

    def look_into(self, path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
        """Read a checkpoint and keep it until one is taken.

        Args:
            path: File.
            map_location: Where the tensors go; see :func:`torch.load`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read; see :func:`csipreid.checkpoint.read_checkpoint`.
        """
        content = self.take(path, map_location)
        self._kept = (str(path), str(map_location)), content
        return content

    def take(self, path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
        """Return a checkpoint, and keep none: they are large.

        Args:
            path: File.
            map_location: As for :meth:`look_into`.

        Raises:
            FileNotFoundError: As :meth:`look_into`.
            ValueError: As :meth:`look_into`.
        """
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] == (str(path), str(map_location)):
            return kept[1]
        del kept  # before two are in memory
        return read_checkpoint(path, map_location)
