/* The part of the TensorFlow Lite C API that the runner calls, declared as LiteRT 1.4.0 exports it.
 *
 * The wheel of ai-edge-litert holds the library and no headers. Names, argument types and values are those of
 * tflite/core/c/{c_api,c_api_types,c_api_opaque,common}.h and tflite/delegates/xnnpack/xnnpack_delegate.h in
 * github.com/google-ai-edge/LiteRT (Apache-2.0). Handles are incomplete structs: nothing here reads their inside. */
#ifndef LITERT_H
#define LITERT_H

#include <stddef.h>
#include <stdint.h>

enum { kTfLiteOk = 0 };
enum { kTfLiteFloat32 = 1, kTfLiteUInt8 = 3, kTfLiteInt8 = 9 };
enum { kTfLiteBuiltinDelegate = 51 };
enum { kTfLiteDelegateFlagsAllowDynamicTensors = 1 };

typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteTensor TfLiteTensor;
typedef struct TfLiteDelegate TfLiteDelegate;
typedef struct TfLiteContext TfLiteContext;
typedef struct TfLiteNode TfLiteNode;
typedef struct TfLiteOperator TfLiteOperator;
typedef struct { float scale; int32_t zero_point; } TfLiteQuantizationParams;
typedef struct { int size; int data[]; } TfLiteIntArray;

const char *TfLiteVersion(void);
TfLiteModel *TfLiteModelCreateFromFile(const char *path);
TfLiteInterpreterOptions *TfLiteInterpreterOptionsCreate(void);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions *, int32_t threads);
TfLiteInterpreter *TfLiteInterpreterCreate(const TfLiteModel *, const TfLiteInterpreterOptions *);
int TfLiteInterpreterAllocateTensors(TfLiteInterpreter *);
int TfLiteInterpreterInvoke(TfLiteInterpreter *);
int TfLiteInterpreterModifyGraphWithDelegate(TfLiteInterpreter *, TfLiteDelegate *);
int32_t TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter *);
TfLiteTensor *TfLiteInterpreterGetInputTensor(const TfLiteInterpreter *, int32_t index);
int32_t TfLiteInterpreterGetOutputTensorCount(const TfLiteInterpreter *);
const TfLiteTensor *TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter *, int32_t index);
int TfLiteTensorType(const TfLiteTensor *);
int32_t TfLiteTensorNumDims(const TfLiteTensor *);
int32_t TfLiteTensorDim(const TfLiteTensor *, int32_t index);
size_t TfLiteTensorByteSize(const TfLiteTensor *);
TfLiteQuantizationParams TfLiteTensorQuantizationParams(const TfLiteTensor *);
int TfLiteTensorCopyFromBuffer(TfLiteTensor *, const void *, size_t bytes);
int TfLiteTensorCopyToBuffer(const TfLiteTensor *, void *, size_t bytes);

/* A delegate of our own that takes no operator and only looks at the graph. */
typedef struct {
    void *data;
    int (*Prepare)(TfLiteContext *, TfLiteDelegate *, void *data);
    int (*CopyFromBufferHandle)(TfLiteContext *, TfLiteDelegate *, void *data, int handle, TfLiteTensor *);
    int (*CopyToBufferHandle)(TfLiteContext *, TfLiteDelegate *, void *data, int handle, TfLiteTensor *);
    void (*FreeBufferHandle)(TfLiteContext *, TfLiteDelegate *, void *data, int *handle);
    int64_t flags;
} TfLiteOpaqueDelegateBuilder;

TfLiteDelegate *TfLiteOpaqueDelegateCreate(const TfLiteOpaqueDelegateBuilder *);
int TfLiteOpaqueContextGetExecutionPlan(TfLiteContext *, TfLiteIntArray **plan);
int TfLiteOpaqueContextGetNodeAndRegistration(TfLiteContext *, int node, TfLiteNode **, TfLiteOperator **);
int TfLiteOperatorGetBuiltInCode(const TfLiteOperator *);

/* Returned by value, so this must not be smaller than the library's own: the room at the end sees to that. */
typedef struct {
    int32_t num_threads;
    uint32_t runtime_flags;
    uint32_t flags;
    unsigned char rest[244];
} TfLiteXNNPackDelegateOptions;

TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
TfLiteDelegate *TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions *);

#endif
