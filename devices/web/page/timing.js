// When to stop warming up, and how to sample: devices/desktop/timing.py in JavaScript, its constants the same.
// One iteration is `prepare()`, untimed, then `await run()`. A clock returns nanoseconds.

const FAST = 0.1;
const SLOW = 0.005;
const TOLERANCE = 0.04;
const SIMILAR = 40;
const BIN_NS = 10e9;

export const now = () => Math.round(performance.now() * 1e6);

// The smallest step that the clock is seen to take: browsers round it, more so without cross-origin isolation.
export function resolution(clock = now, looks = 20) {
  let smallest = Infinity;
  for (let i = 0; i < looks; i++) {
    const before = clock();
    let after = clock();
    while (after === before) after = clock();
    smallest = Math.min(smallest, after - before);
  }
  return smallest;
}

// A fast moving average that has stayed near a slow one.
export class Convergence {
  iterations = 0;
  similar = 0;

  add(ns) {
    if (this.iterations === 0) this.fast = this.slow = ns;
    this.iterations += 1;
    this.fast += FAST * (ns - this.fast);
    this.slow += SLOW * (ns - this.slow);
    const near = Math.abs(this.fast - this.slow) < TOLERANCE * this.slow;
    this.similar = near ? this.similar + 1 : 0;
  }

  get reached() {
    return this.similar > SIMILAR;
  }
}

// Until converged and at least `counts.warm_up_least` times, but never beyond `counts.warm_up_seconds`.
export async function warmUp(loop, counts, between = () => {}, clock = now) {
  const state = new Convergence();
  const start = clock();
  for (;;) {
    loop.prepare();
    const before = clock();
    await loop.run();
    const after = clock();
    state.add(after - before);
    const seconds = (after - start) / 1e9;
    const converged = state.reached && state.iterations >= counts.warm_up_least;
    if (converged || seconds >= counts.warm_up_seconds) return { iterations: state.iterations, seconds, converged };
    between(after, after - before, state.iterations);
  }
}

// Nanoseconds of each `run`, until there are `counts.samples` of them AND `counts.seconds` have passed.
// `between(now, ns, taken)` is called between two samples, untimed.
export async function sample(loop, counts, between = () => {}, clock = now) {
  const samples = [];
  const end = clock() + counts.seconds * 1e9;
  for (;;) {
    loop.prepare();
    const before = clock();
    await loop.run();
    const after = clock();
    samples.push(after - before);
    if (samples.length >= counts.samples && after >= end) return samples;
    between(after, after - before, samples.length);
  }
}

// Without a pause for `minutes`, in bins { start, frames, busy } of ten seconds, in seconds: devices/sustained.py in
// JavaScript. `full(bin)` is called when one is, untimed.
export async function sustain(loop, minutes, full = () => {}, binNs = BIN_NS, clock = now) {
  const begun = clock();
  const bins = [];
  while (clock() - begun < minutes * 60e9) {
    const start = clock();
    const bin = { start: (start - begun) / 1e9, frames: 0, busy: 0 };
    while (clock() - start < binNs) {
      loop.prepare();
      const before = clock();
      await loop.run();
      bin.busy += (clock() - before) / 1e9;
      bin.frames += 1;
    }
    bins.push(bin);
    full(bin);
  }
  return bins;
}
