"""Put the package labyard, as this interpreter has it, into a folder as a wheel, and say what it needs.

    python console_package.py FOLDER

Where it is installed from a checkout, the wheel is built; where it is installed as a wheel, that is put
together again from its files. The same code gives the same file. Prints JSON: `wheel`, its path;
`sha256` of its content; `requires`, the packages that it needs.
"""

import base64
import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from importlib.metadata import Distribution, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

PACKAGE = "labyard"
LONG_AGO = (2020, 2, 2, 0, 0, 0)
# What an installer has written about how it installed.
ABOUT_INSTALLING = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}


def main() -> None:
    """Make the wheel and print what it is."""
    folder = Path(sys.argv[1])
    found = distribution(PACKAGE)
    source = json.loads(found.read_text("direct_url.json") or "{}")
    if source.get("dir_info", {}).get("editable"):
        build(Path(unquote(urlsplit(source["url"]).path)), folder)
    else:
        put_together(found, folder)
    (wheel,) = folder.glob("*.whl")
    print(
        json.dumps(
            {
                "wheel": str(wheel),
                "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "requires": requires(wheel),
            }
        )
    )


def build(checkout: Path, folder: Path) -> None:
    """Build the wheel of a checkout."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if importlib.util.find_spec("hatchling"):
        command.append("--no-build-isolation")
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(checkout)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"The package cannot be built from {checkout}: {done.stderr.strip()}")


def put_together(found: Distribution, folder: Path) -> None:
    """Write the wheel of what is installed."""
    files = {
        str(path): path.read_binary()
        for path in sorted(found.files or (), key=str)
        if ".." not in path.parts and "__pycache__" not in path.parts and path.name not in ABOUT_INSTALLING
    }
    (about,) = {name.partition("/")[0] for name in files if name.partition("/")[0].endswith(".dist-info")}
    files[f"{about}/RECORD"] = record(files, f"{about}/RECORD")
    tag = HeaderParser().parsestr(files[f"{about}/WHEEL"].decode())["Tag"]
    with zipfile.ZipFile(folder / f"{about.removesuffix('.dist-info')}-{tag}.whl", "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def record(files: dict[str, bytes], own: str) -> bytes:
    """The list of all files with their hashes, which a wheel has."""
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own},,", ""]).encode()


def requires(wheel: Path) -> list[str]:
    """The packages that a wheel needs, without its extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        needed = HeaderParser().parsestr(archive.read(name).decode()).get_all("Requires-Dist") or []
    return sorted(text for text in needed if "extra ==" not in text)


if __name__ == "__main__":
    main()
