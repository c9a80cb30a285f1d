"""Keeps one part of a cluster alive: Ray's head, or one node. It is the parent of Ray's processes there and reaps them.

Ray does not bring back a head or a raylet that died, and leaves the actors of a raylet that died unreaped running for good. The keeper
watches both: when one of them ends, whatever is left of that part on this machine is killed by its mark, verified, and the part begins
anew. Its actors do not come back with it: that is the supervisor's business.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Literal

import msgspec
import psutil

from actors.runtime.links.proof import ClusterSecret
from actors.runtime.ray_cluster import (
    ENVIRONMENT,
    NO_PORT,
    NODE_RESOURCE,
    NODE_STATE,
    OBJECT_STORE_BYTES,
    PART,
    ClusterError,
    kill_marked,
    last_lines,
    marked,
    ray_environment,
    runs,
)
from actors.runtime.state_dir import StateDir
from actors.runtime.stop_door import StopDoor
from configs.cluster_secret import ClusterSecretError, load_cluster_secret

LOOK_PERIOD_S = 0.1
RETRY_S, RETRY_S_MAX = 0.2, 5.0
"""Pause before a part begins anew; longer after each one that did not live for `STEADY_S`."""

STEADY_S = 30.0
END_S = 5.0
HEAD_DIAL_S = 0.5
HEAD_LOOK_PERIOD_S = 1.0
TABLES = "gcs"
"""Folder of the head's tables in its temporary directory."""

FAULT_TOLERANT_HEAD = {
    "RAY_gcs_storage": "rocksdb",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "300",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""The head keeps its tables on disk: a new one goes on where a killed one stopped. It calls a silent node lost after some 4 s."""


class KeptPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper keeps: the head at `head_host`:`head_port`, or the node `node` at `host`. No secret is in it."""

    part: Literal["head", "node"]
    node: str
    host: str
    head_host: str
    head_port: int
    state: str
    temp_dir: str
    token_file: str
    marker: str
    stop_port: int = 0


class HeadWatch:
    """Whether a node's head is still the head of the same cluster: a raylet whose cluster was ended does not find out by itself."""

    def __init__(self, kept: KeptPart) -> None:
        self._kept = kept
        self._reachable = False
        self._identity = ""
        self._looked_s = 0.0
        self._asking: subprocess.Popen[bytes] | None = None

    def is_another(self) -> bool:
        """Look, not too often; true when another cluster's head is at the address now."""
        if self._asking is not None:
            return self._asking.poll() is not None and self._take_answer()
        if self._kept.part == "head" or time.monotonic() - self._looked_s < HEAD_LOOK_PERIOD_S:
            return False
        self._looked_s = time.monotonic()
        was_reachable, self._reachable = self._reachable, self.dial() == ""
        if self._reachable and not was_reachable:
            self._ask()
        return False

    def dial(self) -> str:
        """Empty when somebody listens at the head's address, else why not."""
        try:
            socket.create_connection((self._kept.head_host, self._kept.head_port), HEAD_DIAL_S).close()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.kill()
            self._asking.communicate()
            self._asking = None

    def _ask(self) -> None:
        """In a process of its own: Ray is large, and the keeper is not to wait for it."""
        code = "import sys; from actors.runtime.ray_host import head_identity; print(head_identity(sys.argv[1]))"
        self._asking = subprocess.Popen(
            [sys.executable, "-c", code, f"{self._kept.head_host}:{self._kept.head_port}"],
            env=ray_environment(Path(self._kept.token_file), self._kept.marker),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _take_answer(self) -> bool:
        assert self._asking is not None
        answer, _ = self._asking.communicate()
        identity = answer.decode(errors="replace").strip() if self._asking.returncode == 0 else ""
        self._asking = None
        if not identity:
            self._reachable = False  # asked again at the next look
            return False
        former, self._identity = self._identity, identity
        return former not in ("", identity)


class NodeKeeper:
    """Starts a part, watches it, clears up after it, starts it again, until it is told to end."""

    def __init__(self, kept: KeptPart, say: Callable[[str], None]) -> None:
        self._kept = kept
        self._say = say
        self._ending = False
        self._output = Path(kept.temp_dir) / f"{kept.part}.log"

    def run(self) -> int:
        """Keep the part until SIGTERM or SIGINT; returns the exit code.

        Raises:
            ClusterError: what is left of it cannot be killed.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        door = self._open_door()
        try:
            return self._keep()
        finally:
            if door is not None:
                door.close()

    def _open_door(self) -> StopDoor | None:
        """Of a node; the head has no order managers."""
        kept = self._kept
        if kept.part == "head" or not kept.stop_port:
            return None
        state = StateDir(kept.state)
        try:
            secret = ClusterSecret(load_cluster_secret(state.cluster_secret))
            return StopDoor(state, kept.host, kept.stop_port, secret)
        except (OSError, ClusterSecretError) as error:
            self._say(f"an emergency stop without Ray cannot reach this node: port {kept.stop_port}: {error}")
            return None

    def _keep(self) -> int:
        delay_s = RETRY_S
        while self._await_head():
            began_s = time.monotonic()
            process, head = self._spawn(), HeadWatch(self._kept)
            reason = self._watch(process, head)
            head.close()
            self._clear(process)
            if self._ending:
                break
            delay_s = RETRY_S if time.monotonic() - began_s > STEADY_S else min(2 * delay_s, RETRY_S_MAX)
            self._say(f"{self._kept.part} {self._kept.node} ended: {reason}; it begins anew in {delay_s:g} s")
            self._pause(delay_s)
        return 0

    def _await_head(self) -> bool:
        """Return when the head can be reached (a head itself need not wait), or false when this keeper has to end."""
        told = False
        while not self._ending and self._kept.part == "node" and (reason := HeadWatch(self._kept).dial()):
            if not told:
                told = True
                self._say(f"waiting for the head at {self._kept.head_host}:{self._kept.head_port} ({reason})")
            self._pause(5 * LOOK_PERIOD_S)
        return not self._ending

    def _spawn(self) -> subprocess.Popen[bytes]:
        kept = self._kept
        Path(kept.temp_dir, "ray_current_cluster").unlink(missing_ok=True)  # else Ray says that it is running already
        environment = {
            **ray_environment(Path(kept.token_file), kept.marker),
            PART: kept.part,
            NODE_STATE: kept.state,
        }
        if kept.part == "head":
            environment |= {**FAULT_TOLERANT_HEAD, "RAY_gcs_storage_path": str(Path(kept.temp_dir, TABLES))}
        with self._output.open("ab") as sink:
            return subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *self._arguments()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _arguments(self) -> list[str]:
        kept = self._kept
        common = [
            *("--disable-usage-stats", "--include-log-monitor=false", f"--object-store-memory={OBJECT_STORE_BYTES}"),
            *(f"--node-ip-address={kept.host}", f"--temp-dir={kept.temp_dir}"),
            *("--min-worker-port=0", "--max-worker-port=0"),  # of the kernel: nodes on one machine do not meet
        ]
        if kept.part == "head":
            return [
                *("--head", f"--port={kept.head_port}", "--no-monitor", "--num-cpus=0"),
                *("--include-dashboard=false", f"--dashboard-port={NO_PORT}", *common),
            ]
        resources = msgspec.json.encode({NODE_RESOURCE + kept.node: 1000}).decode()
        workers = max(2, os.cpu_count() or 1)
        address = f"--address={kept.head_host}:{kept.head_port}"
        return [address, f"--resources={resources}", f"--num-cpus={workers}", *common]

    def _watch(self, process: subprocess.Popen[bytes], head: HeadWatch) -> str:
        """Return when the part has to be cleared away, with the reason."""
        wanted = {"raylet", "gcs_server"} if self._kept.part == "head" else {"raylet"}
        vital: dict[str, psutil.Process] = {}
        while not self._ending:
            if process.poll() is not None:
                return f"code {process.returncode}: {last_lines(self._output)}"
            if len(vital) < len(wanted):
                vital |= self._vital_children(process.pid, wanted)
            for name, child in vital.items():
                if not runs(child):
                    return f"its {name} (pid {child.pid}) is dead"
            if head.is_another():
                return "another cluster's head is at its address now"
            time.sleep(LOOK_PERIOD_S)
        return "told to"

    def _vital_children(self, pid: int, wanted: set[str]) -> dict[str, psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return {child.name(): child for child in psutil.Process(pid).children() if child.name() in wanted}
        return {}

    def _clear(self, process: subprocess.Popen[bytes]) -> None:
        """End the part: gently when everything is to end, else at once, for what is left of it may trade."""
        started = marked(self._kept.marker, self._kept.part)
        if self._ending and process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
        kill_marked(self._kept.marker, self._kept.part, known=started, leader_pid=process.pid)
        process.wait()

    def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._ending and time.monotonic() < until_s:
            time.sleep(min(LOOK_PERIOD_S, seconds))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._ending = True


def main(arguments: list[str]) -> int:
    """`python -m actors.runtime.node_keeper KEPT_PART_AS_JSON`."""
    os.environ.update(ENVIRONMENT)
    kept = msgspec.json.decode(arguments[0], type=KeptPart)
    try:
        return NodeKeeper(kept, lambda text: print(text, flush=True)).run()
    except ClusterError as error:
        print(error, file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
