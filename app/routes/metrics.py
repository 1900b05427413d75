"""The door for Prometheus, behind the same proof as the JSON API."""

from fastapi import APIRouter, Depends, Response

from app.api.dependencies import RunnerDep, SettingsDep
from app.api.security import caller
from app.metrics import CONTENT_TYPE
from app.services.runner.gauges import metrics_page

router = APIRouter(tags=["metrics"], dependencies=[Depends(caller)])


@router.get("/metrics", response_class=Response)
async def metrics(runner: RunnerDep, settings: SettingsDep) -> Response:
    """Metrics in Prometheus' text format; also while the database is away."""
    page = await metrics_page(runner, workspace=settings.workspace_dir)
    return Response(page, headers={"content-type": CONTENT_TYPE})
