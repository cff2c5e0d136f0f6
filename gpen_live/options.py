"""Options that several commands share, checked before anything heavy is loaded."""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.frame import Size
from gpen_live.look import CONTROLS, Beauty, Control
from gpen_live.messages import Message, message
from gpen_live.presets import DEFAULT, find
from gpen_live.privacy import hide

F = TypeVar("F", bound=Callable[..., Any])
_LARGEST_SIDE = 7680
_CONTROLS = {control.name: control for control in CONTROLS}


class SizeType(click.ParamType):
    """WIDTHxHEIGHT in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        if isinstance(value, Size):
            return value
        found = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", str(value))
        sides = (int(found[1]), int(found[2])) if found else (0, 0)
        if not all(16 <= side <= _LARGEST_SIDE for side in sides):
            self.fail(message("options.not_a_size", value=repr(value), most=_LARGEST_SIDE).text, param, ctx)
        return Size(*sides)


class FiniteRange(click.FloatRange):
    """A number between two others; "nan" compares with nothing and would slip through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(message("options.not_a_number", value=repr(value), least=self.min, most=self.max).text, param, ctx)
        return number


class Checked(click.ParamType):
    """A word that a function of ours checks; its UsageError becomes click's."""

    def __init__(self, name: str, check: Callable[[str], object]) -> None:
        self.name = name
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            self._check(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def _check_model(name: str) -> None:
    from gpen_live.models.registry import enhancers

    names = [spec.name for spec in enhancers()]
    if name not in names:
        raise UsageError("models.unknown", name=name, names=", ".join(names))


def _check_device(name: str) -> None:
    from gpen_live.inference.device import check_device_name

    check_device_name(name)


MODEL = Checked("NAME", _check_model)
DEVICE = Checked("DEVICE", _check_device)


class Strength(click.ParamType):
    """A number from 0 to 1."""

    name = "0..1"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            self.fail(message("options.not_a_strength", value=repr(value)).text, param, ctx)
        return number


def network_options(function: F) -> F:
    """--model, --weights, --strength and --device."""
    for option in (
        click.option("--device", type=DEVICE, default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
        click.option(
            "--strength", type=Strength(), default=1.0, show_default=True, help="0 is the raw picture, 1 the network's."
        ),
        click.option("--weights", type=click.Path(path_type=Path), help="Weights to use in place of the model's own."),
        click.option("--model", type=MODEL, default="lite-256", show_default=True, help="See `gpen-live models list`."),
    ):
        function = option(function)
    return function


class BeautyPreset(click.ParamType):
    """A preset's name, or a file with one."""

    name = "PRESET"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Beauty:
        if isinstance(value, Beauty):
            return value
        hide(str(value))
        try:
            return find(str(value)).beauty
        except UsageError as error:
            self.fail(str(error), param, ctx)


class BeautyValue(click.ParamType):
    """NAME=VALUE of one control."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float | bool | str]:
        name, equals, text = str(value).partition("=")
        names = ", ".join(_CONTROLS)
        if not equals:
            self.fail(message("options.no_assignment", value=repr(value), names=names).text, param, ctx)
        if name not in _CONTROLS:
            self.fail(message("options.no_control", name=repr(name), names=names).text, param, ctx)
        chosen = _value_of(_CONTROLS[name], text)
        if chosen is None:
            said = message("options.not_allowed", name=name, value=repr(text), allowed=_allowed(_CONTROLS[name]))
            self.fail(said.text, param, ctx)
        return name, chosen


def _value_of(control: Control, text: str) -> float | bool | str | None:
    """What a word sets a control to; None where the control doesn't allow it."""
    value: float | bool | str | None = text
    if control.number:
        try:
            value = float(text)
        except ValueError:
            return None
    elif not control.colour:
        value = {"on": True, "off": False}.get(text)
    return value if control.allows(value) else None


def _allowed(control: Control) -> Message:
    if control.number:
        return message("preset.a_number", least=control.least, most=control.most)
    return message("preset.a_colour") if control.colour else message("options.a_switch")


def beauty_options(default: str = DEFAULT) -> Callable[[F], F]:
    """--beauty, --beauty-amount and --beauty-set: the command gets all of them as one `beauty: Beauty`.

    Args:
        default: the preset that is taken where none is named.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(
            *args: Any,
            beauty: Beauty,
            beauty_amount: float,
            beauty_set: tuple[tuple[str, float | bool | str], ...],
            **rest: Any,
        ) -> Any:
            chosen: dict[str, Any] = dict(beauty_set)
            return function(*args, beauty=replace(beauty, amount=beauty_amount, **chosen), **rest)

        for option in (
            click.option(
                "--beauty-set",
                type=BeautyValue(),
                multiple=True,
                help="One control of it: a number, a colour such as lips_color=#b03a4e, keep_moles=on or off. Repeatable.",
            ),
            click.option(
                "--beauty-amount",
                type=FiniteRange(0, 1),
                default=1.0,
                show_default=True,
                metavar="0..1",
                help="How much of all of it.",
            ),
            click.option(
                "--beauty",
                type=BeautyPreset(),
                default=default,
                show_default=True,
                metavar="off|natural|studio|glam|FILE",
                help="What is drawn on faces after the network: one of these, a preset of your own by name, or a file with one.",
            ),
        ):
            command = option(command)
        return cast(F, command)

    return decorate


def check_weights(model: str, weights: Path | None) -> None:
    """Raises WeightsError early, before a source is opened or PyTorch is loaded, when the model's file is not there."""
    from gpen_live.models.registry import get, locate

    locate(get(model), weights)


def check_writable(path: Path) -> None:
    """Raises GpenLiveError when `path` can't be a file to write: asked before a long run, not after it."""
    hide(path)
    if path.is_dir():
        raise GpenLiveError("file.is_a_folder", path=path)
    if not path.parent.is_dir():
        raise GpenLiveError("file.no_folder", path=path)
    if not os.access(path.parent, os.W_OK):
        raise GpenLiveError("file.folder_read_only", path=path)
