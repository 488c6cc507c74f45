//! What a call of each driver function means in a forked child whose ancestor initialised CUDA.
//!
//! One table, first match wins, with a reason a row. It judges names only: whether the process is
//! such a child, or is on its way out, is asked elsewhere. Called from hooks: no locks, no heap.

/// What the gate does with a call in a forked child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Works there as anywhere: forwarded, silent.
    Harmless,
    /// A question that the driver may refuse and the caller is ready for that: forwarded, silent.
    Probe,
    /// Gives back what the parent made: answered `CUDA_ERROR_DEINITIALIZED`, silent.
    Teardown,
    /// All else: the policy decides.
    Use,
}

struct Row {
    /// A function's name without version (`_v2`) and stream suffix (`_ptsz`, `_ptds`); a `*` at
    /// its end stands for any rest.
    pattern: &'static str,
    class: Class,
    /// Why, for the reader; the tests check that every row gives one.
    #[cfg(test)]
    reason: &'static str,
}

impl Row {
    fn matches(&self, base: &[u8]) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(start) => base.starts_with(start.as_bytes()),
            None => base == self.pattern.as_bytes(),
        }
    }
}

const fn row(pattern: &'static str, class: Class, reason: &'static str) -> Row {
    #[cfg(not(test))]
    let _ = reason;
    Row {
        pattern,
        class,
        #[cfg(test)]
        reason,
    }
}

const fn harmless(pattern: &'static str, reason: &'static str) -> Row {
    row(pattern, Class::Harmless, reason)
}

const fn probe(pattern: &'static str, reason: &'static str) -> Row {
    row(pattern, Class::Probe, reason)
}

const fn teardown(pattern: &'static str, reason: &'static str) -> Row {
    row(pattern, Class::Teardown, reason)
}

const fn used(pattern: &'static str, reason: &'static str) -> Row {
    row(pattern, Class::Use, reason)
}

/// The class of the function `name`, as it was asked for: with or without version and stream
/// suffix. A name that no row knows is a use: a driver newer than this table has it.
pub fn class_of(name: &[u8]) -> Class {
    let base = base_name(name);
    TABLE
        .iter()
        .find(|row| row.matches(base))
        .map_or(Class::Use, |row| row.class)
}

/// `name` without `_ptsz` or `_ptds`, then without `_v2`, `_v3`, ...: all of one function.
fn base_name(name: &[u8]) -> &[u8] {
    let name = name
        .strip_suffix(b"_ptsz")
        .or_else(|| name.strip_suffix(b"_ptds"))
        .unwrap_or(name);
    let digits = name
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match name[..name.len() - digits].strip_suffix(b"_v") {
        Some(base) if digits > 0 => base,
        _ => name,
    }
}

/// Single functions come before the family they belong to.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    // Answered by the library in any process.
    harmless("cuDriverGetVersion", "a number in the library; measured: works in the child"),
    harmless("cuGetErrorName", "a table in the library; error handlers ask it about a refused call"),
    harmless("cuGetErrorString", "as cuGetErrorName"),
    harmless("cuGetProcAddress", "finds a function and calls none; what it finds comes to the gate"),
    harmless("cuGetExportTable", "hands out a table in the library; libraries ask for it as they load"),

    // Questions and settings that touch no device.
    probe("cuPointerGetAttribute", "\"is this a device pointer?\", asked of any pointer by MPI, UCX, DLPack; 3 reads as no"),
    probe("cuPointerGetAttributes", "as cuPointerGetAttribute"),
    probe("cuModuleGetLoadingMode", "tells what CUDA_MODULE_LOADING says"),
    probe("cuThreadExchangeStreamCaptureMode", "swaps a word of the calling thread; guard objects swap it back in destructors"),
    probe("cuCoredumpGetAttribute", "reads a debugging setting"),
    probe("cuCoredumpGetAttributeGlobal", "reads a debugging setting of this process, before cuInit too"),
    probe("cuCoredumpSetAttributeGlobal", "changes a debugging setting of this process, before cuInit too"),
    probe("cuLogsCurrent", "reads the error log; error handlers do so after a refused call"),
    probe("cuLogsDumpToFile", "as cuLogsCurrent"),
    probe("cuLogsDumpToMemory", "as cuLogsCurrent"),

    // What destructors call on the objects that the child inherited: the parent still has them.
    teardown("cuCtxDestroy", "the context is the parent's"),
    teardown("cuCtxDetach", "the old name of giving a context back"),
    teardown("cuCtxDisablePeerAccess", "undoes what the parent enabled; communication libraries do so as they close"),
    teardown("cuDevicePrimaryCtxRelease", "a retain's counterpart, in destructors of contexts"),
    teardown("cuDevicePrimaryCtxReset", "throws everything of a context away: cudaDeviceReset at the end of programs"),
    teardown("cuGreenCtxDestroy", "the context is the parent's"),
    teardown("cuModuleUnload", "destructors of loaded code"),
    teardown("cuLibraryUnload", "destructors of loaded code"),
    teardown("cuLinkDestroy", "a linker's destructor"),
    teardown("cuMemFree", "destructors of device memory; wrappers treat 4 as \"the process is ending\""),
    teardown("cuMemFreeAsync", "as cuMemFree"),
    teardown("cuMemFreeHost", "pinned memory is not inherited, its owner object is"),
    teardown("cuMemHostUnregister", "as cuMemFreeHost"),
    teardown("cuMemAddressFree", "destructors of reserved addresses (expandable segments)"),
    teardown("cuMemRelease", "destructors of physical memory handles"),
    teardown("cuMemUnmap", "comes before cuMemRelease"),
    teardown("cuMemPoolDestroy", "a pool's destructor"),
    teardown("cuMemPoolTrimTo", "gives free memory back: emptying a cache"),
    teardown("cuDeviceGraphMemTrim", "as cuMemPoolTrimTo"),
    teardown("cuArrayDestroy", "an array's destructor"),
    teardown("cuMipmappedArrayDestroy", "an array's destructor"),
    teardown("cuTexObjectDestroy", "a texture's destructor"),
    teardown("cuTexRefDestroy", "a texture's destructor"),
    teardown("cuSurfObjectDestroy", "a surface's destructor"),
    teardown("cuStreamDestroy", "a stream's destructor"),
    teardown("cuEventDestroy", "an event's destructor"),
    teardown("cuGraphDestroy", "a graph's destructor"),
    teardown("cuGraphExecDestroy", "a graph's destructor"),
    teardown("cuGraphDestroyNode", "a graph node's destructor"),
    teardown("cuGraphReleaseUserObject", "drops a reference that a graph holds"),
    teardown("cuUserObjectRelease", "drops a reference"),
    teardown("cuDestroyExternalMemory", "closes what was imported"),
    teardown("cuDestroyExternalSemaphore", "closes what was imported"),
    teardown("cuIpcCloseMemHandle", "closes another process's memory, in destructors of received tensors"),
    teardown("cuMulticastUnbind", "takes memory out of a group before it is released"),
    teardown("cuLogicalEndpointDestroy", "an endpoint's destructor"),
    teardown("cuLogicalEndpointUnbind", "comes before cuLogicalEndpointDestroy"),
    teardown("cuLogicalEndpointIdRelease", "gives reserved numbers back"),
    teardown("cuGraphicsUnmapResources", "a mapping's destructor"),
    teardown("cuGraphicsUnregisterResource", "a shared graphics object's destructor"),
    teardown("cuGLUnmapBufferObject", "the old name of cuGraphicsUnmapResources"),
    teardown("cuGLUnmapBufferObjectAsync", "as cuGLUnmapBufferObject"),
    teardown("cuGLUnregisterBufferObject", "the old name of cuGraphicsUnregisterResource"),
    teardown("cuEGLStreamConsumerDisconnect", "closes one end of a stream of frames"),
    teardown("cuEGLStreamConsumerReleaseFrame", "gives a frame back"),
    teardown("cuEGLStreamProducerDisconnect", "closes one end of a stream of frames"),
    teardown("cuDeviceUnregisterAsyncNotification", "takes a callback back"),
    teardown("cuLogsUnregisterCallback", "takes a callback back"),
    teardown("cuCoredumpDeregisterStartCallback", "takes a callback back"),
    teardown("cuCoredumpDeregisterCompleteCallback", "takes a callback back"),
    teardown("cuProfilerStop", "profilers and their guard objects call it as they close"),
    teardown("cuvidDestroyDecoder", "a decoder's destructor"),
    teardown("cuvidDestroyVideoParser", "a decoder's destructor"),
    teardown("cuvidDestroyVideoSource", "a decoder's destructor"),
    teardown("cuvidUnmapVideoFrame", "a decoded frame's destructor"),
    teardown("cuvidUnmapVideoFrame64", "a decoded frame's destructor"),
    teardown("cuvidCtxLockDestroy", "a decoder's destructor"),

    // The rest of each family starts work, waits for it, makes something or asks the device.
    used("cuInit", "the child wants CUDA: the call that the driver refuses first"),
    used("cuDev*", "asks for devices or their primary contexts; \"is there a GPU?\" is answered wrongly here"),
    used("cuCtx*", "setting, pushing, popping, waiting: somebody is about to work in the parent's context"),
    used("cuGreenCtx*", "as cuCtx"),
    used("cuModule*", "loads code, or looks for it in the parent's"),
    used("cuLibrary*", "as cuModule"),
    used("cuKernel*", "asks about or changes code of the parent"),
    used("cuFunc*", "as cuKernel"),
    used("cuLink*", "builds code to be loaded"),
    used("cuMem*", "makes, shares, copies, fills or asks about device memory"),
    used("cuPointerSetAttribute", "changes how the device treats memory"),
    used("cuArray*", "makes or asks about an array on the device"),
    used("cuMipmappedArray*", "as cuArray"),
    used("cuTex*", "makes or asks about a texture"),
    used("cuSurf*", "makes or asks about a surface"),
    used("cuTensorMap*", "describes memory to a kernel that is about to be launched"),
    used("cuStream*", "queues, waits for or asks about work; a destroyed stream is a row above"),
    used("cuEvent*", "records, waits for or asks about work; a destroyed event is a row above"),
    used("cuGraphics*", "shares an object with a graphics library"),
    used("cuGraph*", "builds, asks about or runs a graph of work"),
    used("cuUserObject*", "makes or keeps something for a graph"),
    used("cuLaunch*", "runs a kernel, or a function after one"),
    used("cuParam*", "arguments of a launch, the old way"),
    used("cuOccupancy*", "plans a launch with the parent's code"),
    used("cuIpc*", "shares the parent's memory or events, or opens somebody's"),
    used("cuImportExternal*", "brings another library's memory or semaphores in"),
    used("cuExternalMemory*", "maps imported memory"),
    used("cuSignalExternalSemaphoresAsync", "queues work"),
    used("cuWaitExternalSemaphoresAsync", "queues work"),
    used("cuFlushGPUDirectRDMAWrites", "waits for the device"),
    used("cuFabricCpyBatchAsync", "copies between machines"),
    used("cuMulticast*", "makes or fills a group of devices"),
    used("cuLogicalEndpoint*", "makes, fills or asks about an endpoint"),
    used("cuProfiler*", "starts or prepares profiling in the parent's context"),
    used("cuLogsRegisterCallback", "the child prepares to work with CUDA"),
    used("cuCoredump*", "changes a context, or registers for its crashes"),
    used("cuCheckpoint*", "stops, saves or restores a process that has CUDA"),
    used("cuGL*", "makes a context or shares memory with OpenGL"),
    used("cuEGL*", "exchanges frames with EGL"),
    used("cuVDPAU*", "makes a context or asks for the device of VDPAU"),
    used("cuvid*", "decodes video, or asks what the device can decode"),

    // XLA's plugin (JAX). Its functions return no CUresult, so none is a teardown: what is freed
    // is freed as it would be, and the driver calls below it come to the gate themselves. A use
    // is what starts work or waits for it: the threads that would do it are not in the child.
    used("PJRT_Client_Create", "initialises CUDA"),
    used("PJRT_Client_Compile", "compiles on threads that are not here, then loads the code"),
    used("PJRT_Client_Load", "loads code"),
    used("PJRT_Client_BufferFromHostBuffer", "copies to the device"),
    used("PJRT_Client_Create*", "makes device memory, or a view of it to compute with"),
    used("PJRT_Client_FulfillAliasBuffer", "gives memory to a buffer that waits for it"),
    used("PJRT_Client_DmaMap", "pins memory for the device"),
    used("PJRT_Compile", "compiles on threads that are not here, measuring on the device"),
    used("PJRT_Executable_DeserializeAndLoad", "loads code"),
    used("PJRT_LoadedExecutable_Execute", "runs a computation"),
    used("PJRT_Buffer_CopyToDevice", "copies between devices"),
    used("PJRT_Buffer_CopyToMemory", "copies between memories"),
    used("PJRT_Buffer_ToHostBuffer", "copies to the host, and the caller waits"),
    used("PJRT_Buffer_CopyRawToHost", "as PJRT_Buffer_ToHostBuffer"),
    used("PJRT_Buffer_CopyRawToHostFuture", "as PJRT_Buffer_ToHostBuffer"),
    used("PJRT_Buffer_ReadyEvent", "asked by callers who wait for the parent's computation"),
    used("PJRT_Buffer_Bitcast", "makes a new array to compute with"),
    used("PJRT_Buffer_DonateWithControlDependency", "orders work after other work"),
    used("PJRT_Event_Await", "waits for work"),
    used("PJRT_Event_OnReady", "waits for work: nobody is here to call back"),
    used("PJRT_Device_PoisonExecution", "changes work that is queued"),
    used("PJRT_CopyToDeviceStream_AddChunk", "copies to the device"),
    used("PJRT_AsyncHostToDeviceTransferManager_TransferData", "copies to the device"),
    used("PJRT_AsyncHostToDeviceTransferManager_TransferLiteral", "copies to the device"),
    used("PJRT_TopologyDescription_Create", "asks the device what it is"),
    harmless("PJRT_Error_*", "reads or frees an error's text"),
    harmless("PJRT_Plugin_*", "the plugin's own constants; a setup done once before"),
    harmless("PJRT_Client_Destroy", "freed as it would be"),
    harmless("PJRT_Client_PlatformName", "in the plugin's memory"),
    harmless("PJRT_Client_PlatformVersion", "in the plugin's memory"),
    harmless("PJRT_Client_ProcessIndex", "in the plugin's memory"),
    harmless("PJRT_Client_Devices", "the list made at the start: jax.devices() in a child reads it"),
    harmless("PJRT_Client_Addressable*", "lists made at the start"),
    harmless("PJRT_Client_Lookup*", "lists made at the start"),
    harmless("PJRT_Client_DefaultDeviceAssignment", "arithmetic on the list of devices"),
    harmless("PJRT_Client_TopologyDescription", "in the plugin's memory"),
    harmless("PJRT_Client_UpdateGlobalProcessInfo", "notes which other processes live"),
    harmless("PJRT_Client_DmaUnmap", "undoes PJRT_Client_DmaMap; the driver call below it is a teardown"),
    harmless("PJRT_DeviceDescription_*", "in the plugin's memory"),
    harmless("PJRT_Device_*", "names, lists and counters in the plugin's memory"),
    harmless("PJRT_Memory_*", "in the plugin's memory"),
    harmless("PJRT_Executable_*", "asks about, saves or frees compiled code in host memory"),
    harmless("PJRT_LoadedExecutable_*", "asks about or frees loaded code; execution is a row above"),
    harmless("PJRT_Buffer_Destroy", "destructors of arrays the child inherited"),
    harmless("PJRT_Buffer_Delete", "as PJRT_Buffer_Destroy"),
    harmless("PJRT_Buffer_IsDeleted", "a flag"),
    harmless("PJRT_Buffer_IsOnCpu", "a flag"),
    harmless("PJRT_Buffer_ElementType", "the array's shape: repr() and .shape of inherited arrays"),
    harmless("PJRT_Buffer_Dimensions", "the array's shape"),
    harmless("PJRT_Buffer_UnpaddedDimensions", "the array's shape"),
    harmless("PJRT_Buffer_DynamicDimensionIndices", "the array's shape"),
    harmless("PJRT_Buffer_GetMemoryLayout", "the array's shape"),
    harmless("PJRT_Buffer_OnDeviceSizeInBytes", "the array's shape"),
    harmless("PJRT_Buffer_Device", "where the array is"),
    harmless("PJRT_Buffer_Memory", "where the array is"),
    harmless("PJRT_Buffer_UnsafePointer", "an address; whoever uses it comes to the gate"),
    harmless("PJRT_Buffer_OpaqueDeviceMemoryDataPointer", "as PJRT_Buffer_UnsafePointer"),
    harmless("PJRT_Buffer_IncreaseExternalReferenceCount", "a counter"),
    harmless("PJRT_Buffer_DecreaseExternalReferenceCount", "a counter"),
    harmless("PJRT_Event_*", "reads, sets or frees an event; waiting is a row above"),
    harmless("PJRT_CopyToDeviceStream_*", "counters, and freeing; copying is a row above"),
    harmless("PJRT_AsyncHostToDeviceTransferManager_*", "counters, and freeing; copying is a row above"),
    harmless("PJRT_AsyncTrackingEvent_Destroy", "freed as it would be"),
    harmless("PJRT_ExecuteContext_*", "a box for a later execution's arguments"),
    harmless("PJRT_TopologyDescription_*", "asks about, saves or frees a description in host memory"),
];

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::super::pjrt_names::PJRT_FUNCTIONS;
    use super::*;

    fn driver_names() -> impl Iterator<Item = &'static str> {
        (0..names::COUNT)
            .filter_map(names::name)
            .map(|name| name.to_str().expect("an ASCII name"))
    }

    fn pjrt_names() -> impl Iterator<Item = &'static str> {
        PJRT_FUNCTIONS
            .iter()
            .map(|name| name.to_str().expect("an ASCII name"))
    }

    fn base(name: &str) -> &str {
        core::str::from_utf8(base_name(name.as_bytes())).expect("an ASCII name")
    }

    fn class(name: &str) -> Class {
        class_of(name.as_bytes())
    }

    /// The row that decides about `name`.
    fn row_of(name: &str) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.matches(base(name).as_bytes()))
    }

    /// Whether one of the words in `words` stands in `name`.
    fn says(name: &str, words: &str) -> bool {
        words.split_whitespace().any(|word| name.contains(word))
    }

    #[test]
    fn every_known_function_has_a_row() {
        for name in driver_names().chain(pjrt_names()) {
            assert!(row_of(name).is_some(), "no row knows {name}");
        }
    }

    #[test]
    fn every_row_decides_about_some_function_and_says_why() {
        for known in TABLE {
            let decides = driver_names()
                .chain(pjrt_names())
                .any(|name| row_of(name).is_some_and(|found| found.pattern == known.pattern));
            assert!(decides, "nothing comes as far as the row {}", known.pattern);
            assert!(known.reason.len() > 3, "no reason for {}", known.pattern);
        }
    }

    #[test]
    fn no_row_twice() {
        for (place, known) in TABLE.iter().enumerate() {
            assert!(
                TABLE[..place]
                    .iter()
                    .all(|other| other.pattern != known.pattern),
                "{} twice",
                known.pattern
            );
        }
    }

    #[test]
    fn suffixes_change_nothing() {
        for name in driver_names() {
            let base = base(name);
            assert!(!base.contains('_'), "{base} keeps a suffix");
            for suffix in [
                "", "_v2", "_v3", "_v4", "_ptsz", "_ptds", "_v2_ptsz", "_v2_ptds", "_v12",
            ] {
                let variant = format!("{base}{suffix}");
                assert_eq!(class(&variant), class(name), "{variant} and {name}");
            }
        }
    }

    #[test]
    fn base_names() {
        for (name, expected) in [
            ("cuMemFree_v2", "cuMemFree"),
            ("cuMemcpyHtoDAsync_v2_ptsz", "cuMemcpyHtoDAsync"),
            ("cuMemcpy_ptds", "cuMemcpy"),
            ("cuStreamWriteValue64_v2", "cuStreamWriteValue64"),
            ("cuMemsetD2D32", "cuMemsetD2D32"),
            ("cuvidMapVideoFrame64", "cuvidMapVideoFrame64"),
            ("cuX_v", "cuX_v"),
            ("_v2", ""),
            ("2", "2"),
            ("", ""),
        ] {
            assert_eq!(base(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_give_something_back_are_teardown() {
        let giving_back = "Destroy Free Unload Release Unregister Deregister Unmap Unbind Disconnect \
            Detach Close Disable Reset Trim";
        // These words in another sense.
        let other = [
            ("cuGraphAddMemFreeNode", "adds work to a graph"),
            ("cuGraphMemFreeNodeGetParams", "asks about a graph"),
            ("cuCtxResetPersistingL2Cache", "changes the device's cache"),
        ];
        for name in driver_names() {
            let excepted = other.iter().any(|(known, _)| *known == base(name));
            if says(name, giving_back) && !excepted {
                assert_eq!(class(name), Class::Teardown, "{name}");
            } else if class(name) == Class::Teardown {
                assert_eq!(base(name), "cuProfilerStop", "{name} gives nothing back");
            }
        }
        for (name, why) in other {
            assert!(
                driver_names().any(|known| base(known) == name),
                "{name} is no function"
            );
            assert_eq!(class(name), Class::Use, "{name} {why}");
        }
    }

    /// A use that is taken for something quiet is a program that nobody warns: the quiet ones are
    /// listed here once more, so that no pattern of the table lets another in.
    #[test]
    fn only_these_are_forwarded_in_silence() {
        let quiet = [
            ("cuCoredumpGetAttribute", Class::Probe),
            ("cuCoredumpGetAttributeGlobal", Class::Probe),
            ("cuCoredumpSetAttributeGlobal", Class::Probe),
            ("cuDriverGetVersion", Class::Harmless),
            ("cuGetErrorName", Class::Harmless),
            ("cuGetErrorString", Class::Harmless),
            ("cuGetExportTable", Class::Harmless),
            ("cuGetProcAddress", Class::Harmless),
            ("cuLogsCurrent", Class::Probe),
            ("cuLogsDumpToFile", Class::Probe),
            ("cuLogsDumpToMemory", Class::Probe),
            ("cuModuleGetLoadingMode", Class::Probe),
            ("cuPointerGetAttribute", Class::Probe),
            ("cuPointerGetAttributes", Class::Probe),
            ("cuThreadExchangeStreamCaptureMode", Class::Probe),
        ];
        for name in driver_names() {
            let expected = quiet.iter().find(|(known, _)| *known == base(name));
            match expected {
                Some((_, expected)) => assert_eq!(class(name), *expected, "{name}"),
                None => assert!(
                    matches!(class(name), Class::Teardown | Class::Use),
                    "{name} would pass in silence"
                ),
            }
        }
    }

    #[test]
    fn names_that_do_something_are_used() {
        let doing = "Launch Memcpy Memset Alloc Create Record Query Synchronize Load Open \
            Import Retain Init Begin Elapsed Current Wait";
        for name in driver_names() {
            if says(name, doing) && !["cuModuleGetLoadingMode", "cuLogsCurrent"].contains(&name) {
                assert_eq!(class(name), Class::Use, "{name}");
            }
        }
    }

    #[test]
    fn what_the_child_is_refused_first() {
        // The first driver calls of torch, CuPy, numba, cuda-bindings and PyAV in a forked child.
        for name in [
            "cuInit",
            "cuCtxGetDevice",
            "cuCtxGetCurrent",
            "cuCtxSetCurrent",
            "cuCtxPopCurrent_v2",
            "cuCtxSynchronize",
            "cuDeviceGetCount",
            "cuDevicePrimaryCtxRetain",
            "cuStreamSynchronize_ptsz",
            "cuEventQuery",
            "cuMemGetInfo_v2",
            "cuProfilerStart",
            "cuvidCreateDecoder",
            "cuvidGetDecoderCaps",
        ] {
            assert_eq!(class(name), Class::Use, "{name}");
        }
    }

    #[test]
    fn unknown_names_are_used() {
        for name in [
            "",
            "cu",
            "cuNewInCuda14",
            "cuMemFreeSomehow",
            "PJRT_New_Thing",
        ] {
            assert_eq!(class(name), Class::Use, "{name}");
        }
    }

    /// The answer to a teardown is a `CUresult`, and a PJRT function returns a pointer.
    #[test]
    fn no_pjrt_function_is_answered_with_a_code() {
        for name in pjrt_names() {
            assert!(
                matches!(class(name), Class::Harmless | Class::Use),
                "{name}"
            );
        }
    }

    #[test]
    fn pjrt_work_is_used_and_the_rest_is_not() {
        let work = "Compile Execute Load Transfer FromHost ToHost CopyToDevice CopyToMemory \
            AddChunk Await OnReady ReadyEvent DmaMap Alias Bitcast Donate Poison \
            _Create";
        // Words of work in names that do none: freeing, and objects named after what they serve.
        let other = [
            "PJRT_ExecuteContext_Create",
            "PJRT_Event_Create",
            "PJRT_Executable_GetCompileOptions",
            "PJRT_Executable_GetCompiledMemoryStats",
            "PJRT_Device_CreateAsyncTrackingEvent",
        ];
        for name in pjrt_names() {
            // The object's name is not the verb.
            let verb = name
                .splitn(3, '_')
                .nth(2)
                .map_or(name, |verb| &name[name.len() - verb.len() - 1..]);
            let works = says(verb, work) && !other.contains(&name);
            let expected = if works { Class::Use } else { Class::Harmless };
            assert_eq!(class(name), expected, "{name}");
        }
        for name in other {
            assert!(
                pjrt_names().any(|known| known == name),
                "{name} is no function"
            );
        }
    }
}
