/* Measures one network on the device it runs on: `runner JOBFOLDER`.
 *
 * The job is job.txt, "name value" lines that devices/aarch64_runner/folder.py writes, beside the model and frames.u8
 * (N, H, W, 3) uint8 RGB. The answer is masks.f32 (N, H, W), of a network with labels also labels.u8 (N, H, W, labels),
 * shares of 255, and, renamed into place last, result.json as devices/contract.py describes it. A fault is one line on
 * stderr and no result.json.
 *
 * Scoring runs every frame once, the mask fed back and zeroed where a sequence begins. Measuring then warms up until
 * the time has converged and times two loops, as devices/desktop/worker.py does on the desktop: the model alone, from tensors
 * in ordinary memory to a mask there, and the pipeline, from a 1280x720 camera picture to a mask of that size.
 *
 * Run under qemu-aarch64 here; not yet run on a phone. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "frame_mark.h"
#include "litert.h"

enum { CAMERA_WIDTH = 1280, CAMERA_HEIGHT = 720, RING = 16, PATH = 256 };

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("runner: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

static void *allocate(size_t bytes) {
    void *memory = calloc(1, bytes);
    if (!memory) die("out of memory for %zu bytes", bytes);
    return memory;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- the job ---- */

typedef struct {
    char model[PATH];
    int height, width, frames, threads;
    int sequences, *lengths;
    unsigned long long cpus; /* one bit a processor; 0 leaves the choice to the kernel */
    bool measure;            /* false: score only, mark the frames for an instruction counter */
    float mean[3], std[3];   /* a tensor's channel is (value in [0, 1] - mean) / std */
    bool bgr;
    int channels, channel; /* of the output, and the person's */
    int logits;            /* 0 for none, 1 for the person's alone, 2 for those of two classes */
    bool inverted;
    bool labels;           /* the output's channels are the probabilities of labels, to be handed over */
    float whole;           /* what stands for a sure person where there are no logits */
    long warm_up_least, samples;
    double warm_up_seconds, seconds, sustained; /* the last in minutes */
} Job;

static Job read_job(void) {
    FILE *file = fopen("job.txt", "r");
    if (!file) die("job.txt: %s", strerror(errno));
    Job job = {.std = {1, 1, 1}, .channels = 1, .whole = 1};
    char name[32];
    while (fscanf(file, "%31s", name) == 1) {
        int read = 0, flag = 0;
        if (!strcmp(name, "model")) read = fscanf(file, "%255s", job.model);
        else if (!strcmp(name, "height")) read = fscanf(file, "%d", &job.height);
        else if (!strcmp(name, "width")) read = fscanf(file, "%d", &job.width);
        else if (!strcmp(name, "threads")) read = fscanf(file, "%d", &job.threads);
        else if (!strcmp(name, "cpus")) read = fscanf(file, "%llx", &job.cpus);
        else if (!strcmp(name, "measure")) read = fscanf(file, "%d", &flag), job.measure = flag;
        else if (!strcmp(name, "mean") || !strcmp(name, "std")) {
            float *three = name[0] == 'm' ? job.mean : job.std;
            read = fscanf(file, "%f %f %f", &three[0], &three[1], &three[2]) == 3;
        } else if (!strcmp(name, "bgr")) read = fscanf(file, "%d", &flag), job.bgr = flag;
        else if (!strcmp(name, "channels")) read = fscanf(file, "%d", &job.channels);
        else if (!strcmp(name, "channel")) read = fscanf(file, "%d", &job.channel);
        else if (!strcmp(name, "logits")) read = fscanf(file, "%d", &job.logits);
        else if (!strcmp(name, "inverted")) read = fscanf(file, "%d", &flag), job.inverted = flag;
        else if (!strcmp(name, "labels")) read = fscanf(file, "%d", &flag), job.labels = flag;
        else if (!strcmp(name, "whole")) read = fscanf(file, "%f", &job.whole);
        else if (!strcmp(name, "warm_up_least")) read = fscanf(file, "%ld", &job.warm_up_least);
        else if (!strcmp(name, "warm_up_seconds")) read = fscanf(file, "%lf", &job.warm_up_seconds);
        else if (!strcmp(name, "samples")) read = fscanf(file, "%ld", &job.samples);
        else if (!strcmp(name, "seconds")) read = fscanf(file, "%lf", &job.seconds);
        else if (!strcmp(name, "sustained")) read = fscanf(file, "%lf", &job.sustained);
        else if (!strcmp(name, "sequences")) {
            read = fscanf(file, "%d", &job.sequences);
            job.lengths = allocate(sizeof(int) * (job.sequences > 0 ? job.sequences : 1));
            for (int i = 0; i < job.sequences && read == 1; i++) {
                read = fscanf(file, "%d", &job.lengths[i]);
                job.frames += job.lengths[i];
            }
        }
        if (read != 1) die("job.txt: %s is unknown or has no value", name);
    }
    fclose(file);
    if (job.channels < 1 || (job.logits == 2 && job.channels != 2) || job.channel < 0 || job.channel >= job.channels) die("job.txt: no such channel");
    if (!job.model[0] || job.height < 1 || job.width < 1 || job.frames < 1 || job.threads < 1) die("job.txt: incomplete");
    return job;
}

static uint8_t *read_frames(const Job *job) {
    size_t bytes = (size_t)job->frames * job->height * job->width * 3;
    uint8_t *frames = allocate(bytes);
    FILE *file = fopen("frames.u8", "rb");
    if (!file) die("frames.u8: %s", strerror(errno));
    if (fread(frames, 1, bytes, file) != bytes || fgetc(file) != EOF) die("frames.u8 does not hold %d frames", job->frames);
    fclose(file);
    return frames;
}

static bool pin(unsigned long long cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu = 0; cpu < 64; cpu++)
        if (cpus >> cpu & 1) CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* ---- tensors: 8-bit ones are q = round(x / scale) + zero_point ---- */

typedef struct {
    int type;
    float scale;
    int zero_point;
    size_t count, bytes;
} Kind;

static Kind kind_of(const TfLiteTensor *tensor, const Job *job, int channels) {
    Kind kind = {.type = TfLiteTensorType(tensor), .bytes = TfLiteTensorByteSize(tensor)};
    TfLiteQuantizationParams quantization = TfLiteTensorQuantizationParams(tensor);
    kind.scale = quantization.scale;
    kind.zero_point = quantization.zero_point;
    kind.count = (size_t)job->height * job->width * channels;
    if (kind.type != kTfLiteFloat32 && kind.type != kTfLiteInt8 && kind.type != kTfLiteUInt8)
        die("the model has a tensor of type %d; float32, int8 and uint8 are known", kind.type);
    if (kind.type != kTfLiteFloat32 && kind.scale <= 0) die("the model has an 8-bit input or output without a scale");
    if (kind.bytes != kind.count * (kind.type == kTfLiteFloat32 ? 4 : 1))
        die("the model's tensor of %zu bytes is not %dx%d with %d channels", kind.bytes, job->height, job->width, channels);
    return kind;
}

static int quantise(float value, Kind kind) {
    int low = kind.type == kTfLiteInt8 ? -128 : 0;
    int q = (int)lrintf(value / kind.scale) + kind.zero_point;
    return q < low ? low : q > low + 255 ? low + 255 : q;
}

static float value_at(const void *tensor, Kind kind, size_t i) {
    if (kind.type == kTfLiteFloat32) return ((const float *)tensor)[i];
    int q = kind.type == kTfLiteInt8 ? ((const int8_t *)tensor)[i] : ((const uint8_t *)tensor)[i];
    return (q - kind.zero_point) * kind.scale;
}

static void put(void *tensor, Kind kind, size_t i, float value) {
    if (kind.type == kTfLiteFloat32) ((float *)tensor)[i] = value;
    else ((uint8_t *)tensor)[i] = (uint8_t)quantise(value, kind);
}

/* ---- the network ---- */

typedef struct {
    TfLiteInterpreter *interpreter;
    TfLiteTensor *frame_input, *prev_input; /* prev_input is NULL in a network without one */
    const TfLiteTensor *mask_output;
    Kind frame_kind, prev_kind, mask_kind;
    void *frame, *prev, *mask; /* ordinary memory, in the tensors' own types */
    bool same_masks;           /* the mask's bytes can be fed back as they are */
    float pixel[3][256];       /* a byte of a picture as the channel's float, or as its 8-bit code in `code` */
    uint8_t code[3][256];
    int order[3];              /* of a picture's channels in the tensor */
    size_t pixels;
    const Job *job;
    int operators, delegated, partitions;
} Network;

typedef struct {
    int operators, partitions;
} Census;

static int count_operators(TfLiteContext *context, TfLiteDelegate *delegate, void *data) {
    (void)delegate;
    Census *census = data;
    TfLiteIntArray *plan;
    if (TfLiteOpaqueContextGetExecutionPlan(context, &plan) != kTfLiteOk) return 1;
    for (int i = 0; i < plan->size; i++) {
        TfLiteNode *node;
        TfLiteOperator *operator;
        if (TfLiteOpaqueContextGetNodeAndRegistration(context, plan->data[i], &node, &operator) != kTfLiteOk) return 1;
        if (TfLiteOperatorGetBuiltInCode(operator) == kTfLiteBuiltinDelegate) census->partitions++;
        else census->operators++;
    }
    return kTfLiteOk;
}

static Census take_census(TfLiteInterpreter *interpreter) {
    Census census = {0};
    TfLiteOpaqueDelegateBuilder builder = {
        .data = &census, .Prepare = count_operators, .flags = kTfLiteDelegateFlagsAllowDynamicTensors};
    if (TfLiteInterpreterModifyGraphWithDelegate(interpreter, TfLiteOpaqueDelegateCreate(&builder)) != kTfLiteOk)
        die("LiteRT would not show its graph");
    return census;
}

static Network load(const Job *job) {
    Network n = {.job = job, .pixels = (size_t)job->height * job->width};
    for (int c = 0; c < 3; c++) n.order[c] = job->bgr ? 2 - c : c;
    TfLiteModel *model = TfLiteModelCreateFromFile(job->model);
    if (!model) die("LiteRT cannot read %s", job->model);
    TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsSetNumThreads(options, job->threads);
    n.interpreter = TfLiteInterpreterCreate(model, options);
    if (!n.interpreter) die("LiteRT cannot build an interpreter for %s", job->model);

    Census before = take_census(n.interpreter);
    /* The C API applies no delegate by itself: without this the network runs on the slow reference kernels. */
    TfLiteXNNPackDelegateOptions xnnpack = TfLiteXNNPackDelegateOptionsDefault();
    xnnpack.num_threads = job->threads;
    if (TfLiteInterpreterModifyGraphWithDelegate(n.interpreter, TfLiteXNNPackDelegateCreate(&xnnpack)) != kTfLiteOk)
        die("XNNPACK would not take the network");
    Census after = take_census(n.interpreter);
    n.operators = before.operators;
    n.delegated = before.operators - after.operators;
    n.partitions = after.partitions;

    if (TfLiteInterpreterAllocateTensors(n.interpreter) != kTfLiteOk) die("LiteRT cannot allocate the tensors");
    int inputs = TfLiteInterpreterGetInputTensorCount(n.interpreter);
    for (int i = 0; i < inputs; i++) {
        TfLiteTensor *input = TfLiteInterpreterGetInputTensor(n.interpreter, i);
        int channels = TfLiteTensorDim(input, TfLiteTensorNumDims(input) - 1);
        if (channels == 3) n.frame_input = input;
        else if (channels == 1) n.prev_input = input;
        else die("input %d has %d channels; a frame has 3 and a mask 1", i, channels);
    }
    if (!n.frame_input || TfLiteInterpreterGetOutputTensorCount(n.interpreter) != 1)
        die("the model does not map a frame and a mask to one mask");
    n.mask_output = TfLiteInterpreterGetOutputTensor(n.interpreter, 0);
    n.frame_kind = kind_of(n.frame_input, job, 3);
    n.mask_kind = kind_of(n.mask_output, job, job->channels);
    n.prev_kind = n.prev_input ? kind_of(n.prev_input, job, 1) : n.mask_kind;
    n.frame = allocate(n.frame_kind.bytes);
    n.prev = allocate(n.prev_kind.bytes);
    n.mask = allocate(n.mask_kind.bytes);
    n.same_masks = !job->labels && n.prev_kind.type == n.mask_kind.type && n.prev_kind.scale == n.mask_kind.scale &&
                   n.prev_kind.zero_point == n.mask_kind.zero_point;
    for (int c = 0; c < 3; c++)
        for (int byte = 0; byte < 256; byte++) {
            n.pixel[c][byte] = (byte / 255.0f - job->mean[c]) / job->std[c];
            if (n.frame_kind.type != kTfLiteFloat32) n.code[c][byte] = (uint8_t)quantise(n.pixel[c][byte], n.frame_kind);
        }
    return n;
}

static void clear_mask(Network *n) {
    for (size_t i = 0; i < n->prev_kind.count; i++) put(n->prev, n->prev_kind, i, 0.0f);
}

static void set_frame(Network *n, const uint8_t *picture) {
    const int a = n->order[0], b = n->order[2];
    float *real = n->frame;
    uint8_t *code = n->frame;
    if (n->frame_kind.type == kTfLiteFloat32)
        for (size_t i = 0; i < n->frame_kind.count; i += 3) {
            real[i] = n->pixel[0][picture[i + a]];
            real[i + 1] = n->pixel[1][picture[i + 1]];
            real[i + 2] = n->pixel[2][picture[i + b]];
        }
    else
        for (size_t i = 0; i < n->frame_kind.count; i += 3) {
            code[i] = n->code[0][picture[i + a]];
            code[i + 1] = n->code[1][picture[i + 1]];
            code[i + 2] = n->code[2][picture[i + b]];
        }
}

/* How sure the person is at pixel `i` of the mask, in [0, 1]: converters/reference_session.py's `person`. */
static float person_at(const Network *n, size_t i) {
    const Job *job = n->job;
    size_t first = i * job->channels;
    float value = value_at(n->mask, n->mask_kind, first + job->channel);
    if (job->logits) {
        if (job->logits == 2) value -= value_at(n->mask, n->mask_kind, first + 1 - job->channel);
        value = 1 / (1 + expf(-fminf(fmaxf(value, -80), 80)));
    } else value /= job->whole;
    return job->inverted ? 1 - value : value;
}

/* What is timed: n->frame and n->prev to n->mask, which is then the next n->prev. */
static void step(Network *n) {
    int fault = TfLiteTensorCopyFromBuffer(n->frame_input, n->frame, n->frame_kind.bytes);
    if (n->prev_input) fault |= TfLiteTensorCopyFromBuffer(n->prev_input, n->prev, n->prev_kind.bytes);
    fault |= TfLiteInterpreterInvoke(n->interpreter);
    fault |= TfLiteTensorCopyToBuffer(n->mask_output, n->mask, n->mask_kind.bytes);
    if (fault != kTfLiteOk) die("LiteRT failed on a frame");
    if (n->same_masks) memcpy(n->prev, n->mask, n->mask_kind.bytes);
    else if (n->job->labels)
        for (size_t i = 0; n->prev_input && i < n->pixels; i++) put(n->prev, n->prev_kind, i, person_at(n, i));
    else
        for (size_t i = 0; i < n->mask_kind.count; i++) put(n->prev, n->prev_kind, i, value_at(n->mask, n->mask_kind, i));
}

/* ---- scoring ---- */

static void score(Network *n, const Job *job, const uint8_t *frames) {
    FILE *file = fopen("masks.f32", "wb");
    if (!file) die("masks.f32: %s", strerror(errno));
    size_t pixels = n->pixels;
    float *mask = allocate(pixels * sizeof(float));
    size_t values = n->mask_kind.count;
    uint8_t *shares = allocate(values);
    FILE *labels = job->labels ? fopen("labels.u8", "wb") : NULL;
    if (job->labels && !labels) die("labels.u8: %s", strerror(errno));
    for (int sequence = 0, frame = 0; sequence < job->sequences; sequence++) {
        clear_mask(n);
        for (int end = frame + job->lengths[sequence]; frame < end; frame++) {
            set_frame(n, frames + (size_t)frame * pixels * 3);
            if (!job->measure) prctl(FRAME_MARK, FRAME_BEGINS, 0, 0, 0);
            step(n);
            if (!job->measure) prctl(FRAME_MARK, FRAME_ENDS, 0, 0, 0);
            for (size_t i = 0; i < pixels; i++) mask[i] = person_at(n, i);
            if (fwrite(mask, sizeof(float), pixels, file) != pixels) die("masks.f32: %s", strerror(errno));
            if (!labels) continue;
            for (size_t i = 0; i < values; i++)
                shares[i] = (uint8_t)lrintf(fminf(fmaxf(value_at(n->mask, n->mask_kind, i), 0), 1) * 255);
            if (fwrite(shares, 1, values, labels) != values) die("labels.u8: %s", strerror(errno));
        }
    }
    if (fclose(file)) die("masks.f32: %s", strerror(errno));
    if (labels && fclose(labels)) die("labels.u8: %s", strerror(errno));
    free(shares);
    free(mask);
}

/* ---- the camera's side ---- */

/* Where the output pixel `i` of `size` falls among `source` pixels: its left neighbour and 7 bits of the way right. */
static void place(int i, int size, int source, int *left, int *way) {
    double position = (i + 0.5) * source / size - 0.5;
    if (position < 0) position = 0;
    if (position > source - 1) position = source - 1;
    *left = (int)position < source - 1 ? (int)position : source > 1 ? source - 2 : 0;
    *way = (int)lrint((position - *left) * 128);
}

/* Bilinear, half-pixel centres: (sh, sw, channels) to (dh, dw, channels), bytes. */
static void resize(const uint8_t *source, int sh, int sw, uint8_t *out, int dh, int dw, int channels) {
    static uint16_t row[CAMERA_WIDTH * 3 * 4];
    static int left[CAMERA_WIDTH * 4], way[CAMERA_WIDTH * 4];
    int below_step = sh > 1 ? sw * channels : 0, right_step = sw > 1 ? channels : 0;
    for (int x = 0; x < dw; x++) place(x, dw, sw, &left[x], &way[x]);
    for (int y = 0; y < dh; y++) {
        int top, down;
        place(y, dh, sh, &top, &down);
        const uint8_t *above = source + (size_t)top * sw * channels, *below = above + below_step;
        for (int i = 0; i < sw * channels; i++) row[i] = (uint16_t)(above[i] * (128 - down) + below[i] * down);
        for (int x = 0; x < dw; x++) {
            const uint16_t *pixel = row + left[x] * channels;
            for (int c = 0; c < channels; c++)
                *out++ = (uint8_t)((pixel[c] * (128 - way[x]) + pixel[c + right_step] * way[x] + (1 << 13)) >> 14);
        }
    }
}

/* ---- timing: the rules of devices/desktop/timing.py ---- */

typedef struct {
    Network *network;
    const Job *job;
    const uint8_t *frames; /* a ring, at the network's size */
    uint8_t *camera;       /* the same ring at the camera's size */
    int ring, next;
    uint8_t *small, *mask, *full; /* the pipeline's pictures */
} Loop;

typedef struct {
    long iterations;
    double seconds;
    bool converged;
} WarmUp;

static size_t camera_bytes(void) { return (size_t)CAMERA_WIDTH * CAMERA_HEIGHT * 3; }

static Loop make_loop(Network *n, const Job *job, const uint8_t *frames) {
    Loop loop = {.network = n, .job = job, .frames = frames, .ring = job->frames < RING ? job->frames : RING};
    loop.camera = allocate(loop.ring * camera_bytes());
    for (int i = 0; i < loop.ring; i++)
        resize(frames + i * n->frame_kind.count, job->height, job->width, loop.camera + i * camera_bytes(), CAMERA_HEIGHT,
               CAMERA_WIDTH, 3);
    loop.small = allocate(n->frame_kind.count);
    loop.mask = allocate(n->pixels);
    loop.full = allocate((size_t)CAMERA_WIDTH * CAMERA_HEIGHT);
    return loop;
}

/* One iteration of the model alone; a fresh frame is laid out before the clock starts. */
static int64_t time_model(Loop *loop) {
    set_frame(loop->network, loop->frames + loop->next * loop->network->frame_kind.count);
    loop->next = (loop->next + 1) % loop->ring;
    int64_t start = now_ns();
    step(loop->network);
    return now_ns() - start;
}

/* One iteration of the pipeline: everything between the camera's picture and a mask of its size. */
static int64_t time_pipeline(Loop *loop) {
    Network *n = loop->network;
    const uint8_t *picture = loop->camera + loop->next * camera_bytes();
    loop->next = (loop->next + 1) % loop->ring;
    int64_t start = now_ns();
    resize(picture, CAMERA_HEIGHT, CAMERA_WIDTH, loop->small, loop->job->height, loop->job->width, 3);
    set_frame(n, loop->small);
    step(n);
    for (size_t i = 0; i < n->pixels; i++) {
        float value = person_at(n, i) * 255.0f + 0.5f;
        loop->mask[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    resize(loop->mask, loop->job->height, loop->job->width, loop->full, CAMERA_HEIGHT, CAMERA_WIDTH, 1);
    return now_ns() - start;
}

static WarmUp warm_up(Loop *loop) {
    double fast = 0, slow = 0;
    int similar = 0;
    WarmUp state = {0};
    int64_t start = now_ns();
    while (!state.converged && state.seconds < loop->job->warm_up_seconds) {
        double ns = (double)time_model(loop);
        if (state.iterations++ == 0) fast = slow = ns;
        fast += 0.1 * (ns - fast);
        slow += 0.005 * (ns - slow);
        similar = fabs(fast - slow) < 0.04 * slow ? similar + 1 : 0;
        state.converged = similar > 40 && state.iterations >= loop->job->warm_up_least;
        state.seconds = (now_ns() - start) / 1e9;
    }
    return state;
}

typedef struct {
    int64_t *ns;
    long count;
} Samples;

static Samples sample(Loop *loop, int64_t (*iteration)(Loop *)) {
    long room = loop->job->samples > 1024 ? loop->job->samples : 1024;
    Samples samples = {.ns = allocate(room * sizeof(int64_t))};
    int64_t end = now_ns() + (int64_t)(loop->job->seconds * 1e9);
    while (samples.count < loop->job->samples || now_ns() < end) {
        if (samples.count == room) {
            room *= 2;
            samples.ns = realloc(samples.ns, room * sizeof(int64_t));
            if (!samples.ns) die("out of memory for the samples");
        }
        samples.ns[samples.count++] = iteration(loop);
    }
    return samples;
}

/* ---- sustained speed: the rules of devices/sustained.py ---- */

enum { BIN_SECONDS = 10, ZONES = 64 };

/* The number in one of the kernel's files, or -1. */
static long read_number(const char *path) {
    long value = -1;
    FILE *file = fopen(path, "r");
    if (!file) return -1;
    if (fscanf(file, "%ld", &value) != 1) value = -1;
    fclose(file);
    return value;
}

/* The clock of the processor that this runs on, and the hottest zone, where the device tells them. */
static void write_state(FILE *file) {
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", sched_getcpu());
    long khz = read_number(path), hottest = -1;
    for (int zone = 0; zone < ZONES; zone++) {
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/temp", zone);
        long millidegrees = read_number(path);
        if (millidegrees > hottest && millidegrees < 150000) hottest = millidegrees;
    }
    if (khz > 0) fprintf(file, ", \"frequency_mhz\": %ld", khz / 1000);
    if (hottest > 0) fprintf(file, ", \"temperature_c\": %.1f", hottest / 1000.0);
}

static void write_sustained(FILE *file, Loop *loop) {
    fputs(" \"sustained\": [", file);
    int64_t begun = now_ns(), end = begun + (int64_t)(loop->job->sustained * 60e9);
    for (bool first = true; now_ns() < end; first = false) {
        int64_t start = now_ns(), busy = 0;
        long frames = 0;
        for (; now_ns() - start < BIN_SECONDS * INT64_C(1000000000); frames++) busy += time_model(loop);
        fprintf(file, "%s{\"start\": %.3f, \"frames\": %ld, \"busy\": %.6f", first ? "" : ", ", (start - begun) / 1e9, frames,
                busy / 1e9);
        write_state(file);
        fputc('}', file);
    }
    fputs("],\n", file);
}

/* ---- the answer ---- */

static void write_samples(FILE *file, const char *name, Samples samples) {
    fprintf(file, " \"%s\": [", name);
    for (long i = 0; i < samples.count; i++) fprintf(file, "%s%lld", i ? ", " : "", (long long)samples.ns[i]);
    fputs("],\n", file);
}

int main(int count, char **arguments) {
    if (count != 2 || chdir(arguments[1])) die("usage: runner JOBFOLDER");
    Job job = read_job();
    uint8_t *frames = read_frames(&job);
    bool pinned = job.cpus && pin(job.cpus);

    int64_t start = now_ns();
    Network network = load(&job);
    int64_t load_ns = now_ns() - start;
    clear_mask(&network);
    set_frame(&network, frames);
    start = now_ns();
    step(&network);
    int64_t first_ns = now_ns() - start;
    score(&network, &job, frames);

    FILE *file = fopen("result.json.part", "w");
    if (!file) die("result.json: %s", strerror(errno));
    fprintf(file, "{\"evidence\": \"%s\",\n", job.measure ? "measured" : "emulated");
    if (job.measure) {
        Loop loop = make_loop(&network, &job, frames);
        WarmUp warm = warm_up(&loop);
        write_samples(file, "model_ns", sample(&loop, time_model));
        write_samples(file, "pipeline_ns", sample(&loop, time_pipeline));
        if (job.sustained > 0) write_sustained(file, &loop);
        fprintf(file, " \"load_ns\": %lld, \"first_ns\": %lld,\n", (long long)load_ns, (long long)first_ns);
        fprintf(file, " \"warm_up\": {\"iterations\": %ld, \"seconds\": %.6f, \"converged\": %s},\n", warm.iterations,
                warm.seconds, warm.converged ? "true" : "false");
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        fprintf(file, " \"peak_memory_bytes\": %lld,\n", usage.ru_maxrss * 1024LL);
    }
    fprintf(file, " \"placement\": {\"runtime\": \"LiteRT 1.4.0 (TensorFlow Lite %s)\", \"requested\": \"cpu\",\n", TfLiteVersion());
    fprintf(file, "  \"actual\": \"%s\", \"delegated\": %d, \"ops\": %d, \"partitions\": %d},\n",
            network.delegated == network.operators ? "XNNPACK" : network.delegated ? "XNNPACK and reference kernels" : "reference kernels",
            network.delegated, network.operators, network.partitions);
    fprintf(file, " \"environment\": {\"facts\": {\"cpus\": \"%llx\", \"pinned\": %s}, \"hazards\": []},\n", job.cpus,
            pinned ? "true" : "false");
    fputs(" \"end\": \"done\"}\n", file);
    if (fclose(file) || rename("result.json.part", "result.json")) die("result.json: %s", strerror(errno));
    return 0;
}
