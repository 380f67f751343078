"""A gateway whose settings have a shorter trial, for tests that kill it: python config_child.py FILE SECONDS."""

import asyncio
import logging
import sys
from pathlib import Path

from edge_agent.agent import run_agent
from edge_agent.config import load_settings

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
asyncio.run(run_agent(load_settings(Path(sys.argv[1])), window_s=float(sys.argv[2])))
