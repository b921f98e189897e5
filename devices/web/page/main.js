// The page: one button, then every configuration in turn, each in a worker of its own.

import { Presence } from "./awake.js";
import { battery, frameInterval, look } from "./features.js";
import * as host from "./host.js";
import { missing } from "./runtime.js";
import { View } from "./view.js";

const ALIVE_MS = 2000;

const view = new View();
const frames = new Map();
const presence = new Presence();

begin().catch((error) => view.broken(error.message));

async function begin() {
  const [{ cells }, features] = await Promise.all([host.plan(), look()]);
  view.ready(cells, features, cells.map((cell) => missing(cell, features)));
  // A page that died in the middle was loaded again by the browser: nobody pressed anything, so nobody needs to again.
  if (!host.takingPart()) await view.pressed();
  await run(cells, features);
}

async function run(cells, features) {
  await presence.begin();
  const power = { ...(await battery()), frame_ms: await frameInterval() };
  const { name, measured } = await host.join(told(features, power));
  view.began(name, measured);
  for (let job = await host.next(); job; job = await host.next()) {
    view.cell(job);
    presence.look();
    try {
      const { result, masks, labels } = await measure(job, features);
      Object.assign(result.environment.facts, presence.facts, await battery());
      view.sending();
      await host.answer(job.index, result, masks, labels);
      view.measured(job, result);
    } catch (error) {
      if (await host.alive(job.index)) await host.failure(job.index, error.message);
      view.failed(job, error.message);
    }
  }
  await presence.end();
  view.done();
}

// { result, masks, labels } from a worker; it is ended when the host has ended the configuration.
async function measure(job, features) {
  if (!frames.has(job.frames)) frames.set(job.frames, await host.bytes(job.frames));
  const picture = new Uint8Array(frames.get(job.frames));
  const model = await host.bytes(job.model);
  const worker = new Worker(new URL("worker.js", import.meta.url));
  let asking;
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message || "the browser could not start the worker"));
      worker.onmessage = ({ data: { progress, answer, failed } }) => {
        if (progress) view.progress(job, progress, picture);
        if (answer) resolve(answer);
        if (failed) reject(new Error(failed));
      };
      asking = setInterval(async () => {
        const goOn = await host.alive(job.index).catch(() => true);
        if (!goOn) reject(new Error("given up: it took too long"));
      }, ALIVE_MS);
      worker.postMessage({ job, model, frames: frames.get(job.frames), features }, [model]);
    });
  } finally {
    clearInterval(asking);
    worker.terminate();
  }
}

// Flat, as the host takes it.
function told({ simd, threads, gpu, ...rest }, power) {
  return {
    ...rest,
    simd,
    cores: threads.cores,
    isolated: self.crossOriginIsolated === true,
    gpu: gpu.name ?? gpu.missing,
    software_gpu: gpu.software ?? null,
    ...power,
  };
}
