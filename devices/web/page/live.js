// The camera's page: each frame is read, cut out and put before another background before the next one is looked at,
// so that mask and picture are always of the same moment.

import { stayAwake } from "./awake.js";
import { nextFrame, openCamera } from "./camera.js";
import { Compositor } from "./compositor.js";
import { look } from "./features.js";
import { about, bytes } from "./host.js";
import { View } from "./live-view.js";
import { Meter } from "./meter.js";
import { Network } from "./network.js";
import { missing } from "./runtime.js";
import { Segmenter } from "./segmenter.js";

const MOST_THREADS = 4;

const view = new View();
const meter = new Meter();
let segmenter;
let compositor;
let camera = null;
let facing = "user";
let lock = null;
let wanted = false;   // Whether the next picture is to be saved.
let turn = 0;   // A loop of another turn than this one has to end.

begin().catch((error) => view.unable(error.message));

async function begin() {
  const [features, { networks }] = await Promise.all([look(), about()]);
  const choices = units(features);
  if (!choices.length) throw new Error(missing({ format: "tflite", unit: "cpu", threads: 1 }, features));
  view.units(choices);
  view.networks(networks);
  let used = { unit: 0, network: 0 };
  await use(used);
  compositor = new Compositor(view.canvas, segmenter.network.resolution);
  view.canvas.addEventListener("webglcontextlost", () => stop("The browser took the graphics processor back. Load the page again."));
  view.on("start", "click", film);
  view.on("turn", "click", () => {
    facing = facing === "user" ? "environment" : "user";
    film();
  });
  view.on("file", "change", async () => {
    const bitmap = await view.picture();
    if (bitmap) compositor.setPicture(bitmap);
  });
  for (const select of ["unit", "choice"]) view.on(select, "change", change);
  view.on("snapshot", "click", () => (wanted = true));
  document.addEventListener("visibilitychange", seenAgain);
  view.ready();

  async function change() {
    turn += 1;
    view.complain("");
    try {
      await use(view.choice);
      used = view.choice;
    } catch (error) {
      view.complain(error.message);
      await use((view.choice = used));
    }
    compositor.setResolution(segmenter.network.resolution);
    if (camera) run();
  }

  // Have the network of a choice where it says.
  async function use({ unit, network: index }) {
    segmenter?.network.close();
    view.loading();
    const { name, model } = networks[index];
    const network = await Network.open(await bytes(model), choices[unit].job, features);
    segmenter = new Segmenter(network);
    const { actual, runtime } = network.facts;
    view.previous(network.recurrent);
    view.labelled(segmenter.labelled);
    view.loaded(`${name}, ${network.resolution.join("×")}. ${actual}, ${runtime}.`);
  }
}

// Where this browser can run a network, the usual choice first.
function units(features) {
  const threads = features.threads.missing ? 1 : Math.min(MOST_THREADS, features.threads.cores);
  const all = [
    { label: threads > 1 ? `CPU, ${threads} threads` : "CPU", job: { unit: "cpu", threads } },
    { label: "CPU, 1 thread", job: { unit: "cpu", threads: 1 } },
    { label: `GPU, ${features.gpu.name}`, job: { unit: "gpu", threads: 1 } },
  ];
  const able = all.filter(({ job }) => !missing({ format: "tflite", precision: "fp32", ...job }, features));
  return threads > 1 ? able : able.filter(({ label }) => label !== "CPU, 1 thread");
}

async function film() {
  turn += 1;
  camera?.stop();
  view.asking();
  try {
    camera = await openCamera(view.video, facing, stop);
  } catch (error) {
    stop(error.message);
    return;
  }
  lock = await stayAwake();
  view.live(camera);
  run();
}

async function run() {
  const mine = ++turn;
  segmenter.reset();
  meter.reset();
  try {
    for (;;) {
      await nextFrame(view.video);
      if (mine !== turn) return;
      segmenter.feedback = view.feedback;
      const start = performance.now();
      const frame = compositor.read(view.video);
      const seen = performance.now();
      const mask = await segmenter.mask(frame, compositor.size);
      if (mine !== turn) return;
      const cut = performance.now();
      compositor.draw(mask, view.look, segmenter.labels);
      // At once: what a browser has shown is no longer in the canvas.
      if (wanted) view.save(view.canvas);
      wanted = false;
      const end = performance.now();
      meter.note(end, { read: seen - start, network: cut - seen, composite: end - cut });
      view.figures(end, meter);
    }
  } catch (error) {
    if (mine === turn) stop(error.message);
  }
}

// Browsers give a page that is hidden no frames; the mask of before is no previous mask any more.
async function seenAgain() {
  if (document.hidden || !camera) return;
  segmenter.reset();
  meter.reset();
  lock = await stayAwake();
}

function stop(reason) {
  turn += 1;
  camera?.stop();
  camera = null;
  lock?.release();
  lock = null;
  view.stopped(reason);
}
