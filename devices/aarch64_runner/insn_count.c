/* A TCG plugin for qemu-user: AArch64 instructions between the runner's marks, one line a frame into the file `out=`.
 *
 * Counts whole translation blocks as they begin. The runner has one thread while it is counted, and the marks are
 * system calls, which end a block: so the count is exact, and the same in every run.
 *
 * The plugin interface is declared here as qemu's include/qemu/qemu-plugin.h gives it, because Debian's package has no
 * headers. Only calls that never changed between its versions 1 (qemu 4.2 to 8) and later ones are used; the build says
 * which version to claim. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frame_mark.h"

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned vcpu, void *data), int flags, void *data);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned vcpu, int64_t number,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = PLUGIN_VERSION;

enum { SYS_PRCTL_AARCH64 = 167 };

static FILE *out;
static uint64_t instructions, at_begin;

static void block_runs(unsigned vcpu, void *size) {
    (void)vcpu;
    instructions += (uintptr_t)size;
}

static void block_is_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, block_runs, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void system_call(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t option, uint64_t which, uint64_t a3,
                        uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    (void)id, (void)vcpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != SYS_PRCTL_AARCH64 || option != FRAME_MARK) return;
    if (which == FRAME_BEGINS) at_begin = instructions;
    else fprintf(out, "%" PRIu64 "\n", instructions - at_begin), fflush(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments) {
    (void)info;
    if (count != 1 || strncmp(arguments[0], "out=", 4) || !(out = fopen(arguments[0] + 4, "w"))) {
        fputs("insn_count: out=FILE is needed and must be writable\n", stderr);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_is_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, system_call);
    return 0;
}
