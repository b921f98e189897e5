// Sustained speed, in bins of ten seconds.

import { ModelLoop, unrepeated } from "../page/loop.js";
import { start } from "../page/runtime.js";
import { sustain } from "../page/timing.js";

const BINS_A_MINUTE = 6;

// Runs the network without a pause for `minutes`; each bin { start, frames, busy }, in seconds, is told as soon as it is
// full.
export async function run({ job, model, frames }, minutes, features, tell) {
  const runtime = await start(job, features);
  const data = unrepeated(frames, job);
  const loop = new ModelLoop(await runtime.open(model), data.frames, { ...job, ...data });
  const bins = await sustain(loop, minutes, (bin) => tell({ bin }));
  await loop.session.close();
  return bins;
}

// Of bins of ten seconds the first and the last minute in FPS, and the share that is kept; null of less than two minutes.
export function kept(bins) {
  if (bins.length < 2 * BINS_A_MINUTE) return null;
  const [first, last] = [fps(bins.slice(0, BINS_A_MINUTE)), fps(bins.slice(-BINS_A_MINUTE))];
  return { first, last, share: last / first };
}

const sum = (bins, name) => bins.reduce((total, bin) => total + bin[name], 0);
export const fps = (bins) => sum(bins, "frames") / sum(bins, "busy");
