"""The files of model versions: named by their content, verified before each use, never a pickle."""

from mlops.artefacts.disk import DiskArtefacts
from mlops.artefacts.manifest import Digest, Manifest, files_in
from mlops.artefacts.memory import MemoryArtefacts
from mlops.artefacts.protocol import ArtefactStore

__all__ = ["ArtefactStore", "Digest", "DiskArtefacts", "Manifest", "MemoryArtefacts", "files_in"]
