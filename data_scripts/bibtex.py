"""BibTeX: 7,395 bookmarked texts with 1,836 words and 159 labels (Katakis, Tsoumakas, Vlahavas, 2008).

The set is published by MULAN as `bibtex.arff` (mulan.sourceforge.net, datasets for multi-label learning), in
an archive that has no stable address to fetch from: put the file into the folder `bibtex`, then run this.
"""

import sys
from pathlib import Path

from invex.data import text
from invex.data.archives import DataError
from invex.data.images import default_folder

NAME = "bibtex"


def verify(folder: Path) -> text.LabelledTexts:
    """Read what lies in `folder/bibtex` and check that it is the published set."""
    return text.load(NAME, folder)


def prepare(source: Path, folder: Path) -> Path:
    """Write `folder/bibtex/bibtex.npz`, a hundredth of the size, from the files in `source`."""
    found = text.load(NAME, source)
    path = folder / NAME / "bibtex.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    text.write(found, path)
    return path


if __name__ == "__main__":
    here = Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder()
    try:
        print(prepare(here, here), verify(here).digest)
    except DataError as error:
        sys.exit(str(error))
