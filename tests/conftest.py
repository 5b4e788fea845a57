"""What all tests share: the brokers and stores that those marked `services` run on, and that no example is timed.

It stands here because pytest reads options only from the `conftest.py` of the folders it is started on.
"""

import os

from hypothesis import HealthCheck, settings

from flows.engine import compiled
from tests import compiling

compiled.cache()
compiling.in_turns()
# the hundreds of processes that are started would else compile every module of ours anew, half a second each
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
pytest_plugins = ("tests.services.plugin",)
