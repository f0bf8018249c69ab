"""How the command line ends: one sentence, one of five exit codes, a traceback only where it is asked for."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from terminal import segfrontier

import segfrontier as package
from segfrontier.commands import faults
from segfrontier.errors import BadStudy, DiskFull, StageError

MAIN = "from segfrontier.cli import main; main()"
PROGRAM = "from segfrontier.cli import program; program()"


@pytest.fixture
def broken(monkeypatch):
    """A verb that ends with an error of the test's choosing."""
    errors = []

    def installed():
        raise errors[0]

    monkeypatch.setattr("segfrontier.basics.installed.installed", installed)
    return errors


@pytest.mark.parametrize(
    ("error", "code"),
    [(BadStudy("a study must be so"), 3), (StageError("a stage failed"), 1), (DiskFull("no room"), 1)],
)
def test_an_error_raised_on_purpose_is_its_sentence_and_nothing_else(broken, tmp_path, error, code):
    broken.append(error)
    told = segfrontier("methods", folder=tmp_path)
    assert told.returncode == code and told.stderr == f"error: {error}\n" and told.stdout == ""


def test_an_error_that_nobody_foresaw_says_so_and_where_its_details_are(broken, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGFRONTIER_CACHE", str(tmp_path / "cache"))
    broken.append(ZeroDivisionError("at http://me:secret@host/x"))
    told = segfrontier("methods", folder=tmp_path)
    assert told.returncode == 1 and "Traceback" not in told.stderr and told.stderr.count("\n") == 1
    [kept] = (tmp_path / "cache/errors").iterdir()
    assert "was not foreseen (ZeroDivisionError" in told.stderr and str(kept) in told.stderr
    details = kept.read_text()
    assert "Traceback" in details and "segfrontier 'methods'" in details and "torch " in details
    assert "secret" not in details + told.stderr


def test_details_lie_in_the_home_where_there_is_one(broken, tmp_path):
    broken.append(ZeroDivisionError())
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/ledger.sqlite").touch()
    assert str(tmp_path / "runs/errors") in segfrontier("methods", folder=tmp_path).stderr


@pytest.mark.parametrize("where", ["--debug first", "--debug last", "environment"])
def test_a_traceback_is_shown_where_it_is_asked_for(broken, tmp_path, monkeypatch, where):
    broken.append(BadStudy("a study must be so"))
    if where == "environment":
        monkeypatch.setenv("SEGFRONTIER_DEBUG", "1")
    words = {"--debug first": ["--debug", "methods"], "--debug last": ["methods", "--debug"]}.get(where, ["methods"])
    told = segfrontier(*words, folder=tmp_path)
    assert told.returncode == 3 and "Traceback" in told.stderr and told.stderr.endswith("error: a study must be so\n")


@pytest.mark.parametrize("number", [errno.ENOTDIR, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP])
def test_a_path_that_cannot_be_used_is_refused_by_name(broken, tmp_path, number):
    broken.append(OSError(number, os.strerror(number), "a/path"))
    told = segfrontier("methods", folder=tmp_path)
    assert told.returncode == 3 and f"found a/path: {os.strerror(number)}" in told.stderr


def test_a_full_disk_is_named_as_such(broken, tmp_path):
    broken.append(OSError(errno.ENOSPC, "No space left on device", "a/path"))
    told = segfrontier("methods", folder=tmp_path)
    assert told.returncode == 1 and "there must be room on the disk of a/path" in told.stderr


def test_only_a_closed_stdout_makes_a_broken_pipe_quiet(broken, tmp_path):
    broken.append(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    told = segfrontier("methods", folder=tmp_path)
    assert told.returncode == 1 and "not foreseen (ConnectionError: the other side left" in told.stderr


def test_arguments_that_no_file_can_hold_are_refused(tmp_path):
    told = segfrontier("status", "a\udcff", folder=tmp_path)
    assert told.returncode == 3 and r"'a\udcff'" in told.stderr


def test_a_wrong_command_line_is_two_and_the_codes_are_in_the_help(tmp_path):
    assert segfrontier("nonsense", folder=tmp_path).returncode == 2
    assert segfrontier("status", "--nonsense", folder=tmp_path).returncode == 2
    assert segfrontier("--version", folder=tmp_path).stdout == f"segfrontier {package.__version__}\n"
    told = " ".join(segfrontier("--help", folder=tmp_path).stdout.split())
    assert "0 done; 1 the work failed; 2 the command line was wrong; 3 the input was refused" in told
    assert "--debug" in told and "SEGFRONTIER_DEBUG" in told


def test_passwords_in_addresses_are_hidden():
    assert faults._hidden("s3://key:word@bucket/a") == "s3://***@bucket/a"


def test_a_reader_that_leaves_is_no_error(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "world", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        process.stdout.close()
        told = process.stderr.read()
    assert told == b"" and process.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_python_tidies_up_changes_no_exit_code(tmp_path, number):
    """After all that was registered to be done at the end, when Python has taken its handlers away."""
    code = f"""
import os, sys
class Late:
    def __del__(self, kill=os.kill, pid=os.getpid()):
        kill(pid, {int(number)})
sys.modules["late"] = Late()
sys.argv[1:] = ["--help"]
{MAIN}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0 and "Usage" in done.stdout and "Traceback" not in done.stderr, done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_heeded_where_python_throws_away_what_is_raised(tmp_path, number):
    """In a callback of an import's lock, in `__del__`: it was printed there, and the work went on."""
    code = f"""
import os, sys
import segfrontier.commands.faults as faults
class Freed:
    def __del__(self):
        os.kill(os.getpid(), {int(number)})
        for _ in range(100):
            pass
def require_text(words):
    Freed()
    sum(range(50_000_000))
    print("went on")
faults.require_text = require_text
sys.argv[1:] = ["--help"]
{MAIN}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 130 and done.stderr == "stopped\n" and done.stdout == "", done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("debug", "ended"), [("", (130, "stopped\n")), ("1", (1, "C code's own error"))])
def test_a_signal_is_heeded_where_c_code_makes_an_error_of_it(tmp_path, number, debug, ended):
    r"""The codec of \N, whose table was being loaded: "this was not foreseen (SyntaxError: can't load unicodedata)"."""
    code = f"""
import os, sys
import segfrontier.commands.faults as faults
def require_text(words):
    try:
        os.kill(os.getpid(), {int(number)})
        sum(range(1000))
    except KeyboardInterrupt:
        raise SyntaxError("C code's own error") from None
faults.require_text = require_text
sys.argv[1:] = ["--help"]
{MAIN}
"""
    own = os.environ | {"SEGFRONTIER_DEBUG": debug}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=own, check=False
    )
    assert done.returncode == ended[0] and done.stdout == "", done
    assert done.stderr == ended[1] if not debug else ended[1] in done.stderr, done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts_is_quiet(tmp_path, number):
    """Whenever it comes, from the first line on."""
    main, call = MAIN.split("; ")
    code = f"import sys; {main}; sys.argv[1:] = ['--help']; print('up', flush=True); {call}"
    for delay in (0.05, 0.2, 0.6):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
        ) as process:
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(number)
            told = process.communicate()[1].decode()
        assert "Traceback" not in told and process.returncode in (0, 130), (delay, told)


@pytest.mark.parametrize(
    ("start", "words", "code", "said"),
    [
        (MAIN, "--version", 0, "tidied up\ntaken apart"),
        (PROGRAM, "--version", 0, "tidied up\n"),
        (PROGRAM, "nonsense", 2, "tidied up\n"),
        (PROGRAM, "unforeseen", 1, "tidied up\ntaken apart"),
    ],
)
def test_a_program_does_what_was_registered_for_its_end_and_is_not_taken_apart(tmp_path, start, words, code, said):
    script = f"""
import atexit, os, sys
import segfrontier.commands.faults as faults
class Late:
    def __del__(self, write=os.write):
        write(1, b"taken apart")
late = Late()
def require_text(words):
    atexit.register(print, "tidied up")
    if words == ["unforeseen"]:
        raise GeneratorExit
faults.require_text = require_text
sys.argv[1:] = [{words!r}]
{start}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    told = f"segfrontier {package.__version__}\n" if words == "--version" else ""
    assert (done.returncode, done.stdout) == (code, told + said), done
