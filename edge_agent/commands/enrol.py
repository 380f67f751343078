"""``edge enroll``: become known to a centre with a one-time code."""

from typing import Annotated

import typer

from edge_agent.commands.shell import Json, fail, out, print_json, run, say, settings_of
from edge_agent.credential import UplinkError
from edge_agent.enrolment import enrol, https_url
from edge_agent.identity import load_identity


def enroll(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="The gateways' address of the centre, as https://centre.example:8471.")],
    code: Annotated[str, typer.Argument(help="What 'central edge invite' has printed; good once, for 15 minutes.")],
    as_json: Json = False,
) -> None:
    """Make this gateway's key and have the centre certify it; no key leaves the gateway."""
    settings = settings_of(ctx, as_json=as_json)
    try:
        run(enrol(url, code, settings.data, settings.edge_id))
        identity = load_identity(settings.data, settings.edge_id)
    except UplinkError as error:
        fail(str(error), as_json=as_json)
    assert identity is not None
    until = f"{identity.not_after:%Y-%m-%d}"
    is_set = settings.uplink is not None and (settings.uplink.is_mqtt or settings.uplink.url == https_url(url))
    if as_json:
        print_json({"ok": True, "edge_id": settings.edge_id, "not_after": until, "uplink_set": is_set})
        return
    out.print(say(f"'{settings.edge_id}' is enrolled; its certificate renews by itself, this one lasts until {until}."))
    if not is_set:
        out.print(say("Now the settings need these lines, and the gateway a start:"))
        out.print(f'\n[uplink]\nurl = "{https_url(url)}"', markup=False)
