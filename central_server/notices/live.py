"""That a notice has come or gone, to the pages that show it."""

from central_server.live import Hub


def tell(hub: Hub, site_id: int) -> None:
    """Let the office's and the residents' pages of a site look again."""
    hub.publish({"type": "notices"}, site_id=site_id)
