"""Options that every command about a node shares."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar, cast

import click

from yunmeng.kernel.base import Settings, load_settings, profiles

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Which settings a command works with."""

    file: Path | None = None
    profile: str = ""
    overrides: tuple[str, ...] = ()

    def settings(self) -> Settings:
        """Loads the settings."""
        return load_settings(self.file, overrides=self.overrides, profile=self.profile)

    def with_(self, *overrides: str, profile: str = "") -> "NodeOptions":
        """Returns options with further overrides, which the user's own override in turn."""
        return replace(self, overrides=(*overrides, *self.overrides), profile=self.profile or profile)

    def arguments(self) -> tuple[str, ...]:
        """Returns the options as arguments for another process."""
        file = ("--config", str(self.file)) if self.file else ()
        profile = ("--profile", self.profile) if self.profile else ()
        return (*file, *profile, *(part for pair in self.overrides for part in ("--set", pair)))

    @property
    def language(self) -> Literal["zh-CN", "en"]:
        """The language of the terminal."""
        return "en" if os.environ.get("LC_ALL", os.environ.get("LANG", "zh")).startswith("en") else "zh-CN"


def node_options(
    command: Callable[Concatenate[NodeOptions, _P], _R],
) -> Callable[_P, _R]:
    """Adds ``--config``, ``--profile``, ``--data`` and ``--set`` to a command and hands them over as one."""

    @click.option("--config", "file", type=click.Path(path_type=Path), help="Settings file [yunmeng.toml].")
    @click.option("--profile", type=click.Choice(list(profiles())), help="Settings of a tier 层级.")
    @click.option("--data", type=click.Path(path_type=Path), help="Data folder of the node 数据目录.")
    @click.option(
        "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; repeatable."
    )
    @wraps(command)
    def wrapped(
        file: Path | None,
        profile: str | None,
        data: Path | None,
        overrides: tuple[str, ...],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        folder = (f"node.data={data}",) if data else ()
        return command(NodeOptions(file, profile or "", (*overrides, *folder)), *args, **kwargs)

    return cast("Callable[_P, _R]", wrapped)  # click gives the four options by name
