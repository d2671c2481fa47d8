"""Print one hash of all code that the console's processes have loaded once they run.

That is the package, what it uses of the collection (shared code, and the argument
specs that its forms are made from) and the versions of everything installed beside
them. Plays read the rest of the collection anew each time.
"""

import hashlib
from importlib import import_module, metadata
from pathlib import Path


def loaded_files():
    """Files that the processes read once."""
    (package,) = (Path(folder).resolve() for folder in import_module("labyard").__path__)
    yield from package.rglob("*")
    for folder in import_module("ansible_collections.labyard.platform").__path__:
        yield from Path(folder).resolve().glob("plugins/module_utils/**/*")
        yield from Path(folder).resolve().glob("roles/*/meta/*")


def main():
    """Hash paths and contents in a fixed order."""
    digest = hashlib.sha256()
    for name in sorted(f"{found.name}=={found.version}" for found in metadata.distributions()):
        digest.update(name.encode())
    for path in sorted(set(loaded_files())):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path).encode())
            digest.update(path.read_bytes())
    print(digest.hexdigest()[:16])


main()
