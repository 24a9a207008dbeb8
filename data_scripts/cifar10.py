"""CIFAR-10: 50,000 + 10,000 photographs of ten classes, 32 x 32 RGB (Krizhevsky 2009)."""

import sys
from pathlib import Path

from invex.data import images, sources

NAME = "cifar10"


def fetch(folder: Path) -> list[Path]:
    """Download the published files into `folder/cifar10`; what is there already is only checked."""
    return sources.fetch(sources.SOURCES[NAME], folder / NAME, progress=True)


def verify(folder: Path) -> list[Path]:
    """Check the published files in `folder/cifar10`; a damaged one is deleted and named."""
    return sources.verify(sources.SOURCES[NAME], folder / NAME)


def prepare(source: Path, folder: Path) -> list[images.ImageSet]:
    """Write arrays in canonical order to `folder/cifar10`, from the files in `source`."""
    return sources.prepare(NAME, source, folder)


if __name__ == "__main__":
    sources.script(fetch, prepare, sys.argv[1:])
