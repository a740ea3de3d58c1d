"""The formats by their names, as data: who writes each, and the settings that it takes."""

from __future__ import annotations

__all__ = ["FORMATS"]

#: Each format by its name: the module of this wing, its function, and the settings that it takes.
FORMATS: dict[str, tuple[str, str, frozenset[str]]] = {
    "coco": ("coco", "write", frozenset({"compressed", "categories"})),
    "youtube_vis": ("youtube_vis", "write", frozenset({"compressed", "categories"})),
    "yolo": ("yolo", "write", frozenset({"categories"})),
    "png": ("png", "write_objects", frozenset()),
    "davis": ("png", "write_davis", frozenset()),
    "label_studio": ("label_studio", "write", frozenset({"categories"})),
    "cvat": ("cvat", "write", frozenset({"categories"})),
}
