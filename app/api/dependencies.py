"""What the lifespan opened, for routes to ask for."""

from typing import Annotated

from fastapi import Depends, Request

from app.config import Settings
from app.services.runner import Runner


def _runner(request: Request) -> Runner:
    runner: Runner = request.app.state.runner
    return runner


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


RunnerDep = Annotated[Runner, Depends(_runner)]
SettingsDep = Annotated[Settings, Depends(_settings)]
