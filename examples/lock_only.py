"""The lock library alone, without the daemon: `python examples/lock_only.py`, twice at once, to see one of them refused."""

import asyncio
import logging
import tempfile
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import lease
