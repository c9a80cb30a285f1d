"""What a person does to a live system by commands: stops, resumes, second starts."""

from __future__ import annotations

import contextlib
import socket
import time

import httpx
import msgspec

from actors.runtime.ray_cluster import is_alive
from actors.runtime.ray_nodes import part_processes
from ops.chaos import faults
from ops.chaos.live import FILE_LOOK_S, Live, Told, ended, later, seconds_after, verdict
from ops.chaos.rows import DIRECT, Row
from ops.launch import status_of
from protocols.messages.control import ActorStatus

STOPPED_S = 3.0
"""How long an emergency stop is held before it is lifted: longer than recvWindow and the clock's error."""

EDITED_S = 3.0
SCRAPERS, SCRAPED_S = 20, 8.0
FLATTEN = "--flatten"
BEGIN_S_MAX = 30.0
HEAD_BACK_S_MAX = 40.0


def stop(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """A stop, held, and lifted."""
    _stop(live, told)
    live.wait(STOPPED_S)
    _resume(live, told)


def _stop(live: Live, told: Told, *options: str) -> None:
    """The stop begins when the file is there: its time is the kernel's, read before the supervisor writes it again."""
    state, stage = live.state, live.stage
    command = stage.raymaker("emergency-stop", *options, "--state", str(state.path))
    deadline = time.monotonic() + BEGIN_S_MAX
    while not state.stop_file.exists() and command.poll() is None and time.monotonic() < deadline:
        time.sleep(FILE_LOOK_S)
    late_ns = state.stop_file.stat().st_mtime_ns - told.scene.fault_t
    told.scene = later(told.scene, late_ns)
    output, code = ended(command)
    words = ("CLEAR", "FLAT") if FLATTEN in options else ("CLEAR",)
    told.checks.append(verdict("the command", code == 0 and all(word in output for word in words), output))
    told.notes.append(
        f"the command wrote the file after {late_ns / 1e9:.2f} s and ended {seconds_after(told.scene):.1f} s later"
    )


def stop_hurt(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The same when the order manager, or everybody who could tell it, cannot hear it."""
    if row.variant == DIRECT:
        _stop_directly(live, victims, told)
    elif row.variant == "frozen":
        frozen = faults.freeze(victims[0].pid)
        stop(row, live, victims, told)
        faults.wake(frozen)
    else:
        died = told.scene
        faults.kill([victims[0].pid])
        stop(row, live, victims, told)
        # The death comes before the stop file, and so may its alert.
        told.scene = msgspec.structs.replace(told.scene, fault_t=died.fault_t, fault_ns=died.fault_ns)


def _stop_directly(live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Without head and supervisor: the order manager of the other node, which hangs, is reached by that node's door alone."""
    head = part_processes(live.state)["head"]
    keeper = faults.freeze(head.keeper)
    supervisor = next(actor.pid for actor in status_of(live.client).actors if actor.role == "supervisor")
    manager = next(actor for actor in victims if actor.role == "order_manager")
    try:
        faults.freeze(manager.pid)
        faults.kill([head.gcs_server, supervisor])
        _stop(live, told, "--direct", FLATTEN)
        told.checks.append(verdict("the order manager", not is_alive(manager.pid), f"{manager.name} lives on"))
        live.wait(STOPPED_S)
    finally:
        faults.wake(keeper)
    live.wait(HEAD_BACK_S_MAX, lambda: live.is_served())
    _resume(live, told)


def start_again(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """A second system on the same state directory."""
    arguments = ("--config", str(live.stage.config), "--state", str(live.state.path))
    output, code = ended(live.stage.raymaker("up", "--detach", *arguments))
    told.detected_s = round(seconds_after(told.scene), 3)
    told.checks.append(verdict("the refusal", code == 2 and "running on" in output, f"exit code {code}: {output}"))
    told.notes.append(output.strip().splitlines()[-1] if output.strip() else "it said nothing")


def edit_badly(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """What is read again on every edit cannot be understood for a while."""
    file = live.stage.config
    good = file.read_bytes()
    told.scene = later(told.scene, time.time_ns() - told.scene.fault_t)
    file.write_bytes(good[: len(good) // 2])
    live.wait(EDITED_S)
    file.write_bytes(good)


def scrape_slowly(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Many ask, and nobody takes the answer; one who does read gets one all the same."""
    url = httpx.URL(status_of(live.client).metrics_url)
    request = f"GET {url.path} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode()
    with contextlib.ExitStack() as held:
        for _ in range(SCRAPERS):
            scraper = held.enter_context(socket.create_connection((url.host, url.port or 80)))
            scraper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            scraper.sendall(request)
        live.wait(SCRAPED_S)
        told.checks.append(verdict("a scrape", httpx.get(str(url), trust_env=False).is_success, "no answer"))


def _resume(live: Live, told: Told) -> None:
    resumed_t = time.time_ns()
    output, code = ended(live.stage.raymaker("resume", "--state", str(live.state.path)))
    told.scene = msgspec.structs.replace(told.scene, back_t=resumed_t)
    told.checks.append(verdict("the resume", code == 0, output))
