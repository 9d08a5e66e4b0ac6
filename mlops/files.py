"""Files and folders that appear whole: written aside, forced to disk, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put *content* at *path* in one step: whoever reads meanwhile sees the old content or the new.

    Args:
        durable: wait until it is on the disk. Without, a power failure may bring the old content back, but no mixture.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write(draft, content, durable=durable)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Fill the new *folder* with *files*, each read-only and on the disk when this returns.

    Args:
        files: content by path relative to *folder*, with forward slashes.
    """
    folder.mkdir(parents=True)
    folders = {folder}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.update(parent for parent in path.parents if parent.is_relative_to(folder))
        _write(path, content, durable=True)
        path.chmod(0o444)
    for written in folders:
        sync_folder(written)


def sync_folder(folder: Path) -> None:
    """Force the names in *folder* to disk, where the system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(path: Path, content: bytes, *, durable: bool) -> None:
    with path.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
