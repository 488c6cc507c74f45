//! The function pointers of XLA's `PJRT_Api`, in the order of the struct.
//!
//! Source: `xla/pjrt/c/pjrt_c_api.h` of github.com/openxla/xla, API version 0.116, compared entry by
//! entry with the table that `jax-cuda13-pjrt` 0.12.0.1 gives out (1,144 bytes). The first pointer
//! stands after a header of 40 bytes, each takes 8. The struct only grows at its end, so an older
//! plugin has the first of these, and of a newer one the last pointers are not known here.

use core::ffi::CStr;

/// How many functions API version 0.116 has.
pub const COUNT: usize = 138;

/// Function number n stands at byte `40 + 8 * n` of the struct.
pub static PJRT_FUNCTIONS: [&CStr; COUNT] = [
    c"PJRT_Error_Destroy",
    c"PJRT_Error_Message",
    c"PJRT_Error_GetCode",
    c"PJRT_Plugin_Initialize",
    c"PJRT_Plugin_Attributes",
    c"PJRT_Event_Destroy",
    c"PJRT_Event_IsReady",
    c"PJRT_Event_Error",
    c"PJRT_Event_Await",
    c"PJRT_Event_OnReady",
    c"PJRT_Client_Create",
    c"PJRT_Client_Destroy",
    c"PJRT_Client_PlatformName",
    c"PJRT_Client_ProcessIndex",
    c"PJRT_Client_PlatformVersion",
    c"PJRT_Client_Devices",
    c"PJRT_Client_AddressableDevices",
    c"PJRT_Client_LookupDevice",
    c"PJRT_Client_LookupAddressableDevice",
    c"PJRT_Client_AddressableMemories",
    c"PJRT_Client_Compile",
    c"PJRT_Client_DefaultDeviceAssignment",
    c"PJRT_Client_BufferFromHostBuffer",
    c"PJRT_DeviceDescription_Id",
    c"PJRT_DeviceDescription_ProcessIndex",
    c"PJRT_DeviceDescription_Attributes",
    c"PJRT_DeviceDescription_Kind",
    c"PJRT_DeviceDescription_DebugString",
    c"PJRT_DeviceDescription_ToString",
    c"PJRT_Device_GetDescription",
    c"PJRT_Device_IsAddressable",
    c"PJRT_Device_LocalHardwareId",
    c"PJRT_Device_AddressableMemories",
    c"PJRT_Device_DefaultMemory",
    c"PJRT_Device_MemoryStats",
    c"PJRT_Memory_Id",
    c"PJRT_Memory_Kind",
    c"PJRT_Memory_DebugString",
    c"PJRT_Memory_ToString",
    c"PJRT_Memory_AddressableByDevices",
    c"PJRT_Executable_Destroy",
    c"PJRT_Executable_Name",
    c"PJRT_Executable_NumReplicas",
    c"PJRT_Executable_NumPartitions",
    c"PJRT_Executable_NumOutputs",
    c"PJRT_Executable_SizeOfGeneratedCodeInBytes",
    c"PJRT_Executable_GetCostAnalysis",
    c"PJRT_Executable_OutputMemoryKinds",
    c"PJRT_Executable_OptimizedProgram",
    c"PJRT_Executable_Serialize",
    c"PJRT_LoadedExecutable_Destroy",
    c"PJRT_LoadedExecutable_GetExecutable",
    c"PJRT_LoadedExecutable_AddressableDevices",
    c"PJRT_LoadedExecutable_Delete",
    c"PJRT_LoadedExecutable_IsDeleted",
    c"PJRT_LoadedExecutable_Execute",
    c"PJRT_Executable_DeserializeAndLoad",
    c"PJRT_LoadedExecutable_Fingerprint",
    c"PJRT_Buffer_Destroy",
    c"PJRT_Buffer_ElementType",
    c"PJRT_Buffer_Dimensions",
    c"PJRT_Buffer_UnpaddedDimensions",
    c"PJRT_Buffer_DynamicDimensionIndices",
    c"PJRT_Buffer_GetMemoryLayout",
    c"PJRT_Buffer_OnDeviceSizeInBytes",
    c"PJRT_Buffer_Device",
    c"PJRT_Buffer_Memory",
    c"PJRT_Buffer_Delete",
    c"PJRT_Buffer_IsDeleted",
    c"PJRT_Buffer_CopyToDevice",
    c"PJRT_Buffer_ToHostBuffer",
    c"PJRT_Buffer_IsOnCpu",
    c"PJRT_Buffer_ReadyEvent",
    c"PJRT_Buffer_UnsafePointer",
    c"PJRT_Buffer_IncreaseExternalReferenceCount",
    c"PJRT_Buffer_DecreaseExternalReferenceCount",
    c"PJRT_Buffer_OpaqueDeviceMemoryDataPointer",
    c"PJRT_CopyToDeviceStream_Destroy",
    c"PJRT_CopyToDeviceStream_AddChunk",
    c"PJRT_CopyToDeviceStream_TotalBytes",
    c"PJRT_CopyToDeviceStream_GranuleSize",
    c"PJRT_CopyToDeviceStream_CurrentBytes",
    c"PJRT_TopologyDescription_Create",
    c"PJRT_TopologyDescription_Destroy",
    c"PJRT_TopologyDescription_PlatformName",
    c"PJRT_TopologyDescription_PlatformVersion",
    c"PJRT_TopologyDescription_GetDeviceDescriptions",
    c"PJRT_TopologyDescription_Serialize",
    c"PJRT_TopologyDescription_Attributes",
    c"PJRT_Compile",
    c"PJRT_Executable_OutputElementTypes",
    c"PJRT_Executable_OutputDimensions",
    c"PJRT_Buffer_CopyToMemory",
    c"PJRT_Client_CreateViewOfDeviceBuffer",
    c"PJRT_Executable_Fingerprint",
    c"PJRT_Client_TopologyDescription",
    c"PJRT_Executable_GetCompiledMemoryStats",
    c"PJRT_Memory_Kind_Id",
    c"PJRT_ExecuteContext_Create",
    c"PJRT_ExecuteContext_Destroy",
    c"PJRT_Buffer_CopyRawToHost",
    c"PJRT_AsyncHostToDeviceTransferManager_Destroy",
    c"PJRT_AsyncHostToDeviceTransferManager_TransferData",
    c"PJRT_Client_CreateBuffersForAsyncHostToDevice",
    c"PJRT_AsyncHostToDeviceTransferManager_RetrieveBuffer",
    c"PJRT_AsyncHostToDeviceTransferManager_Device",
    c"PJRT_AsyncHostToDeviceTransferManager_BufferCount",
    c"PJRT_AsyncHostToDeviceTransferManager_BufferSize",
    c"PJRT_AsyncHostToDeviceTransferManager_SetBufferError",
    c"PJRT_AsyncHostToDeviceTransferManager_AddMetadata",
    c"PJRT_Client_DmaMap",
    c"PJRT_Client_DmaUnmap",
    c"PJRT_Client_CreateUninitializedBuffer",
    c"PJRT_Client_UpdateGlobalProcessInfo",
    c"PJRT_TopologyDescription_Deserialize",
    c"PJRT_Client_CreateAliasBuffer",
    c"PJRT_Client_FulfillAliasBuffer",
    c"PJRT_LoadedExecutable_GetDeviceAssignment",
    c"PJRT_Client_CreateErrorBuffer",
    c"PJRT_AsyncHostToDeviceTransferManager_TransferLiteral",
    c"PJRT_Buffer_CopyRawToHostFuture",
    c"PJRT_Device_PoisonExecution",
    c"PJRT_Device_CreateAsyncTrackingEvent",
    c"PJRT_AsyncTrackingEvent_Destroy",
    c"PJRT_Executable_GetCompileOptions",
    c"PJRT_Buffer_DonateWithControlDependency",
    c"PJRT_Event_Create",
    c"PJRT_Event_Set",
    c"PJRT_Device_GetAttributes",
    c"PJRT_Client_Load",
    c"PJRT_LoadedExecutable_AddressableDeviceLogicalIds",
    c"PJRT_Buffer_Bitcast",
    c"PJRT_Error_ForEachPayload",
    c"PJRT_TopologyDescription_Fingerprint",
    c"PJRT_Executable_ParameterMemoryKinds",
    c"PJRT_Device_ClearMemoryStats",
    c"PJRT_TopologyDescription_MakeCanonicalShapeForMemorySpace",
    c"PJRT_TopologyDescription_GetMemorySpaceKindIds",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The byte at which the struct has `name`.
    fn offset(name: &CStr) -> usize {
        let place = PJRT_FUNCTIONS.iter().position(|known| *known == name);
        40 + 8 * place.expect("a function of the struct")
    }

    #[test]
    fn every_name_once() {
        for (place, name) in PJRT_FUNCTIONS.iter().enumerate() {
            assert!(name.to_bytes().starts_with(b"PJRT_"));
            assert!(
                !PJRT_FUNCTIONS[..place].contains(name),
                "{} twice",
                name.to_string_lossy()
            );
        }
    }

    /// Offsets read from the table of a real plugin; a name lost or moved shifts what follows it.
    #[test]
    fn stands_where_the_plugin_has_it() {
        assert_eq!(offset(c"PJRT_Error_Destroy"), 0x028);
        assert_eq!(offset(c"PJRT_Client_Compile"), 0x0c8);
        assert_eq!(offset(c"PJRT_LoadedExecutable_Execute"), 0x1e0);
        assert_eq!(offset(c"PJRT_Buffer_ToHostBuffer"), 0x258);
        assert_eq!(offset(c"PJRT_Compile"), 0x2f0);
        assert_eq!(offset(c"PJRT_Client_DmaMap"), 0x398);
        assert_eq!(offset(c"PJRT_Event_Set"), 0x420);
        assert_eq!(
            offset(c"PJRT_TopologyDescription_GetMemorySpaceKindIds") + 8,
            1144
        );
    }
}
