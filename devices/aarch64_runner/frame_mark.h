/* How the runner tells an instruction counter where a frame begins and ends: prctl(FRAME_MARK, which), a system call
 * that no kernel knows and every kernel refuses without harm. insn_count.c watches for it. */
#ifndef FRAME_MARK_H
#define FRAME_MARK_H

enum { FRAME_MARK = 0x4652414d, FRAME_BEGINS = 1, FRAME_ENDS = 2 };

#endif
