"""Which image a service gets, with a registry, without one, and for images that only this engine has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import DesiredStack
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import EngineError
from ansible_collections.labyard.platform.plugins.module_utils._stack.images import (
    resolve_images,
    words_about_images,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.live import LiveStack
from tests.unit.stack.stack_builders import desired, document, live_of

DIGEST = "sha256:" + "0" * 64
ANSWER = {"Descriptor": {"digest": DIGEST}, "Platforms": [{"architecture": "amd64", "os": "linux"}]}


class Registry:
    """A registry and an engine."""

    def __init__(self, answer: dict[str, Any] | None = ANSWER, local: bool = False) -> None:
        self.answer, self.local = answer, local
        self.asked: list[str] = []

    def is_local_only(self, image: str) -> bool:
        return self.local

    def distribution(self, image: str) -> dict[str, Any]:
        self.asked.append(image)
        if self.answer is None:
            raise EngineError("no such host")
        return self.answer


def image_of(stack: DesiredStack) -> str:
    return str(stack.services["shop_web"]["TaskTemplate"]["ContainerSpec"]["Image"])


def running(image: str) -> LiveStack:
    """The stack, deployed with `app:1`, whose service runs `image`."""
    live = live_of(desired(document()))
    live.services["shop_web"]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = image
    return live


@pytest.mark.parametrize(
    ("resolve", "image"), [("always", f"app:1@{DIGEST}"), ("changed", f"app:1@{DIGEST}"), ("never", "app:1")]
)
def test_resolve_of_a_new_service_then_digest_unless_never(resolve: str, image: str) -> None:
    stack, registry = desired(document()), Registry()
    assert resolve_images(stack, LiveStack(), resolve, registry) == []
    assert image_of(stack) == image
    platforms = stack.services["shop_web"]["TaskTemplate"].get("Placement", {}).get("Platforms")
    assert platforms == (None if resolve == "never" else [{"Architecture": "amd64", "OS": "linux"}])


@pytest.mark.parametrize(("resolve", "asked"), [("always", ["app:1"]), ("changed", []), ("never", [])])
def test_resolve_when_the_name_is_the_same_then_asked_only_with_always(
    resolve: str, asked: list[str]
) -> None:
    stack, registry = desired(document()), Registry()
    resolve_images(stack, running("app:1@sha256:old"), resolve, registry)
    assert registry.asked == asked
    assert image_of(stack) == (f"app:1@{DIGEST}" if asked else "app:1@sha256:old")


@pytest.mark.parametrize("resolve", ["always", "changed"])
def test_resolve_when_there_is_no_registry_then_the_name_and_a_warning(resolve: str) -> None:
    stack = desired({"services": {"web": {"image": "app:1"}, "two": {"image": "app:1"}}})
    registry = Registry(None)
    warnings = resolve_images(stack, LiveStack(), resolve, registry)
    assert image_of(stack) == "app:1"
    assert len(warnings) == len(registry.asked) == 1, "each image is asked for once"
    assert "gives no digest for the image app:1" in warnings[0]


@pytest.mark.parametrize("registry", [Registry(local=True), Registry(None, local=True)])
def test_resolve_of_an_image_that_only_this_engine_has_then_nobody_is_asked(registry: Registry) -> None:
    stack = desired(document())
    assert resolve_images(stack, LiveStack(), "always", registry) == []
    assert (image_of(stack), registry.asked) == ("app:1", [])


def test_resolve_of_an_image_with_a_digest_then_kept() -> None:
    stack, registry = desired(document(image=f"app@{DIGEST}")), Registry()
    resolve_images(stack, LiveStack(), "always", registry)
    assert (image_of(stack), registry.asked) == (f"app@{DIGEST}", [])


def test_resolve_always_when_the_registry_gives_no_answer_then_what_runs_stays_and_a_warning() -> None:
    stack = desired(document())
    (warning,) = resolve_images(stack, running("app:1@sha256:old"), "always", Registry(None))
    assert image_of(stack) == "app:1@sha256:old"
    assert "no such host" in warning


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EngineError("unauthorized: authentication required", 401), "run 'docker login docker.io'"),
        (EngineError('Head "http://r/v2": no basic auth credentials', 500), "set with_registry_auth"),
        (EngineError("manifest unknown", 404), "does not have the image app:1 (manifest unknown): push it"),
        (EngineError("dial tcp: refused", 500), "gives no digest for the image app:1 (dial tcp: refused)"),
    ],
)
def test_resolve_when_the_registry_refuses_then_why_and_what_to_do(error: EngineError, words: str) -> None:
    class Refusing(Registry):
        def distribution(self, image: str) -> dict[str, Any]:
            raise error

    (warning,) = resolve_images(desired(document()), LiveStack(), "always", Refusing())
    assert words in warning


@pytest.mark.parametrize(
    ("cause", "image", "warnings", "with_auth", "words"),
    [
        ("image_missing", "app:1", ["Not let in."], True, "Not let in."),
        ("image_missing", f"app:1@{DIGEST}", [], False, "with_registry_auth sends them to the nodes."),
        ("image_missing", f"app:1@{DIGEST}", [], True, ""),
        ("image_missing", "app:1", [], False, ""),
        ("crash_loop", "app:1", ["Not let in."], False, ""),
    ],
)
def test_words_about_images(cause: str, image: str, warnings: list[str], with_auth: bool, words: str) -> None:
    reasons = [{"service": "shop_web", "cause": cause}]
    assert words_about_images(reasons, desired(document(image=image)), warnings, with_auth).endswith(words)
