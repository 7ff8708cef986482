"""What an agent of AG-UI says: text messages, reasoning, thinking (its name before 1.0) and steps."""

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from conformance.dialects.ag_ui import wire as wires
from conformance.dialects.ag_ui.run import Message, Run, Telling, Thought
from conformance.dialects.ag_ui.tools import close_chunk

Handler = Callable[[Run, Any, Telling], None]

# -- text messages ------------------------------------------------------------------------------------------------


def _text_start(run: Run, wire: wires.TextStart, told: Telling) -> None:
    identifier = wire.message_id
    if identifier in run.texts:
        told.unpaired("AGU-06", run, "text message", identifier, "starts while it is open")
    elif identifier is not None:
        told.identify(run, "messageId", identifier)
        if identifier in run.said:
            told.reused(run, "messageId", identifier)
        run.texts[identifier] = run.said[identifier] = Message(identifier, wire.role == "assistant")
    told.other(run, "TEXT_MESSAGE_START")


def _text_content(run: Run, wire: wires.TextContent, told: Telling) -> None:
    message = run.texts.get(wire.message_id)
    if wire.delta == "":
        told.empty(run, "TEXT_MESSAGE_CONTENT")
    if message is not None:
        told.text(run, message, wire.delta or "", "TEXT_MESSAGE_CONTENT")
        return
    if wire.message_id is not None:
        told.unpaired("AGU-06", run, "text message", wire.message_id, "has content while it is not open")
    told.other(run, "TEXT_MESSAGE_CONTENT")


def _text_end(run: Run, wire: wires.TextEnd, told: Telling) -> None:
    if run.texts.pop(wire.message_id, None) is None and wire.message_id is not None:
        told.unpaired("AGU-06", run, "text message", wire.message_id, "ends while it is not open")
    told.other(run, "TEXT_MESSAGE_END")


def _text_chunk(run: Run, wire: wires.TextChunk, told: Telling) -> None:
    message, identifier = run.chunk, wire.message_id
    if not isinstance(message, Message) or identifier not in (UNSET, message.message_id):
        close_chunk(run, told)
        if not isinstance(identifier, str):
            told.nameless(run, "TEXT_MESSAGE_CHUNK", "messageId")
            told.other(run, "TEXT_MESSAGE_CHUNK")
            return
        told.identify(run, "messageId", identifier)
        if identifier in run.texts:
            told.unpaired("AGU-06", run, "text message", identifier, "starts as a chunk while it is open")
        # another event between two chunks of a message closes it for the client, who opens it again: no second use
        message = run.said.get(identifier) or Message(identifier, wire.role in (UNSET, "assistant"))
        run.said[identifier] = run.chunk = message
        told.other(run, "TEXT_MESSAGE_CHUNK")
    if isinstance(wire.delta, str) and wire.delta:
        told.text(run, message, wire.delta, "TEXT_MESSAGE_CHUNK")


# -- reasoning ----------------------------------------------------------------------------------------------------


def _reasoning_start(run: Run, wire: wires.ReasoningStart, told: Telling) -> None:
    _open(run, run.phases, wire.message_id, "reasoning", told)
    told.other(run, "REASONING_START")


def _reasoning_end(run: Run, wire: wires.ReasoningEnd, told: Telling) -> None:
    _close(run, run.phases, wire.message_id, "reasoning", told)
    told.other(run, "REASONING_END")


def _reasoning_message_start(run: Run, wire: wires.ReasoningMessageStart, told: Telling) -> None:
    _open(run, run.thoughts, wire.message_id, "reasoning message", told)
    told.other(run, "REASONING_MESSAGE_START")


def _reasoning_content(run: Run, wire: wires.ReasoningContent, told: Telling) -> None:
    if wire.delta == "":
        told.empty(run, "REASONING_MESSAGE_CONTENT")
    if wire.message_id not in run.thoughts and wire.message_id is not None:
        told.unpaired("AGU-09", run, "reasoning message", wire.message_id, "has content while it is not open")
    told.thought(run, wire.delta or "", "REASONING_MESSAGE_CONTENT")


def _reasoning_message_end(run: Run, wire: wires.ReasoningMessageEnd, told: Telling) -> None:
    _close(run, run.thoughts, wire.message_id, "reasoning message", told)
    told.other(run, "REASONING_MESSAGE_END")


def _reasoning_chunk(run: Run, wire: wires.ReasoningChunk, told: Telling) -> None:
    thought, identifier = run.chunk, wire.message_id
    if not isinstance(thought, Thought) or identifier not in (UNSET, "", thought.message_id):
        close_chunk(run, told)
        if not isinstance(identifier, str):
            told.nameless(run, "REASONING_MESSAGE_CHUNK", "messageId")
            told.other(run, "REASONING_MESSAGE_CHUNK")
            return
        told.identify(run, "messageId", identifier)
        run.chunk = Thought(identifier)
    told.thought(run, wire.delta if isinstance(wire.delta, str) else "", "REASONING_MESSAGE_CHUNK")


def _open(run: Run, open_ones: set[str], identifier: str | None, thing: str, told: Telling) -> None:
    if identifier is None:
        return
    if identifier in open_ones:
        told.unpaired("AGU-09", run, thing, identifier, "starts while it is open")
    told.identify(run, "messageId", identifier)
    open_ones.add(identifier)


def _close(run: Run, open_ones: set[str], identifier: str | None, thing: str, told: Telling) -> None:
    if identifier is None:
        return
    if identifier not in open_ones:
        told.unpaired("AGU-09", run, thing, identifier, "ends while it is not open")
    open_ones.discard(identifier)


# -- thinking: one phase at a time and in it one message at a time, without ids -------------------------------------


def _thinking_start(run: Run, wire: wires.ThinkingStart, told: Telling) -> None:
    if run.thinking:
        told.unpaired("AGU-09", run, "the", "thinking", "starts while it is open")
    run.thinking = True
    told.other(run, "THINKING_START")


def _thinking_end(run: Run, wire: wires.ThinkingEnd, told: Telling) -> None:
    if not run.thinking:
        told.unpaired("AGU-09", run, "the", "thinking", "ends while it is not open")
    run.thinking = False
    told.other(run, "THINKING_END")


def _thinking_message_start(run: Run, wire: wires.ThinkingMessageStart, told: Telling) -> None:
    if not run.thinking:
        told.unpaired("AGU-09", run, "a thinking", "message", "starts while no thinking is open")
    elif run.thinking_message:
        told.unpaired("AGU-09", run, "a thinking", "message", "starts while one is open")
    run.thinking_message = True
    told.other(run, "THINKING_TEXT_MESSAGE_START")


def _thinking_content(run: Run, wire: wires.ThinkingContent, told: Telling) -> None:
    if wire.delta == "":
        told.empty(run, "THINKING_TEXT_MESSAGE_CONTENT")
    if not run.thinking_message:
        told.unpaired("AGU-09", run, "a thinking", "message", "has content while it is not open")
    told.thought(run, wire.delta or "", "THINKING_TEXT_MESSAGE_CONTENT")


def _thinking_message_end(run: Run, wire: wires.ThinkingMessageEnd, told: Telling) -> None:
    if not run.thinking_message:
        told.unpaired("AGU-09", run, "a thinking", "message", "ends while it is not open")
    run.thinking_message = False
    told.other(run, "THINKING_TEXT_MESSAGE_END")


# -- steps --------------------------------------------------------------------------------------------------------


def _step_started(run: Run, wire: wires.StepStarted, told: Telling) -> None:
    if wire.step_name in run.steps:
        told.unpaired("AGU-08", run, "step", wire.step_name, "starts while it is active")
    elif wire.step_name is not None:
        run.steps.add(wire.step_name)
    told.other(run, "STEP_STARTED")


def _step_finished(run: Run, wire: wires.StepFinished, told: Telling) -> None:
    if wire.step_name not in run.steps and wire.step_name is not None:
        told.unpaired("AGU-08", run, "step", wire.step_name, "finishes while it is not active")
    run.steps.discard(wire.step_name)
    told.other(run, "STEP_FINISHED")


HANDLERS: dict[type[wires.Wire], Handler] = {
    wires.TextStart: _text_start,
    wires.TextContent: _text_content,
    wires.TextEnd: _text_end,
    wires.TextChunk: _text_chunk,
    wires.ReasoningStart: _reasoning_start,
    wires.ReasoningEnd: _reasoning_end,
    wires.ReasoningMessageStart: _reasoning_message_start,
    wires.ReasoningContent: _reasoning_content,
    wires.ReasoningMessageEnd: _reasoning_message_end,
    wires.ReasoningChunk: _reasoning_chunk,
    wires.ThinkingStart: _thinking_start,
    wires.ThinkingEnd: _thinking_end,
    wires.ThinkingMessageStart: _thinking_message_start,
    wires.ThinkingContent: _thinking_content,
    wires.ThinkingMessageEnd: _thinking_message_end,
    wires.StepStarted: _step_started,
    wires.StepFinished: _step_finished,
}
