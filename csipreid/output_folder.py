"""Folders that tools write into: each tool replaces what it wrote, and nothing else."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType

_RECORDS = '.csipreid'  # hidden, so that no data set takes it for a folder of its own


class OutputFolder:
    """A folder into which a tool writes in place of what it wrote there before.

    Within the block the files are written to :attr:`staging`. At its end the files of the run
    before are removed, as far as they are not replaced, and the new ones take their places. A
    hidden list beside them says which files are whose; it is written before the first file
    changes, so that a run that was killed is cleaned up by the next one. Until then, and when
    the block fails, everything stays as it was.

    Args:
        folder: The folder; it is made if it does not exist.
        tool: Name of the tool.
        source: What it works on, if several runs share the folder, such as the path of a video.
        places: Folders relative to ``folder`` that will be filled. They may hold nothing but
            what the same tool wrote there from the same source.

    Attributes:
        staging: Where to write.
        removed: Files of the run before that are gone; known after the block.

    Raises:
        FileExistsError: If ``folder`` is a file, or a place holds something else.
        ValueError: If the list of written files is broken.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        tool: str,
        source: str = '',
        places: Iterable[str] = ('',),
    ) -> None:
        self.folder = Path(folder)
        self.tool, self.source = tool, source
        name = f'{tool}-{hashlib.sha256(source.encode()).hexdigest()[:16]}'
        self._record = self.folder / _RECORDS / f'{name}.json'
        self.staging = self._record.with_suffix('.partial')
        self.removed = 0
        if self.folder.exists() and not self.folder.is_dir():
            raise FileExistsError(f'{self.folder} is a file; name a folder')
        self._before = _read_record(self._record, self.folder)
        self._check_places(places)

    def _check_places(self, places: Iterable[str]) -> None:
        """Refuse places that hold what this tool did not write from this source."""
        own = {PurePosixPath(name) for name in self._before}
        own |= {parent for path in own for parent in path.parents}
        for place in places:
            try:
                names = sorted(os.listdir(self.folder / place))
            except FileNotFoundError:
                continue
            foreign = [n for n in names if n[0] != '.' and PurePosixPath(place, n) not in own]
            if foreign:
                raise FileExistsError(
                    f'{self.folder / place} holds {foreign[0]!r}, which this run of {self.tool} '
                    'does not replace: it is of another origin or another source; choose another '
                    'folder or remove it'
                )

    def __enter__(self) -> 'OutputFolder':
        shutil.rmtree(self.staging, ignore_errors=True)  # of a run that was killed
        self._made = not self.folder.exists()
        self.staging.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._put_in_place()
        finally:
            shutil.rmtree(self.staging, ignore_errors=True)
            if _is_empty(self.staging.parent):
                self.staging.parent.rmdir()
            if self._made and _is_empty(self.folder):
                self.folder.rmdir()

    def _put_in_place(self) -> None:
        """Exchange the files of the run before for the new ones."""
        files = (path for path in self.staging.rglob('*') if path.is_file())
        new = sorted(path.relative_to(self.staging).as_posix() for path in files)
        gone = sorted(set(self._before) - set(new))
        self._write_record([*new, *gone], complete=False)
        for name in gone:
            _remove(self.folder, name)
        for name in new:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.staging / name, self.folder / name)
        self._write_record(new, complete=True)
        self.removed = len(gone)

    def _write_record(self, files: list[str], complete: bool) -> None:
        """Write which files are whose, under a temporary name, then rename it."""
        partial = self._record.with_suffix('.json.partial')
        content = dict(tool=self.tool, source=self.source, complete=complete, files=files)
        partial.write_text(json.dumps(content, indent=0) + '\n', encoding='utf-8')
        os.replace(partial, self._record)


def check_complete(folder: str | os.PathLike) -> None:
    """Refuse a folder in which a tool was stopped while it exchanged files.

    Raises:
        ValueError: If there is such a tool; it is named.
    """
    for record in sorted(Path(folder, _RECORDS).glob('*.json')):
        content = _read_json(record)
        if content.get('complete') is not True:
            raise ValueError(
                f'{folder} is half written: {content.get("tool")} was stopped while it replaced '
                f'files made from {content.get("source")!r}; run it again'
            )


def _read_record(record: Path, folder: Path) -> list[str]:
    """Return the files that a list names, relative to the folder; none may lie outside of it."""
    files = _read_json(record).get('files', [])
    for name in files if isinstance(files, list) else [None]:
        parts = PurePosixPath(name).parts if isinstance(name, str) else ('..',)
        inside = parts and '..' not in parts and parts[0] not in ('/', _RECORDS)
        if not inside or not (folder / str(name)).parent.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f'{record} names {name!r}, which is no file below {folder}')
    return files


def _read_json(record: Path) -> dict:
    """Read a list of written files; an empty dict if there is none."""
    try:
        content = json.loads(record.read_text(encoding='utf-8'))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ValueError(
            f'{record} is not the list of files that a tool wrote; remove it, and what the tool '
            'wrote, or choose another folder'
        )
    return content


def _remove(folder: Path, name: str) -> None:
    """Remove a file, and the folders above it that become empty."""
    path = folder / name
    path.unlink(missing_ok=True)
    for parent in path.relative_to(folder).parents:
        if parent == Path() or not _is_empty(folder / parent):
            return
        (folder / parent).rmdir()


def _is_empty(folder: Path) -> bool:
    """Return whether a folder exists and holds nothing."""
    return folder.is_dir() and not any(folder.iterdir())
