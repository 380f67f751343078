"""Inspection's routing table."""

from central_server.inspection import plan_pages, round_pages, task_pages
from central_server.photos.service import MAX_BODY
from central_server.rbac import Right
from central_server.web import Handler, Route

_SEE, _PLAN, _WALK = Right.INSPECTION_SEE, Right.INSPECTION_PLAN, Right.INSPECTION_WALK
_KEY = "{key}"
_TASK = "{task}"


def routes() -> list[Route]:
    """Give inspection's routes."""
    return [*_office(), *_planning(), *_walking()]


def _office() -> list[Route]:
    return [
        Route("GET", "/inspection", task_pages.overview, _SEE),
        Route("GET", "/inspection/tasks", task_pages.tasks, _SEE),
        Route("GET", f"/inspection/tasks/{_TASK}", task_pages.task, _SEE),
        Route("POST", f"/inspection/tasks/{_TASK}/excuse", task_pages.excuse, _PLAN),
        Route("GET", "/inspection/checkpoints", plan_pages.points, _SEE),
        Route("GET", "/inspection/routes", plan_pages.routes, _SEE),
        Route("GET", "/inspection/plans", plan_pages.plans, _SEE),
    ]


def _planning() -> list[Route]:
    points, route, plan = "/inspection/checkpoints", "/inspection/routes", "/inspection/plans"
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/inspection/labels", plan_pages.labels),
        ("GET", f"{points}/new", plan_pages.new_point),
        ("POST", points, plan_pages.add_point),
        ("GET", f"{points}/{_KEY}", plan_pages.point),
        ("POST", f"{points}/{_KEY}", plan_pages.change_point),
        ("POST", f"{points}/{_KEY}/retire", plan_pages.retire_point),
        ("POST", f"{points}/{_KEY}/label", plan_pages.new_label),
        ("POST", f"{points}/{_KEY}/items", plan_pages.add_item),
        ("POST", f"{points}/{_KEY}/items/{{item}}/retire", plan_pages.retire_item),
        ("GET", f"{route}/new", plan_pages.new_route),
        ("POST", route, plan_pages.add_route),
        ("GET", f"{route}/{_KEY}", plan_pages.route),
        ("POST", f"{route}/{_KEY}", plan_pages.change_route),
        ("GET", f"{plan}/new", plan_pages.new_plan),
        ("POST", plan, plan_pages.add_plan),
        ("GET", f"{plan}/{_KEY}", plan_pages.plan),
        ("POST", f"{plan}/{_KEY}", plan_pages.change_plan),
        ("POST", f"{plan}/{_KEY}/end", plan_pages.end_plan),
    ]
    return [Route(method, path, handler, _PLAN) for method, path, handler in table]


def _walking() -> list[Route]:
    one = f"/rounds/{_TASK}/{{point}}"
    return [
        Route("GET", "/rounds", round_pages.mine, _WALK),
        Route("GET", f"/rounds/{_TASK}", round_pages.one, _WALK),
        Route("GET", "/rounds/at/{secret}", round_pages.label, _WALK),
        Route("GET", one, round_pages.point, _WALK),
        Route("POST", one, round_pages.check, _WALK, max_body=MAX_BODY),
        Route("GET", "/rounds.worker.js", round_pages.worker, _WALK),
    ]
