"""QM9's 16,302 molecules C7O2 with all properties (Ramakrishnan et al. 2014; CC0).

    python data_scripts/qm9.py [FOLDER]

Fetches the published archive (86.1 MB) into FOLDER/qm9, checks it, and writes the table, the structures and
the encoded graphs there. Where the table lies there already (all of it or a part), that is encoded instead.
"""

import sys
from pathlib import Path

from invex.data import qm9
from invex.data.archives import DataError
from invex.data.images import default_folder
from invex.data.molecule_tables import FILE, load, prepare

NAME = "qm9"


def fetch(folder: Path) -> Path:
    """Download the archive into `folder/qm9`, unless it is there, and check it."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    try:
        return Path(pooch.retrieve(qm9.URL, f"md5:{qm9.MD5}", qm9.ARCHIVE, folder / NAME))
    except ValueError as error:
        raise DataError(f"{folder / NAME / qm9.ARCHIVE} is not the published file; delete it") from error
    except requests.RequestException as error:
        why = f"cannot fetch {qm9.URL} ({type(error).__name__})"
        raise DataError(f"{why}; put {qm9.ARCHIVE} into {folder / NAME} yourself") from error


def main(folder: Path) -> None:
    """Fetch, unless a table is there; encode; say what there is."""
    home = folder / NAME
    if (home / FILE).exists():
        prepare(home)
    else:
        qm9.write(list(qm9.entries(fetch(folder))), home)
    found = load(NAME, "gap", folder)
    print(f"{found.name} {len(found.smiles):,} molecules, {found.known.sum():,} with gap, {found.digest}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder())
    except DataError as error:
        sys.exit(str(error))
