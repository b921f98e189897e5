// A network beside the reference model, in one worker: rounds of four short series, so that a slow moment of the phone
// affects both equally.

import { ModelLoop, unrepeated } from "../page/loop.js";
import { start } from "../page/runtime.js";
import { now, sample, warmUp } from "../page/timing.js";
import { median } from "./statistics.js";

const LEAD_IN = 2; // Runs at the start of a series that are discarded: they fill the caches, which the other network used.
const WARM = { warm_up_least: 10, warm_up_seconds: 1 };

// `own` and `reference` are { job, model, frames }: a job of ../page/measure.js, bytes of a model, all frames. Resolves to
// [{ first, own: [ns, ...], reference: [ns, ...] }, ...]; in a round whose `first` is "own" the order is own, reference,
// reference, own, else the reverse.
export async function compare(own, reference, { rounds, samples, seconds }, features, tell) {
  const runtimes = new Map();
  const loops = { own: await open(own), reference: await open(reference) };
  for (const loop of Object.values(loops)) await warmUp(loop, WARM);
  const made = [];
  const end = now() + seconds * 1e9;
  while (made.length < rounds && now() < end) {
    // Each two rounds begin once with either, in random order.
    const again = made.length % 2 ? made[made.length - 1].first : null;
    const first = again ? other(again) : Math.random() < 0.5 ? "own" : "reference";
    const round = { first, own: [], reference: [] };
    for (const name of [first, other(first), other(first), first]) round[name].push(...(await series(loops[name], samples)));
    made.push(round);
    tell({ phase: "comparing with the reference model", done: made.length, of: rounds });
  }
  for (const loop of Object.values(loops)) await loop.session.close();
  return made;

  async function open({ job, model, frames }) {
    if (!runtimes.has(job.format)) runtimes.set(job.format, await start(job, features));
    const session = await runtimes.get(job.format).open(model);
    const data = unrepeated(frames, job);
    return new ModelLoop(session, data.frames, { ...job, ...data });
  }
}

const other = (name) => (name === "own" ? "reference" : "own");

async function series(loop, samples) {
  for (let i = 0; i < LEAD_IN; i++) {
    loop.prepare();
    await loop.run();
  }
  return sample(loop, { samples, seconds: 0 });
}

// Of each round how many times as fast as the reference model the network is: devices/ratio.py.
export function ratios(rounds) {
  return rounds.map(({ own, reference }) => level(reference) / level(own));
}

// The geometric mean of the medians of two unbroken series.
function level(ns) {
  const half = ns.length >> 1;
  return Math.sqrt(median(ns.slice(0, half)) * median(ns.slice(half)));
}
