"""What all tests share: the brokers and stores that those marked `services` run on.

It stands here because pytest reads options only from the `conftest.py` of the folders it is started on.
"""

from flows import compiled

compiled.cache()
pytest_plugins = ("tests.services.plugin",)
