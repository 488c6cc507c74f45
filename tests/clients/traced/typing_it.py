# Runs its arguments on a terminal of their own and types Ctrl-C when they are ready; shows what they say, and how they
# end.
import os
import pty
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
typed = False
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    said += part
    if not typed and b"ready" in said:
        os.write(terminal, b"\x03")
        typed = True
print(said.decode().replace("\r\n", "\n"), end="")
print("ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
