"""JAX where CUDA is absent: what the child computes, it computes on the CPU.

The backends of the parent have threads that do not exist here: whoever waits for them waits for ever. So JAX is made to
forget its backends, and makes a CPU client of its own at the child's first operation. The old ones are never taken
down. What is on the parent's GPU is refused by the plugin's functions, which the library answers for
(src/gate/pjrt_absent.rs).
"""
import _thread
import sys

from _forkguard_absent import frameworks, jax_arrays, native, statics
from _forkguard_absent.kept import keep

# Answers that JAX keeps, of functions in `jax._src.xla_bridge`, about what backends there are.
ANSWERS = ("get_backend", "local_devices", "process_count", "process_index", "devices")
LIBRARIES = ("/libjax_common.so", "/xla_extension.so")
COMPILER = "jax._src.interpreters.mlir"
LOCKS = ("_backend_lock", "_plugin_lock")


def absent(_jax):
    bridge = sys.modules.get("jax._src.xla_bridge")
    settings = sys.modules.get("jax._src.config")
    old = getattr(bridge, "_backends", None)
    if not isinstance(old, dict) or settings is None or not hasattr(bridge, "_default_backend"):
        return
    if old:
        _forget(bridge, settings, dict(old))
    settings.config.update("jax_platforms", "cpu")


def _forget(bridge, settings, old):
    for client in old.values():
        keep(client)
    keep(getattr(sys.modules.get(COMPILER), "global_thread_pool", None))
    for name in LOCKS:
        if hasattr(bridge, name):
            setattr(bridge, name, _thread.allocate_lock())
    default = bridge._default_backend
    bridge._backends = {}
    bridge._default_backend = None
    pid, _ = native["origin"]()
    bridge._backend_errors = {
        name: "CUDA is absent in this forked process; its parent process (pid %d) has it" % pid
        for name in old
        if name != "cpu"
    }
    for name in ANSWERS:
        clear = getattr(getattr(bridge, name, None), "cache_clear", None)
        if clear is not None:
            clear()
    _miss_compiled(settings)
    _forget_device(settings)
    tokens = getattr(sys.modules.get("jax._src.dispatch"), "runtime_tokens", None)
    if tokens is not None and getattr(tokens, "current_tokens", None):
        keep(dict(tokens.current_tokens))
        tokens.clear()
    FirstUse(bridge, old, getattr(default, "platform", "cpu")).await_it()


def _miss_compiled(settings):
    """Functions that are compiled are found by a key into which JAX's settings go: with one more setting, none is
    found. They stay where they are, so that none is taken down."""
    extension = getattr(settings, "config_ext", None)
    if hasattr(extension, "Config"):
        keep(extension.Config("forked", True, include_in_jit_key=True, include_in_trace_context=True))
        return
    pjit = sys.modules.get("jax._src.pjit")
    for name in ("_cpp_pjit_cache_fun_only", "_cpp_pjit_cache_explicit_attributes", "_cpp_pjit_cache"):
        if hasattr(pjit, name):
            getattr(pjit, name).clear()
    util = sys.modules.get("jax._src.util")
    if hasattr(util, "clear_all_caches"):
        util.clear_all_caches()


def _forget_device(settings):
    """A default device of the parent's, set for the program or in the block that forked."""
    state = getattr(settings, "default_device", None)
    if hasattr(getattr(state, "value", None), "client"):
        settings.config.update("jax_default_device", None)
        if hasattr(state, "set_local"):
            state.set_local(None)


def _renew_compiler():
    """The threads that JAX's compiler has for itself."""
    mlir = sys.modules.get(COMPILER)
    pool = getattr(mlir, "global_thread_pool", None)
    if pool is not None:
        mlir.global_thread_pool = type(pool)()


class FirstUse:
    """The child's first use of JAX: what is too much to be done in every child."""

    def __init__(self, bridge, old, platform):
        self.bridge = bridge
        self.old = old
        self.platform = platform
        self.registration = getattr(bridge, "_backend_factories", {}).get("cpu")
        self.abstract = getattr(sys.modules.get("jax._src.core"), "pytype_aval_mappings", {})
        self.kind = getattr(sys.modules.get("jax._src.array"), "ArrayImpl", None)

    def await_it(self):
        """It shows by a backend that is asked for, or by an array of the parent's that is computed with."""
        self.factory = getattr(self.registration, "factory", None)
        if self.factory is None:
            return
        self.registration.factory = self.make_client
        if "cpu" in self.old and self.kind in self.abstract:
            self.true_abstract = self.abstract[self.kind]
            self.abstract[self.kind] = self.on_array

    def on_array(self, array):
        self.bridge.get_backend()
        return self.true_abstract(array)

    def make_client(self, *arguments, **options):
        self.registration.factory = self.factory
        if self.abstract.get(self.kind) == self.on_array:
            self.abstract[self.kind] = self.true_abstract
        statics.clear(LIBRARIES, statics.XLA)
        _renew_compiler()
        client = self.factory(*arguments, **options)
        if "cpu" in self.old:
            self.take_arrays(client)
        if self.platform != "cpu":
            self.tell_at_first_compilation()
        return client

    def take_arrays(self, client):
        try:
            unfinished = jax_arrays.take_over(self.old["cpu"], client.local_devices()[0])
        except Exception as error:
            native["notice"](
                "JAX arrays that the parent process had on the CPU cannot be used here (%s: %s)"
                % (type(error).__name__, error)
            )
            return
        if unfinished:
            native["notice"](
                "%d JAX arrays were still being computed when the parent process forked: they have no value here"
                % unfinished
            )

    def tell_at_first_compilation(self):
        """Who only asks what devices there are is told nothing."""
        monitoring = sys.modules.get("jax._src.monitoring")
        register = getattr(monitoring, "register_event_duration_secs_listener", None)
        if register is None:
            return

        def listen(event, *_arguments, **_about):
            if "backend_compile" in event:
                frameworks.notice("CUDA is absent in this forked process: JAX computes on the CPU here")

        register(listen)
