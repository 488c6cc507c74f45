"""Celery's application for server_celery.py, with its tasks; the work is that of server_jobs, imported with it."""
import os

import server_jobs
from celery import Celery

app = Celery("server_celery_app", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.update(worker_concurrency=2, worker_pool="prefork", worker_prefetch_multiplier=1)


@app.task(name="plain")
def plain(number):
    return server_jobs.plain(number)


@app.task(name="compute")
def compute(number):
    return server_jobs.compute(number)
