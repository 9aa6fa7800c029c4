"""Training from the page: recipes to edit, trainings to begin, steer and follow."""

import json
from collections.abc import AsyncIterator
from typing import Any

from handgrad.errors import RecipeError
from handgrad.web.context import Context
from handgrad.web.event_log import EventLog
from handgrad.web.event_stream import EventStream
from handgrad.web.recipes import checked_recipe, choices, load_recipe, network


def recipe(context: Context, *, name: str) -> dict[str, Any]:
    """A recipe's values and layers, and everything that may be put in their place."""
    chosen = load_recipe(name)
    splits = context.catalog.datasets.get(chosen.data)
    return {
        "recipe": chosen.to_dict(),
        "layers": network(chosen, splits),
        "examples": len(splits.train),
        "choices": choices(),
    }


def check(context: Context, *, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """A recipe with changes: its values, and the layers with the shapes that follow."""
    chosen = checked_recipe(name, body.get("changes", {}))
    splits = context.catalog.datasets.get(chosen.data)
    return {"recipe": chosen.to_dict(), "layers": network(chosen, splits), "examples": len(splits.train)}


def index(context: Context) -> dict[str, Any]:
    """The trainings of this server, the newest first."""
    return {"trainings": [training.to_dict() for training in context.trainings.index()]}


def start(context: Context, *, body: dict[str, Any]) -> dict[str, Any]:
    """Begin a training, or go on with a run."""
    changes, paused = body.get("changes", {}), body.get("paused", False)
    if body.get("resume"):
        if any(place == "data" or place.startswith("data.") for place in changes):
            raise RecipeError("A run that is gone on with keeps its data; leave data out of the changes.")
        return dict(context.trainings.resume(body["resume"], changes, paused=paused).to_dict())
    chosen = checked_recipe(body["recipe"], changes)
    network(chosen, context.catalog.datasets.get(chosen.data))  # whether it would work
    return dict(context.trainings.start(chosen, body["recipe"], changes, paused=paused).to_dict())


def read(context: Context, *, name: str) -> dict[str, Any]:
    """How a training goes."""
    return dict(context.trainings.get(name).to_dict())


def command(context: Context, *, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Pause, go on, take one step or one epoch, stop, or change a setting."""
    training = context.trainings.get(name)
    training.command(body["command"], body.get("values") or {})
    return dict(training.to_dict())


async def events(context: Context, *, name: str, after: int) -> EventStream:
    """Everything that happens in a training, as server-sent events."""
    return EventStream(context.streams, name, _lines(context.trainings.get(name).log, after))


async def _lines(log: EventLog, after: int) -> AsyncIterator[str]:
    """Each event as a message of the stream; now and then a comment, by which a browser that is gone is noticed."""
    async for event in log.follow(after):
        if event is None:
            yield ": nothing new\n\n"
        else:
            yield f"id: {event['id']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n"
    yield "event: over\ndata: {}\n\n"
