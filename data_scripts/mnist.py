"""MNIST: 60,000 + 10,000 handwritten digits, 28 x 28 grey (LeCun, Cortes, Burges)."""

import sys
from pathlib import Path

from invex.data import images, sources

NAME = "mnist"


def fetch(folder: Path) -> list[Path]:
    """Download the published files into `folder/mnist`; what is there already is only checked."""
    return sources.fetch(sources.SOURCES[NAME], folder / NAME, progress=True)


def verify(folder: Path) -> list[Path]:
    """Check the published files in `folder/mnist`; a damaged one is deleted and named."""
    return sources.verify(sources.SOURCES[NAME], folder / NAME)


def prepare(source: Path, folder: Path) -> list[images.ImageSet]:
    """Write arrays in canonical order to `folder/mnist`, from the files in `source`."""
    return sources.prepare(NAME, source, folder)


if __name__ == "__main__":
    sources.script(fetch, prepare, sys.argv[1:])
