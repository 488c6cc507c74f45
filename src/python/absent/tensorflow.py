"""TensorFlow where CUDA is absent: what the child computes, it computes on the CPU.

The parent's context has thread pools whose threads do not exist here: whoever waits for them waits for ever. So the
context is put back to what it was before its first use, without its GPUs, and at the child's first use makes itself
anew: with pools of its own, and the functions and variables of the parent's. The native context that the parent used is
never taken down. Tensors that are in host memory stay what they are.
"""
import _thread
import sys

from _forkguard_absent import frameworks, statics, tensorflow_variables
from _forkguard_absent.kept import keep

LIBRARIES = ("/libtensorflow_framework.so.2", "/libtensorflow_cc.so.2", "/_pywrap_tensorflow_internal.so")
# What says that a pool was made: for pieces of an operation, without which nothing works (a constructor has two names).
OPERATIONS = {
    b"_ZGVZN10tensorflow11LocalDeviceC1ERKNS_14SessionOptionsERKNS_16DeviceAttributesEE14global_tp_info",
    b"_ZGVZN10tensorflow11LocalDeviceC2ERKNS_14SessionOptionsERKNS_16DeviceAttributesEE14global_tp_info",
}
# For graphs; for constants; for sessions; for batches.
POOLS = (
    *OPERATIONS,
    b"_ZGVZN10tensorflow11ComputePoolERKNS_14SessionOptionsEE12compute_pool",
    b"_ZGVZN10tensorflow12_GLOBAL__N_121GraphRunnerThreadPoolEvE11thread_pool",
    b"_ZGVZN10tensorflow12_GLOBAL__N_116GlobalThreadPoolERKNS_14SessionOptionsEiE11thread_pool",
    b"_ZGVZN10tensorflowL27GetOrCreateBatchThreadsPoolEvE18shared_thread_pool",
)
# What a context must have for this; others are left as they are.
FIELDS = ("_context_handle", "_initialized", "_initialize_lock", "_context_devices", "_logical_devices")
FUNCTIONS = ("list_function_names", "get_function_def", "add_function_def", "ensure_initialized")


def absent(_tensorflow):
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    if context is None or not all(hasattr(context, name) for name in FIELDS + FUNCTIONS):
        return
    had_gpu = _without_gpu(context)
    if context._initialized:
        FirstUse(context, had_gpu).await_it()


def _without_gpu(context):
    had_gpu = False
    for name in ("_physical_devices", "_visible_device_list"):
        devices = getattr(context, name, None) or []
        kept = [device for device in devices if device.device_type != "GPU"]
        if len(kept) < len(devices):
            had_gpu = True
            setattr(context, name, kept)
    return had_gpu


def _bytes(name):
    return name.encode() if isinstance(name, str) else name


class FirstUse:
    """The child's first use of TensorFlow, which has its context initialised."""

    def __init__(self, context, had_gpu):
        self.context = context
        self.had_gpu = had_gpu
        self.handle = context._context_handle
        self.lock = _thread.RLock()
        self.begun = False
        self.removed = set()
        self.refusal = None

    def await_it(self):
        context = self.context
        keep(self.handle)
        context._initialize_lock = _thread.allocate_lock()
        context._context_handle = context._context_devices = context._logical_devices = None
        context._initialized = False
        context.ensure_initialized = self.initialise
        context.remove_function = self.remove_function
        self.count_functions(id(self.handle))

    def initialise(self):
        with self.lock:
            if self.refusal:
                raise RuntimeError(self.refusal)
            if self.begun:
                return  # another thread was first, or this is a part of it
            self.begun = True
            context = self.context
            if not OPERATIONS & statics.clear(LIBRARIES, POOLS + statics.XLA):
                self.refuse("the thread pools of this version cannot be made anew")
            context._clear_caches()
            type(context).ensure_initialized(context)
            for function in self.functions():
                context.add_function_def(function)
            self.count_functions(id(None))
            self.take_variables()
            del context.ensure_initialized, context.remove_function
        if self.had_gpu:
            frameworks.notice("CUDA is absent in this forked process: TensorFlow computes on the CPU here")

    def remove_function(self, name):
        """Of a function object that goes, in a child that does not use TensorFlow: no use yet."""
        self.removed.add(_bytes(name))

    def functions(self):
        """Of the parent's context, which alone has them: asked of a second one that has its native context, because
        other threads may look at the first."""
        parents = object.__new__(type(self.context))
        vars(parents).update(vars(self.context))
        for name in ("ensure_initialized", "remove_function"):
            del vars(parents)[name]
        parents._context_handle, parents._initialized = self.handle, True
        names = sorted(name for name in parents.list_function_names() if _bytes(name) not in self.removed)
        return [parents.get_function_def(name) for name in names]

    def count_functions(self, before):
        """References to functions are counted by native context."""
        module = sys.modules.get("tensorflow.python.eager.polymorphic_function.atomic_function")
        counts = getattr(module, "RUNTIME_FUNCTION_REFS", None)
        for scope, name in list(counts or ()):
            if scope == before:
                counts[self.context.function_scope_id, name] = counts.pop((scope, name))

    def take_variables(self):
        """Without them nothing is computed: what is assigned to one would be lost."""
        try:
            tensorflow_variables.take_over()
        except Exception as error:
            keep(self.context._context_handle)
            self.refuse("its parent process's variables cannot be taken over (%s)" % error)

    def refuse(self, reason):
        """To compute would be to wait for ever, or to go wrong."""
        self.context._context_handle, self.context._initialized = None, False
        self.refusal = (
            "TensorFlow cannot be used in this forked process, in which CUDA is absent: %s. Start the process by "
            "spawn, or use TensorFlow in the child only" % reason
        )
        raise RuntimeError(self.refusal)
