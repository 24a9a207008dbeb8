"""Data files that are truncated, wrong, hostile or half downloaded."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from invex.data import sources
from invex.data.archives import DataError, read_idx, tar_members, unpickle_arrays
from invex.data.images import load

CONTENT = bytes(range(256)) * 2000
SOURCE = sources.Source("Test", "", {"one.gz": hashlib.sha256(CONTENT).hexdigest()}, "none", "none", 0.5)


class Server(HTTPServer):
    """Serves CONTENT from `first` on; answers break off after `breaks` bytes where that is set."""

    breaks: int | None = None
    ranges: bool = True
    content = CONTENT

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if first >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.breaks])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def source(server):
    return replace(SOURCE, url=f"http://127.0.0.1:{server.server_port}/")


def test_a_download_arrives_and_is_not_repeated(tmp_path, server, source):
    assert sources.fetch(source, tmp_path) == [tmp_path / "one.gz"]
    assert (tmp_path / "one.gz").read_bytes() == CONTENT
    sources.fetch(source, tmp_path)
    assert server.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_named_and_resumed(tmp_path, server, source, ranges):
    server.breaks, server.ranges = 300_000, ranges
    with pytest.raises(DataError, match=r"cannot fetch http.*one\.gz .*--from"):
        sources.fetch(source, tmp_path)
    assert not (tmp_path / "one.gz").exists()
    have = (tmp_path / "one.gz.part").stat().st_size
    assert 0 < have <= 300_000
    server.breaks = None
    sources.fetch(source, tmp_path)
    assert (tmp_path / "one.gz").read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={have}-"
    assert not (tmp_path / "one.gz.part").exists()


def test_a_part_that_is_complete_already_is_taken(tmp_path, source):
    (tmp_path / "one.gz.part").write_bytes(CONTENT)
    sources.fetch(source, tmp_path)
    assert (tmp_path / "one.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"", b"other bytes"])
def test_a_wrong_download_is_deleted_and_named_and_the_next_starts_anew(tmp_path, server, source, part):
    server.content = CONTENT if part else CONTENT[:-1]
    if part:
        (tmp_path / "one.gz.part").write_bytes(part)
    with pytest.raises(DataError, match=r"one\.gz is truncated or not the published file .* was deleted"):
        sources.fetch(source, tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    sources.fetch(source, tmp_path)


def test_no_connection_says_the_way_out(tmp_path):
    nowhere = replace(SOURCE, url="http://127.0.0.1:9/")
    with pytest.raises(DataError, match=f"put the published files of Test into {tmp_path} yourself"):
        sources.fetch(nowhere, tmp_path)


def test_a_damaged_file_that_lies_there_is_deleted_and_named(tmp_path):
    (tmp_path / "one.gz").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"one\.gz is truncated .* was deleted; run `invex data` again"):
        sources.verify(SOURCE, tmp_path)
    assert not (tmp_path / "one.gz").exists()
    (tmp_path / "one.gz").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"one\.gz is truncated"):
        sources.fetch(SOURCE, tmp_path)


def idx(*shape):
    content = np.zeros(shape, np.uint8).tobytes()
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(idx(9, 4, 4))[:-12], "is damaged"),
        (gzip.compress(idx(9, 4, 4)[:-5]), r"holds 139 bytes, its header says \(9, 4, 4\)"),
        (gzip.compress(b"\0\0\x0d" + idx(9)[3:]), "not an IDX file of bytes"),
        (b"not gzip at all", "is damaged"),
    ],
    ids=["cut", "too short", "floats", "not gzip"],
)
def test_a_damaged_idx_file_is_named(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path, protocol):
    mark = tmp_path / "ran"
    with pytest.raises(DataError, match=r"refused: the pickle asks for .*system"):
        unpickle_arrays(pickle.dumps({b"data": Hostile(mark)}, protocol))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["eval", "exec", "getattr", "__import__", "open"])
def test_builtins_are_refused_too(name):
    with pytest.raises(DataError, match=f"builtins.{name}"):
        unpickle_arrays(f"cbuiltins\n{name}\n.".encode())


def test_a_pickle_of_arrays_is_read(tmp_path):
    batch = {b"data": np.arange(12, dtype=np.uint8).reshape(2, 6), b"labels": [1, 2], b"name": b"made up"}
    for protocol in range(5):
        back = unpickle_arrays(pickle.dumps(batch, protocol))
        assert np.array_equal(back[b"data"], batch[b"data"])
        assert back[b"labels"] == [1, 2]
    with pytest.raises(DataError, match="not a readable pickle"):
        unpickle_arrays(pickle.dumps(batch)[:-20])


def hostile_archive(path):
    with tarfile.open(path, "w:gz") as tar:
        for name in ("../escaped", "/tmp/invex-escaped", "cifar-10-batches-py/../../escaped"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
        for name, target in (
            ("cifar-10-batches-py", ".."),
            ("cifar-10-batches-py/test_batch", "/etc/passwd"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return path


def test_a_hostile_archive_writes_nothing_and_its_links_lead_nowhere(tmp_path):
    folder = tmp_path / "data" / "cifar10"
    folder.mkdir(parents=True)
    archive = hostile_archive(folder / "cifar-10-python.tar.gz")
    with pytest.raises(DataError, match="has no regular file cifar-10-batches-py/test_batch"):
        load("cifar10", "test", tmp_path / "data")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]
    assert not Path("/tmp/invex-escaped").exists()


def test_a_truncated_archive_is_named(tmp_path):
    archive = hostile_archive(tmp_path / "whole.tar.gz")
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"cut\.tar\.gz is damaged"):
        tar_members(cut, ["x"])


def test_a_mosaic_that_is_missing_or_damaged_is_named(tmp_path):
    folder = tmp_path / "cifar10"
    folder.mkdir()
    index = "split,file,position,label\ntest,tiles.webp,0,1\n"
    (folder / "index.csv.gz").write_bytes(gzip.compress(index.encode()))
    for content in (None, b"RIFF????WEBP"):
        if content:
            (folder / "tiles.webp").write_bytes(content)
        with pytest.raises(DataError, match=r"tiles\.webp is missing or damaged"):
            load("cifar10", "test", tmp_path)


def test_prepared_arrays_that_are_damaged_or_do_not_fit_are_named(tmp_path):
    np.save(tmp_path / "test-images.npy", np.zeros((9, 28, 28, 1), np.uint8))
    np.save(tmp_path / "test-labels.npy", np.zeros(8, np.int64))
    with pytest.raises(DataError, match=r"files of mnist \(test\) in .* are damaged"):
        load("mnist", "test", tmp_path)
    (tmp_path / "test-images.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"files of mnist \(test\) in .* are damaged"):
        load("mnist", "test", tmp_path)


def test_the_files_of_one_set_are_not_taken_for_another(tmp_path):
    index = "split,file,position,fine_label\ntest,tiles.webp,0,1\n"
    (tmp_path / "index.csv.gz").write_bytes(gzip.compress(index.encode()))
    with pytest.raises(DataError, match=r"tiles\.webp is missing"):
        load("cifar100", "test", tmp_path)
    from PIL import Image

    Image.new("RGB", (32, 32)).save(tmp_path / "tiles.webp", lossless=True)
    assert load("cifar100", "test", tmp_path).subset
    with pytest.raises(DataError, match=r"cifar10 \(test\) .*KeyError: 'label'"):
        load("cifar10", "test", tmp_path)
