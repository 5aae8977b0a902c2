"""Where a print vendor's envelope has its windows, as places on the sheet. The figures are in config/print_vendors.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[3] / "config" / "print_vendors.toml"
SHEET_WIDTH, SHEET_HEIGHT = 8.5, 11.0


class UnknownVendor(LookupError):
    """No entry of config/print_vendors.toml has this name."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the sheet, in inches from its left and its top edge."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Window:
    """`always` shows however the sheet slides in its envelope; outside `ever` nothing shows."""

    always: Box
    ever: Box


@dataclass(frozen=True, slots=True)
class Vendor:
    """`fold` and `body_top` in inches from the top edge of the sheet; folded again at twice `fold`."""

    name: str
    title: str
    sender: Window
    address: Window
    fold: float
    body_top: float
    duplex: bool


def names(path: Path = FILE) -> tuple[str, ...]:
    """Every entry, for a message that offers them."""
    return tuple(tomllib.loads(path.read_text(encoding="utf-8")))


def load(name: str, path: Path = FILE) -> Vendor:
    """One entry. Raises UnknownVendor."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    if name not in entries:
        raise UnknownVendor(f"There is no print vendor “{name}”. Choose one of {', '.join(entries)}, or add it to {path.name}.")
    row = entries[name]
    return Vendor(
        name,
        row["title"],
        _window(row, row["sender"]),
        _window(row, row["address"]),
        row["fold"],
        row["body_top"],
        row["duplex"],
    )


def _window(row: Mapping[str, Any], opening: Mapping[str, float]) -> Window:
    left, width, height = opening["left"], opening["width"], opening["height"]
    if row["windows"] == "sheet":
        box, slack = Box(left, opening["top"], left + width, opening["top"] + height), row["slack"]
        return Window(box, Box(box.left - slack, box.top - slack, box.right + slack, box.bottom + slack))
    envelope = row["envelope"]
    top = envelope["height"] - opening["bottom"] - height
    # A sheet in the envelope's upper left corner shows the opening where it is. Slid right or down, it shows what lies left or up.
    right, down = envelope["width"] - SHEET_WIDTH, envelope["height"] - row["fold"]
    return Window(
        Box(left, top, left + width - right, top + height - down),
        Box(left - right, top - down, left + width, top + height),
    )
