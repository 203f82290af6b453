"""For drf-yasg, which fails where two serializers have one name, and asks views for the rows of nobody."""

from collections.abc import Iterator
from typing import Any

from rest_framework.serializers import BaseSerializer

from . import staff, views  # noqa: F401
from .authentication import ForSessions


def adopt() -> None:
    """Give each serializer of the app a `ref_name`, as the components of drf-spectacular have theirs."""
    for serializer in _below(BaseSerializer):
        if serializer.__module__.startswith("devices."):
            inherited: Any = getattr(serializer, "Meta", object)
            name = f"Devices{serializer.__name__.removesuffix('Serializer')}"
            serializer.Meta = type("Meta", (inherited,), {"ref_name": name})
    for view in _below(ForSessions):
        if "get_queryset" in vars(view):
            view.get_queryset = _for_anybody(view.get_queryset)


def _for_anybody(get_queryset: Any) -> Any:
    def answer(view: Any) -> Any:
        if getattr(view, "swagger_fake_view", False):
            return view.serializer_class.Meta.model._default_manager.none()
        return get_queryset(view)

    return answer


def _below(cls: Any) -> Iterator[Any]:
    for each in cls.__subclasses__():
        yield each
        yield from _below(each)
