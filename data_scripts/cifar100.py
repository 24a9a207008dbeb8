"""CIFAR-100: 50,000 + 10,000 photographs of a hundred classes, 32 x 32 RGB (Krizhevsky 2009)."""

import sys
from pathlib import Path

from invex.data import images, sources

NAME = "cifar100"


def fetch(folder: Path) -> list[Path]:
    """Download the published files into `folder/cifar100`; what is there already is only checked."""
    return sources.fetch(sources.SOURCES[NAME], folder / NAME, progress=True)


def verify(folder: Path) -> list[Path]:
    """Check the published files in `folder/cifar100`; a damaged one is deleted and named."""
    return sources.verify(sources.SOURCES[NAME], folder / NAME)


def prepare(source: Path, folder: Path) -> list[images.ImageSet]:
    """Write arrays in canonical order to `folder/cifar100`, from the files in `source`."""
    return sources.prepare(NAME, source, folder)


if __name__ == "__main__":
    sources.script(fetch, prepare, sys.argv[1:])
