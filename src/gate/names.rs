//! Every name that the CUDA driver API exports (CUDA 11.0 to 13.x), sorted; a name's place in this
//! list is the number of its slot.
//!
//! Written by `scripts/driver-names`, which says where the names come from. Do not edit.

use core::cmp::Ordering;
use core::ffi::CStr;

/// Expands `$m! { 0 cuArray3DCreate; 1 cuArray3DCreate_v2; ... }`: slot number and name.
macro_rules! driver_names {
    ($m:ident) => {
        $m! {
            0 cuArray3DCreate;
            1 cuArray3DCreate_v2;
            2 cuArray3DGetDescriptor;
            3 cuArray3DGetDescriptor_v2;
            4 cuArrayCreate;
            5 cuArrayCreate_v2;
            6 cuArrayDestroy;
            7 cuArrayGetDescriptor;
            8 cuArrayGetDescriptor_v2;
            9 cuArrayGetMemoryRequirements;
            10 cuArrayGetPlane;
            11 cuArrayGetSparseProperties;
            12 cuCheckpointOperationComplete;
            13 cuCheckpointProcessCheckpoint;
            14 cuCheckpointProcessGetRestoreThreadId;
            15 cuCheckpointProcessGetState;
            16 cuCheckpointProcessLock;
            17 cuCheckpointProcessRestore;
            18 cuCheckpointProcessUnlock;
            19 cuCoredumpDeregisterCompleteCallback;
            20 cuCoredumpDeregisterStartCallback;
            21 cuCoredumpGetAttribute;
            22 cuCoredumpGetAttributeGlobal;
            23 cuCoredumpRegisterCompleteCallback;
            24 cuCoredumpRegisterStartCallback;
            25 cuCoredumpSetAttribute;
            26 cuCoredumpSetAttributeGlobal;
            27 cuCtxAttach;
            28 cuCtxCreate;
            29 cuCtxCreate_v2;
            30 cuCtxCreate_v3;
            31 cuCtxCreate_v4;
            32 cuCtxDestroy;
            33 cuCtxDestroy_v2;
            34 cuCtxDetach;
            35 cuCtxDisablePeerAccess;
            36 cuCtxEnablePeerAccess;
            37 cuCtxFromGreenCtx;
            38 cuCtxGetApiVersion;
            39 cuCtxGetCacheConfig;
            40 cuCtxGetCurrent;
            41 cuCtxGetDevResource;
            42 cuCtxGetDevice;
            43 cuCtxGetDevice_v2;
            44 cuCtxGetExecAffinity;
            45 cuCtxGetFlags;
            46 cuCtxGetId;
            47 cuCtxGetLimit;
            48 cuCtxGetSharedMemConfig;
            49 cuCtxGetStreamPriorityRange;
            50 cuCtxPopCurrent;
            51 cuCtxPopCurrent_v2;
            52 cuCtxPushCurrent;
            53 cuCtxPushCurrent_v2;
            54 cuCtxRecordEvent;
            55 cuCtxResetPersistingL2Cache;
            56 cuCtxSetCacheConfig;
            57 cuCtxSetCurrent;
            58 cuCtxSetFlags;
            59 cuCtxSetLimit;
            60 cuCtxSetSharedMemConfig;
            61 cuCtxSynchronize;
            62 cuCtxSynchronize_v2;
            63 cuCtxWaitEvent;
            64 cuDestroyExternalMemory;
            65 cuDestroyExternalSemaphore;
            66 cuDevResourceGenerateDesc;
            67 cuDevSmResourceSplit;
            68 cuDevSmResourceSplitByCount;
            69 cuDeviceCanAccessPeer;
            70 cuDeviceComputeCapability;
            71 cuDeviceGet;
            72 cuDeviceGetAttribute;
            73 cuDeviceGetByPCIBusId;
            74 cuDeviceGetCliqueCount;
            75 cuDeviceGetCliqueInfo;
            76 cuDeviceGetCount;
            77 cuDeviceGetDefaultMemPool;
            78 cuDeviceGetDevResource;
            79 cuDeviceGetExecAffinitySupport;
            80 cuDeviceGetFabricClusterUuid;
            81 cuDeviceGetGraphMemAttribute;
            82 cuDeviceGetHostAtomicCapabilities;
            83 cuDeviceGetLuid;
            84 cuDeviceGetMemPool;
            85 cuDeviceGetName;
            86 cuDeviceGetNvSciSyncAttributes;
            87 cuDeviceGetP2PAtomicCapabilities;
            88 cuDeviceGetP2PAttribute;
            89 cuDeviceGetPCIBusId;
            90 cuDeviceGetProperties;
            91 cuDeviceGetTexture1DLinearMaxWidth;
            92 cuDeviceGetUuid;
            93 cuDeviceGetUuid_v2;
            94 cuDeviceGraphMemTrim;
            95 cuDevicePrimaryCtxGetState;
            96 cuDevicePrimaryCtxRelease;
            97 cuDevicePrimaryCtxRelease_v2;
            98 cuDevicePrimaryCtxReset;
            99 cuDevicePrimaryCtxReset_v2;
            100 cuDevicePrimaryCtxRetain;
            101 cuDevicePrimaryCtxSetFlags;
            102 cuDevicePrimaryCtxSetFlags_v2;
            103 cuDeviceRegisterAsyncNotification;
            104 cuDeviceSetGraphMemAttribute;
            105 cuDeviceSetMemPool;
            106 cuDeviceTotalMem;
            107 cuDeviceTotalMem_v2;
            108 cuDeviceUnregisterAsyncNotification;
            109 cuDriverGetVersion;
            110 cuEGLApiInit;
            111 cuEGLStreamConsumerAcquireFrame;
            112 cuEGLStreamConsumerConnect;
            113 cuEGLStreamConsumerConnectWithFlags;
            114 cuEGLStreamConsumerDisconnect;
            115 cuEGLStreamConsumerReleaseFrame;
            116 cuEGLStreamProducerConnect;
            117 cuEGLStreamProducerDisconnect;
            118 cuEGLStreamProducerPresentFrame;
            119 cuEGLStreamProducerReturnFrame;
            120 cuEventCreate;
            121 cuEventCreateFromEGLSync;
            122 cuEventDestroy;
            123 cuEventDestroy_v2;
            124 cuEventElapsedTime;
            125 cuEventElapsedTime_v2;
            126 cuEventQuery;
            127 cuEventRecord;
            128 cuEventRecordWithFlags;
            129 cuEventRecordWithFlags_ptsz;
            130 cuEventRecord_ptsz;
            131 cuEventSynchronize;
            132 cuExternalMemoryGetMappedBuffer;
            133 cuExternalMemoryGetMappedMipmappedArray;
            134 cuFabricCpyBatchAsync;
            135 cuFabricCpyBatchAsync_ptsz;
            136 cuFlushGPUDirectRDMAWrites;
            137 cuFuncGetAttribute;
            138 cuFuncGetModule;
            139 cuFuncGetName;
            140 cuFuncGetParamCount;
            141 cuFuncGetParamInfo;
            142 cuFuncIsLoaded;
            143 cuFuncLoad;
            144 cuFuncSetAttribute;
            145 cuFuncSetBlockShape;
            146 cuFuncSetCacheConfig;
            147 cuFuncSetSharedMemConfig;
            148 cuFuncSetSharedSize;
            149 cuGLCtxCreate;
            150 cuGLCtxCreate_v2;
            151 cuGLGetDevices;
            152 cuGLGetDevices_v2;
            153 cuGLInit;
            154 cuGLMapBufferObject;
            155 cuGLMapBufferObjectAsync;
            156 cuGLMapBufferObjectAsync_v2;
            157 cuGLMapBufferObjectAsync_v2_ptsz;
            158 cuGLMapBufferObject_v2;
            159 cuGLMapBufferObject_v2_ptds;
            160 cuGLRegisterBufferObject;
            161 cuGLSetBufferObjectMapFlags;
            162 cuGLUnmapBufferObject;
            163 cuGLUnmapBufferObjectAsync;
            164 cuGLUnregisterBufferObject;
            165 cuGetErrorName;
            166 cuGetErrorString;
            167 cuGetExportTable;
            168 cuGetProcAddress;
            169 cuGetProcAddress_v2;
            170 cuGraphAddBatchMemOpNode;
            171 cuGraphAddChildGraphNode;
            172 cuGraphAddDependencies;
            173 cuGraphAddDependencies_v2;
            174 cuGraphAddEmptyNode;
            175 cuGraphAddEventRecordNode;
            176 cuGraphAddEventWaitNode;
            177 cuGraphAddExternalSemaphoresSignalNode;
            178 cuGraphAddExternalSemaphoresWaitNode;
            179 cuGraphAddHostNode;
            180 cuGraphAddKernelNode;
            181 cuGraphAddKernelNode_v2;
            182 cuGraphAddMemAllocNode;
            183 cuGraphAddMemFreeNode;
            184 cuGraphAddMemcpyNode;
            185 cuGraphAddMemsetNode;
            186 cuGraphAddNode;
            187 cuGraphAddNode_v2;
            188 cuGraphAddNode_v3;
            189 cuGraphBatchMemOpNodeGetParams;
            190 cuGraphBatchMemOpNodeSetParams;
            191 cuGraphChildGraphNodeGetGraph;
            192 cuGraphClone;
            193 cuGraphConditionalHandleCreate;
            194 cuGraphCreate;
            195 cuGraphDebugDotPrint;
            196 cuGraphDestroy;
            197 cuGraphDestroyNode;
            198 cuGraphEventRecordNodeGetEvent;
            199 cuGraphEventRecordNodeSetEvent;
            200 cuGraphEventWaitNodeGetEvent;
            201 cuGraphEventWaitNodeSetEvent;
            202 cuGraphExecBatchMemOpNodeSetParams;
            203 cuGraphExecChildGraphNodeSetParams;
            204 cuGraphExecDestroy;
            205 cuGraphExecEventRecordNodeSetEvent;
            206 cuGraphExecEventWaitNodeSetEvent;
            207 cuGraphExecExternalSemaphoresSignalNodeSetParams;
            208 cuGraphExecExternalSemaphoresWaitNodeSetParams;
            209 cuGraphExecGetFlags;
            210 cuGraphExecGetId;
            211 cuGraphExecHostNodeSetParams;
            212 cuGraphExecKernelNodeSetParams;
            213 cuGraphExecKernelNodeSetParams_v2;
            214 cuGraphExecMemcpyNodeSetParams;
            215 cuGraphExecMemsetNodeSetParams;
            216 cuGraphExecNodeSetParams;
            217 cuGraphExecUpdate;
            218 cuGraphExecUpdate_v2;
            219 cuGraphExternalSemaphoresSignalNodeGetParams;
            220 cuGraphExternalSemaphoresSignalNodeSetParams;
            221 cuGraphExternalSemaphoresWaitNodeGetParams;
            222 cuGraphExternalSemaphoresWaitNodeSetParams;
            223 cuGraphGetEdges;
            224 cuGraphGetEdges_v2;
            225 cuGraphGetId;
            226 cuGraphGetNodes;
            227 cuGraphGetRootNodes;
            228 cuGraphHostNodeGetParams;
            229 cuGraphHostNodeSetParams;
            230 cuGraphInstantiate;
            231 cuGraphInstantiateWithFlags;
            232 cuGraphInstantiateWithParams;
            233 cuGraphInstantiateWithParams_ptsz;
            234 cuGraphInstantiate_v2;
            235 cuGraphKernelNodeCopyAttributes;
            236 cuGraphKernelNodeGetAttribute;
            237 cuGraphKernelNodeGetParams;
            238 cuGraphKernelNodeGetParams_v2;
            239 cuGraphKernelNodeSetAttribute;
            240 cuGraphKernelNodeSetParams;
            241 cuGraphKernelNodeSetParams_v2;
            242 cuGraphLaunch;
            243 cuGraphLaunch_ptsz;
            244 cuGraphMemAllocNodeGetParams;
            245 cuGraphMemFreeNodeGetParams;
            246 cuGraphMemcpyNodeGetParams;
            247 cuGraphMemcpyNodeSetParams;
            248 cuGraphMemsetNodeGetParams;
            249 cuGraphMemsetNodeSetParams;
            250 cuGraphNodeFindInClone;
            251 cuGraphNodeGetContainingGraph;
            252 cuGraphNodeGetDependencies;
            253 cuGraphNodeGetDependencies_v2;
            254 cuGraphNodeGetDependentNodes;
            255 cuGraphNodeGetDependentNodes_v2;
            256 cuGraphNodeGetEnabled;
            257 cuGraphNodeGetLocalId;
            258 cuGraphNodeGetParams;
            259 cuGraphNodeGetToolsId;
            260 cuGraphNodeGetType;
            261 cuGraphNodeSetEnabled;
            262 cuGraphNodeSetParams;
            263 cuGraphNodeSetParams_v2;
            264 cuGraphReleaseUserObject;
            265 cuGraphRemoveDependencies;
            266 cuGraphRemoveDependencies_v2;
            267 cuGraphRetainUserObject;
            268 cuGraphUpload;
            269 cuGraphUpload_ptsz;
            270 cuGraphicsEGLRegisterImage;
            271 cuGraphicsGLRegisterBuffer;
            272 cuGraphicsGLRegisterImage;
            273 cuGraphicsMapResources;
            274 cuGraphicsMapResources_ptsz;
            275 cuGraphicsResourceGetMappedEglFrame;
            276 cuGraphicsResourceGetMappedMipmappedArray;
            277 cuGraphicsResourceGetMappedPointer;
            278 cuGraphicsResourceGetMappedPointer_v2;
            279 cuGraphicsResourceSetMapFlags;
            280 cuGraphicsResourceSetMapFlags_v2;
            281 cuGraphicsSubResourceGetMappedArray;
            282 cuGraphicsUnmapResources;
            283 cuGraphicsUnmapResources_ptsz;
            284 cuGraphicsUnregisterResource;
            285 cuGraphicsVDPAURegisterOutputSurface;
            286 cuGraphicsVDPAURegisterVideoSurface;
            287 cuGreenCtxCreate;
            288 cuGreenCtxDestroy;
            289 cuGreenCtxGetDevResource;
            290 cuGreenCtxGetId;
            291 cuGreenCtxRecordEvent;
            292 cuGreenCtxStreamCreate;
            293 cuGreenCtxWaitEvent;
            294 cuImportExternalMemory;
            295 cuImportExternalSemaphore;
            296 cuInit;
            297 cuIpcCloseMemHandle;
            298 cuIpcGetEventHandle;
            299 cuIpcGetMemHandle;
            300 cuIpcOpenEventHandle;
            301 cuIpcOpenMemHandle;
            302 cuIpcOpenMemHandle_v2;
            303 cuKernelGetAttribute;
            304 cuKernelGetFunction;
            305 cuKernelGetLibrary;
            306 cuKernelGetName;
            307 cuKernelGetParamCount;
            308 cuKernelGetParamInfo;
            309 cuKernelSetAttribute;
            310 cuKernelSetCacheConfig;
            311 cuLaunch;
            312 cuLaunchCooperativeKernel;
            313 cuLaunchCooperativeKernelMultiDevice;
            314 cuLaunchCooperativeKernel_ptsz;
            315 cuLaunchGrid;
            316 cuLaunchGridAsync;
            317 cuLaunchHostFunc;
            318 cuLaunchHostFunc_ptsz;
            319 cuLaunchHostFunc_v2;
            320 cuLaunchHostFunc_v2_ptsz;
            321 cuLaunchKernel;
            322 cuLaunchKernelEx;
            323 cuLaunchKernelEx_ptsz;
            324 cuLaunchKernel_ptsz;
            325 cuLibraryEnumerateKernels;
            326 cuLibraryGetGlobal;
            327 cuLibraryGetKernel;
            328 cuLibraryGetKernelCount;
            329 cuLibraryGetManaged;
            330 cuLibraryGetModule;
            331 cuLibraryGetUnifiedFunction;
            332 cuLibraryLoadData;
            333 cuLibraryLoadFromFile;
            334 cuLibraryUnload;
            335 cuLinkAddData;
            336 cuLinkAddData_v2;
            337 cuLinkAddFile;
            338 cuLinkAddFile_v2;
            339 cuLinkComplete;
            340 cuLinkCreate;
            341 cuLinkCreate_v2;
            342 cuLinkDestroy;
            343 cuLogicalEndpointAddDevice;
            344 cuLogicalEndpointBindAddr;
            345 cuLogicalEndpointBindMem;
            346 cuLogicalEndpointCreate;
            347 cuLogicalEndpointDestroy;
            348 cuLogicalEndpointExport;
            349 cuLogicalEndpointGetLimits;
            350 cuLogicalEndpointIdRelease;
            351 cuLogicalEndpointIdReserve;
            352 cuLogicalEndpointImport;
            353 cuLogicalEndpointQuery;
            354 cuLogicalEndpointUnbind;
            355 cuLogsCurrent;
            356 cuLogsDumpToFile;
            357 cuLogsDumpToMemory;
            358 cuLogsRegisterCallback;
            359 cuLogsUnregisterCallback;
            360 cuMemAddressFree;
            361 cuMemAddressReserve;
            362 cuMemAdvise;
            363 cuMemAdvise_v2;
            364 cuMemAlloc;
            365 cuMemAllocAsync;
            366 cuMemAllocAsync_ptsz;
            367 cuMemAllocFromPoolAsync;
            368 cuMemAllocFromPoolAsync_ptsz;
            369 cuMemAllocHost;
            370 cuMemAllocHost_v2;
            371 cuMemAllocManaged;
            372 cuMemAllocPitch;
            373 cuMemAllocPitch_v2;
            374 cuMemAlloc_v2;
            375 cuMemBatchDecompressAsync;
            376 cuMemBatchDecompressAsync_ptsz;
            377 cuMemCreate;
            378 cuMemDiscardAndPrefetchBatchAsync;
            379 cuMemDiscardAndPrefetchBatchAsync_ptsz;
            380 cuMemDiscardBatchAsync;
            381 cuMemDiscardBatchAsync_ptsz;
            382 cuMemExportToShareableHandle;
            383 cuMemFree;
            384 cuMemFreeAsync;
            385 cuMemFreeAsync_ptsz;
            386 cuMemFreeHost;
            387 cuMemFree_v2;
            388 cuMemGetAccess;
            389 cuMemGetAddressRange;
            390 cuMemGetAddressRange_v2;
            391 cuMemGetAllocationGranularity;
            392 cuMemGetAllocationPropertiesFromHandle;
            393 cuMemGetAttribute;
            394 cuMemGetAttribute_v2;
            395 cuMemGetDefaultMemPool;
            396 cuMemGetHandleForAddressRange;
            397 cuMemGetInfo;
            398 cuMemGetInfo_v2;
            399 cuMemGetLocationInfo;
            400 cuMemGetMemPool;
            401 cuMemHostAlloc;
            402 cuMemHostGetDevicePointer;
            403 cuMemHostGetDevicePointer_v2;
            404 cuMemHostGetFlags;
            405 cuMemHostRegister;
            406 cuMemHostRegister_v2;
            407 cuMemHostUnregister;
            408 cuMemImportFromShareableHandle;
            409 cuMemMap;
            410 cuMemMapArrayAsync;
            411 cuMemMapArrayAsync_ptsz;
            412 cuMemPoolCreate;
            413 cuMemPoolDestroy;
            414 cuMemPoolExportPointer;
            415 cuMemPoolExportToShareableHandle;
            416 cuMemPoolGetAccess;
            417 cuMemPoolGetAttribute;
            418 cuMemPoolImportFromShareableHandle;
            419 cuMemPoolImportPointer;
            420 cuMemPoolSetAccess;
            421 cuMemPoolSetAttribute;
            422 cuMemPoolTrimTo;
            423 cuMemPrefetchAsync;
            424 cuMemPrefetchAsync_ptsz;
            425 cuMemPrefetchAsync_v2;
            426 cuMemPrefetchAsync_v2_ptsz;
            427 cuMemPrefetchBatchAsync;
            428 cuMemPrefetchBatchAsync_ptsz;
            429 cuMemRangeGetAttribute;
            430 cuMemRangeGetAttributes;
            431 cuMemRelease;
            432 cuMemRetainAllocationHandle;
            433 cuMemSetAccess;
            434 cuMemSetMemPool;
            435 cuMemUnmap;
            436 cuMemcpy;
            437 cuMemcpy2D;
            438 cuMemcpy2DAsync;
            439 cuMemcpy2DAsync_v2;
            440 cuMemcpy2DAsync_v2_ptsz;
            441 cuMemcpy2DUnaligned;
            442 cuMemcpy2DUnaligned_v2;
            443 cuMemcpy2DUnaligned_v2_ptds;
            444 cuMemcpy2D_v2;
            445 cuMemcpy2D_v2_ptds;
            446 cuMemcpy3D;
            447 cuMemcpy3DAsync;
            448 cuMemcpy3DAsync_v2;
            449 cuMemcpy3DAsync_v2_ptsz;
            450 cuMemcpy3DBatchAsync;
            451 cuMemcpy3DBatchAsync_ptsz;
            452 cuMemcpy3DBatchAsync_v2;
            453 cuMemcpy3DBatchAsync_v2_ptsz;
            454 cuMemcpy3DPeer;
            455 cuMemcpy3DPeerAsync;
            456 cuMemcpy3DPeerAsync_ptsz;
            457 cuMemcpy3DPeer_ptds;
            458 cuMemcpy3DWithAttributesAsync;
            459 cuMemcpy3DWithAttributesAsync_ptsz;
            460 cuMemcpy3D_v2;
            461 cuMemcpy3D_v2_ptds;
            462 cuMemcpyAsync;
            463 cuMemcpyAsync_ptsz;
            464 cuMemcpyAtoA;
            465 cuMemcpyAtoA_v2;
            466 cuMemcpyAtoA_v2_ptds;
            467 cuMemcpyAtoD;
            468 cuMemcpyAtoD_v2;
            469 cuMemcpyAtoD_v2_ptds;
            470 cuMemcpyAtoH;
            471 cuMemcpyAtoHAsync;
            472 cuMemcpyAtoHAsync_v2;
            473 cuMemcpyAtoHAsync_v2_ptsz;
            474 cuMemcpyAtoH_v2;
            475 cuMemcpyAtoH_v2_ptds;
            476 cuMemcpyBatchAsync;
            477 cuMemcpyBatchAsync_ptsz;
            478 cuMemcpyBatchAsync_v2;
            479 cuMemcpyBatchAsync_v2_ptsz;
            480 cuMemcpyDtoA;
            481 cuMemcpyDtoA_v2;
            482 cuMemcpyDtoA_v2_ptds;
            483 cuMemcpyDtoD;
            484 cuMemcpyDtoDAsync;
            485 cuMemcpyDtoDAsync_v2;
            486 cuMemcpyDtoDAsync_v2_ptsz;
            487 cuMemcpyDtoD_v2;
            488 cuMemcpyDtoD_v2_ptds;
            489 cuMemcpyDtoH;
            490 cuMemcpyDtoHAsync;
            491 cuMemcpyDtoHAsync_v2;
            492 cuMemcpyDtoHAsync_v2_ptsz;
            493 cuMemcpyDtoH_v2;
            494 cuMemcpyDtoH_v2_ptds;
            495 cuMemcpyHtoA;
            496 cuMemcpyHtoAAsync;
            497 cuMemcpyHtoAAsync_v2;
            498 cuMemcpyHtoAAsync_v2_ptsz;
            499 cuMemcpyHtoA_v2;
            500 cuMemcpyHtoA_v2_ptds;
            501 cuMemcpyHtoD;
            502 cuMemcpyHtoDAsync;
            503 cuMemcpyHtoDAsync_v2;
            504 cuMemcpyHtoDAsync_v2_ptsz;
            505 cuMemcpyHtoD_v2;
            506 cuMemcpyHtoD_v2_ptds;
            507 cuMemcpyPeer;
            508 cuMemcpyPeerAsync;
            509 cuMemcpyPeerAsync_ptsz;
            510 cuMemcpyPeer_ptds;
            511 cuMemcpyWithAttributesAsync;
            512 cuMemcpyWithAttributesAsync_ptsz;
            513 cuMemcpy_ptds;
            514 cuMemsetD16;
            515 cuMemsetD16Async;
            516 cuMemsetD16Async_ptsz;
            517 cuMemsetD16_v2;
            518 cuMemsetD16_v2_ptds;
            519 cuMemsetD2D16;
            520 cuMemsetD2D16Async;
            521 cuMemsetD2D16Async_ptsz;
            522 cuMemsetD2D16_v2;
            523 cuMemsetD2D16_v2_ptds;
            524 cuMemsetD2D32;
            525 cuMemsetD2D32Async;
            526 cuMemsetD2D32Async_ptsz;
            527 cuMemsetD2D32_v2;
            528 cuMemsetD2D32_v2_ptds;
            529 cuMemsetD2D8;
            530 cuMemsetD2D8Async;
            531 cuMemsetD2D8Async_ptsz;
            532 cuMemsetD2D8_v2;
            533 cuMemsetD2D8_v2_ptds;
            534 cuMemsetD32;
            535 cuMemsetD32Async;
            536 cuMemsetD32Async_ptsz;
            537 cuMemsetD32_v2;
            538 cuMemsetD32_v2_ptds;
            539 cuMemsetD8;
            540 cuMemsetD8Async;
            541 cuMemsetD8Async_ptsz;
            542 cuMemsetD8_v2;
            543 cuMemsetD8_v2_ptds;
            544 cuMipmappedArrayCreate;
            545 cuMipmappedArrayDestroy;
            546 cuMipmappedArrayGetLevel;
            547 cuMipmappedArrayGetMemoryRequirements;
            548 cuMipmappedArrayGetSparseProperties;
            549 cuModuleEnumerateFunctions;
            550 cuModuleGetFunction;
            551 cuModuleGetFunctionCount;
            552 cuModuleGetGlobal;
            553 cuModuleGetGlobal_v2;
            554 cuModuleGetLoadingMode;
            555 cuModuleGetSurfRef;
            556 cuModuleGetTexRef;
            557 cuModuleLoad;
            558 cuModuleLoadData;
            559 cuModuleLoadDataEx;
            560 cuModuleLoadFatBinary;
            561 cuModuleUnload;
            562 cuMulticastAddDevice;
            563 cuMulticastBindAddr;
            564 cuMulticastBindAddr_v2;
            565 cuMulticastBindMem;
            566 cuMulticastBindMem_v2;
            567 cuMulticastCreate;
            568 cuMulticastGetGranularity;
            569 cuMulticastUnbind;
            570 cuOccupancyAvailableDynamicSMemPerBlock;
            571 cuOccupancyMaxActiveBlocksPerMultiprocessor;
            572 cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags;
            573 cuOccupancyMaxActiveClusters;
            574 cuOccupancyMaxPotentialBlockSize;
            575 cuOccupancyMaxPotentialBlockSizeWithFlags;
            576 cuOccupancyMaxPotentialClusterSize;
            577 cuParamSetSize;
            578 cuParamSetTexRef;
            579 cuParamSetf;
            580 cuParamSeti;
            581 cuParamSetv;
            582 cuPointerGetAttribute;
            583 cuPointerGetAttributes;
            584 cuPointerSetAttribute;
            585 cuProfilerInitialize;
            586 cuProfilerStart;
            587 cuProfilerStop;
            588 cuSignalExternalSemaphoresAsync;
            589 cuSignalExternalSemaphoresAsync_ptsz;
            590 cuStreamAddCallback;
            591 cuStreamAddCallback_ptsz;
            592 cuStreamAttachMemAsync;
            593 cuStreamAttachMemAsync_ptsz;
            594 cuStreamBatchMemOp;
            595 cuStreamBatchMemOp_ptsz;
            596 cuStreamBatchMemOp_v2;
            597 cuStreamBatchMemOp_v2_ptsz;
            598 cuStreamBeginCapture;
            599 cuStreamBeginCaptureToCig;
            600 cuStreamBeginCaptureToCig_ptsz;
            601 cuStreamBeginCaptureToGraph;
            602 cuStreamBeginCaptureToGraph_ptsz;
            603 cuStreamBeginCapture_ptsz;
            604 cuStreamBeginCapture_v2;
            605 cuStreamBeginCapture_v2_ptsz;
            606 cuStreamBeginRecaptureToGraph;
            607 cuStreamBeginRecaptureToGraph_ptsz;
            608 cuStreamCopyAttributes;
            609 cuStreamCopyAttributes_ptsz;
            610 cuStreamCreate;
            611 cuStreamCreateWithPriority;
            612 cuStreamDestroy;
            613 cuStreamDestroy_v2;
            614 cuStreamEndCapture;
            615 cuStreamEndCaptureToCig;
            616 cuStreamEndCaptureToCig_ptsz;
            617 cuStreamEndCapture_ptsz;
            618 cuStreamGetAttribute;
            619 cuStreamGetAttribute_ptsz;
            620 cuStreamGetCaptureInfo;
            621 cuStreamGetCaptureInfo_ptsz;
            622 cuStreamGetCaptureInfo_v2;
            623 cuStreamGetCaptureInfo_v2_ptsz;
            624 cuStreamGetCaptureInfo_v3;
            625 cuStreamGetCaptureInfo_v3_ptsz;
            626 cuStreamGetCtx;
            627 cuStreamGetCtx_ptsz;
            628 cuStreamGetCtx_v2;
            629 cuStreamGetCtx_v2_ptsz;
            630 cuStreamGetDevResource;
            631 cuStreamGetDevResource_ptsz;
            632 cuStreamGetDevice;
            633 cuStreamGetDevice_ptsz;
            634 cuStreamGetFlags;
            635 cuStreamGetFlags_ptsz;
            636 cuStreamGetGreenCtx;
            637 cuStreamGetId;
            638 cuStreamGetId_ptsz;
            639 cuStreamGetPriority;
            640 cuStreamGetPriority_ptsz;
            641 cuStreamIsCapturing;
            642 cuStreamIsCapturing_ptsz;
            643 cuStreamQuery;
            644 cuStreamQuery_ptsz;
            645 cuStreamSetAttribute;
            646 cuStreamSetAttribute_ptsz;
            647 cuStreamSynchronize;
            648 cuStreamSynchronize_ptsz;
            649 cuStreamUpdateCaptureDependencies;
            650 cuStreamUpdateCaptureDependencies_ptsz;
            651 cuStreamUpdateCaptureDependencies_v2;
            652 cuStreamUpdateCaptureDependencies_v2_ptsz;
            653 cuStreamWaitEvent;
            654 cuStreamWaitEvent_ptsz;
            655 cuStreamWaitValue32;
            656 cuStreamWaitValue32_ptsz;
            657 cuStreamWaitValue32_v2;
            658 cuStreamWaitValue32_v2_ptsz;
            659 cuStreamWaitValue64;
            660 cuStreamWaitValue64_ptsz;
            661 cuStreamWaitValue64_v2;
            662 cuStreamWaitValue64_v2_ptsz;
            663 cuStreamWriteValue32;
            664 cuStreamWriteValue32_ptsz;
            665 cuStreamWriteValue32_v2;
            666 cuStreamWriteValue32_v2_ptsz;
            667 cuStreamWriteValue64;
            668 cuStreamWriteValue64_ptsz;
            669 cuStreamWriteValue64_v2;
            670 cuStreamWriteValue64_v2_ptsz;
            671 cuSurfObjectCreate;
            672 cuSurfObjectDestroy;
            673 cuSurfObjectGetResourceDesc;
            674 cuSurfRefGetArray;
            675 cuSurfRefSetArray;
            676 cuTensorMapEncodeIm2col;
            677 cuTensorMapEncodeIm2colWide;
            678 cuTensorMapEncodeTiled;
            679 cuTensorMapReplaceAddress;
            680 cuTensorMapSetAllocationClass;
            681 cuTexObjectCreate;
            682 cuTexObjectDestroy;
            683 cuTexObjectGetResourceDesc;
            684 cuTexObjectGetResourceViewDesc;
            685 cuTexObjectGetTextureDesc;
            686 cuTexRefCreate;
            687 cuTexRefDestroy;
            688 cuTexRefGetAddress;
            689 cuTexRefGetAddressMode;
            690 cuTexRefGetAddress_v2;
            691 cuTexRefGetArray;
            692 cuTexRefGetBorderColor;
            693 cuTexRefGetFilterMode;
            694 cuTexRefGetFlags;
            695 cuTexRefGetFormat;
            696 cuTexRefGetMaxAnisotropy;
            697 cuTexRefGetMipmapFilterMode;
            698 cuTexRefGetMipmapLevelBias;
            699 cuTexRefGetMipmapLevelClamp;
            700 cuTexRefGetMipmappedArray;
            701 cuTexRefSetAddress;
            702 cuTexRefSetAddress2D;
            703 cuTexRefSetAddress2D_v2;
            704 cuTexRefSetAddress2D_v3;
            705 cuTexRefSetAddressMode;
            706 cuTexRefSetAddress_v2;
            707 cuTexRefSetArray;
            708 cuTexRefSetBorderColor;
            709 cuTexRefSetFilterMode;
            710 cuTexRefSetFlags;
            711 cuTexRefSetFormat;
            712 cuTexRefSetMaxAnisotropy;
            713 cuTexRefSetMipmapFilterMode;
            714 cuTexRefSetMipmapLevelBias;
            715 cuTexRefSetMipmapLevelClamp;
            716 cuTexRefSetMipmappedArray;
            717 cuThreadExchangeStreamCaptureMode;
            718 cuUserObjectCreate;
            719 cuUserObjectRelease;
            720 cuUserObjectRetain;
            721 cuVDPAUCtxCreate;
            722 cuVDPAUCtxCreate_v2;
            723 cuVDPAUGetDevice;
            724 cuWaitExternalSemaphoresAsync;
            725 cuWaitExternalSemaphoresAsync_ptsz;
            726 cuvidConvertYUVToRGB;
            727 cuvidConvertYUVToRGBArray;
            728 cuvidCreateDecoder;
            729 cuvidCreateVideoParser;
            730 cuvidCreateVideoSource;
            731 cuvidCreateVideoSourceW;
            732 cuvidCtxLock;
            733 cuvidCtxLockCreate;
            734 cuvidCtxLockDestroy;
            735 cuvidCtxUnlock;
            736 cuvidDecodePicture;
            737 cuvidDestroyDecoder;
            738 cuvidDestroyVideoParser;
            739 cuvidDestroyVideoSource;
            740 cuvidGetDecodeStatus;
            741 cuvidGetDecoderCaps;
            742 cuvidGetSourceAudioFormat;
            743 cuvidGetSourceVideoFormat;
            744 cuvidGetVideoSourceState;
            745 cuvidMapVideoFrame;
            746 cuvidMapVideoFrame64;
            747 cuvidParseVideoData;
            748 cuvidPrivateOp;
            749 cuvidReconfigureDecoder;
            750 cuvidSetVideoSourceState;
            751 cuvidUnmapVideoFrame;
            752 cuvidUnmapVideoFrame64;
        }
    };
}
pub(crate) use driver_names;

/// How many names there are: slots below this number are the driver's own.
pub const COUNT: usize = 753;

macro_rules! joined {
    ($($index:literal $name:ident;)*) => { concat!($(stringify!($name), "\0"),*) };
}

// One text and 16-bit places in it: a table of pointers would be relocated, and its pages
// copied, in every process that starts and every one that forks.
const TEXT: &str = driver_names!(joined);
static BYTES: [u8; TEXT.len()] = {
    let mut bytes = [0; TEXT.len()];
    bytes.copy_from_slice(TEXT.as_bytes());
    bytes
};
static PLACES: [u16; COUNT] = places();

const fn places() -> [u16; COUNT] {
    let mut places = [0; COUNT];
    let (mut at, mut found) = (0, 1);
    while found < COUNT {
        if TEXT.as_bytes()[at] == 0 {
            places[found] = (at + 1) as u16;
            found += 1;
        }
        at += 1;
    }
    places
}

const _: () = assert!(TEXT.len() <= u16::MAX as usize, "places are 16-bit");

/// The name of slot `index`; `None` from [`COUNT`] on.
pub fn name(index: usize) -> Option<&'static CStr> {
    let place = *PLACES.get(index)?;
    CStr::from_bytes_until_nul(&BYTES[usize::from(place)..]).ok()
}

/// The slot number of `name` (without its NUL).
pub fn index_of(name: &[u8]) -> Option<usize> {
    let mut range = 0..COUNT;
    while !range.is_empty() {
        let middle = range.start.midpoint(range.end);
        match self::name(middle)?.to_bytes().cmp(name) {
            Ordering::Less => range.start = middle + 1,
            Ordering::Equal => return Some(middle),
            Ordering::Greater => range.end = middle,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_unique() {
        for index in 1..COUNT {
            let (before, after) = (name(index - 1), name(index));
            assert!(before < after, "{before:?} before {after:?}");
        }
        assert_eq!(name(COUNT), None);
    }

    #[test]
    fn slot_numbers_are_places_in_the_table() {
        macro_rules! pairs {
            ($($index:literal $name:ident;)*) => { &[$(($index, stringify!($name))),*] };
        }
        static PAIRS: &[(usize, &str)] = driver_names!(pairs);
        assert_eq!(PAIRS.len(), COUNT);
        for (place, &(index, name)) in PAIRS.iter().enumerate() {
            assert_eq!(index, place);
            assert_eq!(
                super::name(place).map(CStr::to_bytes),
                Some(name.as_bytes())
            );
        }
    }

    #[test]
    fn leaves_room_for_other_names() {
        const { assert!(COUNT < 1400) };
    }

    #[test]
    fn finds_each_name_and_no_other() {
        for place in 0..COUNT {
            assert_eq!(
                name(place).and_then(|name| index_of(name.to_bytes())),
                Some(place)
            );
        }
        for other in [
            "",
            "cu",
            "cuBLASInit",
            "cuInit_v2",
            "cuInit\0",
            "cuInitX",
            "zz",
            "cublasCreate",
        ] {
            assert_eq!(index_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn knows_each_source() {
        // One name that only one of the four lists has, and the plainest ones.
        for name in [
            "cuInit",
            "cuGetProcAddress",
            "cuGetProcAddress_v2",
            "cuGetExportTable",
            "cuArray3DCreate_v2",
            "cuEGLApiInit",
            "cuCheckpointOperationComplete",
            "cuvidConvertYUVToRGB",
        ] {
            assert!(index_of(name.as_bytes()).is_some(), "{name}");
        }
    }
}
