"""That a visit has changed, to the pages that show it."""

from central_server.live import Hub


def tell(hub: Hub, site_id: int) -> None:
    """Let the gate's page and the hosts' pages of a site look again."""
    hub.publish({"type": "visitors"}, site_id=site_id)
