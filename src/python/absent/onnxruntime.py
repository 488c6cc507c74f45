"""onnxruntime where CUDA is absent: every session computes on the CPU, whatever providers it is asked to use, and so
does a session that the parent made on the GPU: it is made again from its model at its first use."""
import sys

from _forkguard_absent import frameworks
from _forkguard_absent.kept import keep

GPU = {"CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"}
CPU = "CPUExecutionProvider"
# Where the answers about this machine are asked for.
MODULES = ("onnxruntime", "onnxruntime.capi._pybind_state", "onnxruntime.capi.onnxruntime_pybind11_state")


def absent(onnxruntime):
    answers = (("get_available_providers", _without_gpu), ("get_device", _device))
    for module in map(sys.modules.get, MODULES):
        for name, answer in answers:
            function = getattr(module, name, None)
            if function is not None and getattr(function, "__module__", None) != __name__:
                setattr(module, name, answer(function))
    kind = getattr(onnxruntime, "InferenceSession", None)
    if hasattr(kind, "_create_inference_session") and not isinstance(kind.__dict__.get("_sess"), Handle):
        kind._create_inference_session = _on_cpu(kind._create_inference_session)
        if hasattr(kind, "_reset_session"):
            kind._sess = Handle()


def _without_gpu(function):
    def get_available_providers():
        return [name for name in function() if name not in GPU]

    return get_available_providers


def _device(_function):
    def get_device():
        return "CPU"

    return get_device


def _on_cpu(create):
    def _create_inference_session(session, providers, provider_options, *others, **more):
        return create(session, *_providers(providers, provider_options), *others, **more)

    return _create_inference_session


def _providers(providers, options):
    """Those that are left. Without any named, onnxruntime would take what it was built for."""
    asked = list(providers or ())
    left = [at for at, provider in enumerate(asked) if _name(provider) not in GPU]
    if len(left) < len(asked):
        _tell()
    if not left:
        return [CPU], None
    return [asked[at] for at in left], options and [options[at] for at in left if at < len(options)]


def _name(provider):
    return provider[0] if isinstance(provider, tuple) and provider else provider


def _tell():
    frameworks.notice("CUDA is absent in this forked process: onnxruntime computes on the CPU here")


class Handle:
    """The native session of an InferenceSession, in the place of its attribute `_sess`."""

    def __get__(self, session, _owner=None):
        if session is None:
            return self
        fields = session.__dict__
        native_session = fields.get("_sess")
        if native_session is not None and GPU.intersection(fields.get("_providers") or ()):
            # What it was is not taken down here: that would call the driver.
            keep(native_session)
            fields["_sess"] = None
            _tell()
            session._reset_session([CPU], None)
            native_session = fields.get("_sess")
        return native_session

    def __set__(self, session, native_session):
        session.__dict__["_sess"] = native_session

    def __delete__(self, session):
        del session.__dict__["_sess"]
