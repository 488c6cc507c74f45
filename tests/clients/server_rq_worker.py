"""RQ's worker as its documentation has it for jobs whose imports take long: it imports them before it forks."""
import os

import server_jobs  # noqa: F401 (so that it is there)
from redis import Redis
from rq import Worker

Worker(["default"], connection=Redis.from_url(os.environ["REDIS"])).work(logging_level="CRITICAL")
