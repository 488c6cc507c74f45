"""What the clients share that look at a fresh process: a parent that has initialised CUDA asks one worker, made by fork."""
import ctypes
import multiprocessing


def asker():
    """Initialises CUDA. Answers a function that has a worker call another, and answers with what that saw and what
    cuInit answers there."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    driver = ctypes.CDLL("libcuda.so.1")
    assert driver.cuInit(0) == 0

    def ask(look, *arguments):
        def work(*given):
            theirs.send((look(*given), driver.cuInit(0)))

        process = context.Process(target=work, args=arguments)
        process.start()
        process.join(60)
        assert process.exitcode == 0, process.exitcode
        return ours.recv()

    return ask
