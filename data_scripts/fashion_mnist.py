"""Fashion-MNIST: 60,000 + 10,000 articles of clothing, 28 x 28 grey (Xiao, Rasul, Vollgraf 2017)."""

import sys
from pathlib import Path

from invex.data import images, sources

NAME = "fashion_mnist"


def fetch(folder: Path) -> list[Path]:
    """Download the published files into `folder/fashion_mnist`; what is there already is only checked."""
    return sources.fetch(sources.SOURCES[NAME], folder / NAME, progress=True)


def verify(folder: Path) -> list[Path]:
    """Check the published files in `folder/fashion_mnist`; a damaged one is deleted and named."""
    return sources.verify(sources.SOURCES[NAME], folder / NAME)


def prepare(source: Path, folder: Path) -> list[images.ImageSet]:
    """Write arrays in canonical order to `folder/fashion_mnist`, from the files in `source`."""
    return sources.prepare(NAME, source, folder)


if __name__ == "__main__":
    sources.script(fetch, prepare, sys.argv[1:])
