"""That a work order has changed, to the pages that show it."""

from central_server.live import Hub


def tell(hub: Hub, site_id: int) -> None:
    """Let the board, the technicians' and the residents' pages of a site look again."""
    hub.publish({"type": "orders", "site": site_id}, site_id=site_id)
