# Says that it is ready, waits for a signal, tells which it was, and ends with the code that its argument gives.
import os
import signal
import sys

# Blocked and waited for: a handler could run in the middle of what is printed, or before the wait.
awaited = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
print("ready", flush=True)
number = signal.sigwait(awaited)
print("got", signal.Signals(number).name, flush=True)
os._exit(int(sys.argv[1]))
