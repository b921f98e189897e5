// One configuration of a file of rows as a text that a QR code has room for: reports/short_row.py reads it back.

import { median } from "./statistics.js";

const PREFIX = "segbench1.";
const MODEL_SAMPLES = 25;
const PIPELINE_SAMPLES = 10;
const ROUNDS = 15;
const HASH = 16; // Digits of a hash: enough to tell the networks of one page apart.
const FACTS = [
  "user_agent", "model", "system", "automated", "memory_gb", "cores", "isolated", "gpu", "software_gpu",
  "timer_resolution_ns", "hidden", "wake_lock", "charging", "level", "frame_ms",
];

// `file` is that of rows.js, `one` a measured configuration of it. Samples are thinned evenly, in order, and rounded to
// microseconds; of each series of a round the median is kept, and figures have four decimals.
export async function shortText(file, one) {
  const { network, result, accuracy, rounds } = one;
  const facts = { ...file.facts, ...result.environment.facts };
  const { iterations, seconds, converged } = result.warm_up;
  const { runtime = "", actual = "" } = result.placement;
  const values = [
    file.id,
    one.began,
    one.ended,
    file.sample,
    [file.page.made, file.page.revision.slice(0, 12)],
    [file.counts.warm_up_least, file.counts.warm_up_seconds, file.counts.samples, file.counts.seconds],
    [network.variant, network.format, network.precision, ...network.resolution],
    [network.sha256.slice(0, HASH), network.data_sha256.slice(0, HASH)],
    [one.unit, one.threads, runtime, actual],
    FACTS.map((name) => facts[name] ?? null),
    [iterations, round(seconds, 2), converged],
    result.model_ns.length,
    thinned(result.model_ns, MODEL_SAMPLES).map(us),
    thinned(result.pipeline_ns, PIPELINE_SAMPLES).map(us),
    [us(result.load_ns), us(result.first_ns)],
    [1, 2].map((figure) => accuracy.per_image.map((image) => Math.round(1e4 * image[figure]))),
    accuracy.dtssd === null ? null : round(accuracy.dtssd, 3),
    rounds ? [rounds.reference.variant, rounds.reference.sha256.slice(0, HASH), thinned(rounds.rounds, ROUNDS).map(medians)] : null,
  ];
  return PREFIX + base64url(await deflated(JSON.stringify(values)));
}

// The code of `text` on `canvas`, dark on light with the quiet zone of four modules that readers need.
export async function drawCode(canvas, text) {
  const { qrcode } = await import("../packages/qrcode-generator/dist/qrcode.mjs");
  const code = qrcode(0, "L");
  code.addData(text, "Byte");
  code.make();
  const [count, quiet, side] = [code.getModuleCount(), 4, 4];
  canvas.width = canvas.height = side * (count + 2 * quiet);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#000";
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < count; column++) {
      if (code.isDark(row, column)) context.fillRect(side * (column + quiet), side * (row + quiet), side, side);
    }
  }
}

const us = (ns) => Math.round(ns / 1e3);
const round = (value, digits) => Number(value.toFixed(digits));

function thinned(values, most) {
  const count = Math.min(most, values.length);
  return Array.from({ length: count }, (_, n) => values[Math.floor((n * values.length) / count)]);
}

// [whether the network came first, median of its first and its second series, those of the reference model].
function medians({ first, own, reference }) {
  return [first === "own" ? 1 : 0, ...[own, reference].flatMap((ns) => [ns.slice(0, ns.length >> 1), ns.slice(ns.length >> 1)].map((series) => us(median(series))))];
}

async function deflated(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
