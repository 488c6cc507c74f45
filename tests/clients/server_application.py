"""A web application that uses CUDA in its requests, by ctypes, for any server: `application` speaks WSGI, `asgi` ASGI.

EARLY=1: it initialises CUDA when it is imported, too, which a server that forks afterwards makes a mistake. Asked for
/plain it leaves CUDA alone; asked for /reloads it tells how often uWSGI has been reloaded.
"""
import ctypes
import os

NOT_INITIALIZED, NO_DEVICE = 3, 100
driver = ctypes.CDLL("libcuda.so.1")
if os.environ.get("EARLY") == "1":
    driver.cuInit(0)  # INIT


def compute():
    """Eight bytes to the device's memory and back."""
    code = driver.cuInit(0)  # USE
    if code == NO_DEVICE:
        return "computed without CUDA"
    if code != 0:
        return "cuInit answers %d" % code
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    back = ctypes.create_string_buffer(8)
    codes = [
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device),
        driver.cuCtxSetCurrent(context),
        driver.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(8)),
        driver.cuMemsetD8_v2(memory, ctypes.c_ubyte(7), ctypes.c_size_t(8)),
        driver.cuMemcpyDtoH_v2(back, memory, ctypes.c_size_t(8)),
        driver.cuMemFree_v2(memory),
        driver.cuDevicePrimaryCtxRelease_v2(device),
    ]
    return "computed with CUDA" if not any(codes) and back.raw == b"\7" * 8 else "the driver answers %r" % codes


def answer(path):
    if path == "/plain":
        return "plain"
    return os.environ.get("UWSGI_RELOADS", "0") if path == "/reloads" else compute()


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
