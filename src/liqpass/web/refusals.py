"""What a page says instead when it cannot be shown."""

from typing import Any
from urllib.parse import quote

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from liqpass.edge import answer_problem, is_hidden, problem_of
from liqpass.problems import Problem
from liqpass.web.rendering import page
from liqpass.web.viewing import viewer

log = structlog.get_logger()


def answer_page(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of pages: a page for people, by the same mapper as the API's."""
    problem = problem_of(error)
    looking = viewer(request)
    if problem.code == "NOT_SIGNED_IN":
        return Redirect(f"/?back={quote(looking.path, safe='')}", status_code=303)
    if problem.status >= 500:
        unexpected = problem.code == "INTERNAL_ERROR"
        log.error("page_failed", code=problem.code, exc_info=error if unexpected else None)
    return page(looking, "refused.html", status=problem.status, here=None, problem=problem)


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of everything else: a page where a browser looked for one that is not there."""
    is_gone = isinstance(error, NotFoundException) or is_hidden(request, error)
    if is_gone and _asks_for_page(request) and not request.url.path.startswith("/api/"):
        return answer_page(request, Problem("NOT_FOUND", "There is nothing at this path."))
    return answer_problem(request, error)


def _asks_for_page(request: Request[Any, Any, Any]) -> bool:
    try:
        return request.accept.best_match([MediaType.JSON, MediaType.HTML]) == MediaType.HTML
    except OverflowError:  # Litestar makes an integer of any q, and there is one that is infinite
        return False
