// The exported page: what this browser can do, then every configuration in turn, each in a worker of its own, then a card
// and a file of rows. Nothing is asked of any server but this folder's.

import { Presence } from "../page/awake.js";
import { battery, frameInterval, look } from "../page/features.js";
import { recommended } from "./card.js";
import { isolate } from "./isolate.js";
import { fetched, frames, truth } from "./packed.js";
import { job, places, steps } from "./plan.js";
import { fileName, newId, rowsFile } from "./rows.js";
import { trial } from "./trial.js";
import { BenchView } from "./view.js";

const view = new BenchView();
const cache = new Map();
const presence = new Presence();

begin().catch((error) => view.broken(error.message));

async function begin() {
  const [notIsolated, bytes, features] = await Promise.all([isolate(), fetched("manifest.json"), look()]);
  const manifest = JSON.parse(new TextDecoder().decode(bytes));
  const manifestSha256 = await sha256(bytes);
  view.ready(manifest, places(manifest.networks, features), notIsolated);
  for (;;) {
    const { chosen, minutes } = await view.pressed();
    const abort = new AbortController();
    view.onCancel(() => abort.abort(new Error("cancelled")));
    const facts = told(features);
    const began = Date.now();
    const todo = steps(manifest, chosen, minutes, features);
    view.began(facts, todo);
    facts.frame_ms = await frameInterval();
    view.facts(facts);
    const reference = manifest.networks.find((network) => network.reference !== null);
    const outcomes = await run(todo, manifest, reference, features, facts, abort.signal);
    const file = rowsFile({ id: newId(), began, facts, manifest, manifestSha256, reference, outcomes, cancelled: abort.signal.aborted });
    view.done(file, fileName(file), outcomes, reference);
    await view.againPressed();
  }
}

// An outcome of each measured step: { network, place, verified, began, ended, result, scored, rounds, reason }.
async function run(todo, manifest, reference, features, facts, signal) {
  await presence.begin();
  const outcomes = [];
  for (const step of todo) {
    if (signal.aborted) break;
    const measuring = step.kind === "measure";
    const outcome = measuring
      ? { network: step.network, place: step.place, began: Date.now() }
      : step.kind === "sustain"
        ? recommended(step.place, outcomes, reference)
        : outcomes.find(({ network, place }) => network === step.network && place === step.place);
    if (!measuring && !outcome?.result) {
      view.skipped();
      continue;
    }
    view.step(step, job(outcome.network, step.place, manifest));
    presence.look();
    try {
      if (measuring) Object.assign(outcome, await measure(step, manifest, features, signal));
      else if (step.kind === "compare") outcome.rounds = await compare(step, manifest, features, signal);
      else await sustain(outcome, step, manifest, features, signal);
    } catch (error) {
      // What is not the measurement itself leaves it alone when it fails or is cancelled.
      if (!signal.aborted) {
        if (measuring) outcome.reason = error.message;
        else outcome.result.environment.facts[`no_${step.kind}`] = error.message;
      } else if (measuring) break;
    }
    if (outcome.result) await note(outcome, facts);
    outcome.ended = Date.now();
    if (measuring) outcomes.push(outcome);
    view.stepped(outcomes);
  }
  await presence.end();
  return outcomes;
}

// Adds what the browser tells of the last step.
async function note({ result }, facts) {
  const known = result.environment.facts;
  const { hidden, wake_lock } = presence.facts;
  const now = { hidden: hidden || known.hidden === true, wake_lock: wake_lock && known.wake_lock !== false };
  Object.assign(known, facts, now, await battery());
}

async function measure({ network, place }, manifest, features, signal) {
  const own = await given(network, place, manifest);
  const labels = await once("truth", () => truth(manifest.sample.truth));
  const tell = (progress) => view.progress(own.job, progress, own.frames);
  const { result, scored } = await trial({ own, truth: labels, features }, signal, tell);
  return { result, scored, verified: own.verified };
}

async function compare({ network, reference, place }, manifest, features, signal) {
  const [own, other] = [await given(network, place, manifest), await given(reference, place, manifest)];
  return trial({ own, reference: other, rounds: manifest.rounds, features }, signal, (progress) => view.compared(progress));
}

// { job, model, frames, verified }: `verified` says whether the model's hash is the manifest's; null where a browser that
// is not on a secure page has no hash.
async function given(network, place, manifest) {
  const model = await once(network.file, () => fetched(network.file));
  const found = await once(`hash ${network.file}`, () => sha256(model));
  if (found !== null && found !== network.sha256) throw new Error(`${network.file} is not the file of the manifest`);
  const [, width] = network.resolution;
  const pictures = await once(network.frames, () => frames(network.frames, width));
  return { job: job(network, place, manifest), model, frames: pictures, verified: found === null ? null : true };
}

// Minutes of load; of a run that is cancelled the bins that are full are kept.
async function sustain(outcome, { place, minutes }, manifest, features, signal) {
  const own = await given(outcome.network, place, manifest);
  const bins = (outcome.result.sustained = []);
  await trial({ own, minutes, features }, signal, ({ bin }) => {
    bins.push(bin);
    view.loaded(bin, bins.length, Math.max(1, 6 * minutes));
  });
}

async function once(key, make) {
  if (!cache.has(key)) cache.set(key, make());
  try {
    return await cache.get(key);
  } catch (error) {
    cache.delete(key);
    throw error;
  }
}

async function sha256(bytes) {
  if (!crypto.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Flat, as rows have it.
function told({ threads, gpu, ...rest }) {
  return {
    ...rest,
    cores: threads.cores,
    isolated: self.crossOriginIsolated === true,
    gpu: gpu.name ?? gpu.missing,
    software_gpu: gpu.software ?? null,
  };
}
