"""Laws that hold whatever happens to the children, in any order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from supervised_world import SupervisedWorld, system_plan

from actors.supervisor.commands import StartChild
from protocols.messages.control import ActorState, EmergencyStop, RestartActor, Resume, Shutdown, StartActor, StopActor

NAMES = [spec.spec.name for spec in system_plan(shards=2).children]
names = st.sampled_from(NAMES)
happenings = st.one_of(
    st.tuples(st.just("die"), names),
    st.tuples(st.just("hang"), names),
    st.tuples(st.just("stop"), names),
    st.tuples(st.just("start"), names),
    st.tuples(st.just("restart"), names),
    st.tuples(st.just("emergency"), names),
    st.tuples(st.just("resume"), names),
    st.tuples(st.just("wait"), names),
)


def apply(world: SupervisedWorld, kind: str, name: str, ask_id: int) -> None:
    match kind:
        case "die" if name in world.processes:
            world.die(name)
        case "hang" if name in world.processes:
            world.processes[name].hung = True
        case "stop":
            world.ask(StopActor(name=name), ask_id)
        case "start":
            world.ask(StartActor(name=name), ask_id)
        case "restart":
            world.ask(RestartActor(name=name), ask_id)
        case "emergency":
            world.ask(EmergencyStop(reason="told to"), ask_id)
        case "resume":
            world.ask(Resume(reason="looked at"), ask_id)
        case _:
            world.run(400)


@settings(max_examples=60, deadline=None)
@given(st.lists(happenings, max_size=25))
def test_children_never_overlap_epochs_only_grow_and_everything_is_answered(script: list[tuple[str, str]]) -> None:
    world = SupervisedWorld(system_plan(shards=2))
    for ask_id, (kind, name) in enumerate(script):
        apply(world, kind, name, ask_id)
    for process in world.processes.values():
        process.hung = False
    world.run(60_000)
    asked = [i for i, (kind, _) in enumerate(script) if kind in ("stop", "start", "restart", "emergency", "resume")]
    assert set(asked) <= set(world.answers)
    started = [request.child.spec for request in world.requests if isinstance(request, StartChild)]
    assert len({spec.epoch for spec in started}) == len(started)
    for name in NAMES:
        epochs = [spec.epoch for spec in started if spec.name == name]
        assert epochs == sorted(epochs)  # two children may start in another order than their epochs were given
        wanted = name not in world.desired.unwanted
        shown = world.state_of(name)
        allowed = (
            {ActorState.RUNNING, ActorState.HALTED}
            if wanted
            else {ActorState.STOPPED, ActorState.DEAD, ActorState.HALTED}
        )
        assert shown in allowed, (name, shown)
        if shown is ActorState.HALTED and name.startswith(
            ("order_manager", "market_data", "strategy", "risk", "inventory")
        ):
            assert world.desired.halted_shards
    assert (world.stop_file is not None) == world.desired.stopped


@settings(max_examples=40, deadline=None)
@given(st.lists(happenings, max_size=15))
def test_a_shutdown_always_ends_with_no_process_and_an_answer(script: list[tuple[str, str]]) -> None:
    world = SupervisedWorld(system_plan(shards=2))
    for ask_id, (kind, name) in enumerate(script):
        apply(world, kind, name, ask_id)
    world.ask(Shutdown(), ask_id=999)
    started = world.starts()
    world.run(60_000)
    assert world.processes == {}
    assert world.starts() == started
    assert 999 in world.answers
