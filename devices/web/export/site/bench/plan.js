// What is measured: each network where it was asked for, beside the reference model.

import { missing } from "../page/runtime.js";

const MOST_THREADS = 4;

// Where networks may run, as { label, unit, threads, why }: `why` is the reason when this browser cannot, else null.
export function places(networks, features) {
  const cores = Math.min(MOST_THREADS, features.threads.cores);
  const all = [
    { label: "CPU, 1 thread", unit: "cpu", threads: 1 },
    ...(cores > 1 ? [{ label: `CPU, ${cores} threads`, unit: "cpu", threads: cores }] : []),
    { label: features.gpu.missing ? "GPU" : `GPU, ${features.gpu.name}`, unit: "gpu", threads: 1 },
  ];
  return all.map((place) => {
    const reasons = networks.map((network) => lacking(network, place, features));
    return { ...place, why: reasons.includes(null) ? null : reasons[0] };
  });
}

// Steps in order: { kind: "measure" | "compare" | "sustain", network, place, seconds }, `seconds` being what it takes about.
// What is put under `minutes` of load is decided when the rest was measured, so it has no network yet.
export function steps(manifest, chosen, minutes, features) {
  const { networks, counts } = manifest;
  const reference = networks.find((network) => network.reference !== null) ?? null;
  const able = (network, place) => network && !lacking(network, place, features);
  const made = [];
  for (const place of chosen) {
    for (const network of [reference, ...networks.filter((one) => one !== reference)]) {
      if (!able(network, place)) continue;
      made.push({ kind: "measure", network, place, seconds: 3 + counts.warm_up_seconds + 3 * counts.seconds });
      if (network !== reference && able(reference, place)) {
        made.push({ kind: "compare", network, reference, place, seconds: 9 });
      }
    }
  }
  if (minutes) made.push(...chosen.map((place) => ({ kind: "sustain", network: null, place, minutes, seconds: 60 * minutes + 3 })));
  return made;
}

// A job of ../page/measure.js.
export function job({ variant, format, precision, resolution }, { unit, threads }, { sample, counts }) {
  return { variant, format, precision, resolution, unit, threads, counts, sequences: sample.sequences };
}

function lacking(network, { unit, threads }, features) {
  if (network.format === "onnx" && unit === "gpu") return "this page runs ONNX on the CPU alone";
  return missing({ ...network, unit, threads }, features);
}
