"""What gateways hear of settings for them, beside the way down."""

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_server.configs.service import Configs
from central_server.crypto import vault_of
from central_server.sync.down import DOWN
from central_server.web import DB

CONFIGS = web.AppKey("CONFIGS", Configs)


def set_up(app: web.Application) -> None:
    """Give an application what carries settings down; the way down must be there already."""
    key = Ed25519PrivateKey.from_private_bytes(vault_of(app[DB].engine.dialect).command_seed)
    app[CONFIGS] = configs = Configs(app[DB], app[DOWN], key.sign)
    app[DOWN].on("hello", configs.greeted)
