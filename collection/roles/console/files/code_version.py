"""Print one hash of all code that the console's processes have loaded once they run.

That is the files of the package, those of the collection it reads its forms
from, and the versions of everything installed beside them.
"""

import hashlib
from importlib import import_module, metadata
from pathlib import Path


def folders():
    """Folders of the package and of the collection."""
    for name in ("labyard", "ansible_collections.labyard.platform"):
        for folder in import_module(name).__path__:
            yield Path(folder).resolve()


def main():
    """Hash paths and contents in a fixed order."""
    digest = hashlib.sha256()
    for name in sorted(f"{found.name}=={found.version}" for found in metadata.distributions()):
        digest.update(name.encode())
    for folder in folders():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    print(digest.hexdigest()[:16])


main()
