// cuGetProcAddress in both of its forms, and the private tables of cuGetExportTable.
#include "driver.h"

#include <stdio.h>
#include <string.h>

CUresult cuGetProcAddress(const char *name, void **out, int version, uint64_t flags);
CUresult cuGetProcAddress_v2(const char *name, void **out, int version, uint64_t flags, int *status);

// Each function as a place: what it takes is declared where it is written.
#define F(name) extern const char at_##name[] __asm__(#name);
#define D(name)
#include "libcuda.def"
#undef F
#undef D

static const struct export {
    const char *name;
    void *address;
} exports[] = {
#define F(name) {#name, (void *)at_##name},
#define D(name)
#include "libcuda.def"
#undef F
#undef D
};

static void *exported(const char *name)
{
    size_t low = 0, high = sizeof exports / sizeof *exports;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, exports[middle].name);
        if (order == 0)
            return exports[middle].address;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

// The CUDA version from which a name is given, where it is not the rule's: 2000 for a bare name, 3020 for _v2.
static const struct {
    const char *name;
    int since;
} introduced[] = {
    {"cuCtxCreate_v3", 11040},          {"cuCtxCreate_v4", 12050},
    {"cuCtxDestroy_v2", 4000},          {"cuCtxGetDevice_v2", 13000},
    {"cuCtxPopCurrent_v2", 4000},       {"cuCtxPushCurrent_v2", 4000},
    {"cuCtxSynchronize_v2", 13000},     {"cuDeviceGetUuid", 9020},
    {"cuDeviceGetUuid_v2", 11040},      {"cuDevicePrimaryCtxGetState", 7000},
    {"cuDevicePrimaryCtxRelease", 7000}, {"cuDevicePrimaryCtxRelease_v2", 11000},
    {"cuDevicePrimaryCtxReset", 7000},  {"cuDevicePrimaryCtxReset_v2", 11000},
    {"cuDevicePrimaryCtxRetain", 7000}, {"cuDevicePrimaryCtxSetFlags", 7000},
    {"cuDevicePrimaryCtxSetFlags_v2", 11000}, {"cuEventDestroy_v2", 4000},
    {"cuEventElapsedTime_v2", 12080},   {"cuGetProcAddress", 11030},
    {"cuGetProcAddress_v2", 12000},     {"cuGraphAddKernelNode", 10000},
    {"cuGraphAddKernelNode_v2", 12000}, {"cuGraphAddNode", 12020},
    {"cuGraphAddNode_v2", 12030},       {"cuGraphExecUpdate", 10020},
    {"cuGraphExecUpdate_v2", 12000},    {"cuGraphGetEdges", 10000},
    {"cuGraphGetEdges_v2", 12030},      {"cuGraphInstantiate", 10000},
    {"cuGraphInstantiate_v2", 11000},   {"cuGraphKernelNodeGetParams_v2", 12000},
    {"cuGraphKernelNodeSetParams_v2", 12000}, {"cuIpcOpenMemHandle", 4010},
    {"cuIpcOpenMemHandle_v2", 11000},   {"cuLaunchHostFunc", 10000},
    {"cuLaunchKernel", 4000},           {"cuLaunchKernelEx", 11060},
    {"cuLinkAddData_v2", 6050},         {"cuLinkAddFile_v2", 6050},
    {"cuLinkCreate_v2", 6050},          {"cuMemAdvise", 8000},
    {"cuMemAdvise_v2", 12020},          {"cuMemHostRegister_v2", 6050},
    {"cuMemPrefetchAsync", 8000},       {"cuMemPrefetchAsync_v2", 12020},
    {"cuMemcpy3DBatchAsync", 12080},    {"cuMemcpy3DBatchAsync_v2", 13000},
    {"cuMemcpyBatchAsync", 12080},      {"cuMemcpyBatchAsync_v2", 13000},
    {"cuStreamBatchMemOp", 8000},       {"cuStreamBatchMemOp_v2", 11070},
    {"cuStreamBeginCapture", 10000},    {"cuStreamBeginCapture_v2", 10010},
    {"cuStreamDestroy_v2", 4000},       {"cuStreamGetCaptureInfo", 10010},
    {"cuStreamGetCaptureInfo_v2", 11030}, {"cuStreamGetCaptureInfo_v3", 12030},
    {"cuStreamGetCtx", 9020},           {"cuStreamGetCtx_v2", 12050},
    {"cuStreamWaitValue32_v2", 11070},  {"cuStreamWaitValue64_v2", 11070},
    {"cuStreamWriteValue32_v2", 11070}, {"cuStreamWriteValue64_v2", 11070},
    {"cuTexRefSetAddress2D_v3", 4010},
};

static int since(const char *name, int generation)
{
    for (size_t i = 0; i < sizeof introduced / sizeof *introduced; i++)
        if (strcmp(introduced[i].name, name) == 0)
            return introduced[i].since;
    return generation == 1 ? 2000 : generation == 2 ? 3020 : 11040;
}

enum { FOUND = 0, SYMBOL_NOT_FOUND = 1, VERSION_NOT_SUFFICIENT = 2, PER_THREAD_STREAM = 2 };

// Only a function's base name is known; its newest form that is not newer than `version` is what it stands for.
static int look_up(const char *base, void **out, int version, uint64_t flags)
{
    size_t length = strlen(base);
    *out = NULL;
    int is_base = strncmp(base, "cudbg", 5) != 0 && length < 100 && exported(base) &&
                  !(length > 3 && base[length - 3] == '_' && base[length - 2] == 'v') &&
                  !(length > 5 && strncmp(base + length - 5, "_pt", 3) == 0);
    if (!is_base)
        return SYMBOL_NOT_FOUND;
    for (int generation = 4; generation >= 1; generation--) {
        static const char *const suffixes[] = {"", "", "_v2", "_v3", "_v4"};
        char name[128], variant[144];
        snprintf(name, sizeof name, "%s%s", base, suffixes[generation]);
        void *plain = exported(name);
        if (!plain || since(name, generation) > version)
            continue;
        *out = plain;
        if (flags & PER_THREAD_STREAM) {
            static const char *const per_thread[] = {"_ptsz", "_ptds"};
            for (int i = 0; i < 2; i++) {
                snprintf(variant, sizeof variant, "%s%s", name, per_thread[i]);
                if (exported(variant))
                    *out = exported(variant);
            }
        }
        return FOUND;
    }
    return VERSION_NOT_SUFFICIENT;
}

CUresult cuGetProcAddress(const char *name, void **out, int version, uint64_t flags)
{
    if (!name || !out)
        return CUDA_ERROR_INVALID_VALUE;
    return look_up(name, out, version, flags) == FOUND ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult cuGetProcAddress_v2(const char *name, void **out, int version, uint64_t flags, int *status)
{
    if (!name || !out)
        return CUDA_ERROR_INVALID_VALUE;
    int found = look_up(name, out, version, flags);
    if (status)
        *status = found;
    return CUDA_SUCCESS;
}

// A table of private functions. The runtime library that gets it checks it and refuses to go on if it was changed
// or moved; the sum and the address that lie in it are there for that.
struct export_table {
    size_t size;
    const void *self;
    void *functions[6];
    uint64_t sum;
};

static CUresult private_function(void) { return stand_in_enter(); }

static struct export_table table = {
    .size = sizeof table,
    .self = &table,
    .functions = {(void *)private_function, (void *)cuGetProcAddress, (void *)cuGetProcAddress_v2,
                  (void *)stand_in_register, (void *)stand_in_registered, (void *)stand_in_primary},
};

static uint64_t sum_of(const struct export_table *t)
{
    uint64_t sum = t->size ^ (uintptr_t)t->self;
    for (int i = 0; i < 6; i++)
        sum = sum * 31 + (uintptr_t)t->functions[i];
    return sum;
}

CUresult cuGetExportTable(const void **out, const unsigned char uuid[16])
{
    if (!out || !uuid)
        return CUDA_ERROR_INVALID_VALUE;
    table.sum = sum_of(&table);
    *out = &table;
    return CUDA_SUCCESS;
}

// For the tests: what the table is, however it was come by.
const void *fake_cuda_export_table(void) { return &table; }
