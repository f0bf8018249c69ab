"""What must not stand in the code, whoever writes it: doors by which a file of a stranger becomes code or memory."""

import ast
from pathlib import Path

import pytest
import yaml

from segfrontier.basics.reading import NoDuplicates, parse_yaml
from segfrontier.errors import BadInput

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for root in ("platform", "methods", "benchmarks") for p in (ROOT / root).rglob("*.py"))

OWN_PIPES = {
    "platform/segfrontier/scenes/processes.py": "what a process that we started sends us",
    "platform/segfrontier/scenes/importing/worker.py": "what the process that started this one sends it",
    "platform/segfrontier/lab/_ray/data.py": "rows of our own tasks, through Ray's object store",
    "platform/segfrontier/lab/_ray/looking.py": "an error of its own, to see whether it survives the way",
}
"""Where objects are unpickled, and why that is no file and no stranger's."""
DOORS = {
    "torch.load": "platform/segfrontier/models/tensors.py",
    "pa.ipc.open_file": "platform/segfrontier/scenes/arrow.py",
    "pa.ipc.open_stream": "platform/segfrontier/scenes/arrow.py",
    "pq.ParquetFile": "platform/segfrontier/scenes/parquet.py",
    "pq.read_table": "platform/segfrontier/scenes/parquet.py",
}
"""The one file that may call it: there a file is held against its own size before anything is unpacked."""
UNPICKLING = {f"{module}.{name}" for module in ("pickle", "cloudpickle", "dill", "marshal", "joblib", "shelve")
              for name in ("load", "loads", "Unpickler", "open")}  # fmt: skip
NEVER = {
    "eval", "exec", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "torch.jit.load",
    "mlflow.pyfunc.load_model", "mlflow.pytorch.load_model", "tempfile.mktemp",
}  # fmt: skip
SAFE_LOADERS = {"NoDuplicates", "SafeLoader", "CSafeLoader", "_Loader"}
EVERYWHERE = {"0.0.0.0", "::", "[::]"}


def faults(tree: ast.AST, place: str) -> list[str]:
    """What stands in a file's code that must not."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in EVERYWHERE:
            found.append(f"{place}:{node.lineno} listens everywhere: {node.value}")
        if isinstance(node, ast.Call):
            name, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            found += [f"{place}:{node.lineno} {name}: {why}" for why in _wrong(name, given, node, place)]
    return found


def _wrong(name: str, given: dict[str | None, str], node: ast.Call, place: str) -> list[str]:
    last = name.rpartition(".")[2]
    wrong = []
    if name in NEVER:
        wrong.append("runs or builds whatever it is given")
    if name in UNPICKLING and place not in OWN_PIPES:
        wrong.append("unpickles")
    if name == "torch.load" and given.get("weights_only") != "True":
        wrong.append("unpickles without weights_only=True")
    if place != DOORS.get(name, place):
        wrong.append("may unpack a few bytes to gigabytes")
    if given.get("allow_pickle", "False") != "False":
        wrong.append("unpickles")
    if given.get("shell", "False") != "False":
        wrong.append("hands text to a shell")
    if last in ("extractall", "unpack_archive"):
        wrong.append("writes wherever an archive says")
    loader = given.get("Loader", ast.unparse(node.args[1]) if len(node.args) > 1 else "")
    if name in ("yaml.load", "yaml.parse") and loader.rpartition(".")[2] not in SAFE_LOADERS:
        wrong.append("builds any Python object")
    return wrong


def test_nothing_that_is_read_is_run_and_nothing_listens_everywhere():
    found = [line for path in SOURCES for line in faults(ast.parse(path.read_text()), str(path.relative_to(ROOT)))]
    assert found == []
    assert len(SOURCES) > 300 and all((ROOT / p).exists() for p in (*OWN_PIPES, *DOORS.values()))


@pytest.mark.parametrize(
    "code",
    [
        "yaml.load(text)", "yaml.load(text, Loader=yaml.Loader)", "yaml.load(text, yaml.UnsafeLoader)",
        "yaml.unsafe_load(x)", "pickle.load(file)", "pickle.loads(data)", "pickle.Unpickler(file).load()",
        "joblib.load(path)", "torch.load(path, weights_only=True)", "pa.ipc.open_file(path)", "pq.read_table(path)",
        "np.load(path, allow_pickle=True)", "eval(text)", "exec(text)",
        "subprocess.run(text, shell=True)", "os.system(text)", "tarfile.open(path).extractall(folder)",
        "shutil.unpack_archive(path)", "serve(host='0.0.0.0')", "HOST = '::'", "mlflow.pyfunc.load_model(uri)",
    ],
)  # fmt: skip
def test_a_planted_one_is_found(code):
    assert len(faults(ast.parse(f"def use():\n    {code}\n"), "platform/x.py")) == 1


@pytest.mark.parametrize(("given", "wrong"), [("True", 0), ("False", 1), ("flag", 1)])
def test_behind_its_own_door_torch_runs_nothing_either(given, wrong):
    code = ast.parse(f"torch.load(path, weights_only={given})")
    assert len(faults(code, DOORS["torch.load"])) == wrong


@pytest.mark.parametrize(
    "code",
    [
        "yaml.load(text, Loader=NoDuplicates)", "yaml.safe_load(text)",
        "model.eval()", "np.load(path)", "subprocess.run([a, b], shell=False)", "HOST = '127.0.0.1'", "json.load(file)",
    ],
)  # fmt: skip
def test_what_is_safe_is_left_alone(code):
    assert faults(ast.parse(code), "platform/x.py") == []


def test_our_yaml_builds_plain_values_alone():
    assert issubclass(NoDuplicates, (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    for text in ("!!python/object/apply:os.getcwd []", "a: !!python/name:os.system ''", "!!python/object:object {}"):
        with pytest.raises(BadInput, match="must be valid YAML"):
            parse_yaml(text, where="x.yaml", what="a study")
