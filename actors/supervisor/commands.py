"""What the supervisor's core asks its shell to do, what it hears back, and what it keeps on file.

Requests travel as `Call` effects; each has a bound in time and exactly one outcome, but for those that say so. An outcome names the
child and its epoch: what concerns an older incarnation is ignored.
"""

from __future__ import annotations

from typing import Any

import msgspec

from protocols.envelope import Message
from protocols.mailboxes import AnyControl, Control, Hosted
from protocols.messages.control import AnyAnswer, AnyCommand, ChildSpec, Vitals

SELF = "supervisor"
"""Name of the supervisor itself among those whose memory a node's agent tells."""


class FindChildren(Message, frozen=True, kw_only=True):
    """Look for living actors of these names. Outcome: ChildrenFound."""

    names: tuple[str, ...]
    wait_ms: int


class FoundChild(Message, frozen=True, kw_only=True):
    """A living process. `answered` is false when its health call stayed out; `started` that its shell came to life."""

    name: str
    pid: int
    epoch: int
    answered: bool
    started: bool


class ChildrenFound(Message, frozen=True, kw_only=True):
    """Every living process among those asked for."""

    found: tuple[FoundChild, ...]


class AllocateEpoch(Message, frozen=True, kw_only=True):
    """The next epoch of the account, above `floor`. Outcome: EpochAllocated or EpochRefused."""

    name: str
    floor: int


class EpochAllocated(Message, frozen=True, kw_only=True):
    """`epoch` is given to `name` and to nobody else, ever."""

    name: str
    epoch: int


class EpochRefused(Message, frozen=True, kw_only=True):
    """No epoch could be given; `text` says why."""

    name: str
    text: str


class TellChild(Message, frozen=True, kw_only=True):
    """Deliver a control message. Outcome: ChildTold."""

    name: str
    epoch: int
    message: AnyControl
    wait_ms: int


class ChildTold(Message, frozen=True, kw_only=True):
    """`reached`: the child's core has handled `message`."""

    name: str
    epoch: int
    message: AnyControl
    reached: bool


class StartChild(Message, frozen=True, kw_only=True):
    """Place the actor and bring it to life. Outcome: ChildStarted or ChildFailed."""

    child: ChildSpec
    wait_ms: int


class ChildStarted(Message, frozen=True, kw_only=True):
    """The shell is up; its core has started."""

    name: str
    epoch: int
    pid: int


class ChildFailed(Message, frozen=True, kw_only=True):
    """The actor did not come to life; something of it may be left."""

    name: str
    epoch: int
    text: str


class WatchChild(Message, frozen=True, kw_only=True):
    """Wait for the end of a process. Outcome: ChildDied, whenever that is."""

    name: str
    epoch: int


class ChildDied(Message, frozen=True, kw_only=True):
    """The process ended, by whatever cause."""

    name: str
    epoch: int
    text: str


class ProbeChild(Message, frozen=True, kw_only=True):
    """Ask for a sign of life of the main loop. Outcome: ChildProbed."""

    name: str
    epoch: int
    wait_ms: int


class ChildProbed(Message, frozen=True, kw_only=True):
    """`vitals` is None when the loop did not answer in time; `text` says what did."""

    name: str
    epoch: int
    vitals: Vitals | None
    text: str = ""


class ReadChild(Message, frozen=True, kw_only=True):
    """Fetch the snapshot for status and metrics. Outcome: ChildRead."""

    name: str
    epoch: int
    wait_ms: int


class ChildRead(Message, frozen=True, kw_only=True):
    """The core's and the shell's view, or None when the child did not answer."""

    name: str
    epoch: int
    snapshot: dict[str, Any] | None
    io: dict[str, Any]


class StopChild(Message, frozen=True, kw_only=True):
    """Close the shell, end the process, verify. Outcome: ChildGone. `frees_name` as in KillChild."""

    name: str
    epoch: int
    pid: int
    wait_ms: int
    node: str = ""
    frees_name: bool = True


class KillChild(Message, frozen=True, kw_only=True):
    """SIGKILL by the node's agent, and verify; also for what is dead already. Outcome: ChildGone.

    Without `verify` (its node is lost) only the name has to be free: what may still run there is fenced by its lease, its epoch
    and the window of its last orders, and the node's keeper ends it. Without `frees_name` (nothing is started any more) Ray's head
    is not asked whether the name is free: it may be away.
    """

    name: str
    epoch: int
    pid: int
    wait_ms: int
    node: str = ""
    verify: bool = True
    frees_name: bool = True


class ChildGone(Message, frozen=True, kw_only=True):
    """`gone`: no process of that child is left (as far as that was to be verified), and its name is free; else `text` says why not."""

    name: str
    epoch: int
    gone: bool
    text: str = ""


class Beat(Message, frozen=True, kw_only=True):
    """Tell a node's agent that the supervisor lives, and the pids of its children there. Outcome: NodeBeaten, when it answered.

    `doubted` are those of them that have not answered for a while.
    """

    pids: dict[str, int]
    node: str = ""
    doubted: tuple[str, ...] = ()


class NodeBeaten(Message, frozen=True, kw_only=True):
    """The agent's answer: whether the stop file is present on its node, and the resident memory of each process that it was told of.

    Where the supervisor runs, its own is under `SELF`. `predecessor_hung`: the agent ended the supervisor before this one.
    `starved`: who of the doubted waits for a processor or a disk.
    """

    node: str
    stop_file: bool
    predecessor_hung: bool = False
    starved: tuple[str, ...] = ()
    memory_bytes: dict[str, int] = msgspec.field(default_factory=dict)


class EndSelf(Message, frozen=True, kw_only=True):
    """End this process at once; Ray starts the supervisor anew, which goes on from what is on file. No outcome."""


class LatchNode(Message, frozen=True, kw_only=True):
    """Write the stop file of another node, or remove it. Outcome: NodeLatched, when that was done."""

    node: str
    present: bool
    reason: str


class NodeLatched(Message, frozen=True, kw_only=True):
    """The stop file of a node is present, or is not any more."""

    node: str
    present: bool


class LookAtNodes(Message, frozen=True, kw_only=True):
    """Ask Ray which nodes are alive. Outcome: NodesSeen or HeadSilent."""


class NodesSeen(Message, frozen=True, kw_only=True):
    """The living nodes, by Ray's word."""

    alive: tuple[str, ...]


class HeadSilent(Message, frozen=True, kw_only=True):
    """Ray's head does not answer: nothing can be placed, and what is known of the nodes stands still."""

    text: str


class ClearVenue(Message, frozen=True, kw_only=True):
    """Run the arm that cancels at the venue without any actor; `shard` is None for all of them. Outcome: VenueCleared."""

    shard: int | None
    symbols: tuple[str, ...]
    wait_ms: int


class VenueCleared(Message, frozen=True, kw_only=True):
    """`cleared`: the arm saw no open order left."""

    shard: int | None
    cleared: bool
    text: str


class FlattenVenue(Message, frozen=True, kw_only=True):
    """Run the arm that closes every position. Outcome: VenueFlattened."""

    wait_ms: int


class VenueFlattened(Message, frozen=True, kw_only=True):
    """`flat`: the arm saw no position and no open order left."""

    flat: bool
    text: str


class FlattenRefused(Message, frozen=True, kw_only=True):
    """The venue refused a slice, and the arm goes on: a person is to hear of it now."""

    text: str


class CommandGiven(Message, frozen=True, kw_only=True):
    """Somebody asks; the answer goes out as `GiveAnswer` with the same `ask_id`."""

    ask_id: int
    command: AnyCommand


class GiveAnswer(Message, frozen=True, kw_only=True):
    """Answer a command. No outcome."""

    ask_id: int
    answer: AnyAnswer


class ConsiderChange(Message, frozen=True, kw_only=True):
    """Judge a change of one key of the settings. Outcome: ChangeConsidered."""

    ask_id: int
    key: str
    value: str
    confirmed: bool
    settings_json: str


class ChangeConsidered(Message, frozen=True, kw_only=True):
    """What of a change may be: `settings_json` holds it, over `base_json`. `refused` says what may not and what to do.

    `ask_id` is 0 for an edit of the file, of which `file_json` is then the present content (empty when it cannot be understood).
    """

    ask_id: int
    base_json: str
    settings_json: str
    changes: tuple[str, ...]
    refused: str
    source: str
    file_json: str = ""


class SettingsJournaled(Message, frozen=True, kw_only=True):
    """Record: settings changed; a line of their journal."""

    changes: tuple[str, ...]
    source: str
    changed_ns: int


class StopLatch(Message, frozen=True, kw_only=True):
    """Record: the stop file of this node is present, or not; on the disk before any later effect."""

    present: bool
    reason: str


class Desired(Message, frozen=True, kw_only=True):
    """Record: what the supervisor wants, on the disk before it acts; a new incarnation goes on from here.

    `system` names the run that it belongs to; of an earlier run only the emergency stop still holds. `booted` tells that every child
    was started once; `epochs` the last one given to each; `unwanted` what a person stopped; `resume_owed` who was away at the last
    resume and hears of it when it is back; `flatten_owed` that positions are to be closed and nobody has confirmed it yet. Of a cluster:
    `assigned` is the node of each shard, `journal_nodes` that where its order manager last ran, `lift_owed` the nodes whose stop file a
    resume has still to remove. `settings_json` are the settings that hold where some were changed since the start, `file_json` those that
    the configuration's file held when it was read last.
    """

    system: str = ""
    booted: bool = False
    shutting_down: bool = False
    stopped: bool = False
    stop_reason: str = ""
    halted_shards: dict[int, str] = msgspec.field(default_factory=dict)
    unwanted: tuple[str, ...] = ()
    epochs: dict[str, int] = msgspec.field(default_factory=dict)
    restarts: dict[str, int] = msgspec.field(default_factory=dict)
    incarnations: int = 0
    resume_owed: tuple[str, ...] = ()
    assigned: dict[int, str] = msgspec.field(default_factory=dict)
    journal_nodes: dict[int, str] = msgspec.field(default_factory=dict)
    lift_owed: tuple[str, ...] = ()
    flatten_owed: bool = False
    settings_json: str = ""
    file_json: str = ""


def desired_of(system: str, kept: Desired | None) -> Desired:
    """What holds at the start of an incarnation: all of its own run's wishes; of another run an emergency stop, and where journals are."""
    if kept is None:
        return Desired(system=system)
    if kept.system == system:
        return kept
    return Desired(
        system=system,
        stopped=kept.stopped,
        stop_reason=kept.stop_reason,
        assigned=kept.assigned,
        journal_nodes=kept.journal_nodes,
        lift_owed=kept.lift_owed,
    )


SupervisorRequest = (
    FindChildren
    | AllocateEpoch
    | TellChild
    | StartChild
    | WatchChild
    | ProbeChild
    | ReadChild
    | StopChild
    | KillChild
    | Beat
    | EndSelf
    | LatchNode
    | LookAtNodes
    | ClearVenue
    | FlattenVenue
    | GiveAnswer
    | ConsiderChange
)
SupervisorRecord = StopLatch | Desired | SettingsJournaled
SupervisorOutcome = (
    ChildrenFound
    | EpochAllocated
    | EpochRefused
    | ChildTold
    | ChildStarted
    | ChildFailed
    | ChildDied
    | ChildProbed
    | ChildRead
    | ChildGone
    | NodeBeaten
    | NodeLatched
    | NodesSeen
    | HeadSilent
    | VenueCleared
    | VenueFlattened
    | FlattenRefused
    | CommandGiven
    | ChangeConsidered
)
SupervisorMailbox = SupervisorOutcome | Control | Hosted
