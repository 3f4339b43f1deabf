# SPDX-License-Identifier: Apache-2.0
"""What every test of whole programs starts from: the programs as installed, and a way to run them.

KIM_PREFIX names an installation (`make install` into a folder of one's own; ./check does it). Without
it these tests are skipped: they never run something that merely happens to be in PATH.
"""

import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

SOURCE = Path(os.environ.get("KIM_SOURCE_DIR", Path(__file__).resolve().parent.parent))
PATIENCE_S = 60  # bounds a hang; no test's result depends on how fast anything is


class Installed:
    """Where `make install` put things."""

    def __init__(self, prefix: Path):
        self.prefix = prefix
        self.kim = prefix / "bin" / "kim"
        self.kim_agent = prefix / "bin" / "kim-agent"
        self.kim_controller = prefix / "bin" / "kim-controller"
        self.kim_provider_host = prefix / "libexec" / "kim" / "kim-provider-host"
        self.plugins = prefix / "lib" / "kim" / "plugins"
        self.data = prefix / "share" / "kim"

    def program(self, name: str) -> Path:
        for folder in ("bin", "sbin", "libexec/kim"):
            path = self.prefix / folder / name
            if path.exists():
                return path
        pytest.fail(f"{name} is not installed below {self.prefix}")


class Program:
    """A running program: its lines as they come, and its end by its own process id."""

    def __init__(self, argv, *, cwd=None, env=None, stdin=subprocess.DEVNULL):
        self.argv = [str(a) for a in argv]
        self.lines = []  # of standard output and error, in the order they came
        self._new = queue.Queue()
        self.process = subprocess.Popen(
            self.argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pump = threading.Thread(target=self._read, daemon=True)
        self._pump.start()

    def _read(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(line)
            self._new.put(line)
        self._new.put(None)

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, is_it, patience_s=PATIENCE_S) -> str:
        """The next line for which is_it(line) holds, or that begins with the text is_it.

        Lines are looked at once: a second call goes on after what the first one found.
        """
        wanted = is_it if callable(is_it) else lambda line: line.startswith(is_it)
        end = time.monotonic() + patience_s
        while True:
            try:
                line = self._new.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"{self.argv[0]} did not print {is_it!r} in {patience_s} s:\n{self.output()}")
            if line is None:
                self._new.put(None)
                code = self.process.wait(patience_s)
                pytest.fail(f"{self.argv[0]} ended with {code} before it printed {is_it!r}:\n{self.output()}")
            if wanted(line):
                return line

    def wait(self, patience_s=PATIENCE_S) -> int:
        """Its exit status, once it ends by itself."""
        code = self.process.wait(patience_s)
        self._pump.join(patience_s)
        return code

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, patience_s=PATIENCE_S) -> int:
        """Asks it to end (SIGTERM) and waits; kills it only where it does not. Fine when ended."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"{self.argv[0]} did not end on SIGTERM in {patience_s} s:\n{self.output()}")

    def kill(self):
        """Ends it as a power cut would, with what it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # its own group: start_new_session
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE_S)
        self._pump.join(PATIENCE_S)


@pytest.fixture(scope="session")
def source_dir() -> Path:
    return SOURCE


@pytest.fixture(scope="session")
def installed() -> Installed:
    prefix = os.environ.get("KIM_PREFIX")
    if not prefix:
        pytest.skip("KIM_PREFIX names no installation; ./check makes one")
    found = Installed(Path(prefix).resolve())
    assert found.prefix.is_dir(), f"KIM_PREFIX is {prefix}, and there is no such folder"
    return found


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real-format data that developers have beside the source, and others do not."""
    folder = SOURCE.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data, which only the project's developers have")
    return folder


@pytest.fixture(scope="session")
def oracle():
    """oracle("cel") is the program that tests/build-oracles made of tests/differential/cel."""

    def find(name: str) -> Path:
        program = Path(os.environ.get("KIM_ORACLES", "none")).resolve() / name
        if not program.is_file():
            pytest.skip("needs KIM_ORACLES to name the folder that tests/build-oracles filled; ./check does both")
        return program

    return find


@pytest.fixture
def start(tmp_path):
    """start(argv, ready="ready", cwd=..., env=...) runs a program until the test ends.

    Waits for the line that begins with `ready`; None: does not wait. What is still running at the
    test's end is stopped, last started first.
    """
    running = []

    def start_one(argv, ready="ready", **how) -> Program:
        how.setdefault("cwd", tmp_path)
        program = Program(argv, **how)
        running.append(program)
        if ready is not None:
            program.ready_line = program.wait_for(ready)
        return program

    yield start_one
    for program in reversed(running):
        if program.process.poll() is None:
            program.process.terminate()
            try:
                program.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                pass
        program.kill()


@pytest.fixture
def run(tmp_path):
    """run(argv, input=..., status=0) runs a program to its end and checks its exit status.

    Gives subprocess's result with text in stdout and stderr. status=None: any.
    """

    def run_one(argv, *, input=None, status=0, cwd=tmp_path, env=None, patience_s=PATIENCE_S):
        done = subprocess.run(
            [str(a) for a in argv],
            input=input,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=not isinstance(input, bytes),
            timeout=patience_s,
        )
        if status is not None:
            assert done.returncode == status, (
                f"{argv[0]} ended with {done.returncode}, not {status}\n{done.stdout}\n{done.stderr}"
            )
        return done

    return run_one


@pytest.fixture
def kim(installed, run):
    """kim("evaluate", "-", input=...) runs the command line program."""

    def kim_with(*arguments, **how):
        return run([installed.kim, *arguments], **how)

    return kim_with


@pytest.fixture
def free_port():
    """free_port() gives a loopback TCP port that was free a moment ago: for servers that are not
    ours. kim's own programs are given port 0 and print the one they got."""

    def find() -> int:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    return find


@pytest.fixture
def short_tmp():
    """A folder whose path is short enough for a Unix socket (108 bytes), which tmp_path's may not be."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="kim-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
