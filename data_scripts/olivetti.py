"""Olivetti: 400 faces of 40 people, 64 x 64 grey (AT&T Laboratories Cambridge; Samaria, Harter, 1994).

Published as `olivettifaces.mat` (cs.nyu.edu/~roweis/data.html), and fetched by scikit-learn as well: put the
file into the folder `olivetti`, or let this script ask scikit-learn for it.
"""

import sys
from pathlib import Path

import numpy as np
from invex.data import faces
from invex.data.archives import DataError
from invex.data.images import default_folder

NAME = "olivetti"


def fetch(folder: Path) -> Path:
    """Have the faces in `folder/olivetti`: what is there already stays, else scikit-learn downloads them."""
    home = folder / NAME
    for file in ("olivetti_faces.npz", "olivettifaces.mat"):
        if (home / file).exists():
            return home / file
    from sklearn.datasets import fetch_olivetti_faces

    home.mkdir(parents=True, exist_ok=True)
    try:
        found = fetch_olivetti_faces(data_home=str(home))
    except OSError as error:
        raise DataError(
            f"cannot fetch the faces ({error}); put olivettifaces.mat into {home} yourself"
        ) from error
    images = np.rint(found.images * 255).astype(np.uint8)
    np.savez_compressed(home / "olivetti_faces.npz", faces=images, person=found.target)
    return home / "olivetti_faces.npz"


def verify(folder: Path) -> faces.Faces:
    """Read what lies in `folder/olivetti` and check that it holds the published faces."""
    return faces.load(NAME, folder)


if __name__ == "__main__":
    here = Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder()
    try:
        print(fetch(here), verify(here).digest)
    except DataError as error:
        sys.exit(str(error))
