"""The routes of doors."""

from central_server.web import Route


def routes() -> list[Route]:
    return []
