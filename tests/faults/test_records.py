"""Writing a record killed, refused by the disk or tampered with; a sweep killed, doubled or with bad runs."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from invex.lab.records import Store

FAKES = Path(__file__).parents[1] / "fakes"
INVEX = [sys.executable, "-c", "from invex.press.cli import app; app()"]
KILLED_WRITING = """
import os, signal
from invex.lab import experiments, records, sweep
def stop_before(*_): os.kill(os.getpid(), signal.SIGKILL)
records.os.{call} = stop_before
found = experiments.find("fake_runs.steady")
sweep.sweep(sweep.Plan(found, tuple(found.configs("paper")), "paper", records.Store({folder!r})))
"""


def environment(**more):
    return os.environ | {"PYTHONPATH": str(FAKES), "CI": "1", "COLUMNS": "200"} | more


def command(folder, *more, experiment="fake_runs.steady"):
    return [*INVEX, "record", experiment, "--device", "cpu", "--records", str(folder), *more]


def invex(folder, *more, experiment="fake_runs.steady", **settings):
    arguments = command(folder, *more, experiment=experiment)
    return subprocess.run(
        arguments, capture_output=True, text=True, env=environment(), check=False, **settings
    )


def results(folder):
    return {item.digest: (item.config, item.tables, item.metrics) for item in Store(folder).all()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert invex(folder).returncode == 0
    return results(folder)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_killed_while_a_record_is_written_leaves_no_record_and_resumes(tmp_path, uninterrupted, call):
    script = KILLED_WRITING.format(call=call, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    assert Store(tmp_path).paths() == []
    assert list(tmp_path.glob("*/.work/*.tmp"))
    assert invex(tmp_path).returncode == 0
    assert results(tmp_path) == uninterrupted
    assert list(tmp_path.glob("*/.work/*.tmp")) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_sweep_killed_again_and_again_ends_with_the_uninterrupted_result(tmp_path, uninterrupted, workers):
    for patience in (2, 4):
        running = subprocess.Popen(
            command(tmp_path, "--workers", workers),
            env=environment(FAKE_PAUSE="0.1"),
            stdout=subprocess.DEVNULL,
        )
        wait_for(lambda least=patience: len(Store(tmp_path).paths()) >= least)
        running.kill()
        assert running.wait() == -signal.SIGKILL
        assert Store(tmp_path).verify() == []
    assert len(results(tmp_path)) < 6
    wait_for(lambda: invex(tmp_path).returncode == 0 and len(results(tmp_path)) == 6)
    assert results(tmp_path) == uninterrupted


def wait_for(true, seconds=60):
    end = time.time() + seconds
    while not true():
        assert time.time() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_sweep_says_how_to_go_on(tmp_path, workers):
    running = subprocess.Popen(
        command(tmp_path, "--workers", workers),
        env=environment(FAKE_PAUSE="0.2"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )
    wait_for(lambda: len(Store(tmp_path).paths()) >= 1)
    os.killpg(running.pid, signal.SIGINT)
    _, stderr = running.communicate()
    assert running.returncode == 130
    assert stderr.strip().endswith("the same command goes on from there")
    assert Store(tmp_path).verify() == []


def test_two_sweeps_at_once_share_the_runs(tmp_path, uninterrupted):
    settings = environment(FAKE_PAUSE="0.2", FAKE_LOG=str(tmp_path / "log"))
    both = [subprocess.Popen(command(tmp_path / "r"), env=settings, stdout=subprocess.DEVNULL) for _ in "ab"]
    assert [running.wait() for running in both] == [0, 0]
    assert results(tmp_path / "r") == uninterrupted
    assert len((tmp_path / "log").read_text().splitlines()) == 6


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_is_named_leaves_nothing_behind_and_the_next_sweep_goes_on(
    tmp_path, uninterrupted, workers
):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

    done = invex(tmp_path, "--workers", workers, preexec_fn=limit)
    assert done.returncode == 1
    assert f"cannot write {tmp_path}" in done.stderr
    assert Store(tmp_path).paths() == []
    assert list(tmp_path.glob("*/.work/*.tmp")) == []
    assert invex(tmp_path).returncode == 0
    assert results(tmp_path) == uninterrupted


def test_runs_that_diverge_or_raise_are_named_and_the_others_go_on(tmp_path):
    done = invex(tmp_path, experiment="fake_runs.faulty")
    assert done.returncode == 1
    assert "raised ends=raised: RuntimeError: no such luck" in done.stderr
    assert "raised ends=ragged: ValueError: table curve" in done.stderr
    assert "raised ends=no number: TypeError: Object of type range is not JSON serializable" in done.stderr
    failed = {item.config["ends"]: item.failed for item in Store(tmp_path).all()}
    assert failed == {"well": None, "diverged": "curve.loss is not finite at row 2"}
    report = json.loads(invex(tmp_path, "--json", experiment="fake_runs.faulty").stdout)
    assert report["recorded"] == []
    assert set(report["raised"]) == {"ends=raised", "ends=ragged", "ends=no number"}
    assert report["left"] == 3


def test_a_worker_that_is_killed_is_named_and_its_runs_are_left(tmp_path):
    settings = environment(FAKE_PAUSE="0.3")
    running = subprocess.Popen(
        command(tmp_path, "--workers", "2"), env=settings, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: len(Store(tmp_path).paths()) >= 1)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    worker = next(c for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes())
    os.kill(int(worker), signal.SIGKILL)
    _, stderr = running.communicate()
    assert running.returncode == 1
    assert f"raised worker {worker}: ended with exit code -9" in stderr
    assert invex(tmp_path).returncode == 0
    assert len(results(tmp_path)) == 6


def test_a_corrupt_or_edited_record_stops_the_sweep_and_verify_names_it(tmp_path):
    invex(tmp_path)
    path = Store(tmp_path).paths()[0]
    path.write_text(path.read_text().replace('"seed":', '"seed": '))
    assert Store(tmp_path).verify() == []  # not an edit: the same values, spaced differently
    path.write_text(path.read_text().replace('"wall_seconds":', '"wall_seconds":9'))
    done = invex(tmp_path)
    assert done.returncode == 1
    assert f"{path}: edited" in done.stderr
    audit = subprocess.run(
        [*INVEX, "verify", "--json", "--records", str(tmp_path)],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert audit.returncode == 1
    assert str(path) in json.loads(audit.stdout)["problems"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "metod=skip"], "no field 'metod'; there are method, rate, deep, seed"),
        (["--only", "seed=x"], "no config with seed 'x'; there are 0, 1, 2"),
        (["--shard", "3/2"], "--shard '3/2' is not I/N"),
        (["--budget", "soon"], "--budget 'soon' is not a length of time"),
        (["--profile", "recorded"], "no configs at profile 'recorded'; there are quick, reduced, paper"),
        (["--device", "tpu"], "no device 'tpu'; there are auto, cpu, cuda"),
    ],
)
def test_unknown_parameters_are_refused_by_name_before_anything_runs(tmp_path, arguments, message):
    done = invex(tmp_path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert Store(tmp_path).paths() == []


@pytest.mark.parametrize("name", ["mine", "my.rosenbrock"])
def test_a_readers_own_experiment_is_found_where_he_is_and_has_records_of_its_own(tmp_path, name):
    file = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
    file.parent.mkdir(exist_ok=True)
    file.write_text((FAKES / "fake_runs" / "steady.py").read_text())
    elsewhere = [sys.executable, "-P", *command("kept", "--workers", "2", experiment=name)[1:]]
    done = subprocess.run(elsewhere, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {item.experiment for item in Store(tmp_path / "kept").all()} == {name}


def test_an_unknown_experiment_is_refused_with_those_there_are(tmp_path):
    done = invex(tmp_path, experiment="nothing")
    assert done.returncode == 2
    assert "no experiment 'nothing' (No module named 'nothing'); there are" in done.stderr
