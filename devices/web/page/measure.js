// A job from beginning to end, in a worker of its own: devices/desktop/worker.py in JavaScript.
//
// What is scored is what was timed: the timed pass goes over every frame at least once and keeps its masks.

import { LABELS } from "./labels.js";
import { ModelLoop, unrepeated } from "./loop.js";
import { PipelineLoop, possible } from "./pipeline.js";
import { start } from "./runtime.js";
import { now, resolution, sample, sustain, warmUp } from "./timing.js";

const TELL_NS = 250e6;

// `model` and `frames` are bytes. `tell({ phase, done, of, fps, frame, mask })` is called some four times a second,
// between two samples. Resolves to { result, masks, labels }: a result of devices/contract.py, its masks as Float32Array,
// and, where `job.labels` asks for them, the shares (N, H, W, 9) of nine labels as Uint8ClampedArray, else null.
export async function measure(job, model, frames, features, tell) {
  tell({ phase: "loading" });
  const runtime = await start(job, features);
  const [session, loadNs] = await timed(() => runtime.open(model));
  const data = unrepeated(frames, job);
  const loop = new ModelLoop(session, data.frames, { ...job, ...data });
  const scored = frames.length / (3 * loop.pixels);
  loop.prepare();
  const [, firstNs] = await timed(() => loop.run());

  const warm = await warmUp(loop, job.counts, teller("warming up", 0));
  loop.rewind();
  if (job.labels) loop.keepLabels();
  const least = Math.max(job.counts.samples, scored);
  const modelNs = await sample(loop, { ...job.counts, samples: least }, teller("measuring the network", least));
  loop.note();
  const facts = { timer_resolution_ns: resolution() };
  let pipelineNs = [];
  if (possible()) {
    const pipeline = new PipelineLoop(session, data.frames, job);
    pipeline.prepare();
    await pipeline.run(); // The first resize allocates what the later ones use.
    pipelineNs = await sample(pipeline, job.counts, teller("measuring the pipeline", job.counts.samples));
  } else {
    facts.no_pipeline = "this browser has no canvas for workers";
  }
  const minutes = job.counts.sustained ?? 0;
  const masks = loop.masks.slice(0, scored * loop.pixels); // Of the timed pass: load goes over the frames again.
  const labels = loop.labels?.subarray(0, masks.length * LABELS.length) ?? null;
  loop.labels = null;
  const bins = minutes ? await sustain(loop, minutes, underLoad()) : null;
  await session.close();
  const result = {
    evidence: "measured",
    model_ns: modelNs,
    pipeline_ns: pipelineNs,
    load_ns: loadNs,
    first_ns: firstNs,
    warm_up: warm,
    placement: { requested: job.unit, ...session.facts },
    environment: { facts },
    ...(bins && { sustained: bins }),
  };
  return { result, masks, labels };

  function underLoad() {
    let done = 0;
    const of = Math.ceil(6 * minutes);
    return ({ frames, busy }) =>
      tell({ phase: "under load", done: ++done, of, fps: frames / busy, frame: loop.at, mask: loop.mask.slice() });
  }

  function teller(phase, of) {
    let last = 0;
    let recent = [];
    return (at, ns, done) => {
      recent.push(ns);
      if (at - last < TELL_NS) return;
      const fps = (1e9 * recent.length) / recent.reduce((sum, one) => sum + one, 0);
      tell({ phase, done, of, fps, frame: loop.at, mask: loop.mask.slice() });
      [last, recent] = [at, []];
    };
  }
}

// What `work` resolves to, and its nanoseconds.
async function timed(work) {
  const before = now();
  const made = await work();
  return [made, now() - before];
}
