/* Runs any TFLite model so that its instructions can be counted: `count MODEL FRAMES`, under an emulator with insn_count.c.
 *
 * What is counted is the inference alone. The inputs are random, float32 in [0, 1) and 8 bits over their whole range,
 * and are set before: copying them depends on the C library. One inference more goes first and is not counted, as
 * LiteRT allocates on it. A fault is one line on stderr and the exit code 1. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "frame_mark.h"
#include "litert.h"

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("count: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

/* The same values in every frame and every run. */
static void fill(int index, TfLiteTensor *input) {
    int type = TfLiteTensorType(input);
    size_t bytes = TfLiteTensorByteSize(input), step = type == kTfLiteFloat32 ? sizeof(float) : 1;
    if (type != kTfLiteFloat32 && type != kTfLiteInt8 && type != kTfLiteUInt8)
        die("input %d is of type %d; float32, int8 and uint8 are known", index, type);
    void *values = malloc(bytes);
    if (!values) die("out of memory for %zu bytes", bytes);
    uint32_t state = 1;
    for (size_t i = 0; i < bytes / step; i++) {
        state = state * 1664525u + 1013904223u;
        if (type == kTfLiteFloat32) ((float *)values)[i] = (state >> 8) / 16777216.0f;
        else ((uint8_t *)values)[i] = state >> 24;
    }
    if (TfLiteTensorCopyFromBuffer(input, values, bytes) != kTfLiteOk) die("LiteRT would not take input %d", index);
    free(values);
}

int main(int count, char **arguments) {
    int frames = count == 3 ? atoi(arguments[2]) : 0;
    if (frames < 1) die("usage: count MODEL FRAMES");
    TfLiteModel *model = TfLiteModelCreateFromFile(arguments[1]);
    if (!model) die("LiteRT cannot read the model");
    TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsSetNumThreads(options, 1);
    TfLiteInterpreter *interpreter = TfLiteInterpreterCreate(model, options);
    if (!interpreter) die("LiteRT cannot build an interpreter for the model");
    TfLiteXNNPackDelegateOptions xnnpack = TfLiteXNNPackDelegateOptionsDefault();
    xnnpack.num_threads = 1;
    if (TfLiteInterpreterModifyGraphWithDelegate(interpreter, TfLiteXNNPackDelegateCreate(&xnnpack)) != kTfLiteOk)
        die("XNNPACK would not take the network");
    if (TfLiteInterpreterAllocateTensors(interpreter) != kTfLiteOk) die("LiteRT cannot allocate the tensors");

    int inputs = TfLiteInterpreterGetInputTensorCount(interpreter);
    for (int frame = 0; frame <= frames; frame++) {
        for (int i = 0; i < inputs; i++) fill(i, TfLiteInterpreterGetInputTensor(interpreter, i));
        if (frame) prctl(FRAME_MARK, FRAME_BEGINS, 0, 0, 0);
        int fault = TfLiteInterpreterInvoke(interpreter);
        if (frame) prctl(FRAME_MARK, FRAME_ENDS, 0, 0, 0);
        if (fault != kTfLiteOk) die("LiteRT failed on a frame");
    }
    return 0;
}
