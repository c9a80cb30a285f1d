"""Processes of a Ray of our own: started for one state directory, found again by its `ray.json`, stopped by its own pids only.

Nothing here speaks to Ray; the head is a child process in a session of its own. Every process of the cluster carries a marker in its
environment, so that no other process on the machine is ever signalled. The head inherits the lock of the state directory:
the directory is taken for exactly as long as the head lives.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import psutil

from actors.runtime.state_dir import StateDir

LOOPBACK = "127.0.0.2"
"""Node address: Ray replaces 127.0.0.1 by the machine's outer address, but leaves the other loopback addresses alone."""

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
GONE_LOOK_S = 0.1
OBJECT_STORE_BYTES = 80_000_000
NO_PORT = -1
"""Keeps the dashboard's process from starting. Without a dashboard and with usage reports disabled it is started all the same, asks
the metadata services of three clouds, and tells its makers that a cluster without reports began: not from a trading machine."""

MARKER = "RAYMAKER_CLUSTER"
PART = "RAYMAKER_PART"
"""Of a cluster of nodes: which part of it (its head, or one node) a process belongs to."""

NODE_STATE = "RAYMAKER_NODE_STATE"
"""Environment variable of every process of a node in a cluster: the state directory of that node."""

NODE_RESOURCE = "raymaker:"
"""Before the name of a node: the resource of Ray that says which node is meant."""

PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h."""

TEMP_DIR_BYTES_MAX = 30
"""Ray appends up to 75 bytes to it for its sockets, whose paths may have 107."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_worker_niceness": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_timeout_ms_task_wait_for_death_info": "20",
    "RAY_core_worker_internal_heartbeat_ms": "100",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
    "RAY_enable_timeline": "0",
    "PYTHONUNBUFFERED": "1",
}
"""Ray's settings for every process of a cluster and every client. Some are read when Ray is imported.

Without a head all go on for ten minutes; what is fenced by leases and epochs may.
"""


_NOTHING_RUNS = "nothing is running on {}: start it with `raymaker up`, or choose another --state"


class ClusterError(Exception):
    """Ray's processes are not as they should be; the text says what to do."""


class NotRunning(ClusterError):
    """No system runs on this state directory."""


class AlreadyRunning(ClusterError):
    """A system runs on this state directory already."""


class RayCluster(msgspec.Struct, frozen=True, kw_only=True):
    """What `ray.json` says of a running Ray, or of a node of one.

    `head_pid` is the process whose life is that of the system here: Ray's head, or in a cluster the keeper of this node (`node`, at
    `host`). `temp_dirs` are those besides `temp_dir`.
    """

    address: str
    marker: str
    head_pid: int
    head_started_s: float
    temp_dir: str
    token_file: str
    node: str = ""
    host: str = ""
    temp_dirs: tuple[str, ...] = ()


def start_cluster(
    state: StateDir, on_progress: Callable[[str], None] = lambda text: None, *, ends_with_us: bool = False
) -> RayCluster:
    """Start a Ray for `state` (created already) and return when its address is known, after some 3 s.

    Args:
        ends_with_us: the kernel ends it when the calling thread's process dies, however that happens.

    Raises:
        AlreadyRunning: a system runs on this directory.
        ClusterError: Ray did not come up; the text ends with the last lines of its output.
    """
    lock = take_lock(state)
    try:
        clear_leftovers(state)
        on_progress("starting Ray")
        temp_dir = short_temp_dir()
        token_file = temp_dir / "token"
        token_file.write_text(secrets.token_hex(32), encoding="ascii")
        token_file.chmod(0o600)
        marker = secrets.token_hex(8)
        output = temp_dir / "head.log"
        head = _spawn_head(temp_dir, token_file, marker, lock, output, ends_with_us)
        try:
            address = _await_address(head, temp_dir, output)
        except BaseException:
            kill_marked(marker)
            head.wait()
            shutil.rmtree(temp_dir, ignore_errors=True)
            raise
        cluster = RayCluster(
            address=address,
            marker=marker,
            head_pid=head.pid,
            head_started_s=psutil.Process(head.pid).create_time(),
            temp_dir=str(temp_dir),
            token_file=str(token_file),
        )
        write_durably(state.ray_file, msgspec.json.encode(cluster))
        return cluster
    finally:
        os.close(lock)


def running_cluster(state: StateDir) -> RayCluster:
    """The Ray that runs for `state`.

    Raises:
        NotRunning: there is none.
    """
    cluster = last_cluster(state)
    if not is_alive(cluster.head_pid, cluster.head_started_s):
        raise NotRunning(_NOTHING_RUNS.format(state.path))
    return cluster


def last_cluster(state: StateDir) -> RayCluster:
    """The Ray that runs for `state`, or died on it by itself.

    Raises:
        NotRunning: there is none, or it was stopped.
        ClusterError: its file is damaged.
    """
    cluster = _read(state)
    if cluster is None:
        raise NotRunning(_NOTHING_RUNS.format(state.path))
    return cluster


def has_head(state: StateDir) -> bool:
    """Whether the process lives whose life is that of the system on `state`: Ray's head, or in a cluster the keeper of this node."""
    with contextlib.suppress(ClusterError):
        return bool(running_cluster(state))
    return False


def was_stopped(state: StateDir) -> bool:
    """Whether `stop_cluster` has ended the Ray of `state`; one that died by itself left its file."""
    return not state.ray_file.exists()


def stop_cluster(state: StateDir, marker: str = "") -> None:
    """End every process of the Ray of `state` and verify that none is left; without one this does nothing.

    Args:
        marker: of the one that is meant: a later one on the same directory is let be. Empty means whichever is there.

    Raises:
        ClusterError: a process survived SIGKILL.
    """
    cluster = _read(state)
    if cluster is None or (marker and cluster.marker != marker):
        return
    started = marked(cluster.marker)
    if is_alive(cluster.head_pid, cluster.head_started_s):
        with contextlib.suppress(psutil.NoSuchProcess):
            head = psutil.Process(cluster.head_pid)
            head.send_signal(signal.SIGTERM)
            psutil.wait_procs([head], timeout=STOP_TIMEOUT_S)
    kill_marked(cluster.marker, known=started)
    _remove_temp_dirs(cluster)
    state.ray_file.unlink(missing_ok=True)


def is_alive(pid: int, started_s: float = 0.0) -> bool:
    """Whether `pid` runs (a zombie does not) and, when told, is still the process that began at `started_s` (epoch seconds)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return not started_s or abs(process.create_time() - started_s) < 1.0
    except psutil.NoSuchProcess:
        return False


def kill_and_verify(pid: int, started_s: float, timeout_s: float) -> bool:
    """SIGKILL one process and wait until it is gone; true when it is. One that is not the same process any more is let be."""
    deadline = time.monotonic() + timeout_s
    while is_alive(pid, started_s):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file so that after a crash either the old or the new content is there, never a part."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def take_lock(state: StateDir) -> int:
    """The descriptor that holds the state directory for as long as it, or an inherited one, is open.

    Raises:
        AlreadyRunning: somebody holds it.
    """
    descriptor = os.open(state.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise AlreadyRunning(
            f"a system is running on {state.path} already: stop it with `raymaker down`, or choose another --state"
        ) from error
    return descriptor


def clear_leftovers(state: StateDir) -> None:
    """End what a head that was killed left behind: with the lock in our hand none of it may go on."""
    cluster = _read(state)
    if cluster is not None:
        kill_marked(cluster.marker)
        _remove_temp_dirs(cluster)
        state.ray_file.unlink(missing_ok=True)


def _remove_temp_dirs(cluster: RayCluster) -> None:
    for folder in (cluster.temp_dir, *cluster.temp_dirs):
        shutil.rmtree(folder, ignore_errors=True)


def _read(state: StateDir) -> RayCluster | None:
    try:
        return msgspec.json.decode(state.ray_file.read_bytes(), type=RayCluster)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ClusterError(f"{state.ray_file} is damaged ({error}): end its processes and delete it") from error


def short_temp_dir() -> Path:
    """A new folder whose path leaves room for the names of Ray's sockets."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) + len("/rm-12345678") > TEMP_DIR_BYTES_MAX:
        folder = "/tmp"
    return Path(tempfile.mkdtemp(prefix="rm-", dir=folder))


def _spawn_head(
    temp_dir: Path, token_file: Path, marker: str, lock: int, output: Path, ends_with_us: bool
) -> subprocess.Popen[bytes]:
    environment = ray_environment(token_file, marker)
    arguments = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port=0"),
        *(f"--node-ip-address={LOOPBACK}", f"--temp-dir={temp_dir}", "--disable-usage-stats", "--no-monitor"),
        *("--include-dashboard=false", f"--dashboard-port={NO_PORT}", "--include-log-monitor=false"),
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        f"--num-cpus={max(2, os.cpu_count() or 1)}",  # the actors ask for none; it is how many workers Ray may start at once
    ]
    with output.open("wb") as sink:
        return subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
            preexec_fn=ending_with(os.getpid()) if ends_with_us else None,
        )


def ray_environment(token_file: Path, marker: str) -> dict[str, str]:
    """The environment of every process of a cluster: ours, without what somebody set for another Ray."""
    code = Path(__file__).resolve().parents[2]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    search_path = os.pathsep.join(part for part in (str(code), inherited.get("PYTHONPATH", "")) if part)
    return {
        **inherited,
        **ENVIRONMENT,
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "PYTHONPATH": search_path,
        MARKER: marker,
    }


def ending_with(parent_pid: int) -> Callable[[], None]:
    """What a new process does first to be ended by the kernel with its parent."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_the_kernel() -> None:
        if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) or os.getppid() != parent_pid:
            os._exit(1)

    return ask_the_kernel


def _await_address(head: subprocess.Popen[bytes], temp_dir: Path, output: Path) -> str:
    address_file = temp_dir / "ray_current_cluster"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if head.poll() is not None:
            raise ClusterError(f"Ray ended at start with code {head.returncode}: {last_lines(output)}")
        with contextlib.suppress(FileNotFoundError):
            address = address_file.read_text(encoding="utf-8").strip()
            if address:
                return address
        time.sleep(0.02)
    raise ClusterError(f"Ray did not start within {START_TIMEOUT_S:.0f} s: {last_lines(output)}")


def last_lines(output: Path) -> str:
    """What a process said last, in one line."""
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    return " | ".join(line.strip() for line in lines[-5:]) or "it said nothing"


def marked(marker: str, part: str = "") -> list[psutil.Process]:
    """Living processes of a cluster, or of a node of one; only those of one part where that is said."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # gone meanwhile, a zombie, or another user's
            environment = process.environ()
            if environment.get(MARKER) == marker and part in ("", environment.get(PART)):
                found.append(process)
    return found


def of_session(leader_pid: int) -> list[psutil.Process]:
    """Living processes of the session that this process leads: a fact that outlives a process's environment, hence its marks."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == leader_pid:
                found.append(process)
    return found


def kill_marked(marker: str, part: str = "", known: Iterable[psutil.Process] = (), leader_pid: int = 0) -> None:
    """SIGKILL all of `marked`; again, for what was being started meanwhile. Returns when they and all of `known` are gone.

    A process has no marks in the moments in which it begins and ends; whoever ended it earlier names it in `known`.

    Args:
        leader_pid: of a child of the caller that leads a session: all of it are meant as well. 0 for none.

    Raises:
        ClusterError: some survive it.
    """
    deadline = time.monotonic() + STOP_TIMEOUT_S
    seen = set(known)
    while True:
        seen |= set(marked(marker, part))
        if leader_pid:
            seen |= set(of_session(leader_pid))
        left = [process for process in seen if runs(process)]
        if not left:
            return
        if time.monotonic() >= deadline:
            pids = sorted(process.pid for process in left)
            raise ClusterError(f"processes {pids} survived SIGKILL for {STOP_TIMEOUT_S:.0f} s")
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=GONE_LOOK_S)


def runs(process: psutil.Process) -> bool:
    """Whether a process runs still; a zombie does not, nor another that has its pid now."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
