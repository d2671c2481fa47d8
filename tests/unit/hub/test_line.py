"""Who starts first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from labyard_hub.line import Line, places_of


class House:
    """People who stay in the line's turn until they are told to leave."""

    def __init__(self, places: int) -> None:
        self.line, self.places = Line(), places
        self.inside: list[str] = []
        self.doors: dict[str, asyncio.Event] = {}

    async def visit(self, name: str) -> None:
        self.doors[name] = asyncio.Event()
        async with self.line.turn(self.places):
            self.inside.append(name)
            await self.doors[name].wait()
            self.inside.remove(name)

    async def come(self, *names: str) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.visit(name)) for name in names]
        await settle()
        return tasks

    async def leave(self, name: str) -> None:
        self.doors[name].set()
        await settle()


async def settle() -> None:
    """Let everybody go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def in_a_house(places: int, story: Callable[[House], Awaitable[None]]) -> None:
    """Let a story happen."""

    async def happen() -> None:
        await story(House(places))

    asyncio.run(happen())


def test_turn_when_all_places_are_taken_then_others_wait_in_order() -> None:
    async def story(house: House) -> None:
        tasks = await house.come("ada", "bob", "cy", "dee")
        assert house.inside == ["ada", "bob"]
        await house.leave("bob")
        assert house.inside == ["ada", "cy"]
        await house.leave("ada")
        assert house.inside == ["cy", "dee"]
        await house.leave("cy")
        await house.leave("dee")
        await asyncio.gather(*tasks)

    in_a_house(2, story)


def test_turn_when_somebody_in_the_line_gives_up_then_the_next_one_comes() -> None:
    async def story(house: House) -> None:
        _, bob, _ = await house.come("ada", "bob", "cy")
        bob.cancel()
        await settle()
        await house.leave("ada")
        assert house.inside == ["cy"]

    in_a_house(1, story)


def test_turn_when_given_up_in_the_moment_it_comes_then_the_place_is_not_lost() -> None:
    async def story(house: House) -> None:
        _, bob, _ = await house.come("ada", "bob", "cy")
        house.doors["ada"].set()
        await asyncio.sleep(0)  # ada is leaving, and bob has been told
        bob.cancel()
        await settle()
        assert house.inside == ["cy"]

    in_a_house(1, story)


def test_turn_when_a_start_fails_then_its_place_is_free_again() -> None:
    async def story(house: House) -> None:
        with pytest.raises(ValueError, match="no image"):
            async with house.line.turn(1):
                raise ValueError("no image")
        await house.come("ada")
        assert house.inside == ["ada"]

    in_a_house(1, story)


def node(cores: int, state: str = "ready", availability: str = "active") -> dict[str, Any]:
    """A node as GET /nodes has it."""
    return {
        "Description": {"Resources": {"NanoCPUs": cores * 10**9}},
        "Status": {"State": state},
        "Spec": {"Availability": availability},
    }


def test_places_of_when_nodes_take_tasks_then_two_a_core() -> None:
    assert places_of([node(16), node(16), node(16, "down"), node(16, availability="drain")]) == 64


def test_places_of_when_there_is_little_then_four() -> None:
    assert places_of([node(1)]) == places_of([]) == places_of([{"Spec": {}}]) == 4
