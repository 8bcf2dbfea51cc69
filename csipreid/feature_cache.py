"""Features of single frames on disk: computed once, read by memory map.

A cache is a folder. While it is being built it holds parts, ``part_00012.npz``,
each of at most :data:`PART_LEN` frames; processes that share the work write
different parts, and an interrupted build goes on with those that are missing.
When all are there they are joined:

- ``features.npy``: float16 or float32, (N, D), one row per frame;
- ``frames.npz``: what the frames were: ``size`` (bytes), ``modified``
  (nanoseconds), ``digest`` (of the content), int64 and uint64, (N,);
- ``about.json``: what the features are of, for people.

Every file is written under a temporary name and renamed.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import track

PART_LEN = 1024  # frames

_DIGEST_BYTES = 8
_ABANDONED = 3600  # seconds since the last write to a temporary file
_THREADS = 16  # that ask the file system, which takes its time over a network


class FrameStamps(NamedTuple):
    """What N frame files were when their features were computed.

    Attributes:
        size: Bytes, int64, (N,).
        modified: Time of the last change, nanoseconds since 1970, int64, (N,).
        digest: BLAKE2b of the content, 8 bytes, uint64, (N,).
    """

    size: np.ndarray
    modified: np.ndarray
    digest: np.ndarray


class FrameFeatures:
    """Features of frames in a memory map, which processes share.

    The file is opened when it is first read, by each process for itself.

    Args:
        path: ``features.npy`` of a cache.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._rows: np.ndarray | None = None

    def __getstate__(self) -> dict:
        """Leave the open file out of a copy for another process."""
        return {**self.__dict__, '_rows': None}

    @property
    def rows(self) -> np.ndarray:
        """All features, float16 or float32, (N, D)."""
        if self._rows is None:
            self._rows = np.load(self.path, mmap_mode='r', allow_pickle=False)
        return self._rows

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Read some rows: indices (n,) to float32, (n, D)."""
        return self.rows[indices].astype(np.float32)


class FeatureCache:
    """A folder of frame features, whole or being built.

    Args:
        folder: Folder of this cache alone; it is made when something is written.
        num_frames: Number of frames, N.
        dim: Width of a feature, D.
        dtype: Precision on disk.

    Raises:
        ValueError: If ``dtype`` is neither 'float16' nor 'float32'.
    """

    def __init__(
        self, folder: str | Path, num_frames: int, dim: int, dtype: str = 'float32'
    ) -> None:
        if dtype not in ('float16', 'float32'):
            raise ValueError(f"dtype must be 'float16' or 'float32', got {dtype!r}")
        self.folder = Path(folder)
        self.num_frames = num_frames
        self.dim = dim
        self.dtype = np.dtype(dtype)
        self.num_parts = -(-num_frames // PART_LEN)

    @property
    def num_bytes(self) -> int:
        """Size of the features, bytes."""
        return self.num_frames * self.dim * self.dtype.itemsize

    def features(self) -> FrameFeatures | None:
        """Return the features; None if they are not whole, or not what they should be."""
        try:
            features = FrameFeatures(self.folder / 'features.npy')
            rows = features.rows
        except (OSError, ValueError, EOFError):  # absent, torn
            return None
        fits = (getattr(rows, 'shape', None), getattr(rows, 'dtype', None)) == (
            (self.num_frames, self.dim),
            self.dtype,
        )
        return features if fits else None

    def stamps(self) -> FrameStamps | None:
        """Return what the frames were; None if that is not known."""
        return _load_stamps(self.folder / 'frames.npz', self.num_frames)

    def part_range(self, part: int) -> range:
        """Return the frames of a part."""
        return range(part * PART_LEN, min((part + 1) * PART_LEN, self.num_frames))

    def missing_parts(self) -> list[int]:
        """Return the parts that have to be computed."""
        return [part for part in range(self.num_parts) if self._read_part(part) is None]

    def remove_stale_parts(self, paths: Sequence[str]) -> int:
        """Remove the parts that were computed from other files than those of now.

        Args:
            paths: The N frames.

        Returns:
            Number of parts that were removed.
        """
        stale = 0
        for part in range(self.num_parts):
            frames = self.part_range(part)
            stamps = _load_stamps(self._part_path(part), len(frames))
            if stamps and update_stamps(paths[frames.start : frames.stop], stamps) is None:
                self._part_path(part).unlink(missing_ok=True)
                stale += 1
        return stale

    def write_part(self, part: int, features: np.ndarray, stamps: FrameStamps) -> None:
        """Write the features (n, D) and stamps of the frames of one part."""
        features = np.ascontiguousarray(features, dtype=self.dtype)
        arrays = dict(features=features, **stamps._asdict())
        _write(self._part_path(part), lambda file: np.savez(file, **arrays))

    def join(self, about: Mapping[str, Any]) -> None:
        """Make one memory map of all parts, then remove them.

        Args:
            about: What the features are of; written for people to read.

        Raises:
            FileNotFoundError: If a part is missing.
        """
        stamps: list[dict] = []

        def copy(file: Any) -> None:
            header = dict(
                descr=np.lib.format.dtype_to_descr(self.dtype),
                fortran_order=False,
                shape=(self.num_frames, self.dim),
            )
            np.lib.format.write_array_header_1_0(file, header)
            for part in range(self.num_parts):
                arrays = self._read_part(part)
                if arrays is None:
                    raise FileNotFoundError(f'{self._part_path(part)} is missing or broken')
                file.write(arrays.pop('features').tobytes())
                stamps.append(arrays)

        # The features come last: a cache with them is whole.
        partial = _write_partial(self.folder / 'features.npy', copy)
        joined = {name: np.concatenate([s[name] for s in stamps]) for name in FrameStamps._fields}
        self.write_stamps(FrameStamps(**joined))
        text = json.dumps(dict(about), indent=2) + '\n'
        _write(self.folder / 'about.json', lambda file: file.write(text.encode()))
        os.replace(partial, self.folder / 'features.npy')
        self.remove_parts()

    def remove_parts(self) -> None:
        """Remove what the features were joined from."""
        for part in range(self.num_parts):
            self._part_path(part).unlink(missing_ok=True)

    def remove_abandoned(self) -> None:
        """Remove what a killed process was writing: nobody else stops for an hour."""
        for path in self.folder.glob('*.partial'):
            with contextlib.suppress(FileNotFoundError):  # its writer has just renamed it
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def write_stamps(self, stamps: FrameStamps) -> None:
        """Replace what is known of the frames."""
        _write(self.folder / 'frames.npz', lambda file: np.savez(file, **stamps._asdict()))

    def remove_features(self) -> None:
        """Remove the features: what they were computed from is not known."""
        (self.folder / 'features.npy').unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the cache."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part_path(self, part: int) -> Path:
        """Return the file of a part."""
        return self.folder / f'part_{part:05d}.npz'

    def _read_part(self, part: int) -> dict[str, np.ndarray] | None:
        """Read a part; None if it is missing, torn or of another kind."""
        length = len(self.part_range(part))
        stamps = _load_stamps(self._part_path(part), length)
        arrays = _load_arrays(self._part_path(part), ('features',))
        if stamps is None or arrays is None or arrays['features'].shape != (length, self.dim):
            return None
        fits = arrays['features'].dtype == self.dtype
        return arrays | stamps._asdict() if fits else None


def stamp_file(path: str) -> tuple[int, int, int]:
    """Return size, time of the last change and digest of a file, for :class:`FrameStamps`."""
    state = os.stat(path)
    with open(path, 'rb') as file:
        digest = hashlib.blake2b(file.read(), digest_size=_DIGEST_BYTES).digest()
    return state.st_size, state.st_mtime_ns, int.from_bytes(digest, 'little')


def update_stamps(paths: Sequence[str], stamps: FrameStamps) -> FrameStamps | None:
    """Compare files with what they were; None if one of them is another now.

    A file is read only if its time differs while its size does not, as after
    a copy of the whole data set.

    Args:
        paths: The N files.
        stamps: What they were.

    Returns:
        The stamps with the times of now.
    """
    modified = stamps.modified.copy()

    def are_same(indices: range) -> bool:
        for index in indices:
            state = os.stat(paths[index])
            if state.st_size != stamps.size[index]:
                return False
            if state.st_mtime_ns != modified[index]:
                if stamp_file(paths[index])[2] != stamps.digest[index]:
                    return False
                modified[index] = state.st_mtime_ns
        return True

    shares = [
        range(start, min(start + PART_LEN, len(paths))) for start in range(0, len(paths), PART_LEN)
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = pool.map(are_same, shares)
        for same in track(answers, 'Checking frames', total=len(shares), transient=True):
            if not same:
                pool.shutdown(cancel_futures=True)
                return None
    return stamps._replace(modified=modified)


def _load_stamps(path: Path, length: int) -> FrameStamps | None:
    """Read what so many frames were; None if the file does not tell."""
    arrays = _load_arrays(path, FrameStamps._fields)
    if arrays is None or any(
        a.shape != (length,) or a.dtype.kind not in 'iu' for a in arrays.values()
    ):
        return None
    return FrameStamps(**arrays)


def _load_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray] | None:
    """Read arrays; None if the file is missing, torn or holds others."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except Exception:  # a torn archive breaks zipfile and NumPy in a dozen ways
        return None


def _write(path: Path, fill: Callable[[Any], Any]) -> None:
    """Write a file under a temporary name, then rename it."""
    os.replace(_write_partial(path, fill), path)


def _write_partial(path: Path, fill: Callable[[Any], Any]) -> Path:
    """Write a file under a temporary name that no other process uses, and return that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.{uuid.uuid4().hex}.partial')
    try:
        with partial.open('wb') as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())  # or a power failure leaves zeros under the final name
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return partial
