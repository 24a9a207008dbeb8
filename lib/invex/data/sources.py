"""The published files of the image sets: where they lie, fetching, checking and preparing them."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from invex.data.archives import DataError
from invex.data.images import ImageSet, default_folder, load

DAMAGED = "is truncated or not the published file (wrong SHA-256)"


@dataclass(frozen=True)
class Source:
    """The published files of one data set.

    Attributes:
        files: name -> SHA-256.
        url: folder that the files are fetched from.
        licence: as its authors state it.
        citation: key in the book's bibliography.
        megabytes: size of the download (10^6 bytes).
    """

    title: str
    url: str
    files: dict[str, str]
    licence: str
    citation: str
    megabytes: float


IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def _idx_files(*digests: str) -> dict[str, str]:
    return {f"{name}-ubyte.gz": digest for name, digest in zip(IDX, digests, strict=True)}


SOURCES = {
    "mnist": Source(
        "MNIST",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        _idx_files(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        "CC BY-SA 3.0 (as usually given)",
        "lecun1998",
        11.6,
    ),
    "fashion_mnist": Source(
        "Fashion-MNIST",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        _idx_files(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        "MIT",
        "xiao2017",
        30.9,
    ),
    "cifar10": Source(
        "CIFAR-10",
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"},
        "none stated by its authors; research use",
        "krizhevsky2009",
        170.5,
    ),
    "cifar100": Source(
        "CIFAR-100",
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-100-python.tar.gz": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"},
        "none stated by its authors; research use",
        "krizhevsky2009",
        169.0,
    ),
}


def fetch(source: Source, folder: Path, *, progress: bool = False) -> list[Path]:
    """Download the files of a source that are not in `folder` yet, and check every one.

    An interrupted download is resumed from its `.part` file.

    Raises:
        DataError: no connection, or the file that came is not the published one (it is deleted).
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in source.files.items():
        if (folder / name).exists():
            continue
        try:
            resume = _resuming(folder / f"{name}.part", progress)
            pooch.retrieve(source.url + name, f"sha256:{digest}", name, folder, downloader=resume)
        except ValueError as error:
            raise DataError(_not_published(source, source.url + name, folder)) from error
        except requests.RequestException as error:
            message = f"cannot fetch {source.url}{name} ({type(error).__name__}); {_way_out(source, folder)}"
            raise DataError(message) from error
    return verify(source, folder)


def verify(source: Source, folder: Path) -> list[Path]:
    """Check the published files in `folder` by their SHA-256.

    Raises:
        DataError: one is missing, or is not the published one; in the latter case it is deleted.
    """
    import pooch

    for name, digest in source.files.items():
        path = folder / name
        if not path.exists():
            raise DataError(f"{path} is missing; {_way_out(source, folder)}")
        if pooch.file_hash(str(path)) != digest:
            path.unlink()
            raise DataError(_not_published(source, str(path), folder))
    return [folder / name for name in source.files]


def prepare(name: str, source: Path, target: Path) -> list[ImageSet]:
    """Write both splits of an image set found in `source` as arrays that `load` maps into memory.

    They lie in `target/name` as {train,test}-{images,labels}.npy, in canonical order; returned as loaded.

    Raises:
        DataError: as `load`.
    """
    splits = [load(name, split, source) for split in ("train", "test")]
    folder = target / name
    folder.mkdir(parents=True, exist_ok=True)
    for item in splits:
        for part, array in (("images", item.images), ("labels", item.labels)):
            temporary = folder / f".{item.split}-{part}.{os.getpid()}.npy"
            np.save(temporary, array)
            temporary.replace(folder / f"{item.split}-{part}.npy")
    return splits


def script(
    fetch: Callable[[Path], object], prepare: Callable[[Path, Path], list[ImageSet]], folders: Sequence[str]
) -> None:
    """Run two steps of a script of `data_scripts` in the one folder given, else the usual.

    Exits with the message of a DataError.
    """
    folder = Path(folders[0]) if folders else default_folder()
    try:
        fetch(folder)
        for split in prepare(folder, folder):
            print(split.name, split.split, split.images.shape, split.digest, split.subset or "whole")
    except DataError as error:
        sys.exit(str(error))


def obtain(name: str, folder: Path, source: Path | None = None, *, progress: bool = False) -> None:
    """Have an image set prepared in `folder/name`: from `source`, else downloaded unless it is there whole.

    Raises:
        DataError: it cannot be had; the message says why, and the way out.
    """
    if name not in SOURCES:
        return  # a stand-in, which is always there
    if source:
        _check_given(name, source / name if (source / name).is_dir() else source)
        prepare(name, source, folder)
    elif not _whole(name, folder):
        fetch(SOURCES[name], folder / name, progress=progress)
        for stale in (folder / name).glob("*.npy"):
            stale.unlink()  # of a subset, which would be read before the published files
        prepare(name, folder, folder)


def _check_given(name: str, folder: Path) -> None:
    """Raise DataError where a folder of the user's has a published file that is damaged; it is left alone."""
    import pooch

    for file, digest in SOURCES[name].files.items():
        path = folder / file
        if path.exists() and pooch.file_hash(str(path)) != digest:
            raise DataError(f"{path} {DAMAGED}; get it anew, or take it out of the folder given with --from")


def describe(name: str) -> dict[str, str | float]:
    """Title, licence, citation key, address and megabytes of an image set."""
    if name in SOURCES:
        source = SOURCES[name]
    else:
        source = Source(name, "scikit-learn", {}, "as scikit-learn", "pedregosa2011", 0.0)
    kept = ("title", "licence", "citation", "url", "megabytes")
    return {key: getattr(source, key) for key in kept}


def _whole(name: str, folder: Path) -> bool:
    try:
        return not any(load(name, split, folder).subset for split in ("train", "test"))
    except DataError:
        return False


def _not_published(source: Source, name: str, folder: Path) -> str:
    return f"{name} {DAMAGED} and was deleted; {_way_out(source, folder)}"


def _way_out(source: Source, folder: Path) -> str:
    return (
        f"run `invex data` again, put the published files of {source.title} into {folder} yourself, "
        "or name a folder that has them with --from"
    )


def _resuming(part: Path, progress: bool) -> Callable[[str, Any, Any], None]:
    """A downloader for pooch that goes on where `part` ends, and leaves `part` when it is interrupted."""

    def download(url: str, output_file: Any, pooch: Any) -> None:
        import requests

        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                part.replace(output_file)  # all of it was there; the checksum decides
                return
            answer.raise_for_status()
            with part.open("ab" if answer.status_code == requests.codes.partial_content else "wb") as file:
                for piece in _shown(answer, progress):
                    file.write(piece)
        part.replace(output_file)

    return download


def _shown(answer: Any, progress: bool) -> Any:
    pieces = answer.iter_content(1 << 16)
    if not progress:
        return pieces
    from rich.progress import track

    total = int(answer.headers.get("Content-Length", 0)) / (1 << 16) or None
    return track(pieces, description=answer.url.rpartition("/")[2], total=total)
