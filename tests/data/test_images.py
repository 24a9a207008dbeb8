import csv
import gzip
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from invex.data import images, sources
from invex.data.images import PUBLISHED, DataError, load
from invex.data.sources import obtain, prepare

REAL = Path(os.environ.get("INVEX_TEST_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), 1))


def write_idx_pair(folder, stem, pictures, labels):
    folder.mkdir(exist_ok=True)
    write_idx(folder / f"{stem}-images-idx3-ubyte.gz", pictures)
    write_idx(folder / f"{stem}-labels-idx1-ubyte.gz", labels.astype(np.uint8))


def write_archive(folder, pictures, labels):
    """The official form: planes of red, green and blue in pickled batches in a tar."""
    folder.mkdir(exist_ok=True)
    rows = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), -1)
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz", compresslevel=1) as tar:
        parts = {f"data_batch_{i + 1}": slice(i, None, 5) for i in range(5)} | {"test_batch": slice(None)}
        for name, part in parts.items():
            batch = {b"data": rows[part], b"labels": labels[part].tolist(), b"batch_label": b"made up"}
            content = pickle.dumps(batch, protocol=2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def write_mosaics(folder, pictures, labels, order):
    """The recoded form: two pictures of 5 x 10 tiles, train and test from the same hundred."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    tiles = pictures[order].reshape(10, 10, 32, 32, 3).transpose(0, 2, 1, 3, 4).reshape(2, 160, 320, 3)
    for name, half in zip("ab", tiles, strict=True):
        Image.fromarray(half).save(folder / f"{name}.webp", lossless=True)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["split", "file", "position", "label"])
    places = [(f"{name}.webp", i) for name in "ab" for i in range(50)]
    rows.writerows(
        [split, *place, label]
        for split in ("train", "test")
        for place, label in zip(places, labels[order], strict=True)
    )
    (folder / "index.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)


LABELS = np.arange(100) % 10


def same(first, second):
    return np.array_equal(first.images, second.images) and np.array_equal(first.labels, second.labels)


def test_every_source_and_order_gives_the_same_arrays_and_digest(tmp_path, pictures):
    order = np.random.default_rng(1).permutation(100)
    write_archive(tmp_path / "official", pictures, LABELS)
    write_mosaics(tmp_path / "recoded", pictures, LABELS, order)
    prepare("cifar10", tmp_path / "recoded", tmp_path / "prepared")
    found = [load("cifar10", "test", tmp_path / kind) for kind in ("official", "recoded", "prepared")]
    found.append(load("cifar10", "train", tmp_path / "official"))
    assert len({item.digest for item in found}) == 1
    assert all(same(found[0], item) for item in found[1:])
    assert found[0].images.dtype == np.uint8
    assert found[0].labels.dtype == np.int64


def test_cifar100_has_its_fine_labels_and_planes_of_colour(tmp_path):
    planes = np.arange(2 * 3, dtype=np.uint8).repeat(1024).reshape(2, -1)  # one value a plane
    content = pickle.dumps({b"data": planes, b"fine_labels": [71, 5], b"coarse_labels": [1, 0]}, protocol=2)
    with tarfile.open(tmp_path / "cifar-100-python.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("cifar-100-python/test")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    found = load("cifar100", "test", tmp_path)
    assert dict(zip(found.labels.tolist(), found.images[:, 9, 9].tolist(), strict=True)) == {
        71: [0, 1, 2],
        5: [3, 4, 5],
    }


def test_canonical_order_keeps_each_image_with_its_label(pictures):
    ordered, labels, keys = images.canonical(pictures, LABELS)
    where = {picture.tobytes(): label for picture, label in zip(pictures, LABELS, strict=True)}
    assert all(where[picture.tobytes()] == label for picture, label in zip(ordered, labels, strict=True))
    assert keys == sorted(keys)


@pytest.mark.parametrize("change", ["pixel", "label", "shape", "repeat"])
def test_any_change_of_content_changes_the_digest(pictures, change):
    changed, labels = pictures.copy(), LABELS.copy()
    if change == "pixel":
        changed[7, 3, 3, 0] ^= 1
    elif change == "label":
        labels[7] += 1
    elif change == "shape":
        changed = changed.reshape(100, 16, 64, 3)
    else:
        changed[1], labels[1] = changed[0], labels[0]
    before, after = images.canonical(pictures, LABELS), images.canonical(changed, labels)
    assert images._digest(before[0], before[2]) != images._digest(after[0], after[2])


def test_a_part_of_a_split_is_named_as_a_subset(tmp_path, pictures):
    write_archive(tmp_path / "even", pictures, LABELS)
    assert load("cifar10", "test", tmp_path / "even").subset == (
        "10 of 1000 test images a class (100 of 10,000 test images)"
    )
    write_archive(tmp_path / "uneven", pictures[:95], LABELS[:95])
    assert load("cifar10", "test", tmp_path / "uneven").subset == "95 of 10,000 test images"


def test_a_whole_split_with_other_images_is_refused(tmp_path):
    zeros = np.zeros((10_000, 28, 28), np.uint8)
    write_idx_pair(tmp_path / "mnist", "t10k", zeros, np.arange(10_000) % 10)
    with pytest.raises(DataError, match=r"mnist test: 10000 images .* are not the published"):
        load("mnist", "test", tmp_path)


def test_a_set_that_is_not_there_says_how_to_get_it(tmp_path):
    with pytest.raises(DataError, match=r"no files of mnist \(train\) in .*run `invex data mnist`"):
        load("mnist", "train", tmp_path)
    with pytest.raises(DataError, match="no image set 'imagenet', split 'train'; there are mnist"):
        load("imagenet", "train", tmp_path)
    with pytest.raises(DataError, match="split 'valid'"):
        load("mnist", "valid", tmp_path)


@pytest.mark.parametrize(("name", "shape"), [("digits", (8, 8, 1)), ("patches", (32, 32, 3))])
def test_stand_ins_need_no_files_and_their_splits_do_not_overlap(tmp_path, name, shape):
    train, test = (load(name, split, tmp_path) for split in ("train", "test"))
    assert train.images.shape[1:] == test.images.shape[1:] == shape
    shared = {i.tobytes() for i in train.images} & {i.tobytes() for i in test.images}
    assert len(train.images) // 4 == len(test.images) or len(train.images) // 4 == len(test.images) - 1
    assert not shared
    assert set(train.labels) == set(test.labels)


@pytest.mark.parametrize("kind", ["idx", "npy"])
def test_arrays_are_writable_but_never_write_to_the_file(tmp_path, kind):
    pictures = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    for stem in ("train", "t10k"):
        write_idx_pair(tmp_path / "mnist", stem, pictures, np.arange(20) % 10)
    if kind == "npy":
        prepare("mnist", tmp_path, tmp_path)
    first = load("mnist", "train", tmp_path)
    first.images[:] = 0
    assert load("mnist", "train", tmp_path).digest == first.digest


def test_what_is_fetched_takes_the_place_of_a_prepared_part(tmp_path, monkeypatch):
    pictures = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)

    def write(count):
        for stem in ("train", "t10k"):
            write_idx_pair(tmp_path / "mnist", stem, pictures[:count], np.arange(count) % 10)

    write(10)
    prepare("mnist", tmp_path, tmp_path)
    monkeypatch.setattr(sources, "fetch", lambda *_, **__: write(20))
    obtain("mnist", tmp_path)
    assert len(load("mnist", "train", tmp_path).images) == 20


# published with MNIST, whose classes are uneven; the other sets have equal classes
COUNTS = {
    ("mnist", "train"): [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    ("mnist", "test"): [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
# channel means of the training sets, by which everyone normalises
MEANS = {
    "mnist": [0.1307],
    "fashion_mnist": [0.2860],
    "cifar10": [0.4914, 0.4822, 0.4465],
    "cifar100": [0.5071, 0.4865, 0.4409],
}


@pytest.mark.parametrize(("name", "split"), PUBLISHED)
def test_the_real_files_are_the_published_images(name, split):
    if not (REAL / name).is_dir():
        pytest.skip(f"no real files of {name}; name their folder by INVEX_TEST_DATA")
    found, known = load(name, split, REAL), PUBLISHED[name, split]
    part = "200 of 500 train images a class (20,000 of 50,000 train images)"
    assert found.subset in ((part, None) if (name, split) == ("cifar100", "train") else (None,))
    counts = COUNTS.get((name, split), [len(found.labels) // known.classes] * known.classes)
    assert np.bincount(found.labels).tolist() == counts
    if split == "train":
        sampling = 1e-3 if found.subset else 0
        assert np.allclose(found.images.mean((0, 1, 2)) / 255, MEANS[name], atol=6e-5 + sampling)


@pytest.mark.parametrize("name", MEANS)
def test_the_canonical_order_is_unrelated_to_the_classes(name):
    if not (REAL / name).is_dir():
        pytest.skip(f"no real files of {name}; name their folder by INVEX_TEST_DATA")
    labels = load(name, "test", REAL).labels
    repeats = (labels[1:] == labels[:-1]).mean()
    share = np.square(np.bincount(labels) / len(labels)).sum()
    assert abs(repeats - share) < 4 * np.sqrt(share * (1 - share) / len(labels))
