"""A web service that is wrong: it asks for the GPU when it starts and uses it in the process that it forks for a request.

`deploy_service.py [empty]` starts the service (with nothing in its environment, for `empty`), asks it for `/`, which
needs no GPU, and for `/gpu`, and prints what was answered and how the process behind `/gpu` ended. It ends as that one ended.
"""

import ctypes
import http.client
import http.server
import os
import socketserver
import subprocess
import sys


class Service(socketserver.ForkingMixIn, http.server.HTTPServer):
    block_on_close = True


class Request(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/gpu":
            count = ctypes.c_int(-1)
            answer = driver.cuDeviceGetCount(ctypes.byref(count))
            body = b"cuDeviceGetCount %d" % answer
        else:
            body = b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # ForkingMixIn ends every process with 0 or 1; this one tells that it came to its end.
        self.wfile.flush()
        os._exit(7)

    def log_message(self, *_):
        pass


def serve():
    """Two requests, each in a process of its own; then how the second one ended."""
    global driver
    driver = ctypes.CDLL("libcuda.so.1")
    assert driver.cuInit(0) == 0
    with Service(("127.0.0.1", 0), Request) as service:
        print(service.server_address[1], flush=True)
        for _ in range(2):
            service.handle_request()
            (child,) = service.active_children
            _, status = os.waitpid(child, 0)
            service.active_children.clear()
    print(os.waitstatus_to_exitcode(status), flush=True)


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    try:
        return connection.getresponse().read().decode()
    except http.client.RemoteDisconnected:
        return "no answer"


def main():
    if sys.argv[1:] == ["serve"]:
        return serve()
    environment = {} if sys.argv[1:] == ["empty"] else None
    command = [sys.executable, "-B", __file__, "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
        port = int(service.stdout.readline())
        print("/", ask(port, "/"))
        print("/gpu", ask(port, "/gpu"))
        ended = int(service.stdout.readline())
    print("ended", ended, flush=True)
    sys.exit(ended if ended >= 0 else 128 - ended)


main()
