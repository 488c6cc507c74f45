# Proves that cuda-bindings, by its 500 names, has a driver of its own in a forked worker of a parent that only asked, and
# in that worker's own children. Prints what each worker got, and the parent's own work at the end.
import multiprocessing

from cuda.bindings import driver


def must(answer):
    code, *values = answer
    if int(code) != 0:
        raise SystemExit(f"the driver answered {code}")
    return values[0] if values else None


def work(number):
    """Numbers into the device's memory and back."""
    device = must(driver.cuDeviceGet(0))
    context = must(driver.cuDevicePrimaryCtxRetain(device))
    must(driver.cuCtxSetCurrent(context))
    memory = must(driver.cuMemAlloc(8))
    must(driver.cuMemsetD8(memory, number, 8))
    back = bytearray(8)
    must(driver.cuMemcpyDtoH(back, memory, 8))
    must(driver.cuMemFree(memory))
    must(driver.cuDevicePrimaryCtxRelease(device))
    return list(back)


def grandchild(number, answers):
    answers.put((number, must(driver.cuDeviceGetCount())))


def child(number, answers):
    count = must(driver.cuDeviceGetCount())
    process = context.Process(target=grandchild, args=(number, answers))
    process.start()
    process.join()
    answers.put((number, count, process.exitcode, work(number)))


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    must(driver.cuInit(0))
    print("parent", must(driver.cuDeviceGetCount()))
    answers = context.SimpleQueue()
    workers = [context.Process(target=child, args=(number, answers)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    results = sorted(answers.get() for _ in range(4))
    for worker in workers:
        worker.join()
    print(*results, sep="\n")
    print("exit", [worker.exitcode for worker in workers])
    print("parent", work(3))
