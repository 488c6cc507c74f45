"""A web application for any server: `application` speaks WSGI, `asgi` ASGI. What it answers is server_application's; asked
for /plain it leaves CUDA alone; asked for /reloads it tells how often uWSGI has been reloaded.
"""
import ctypes
import os

from server_application import compute


def answer(path):
    if path == "/plain":
        return "plain"
    return reloads() if path == "/reloads" else compute()


def reloads():
    """As the C library has it: a uWSGI that is an extension module sets it when Python has read its environment."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return (getenv(b"UWSGI_RELOADS") or b"0").decode()


def application(environ, start_response):
    body = answer(environ["PATH_INFO"]).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    """A worker that is up appends a line to the file that WORKERS names."""
    if scope["type"] == "lifespan":
        await receive()
        with open(os.environ["WORKERS"], "a") as workers:
            workers.write("up %d\n" % os.getpid())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = answer(scope["path"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
