// LiteRT.js: XNNPACK in WebAssembly, or WebGPU.

import { loadAndCompile, loadLiteRt, supportsFeature, Tensor } from "../packages/@litertjs/core/dist/index.js";
import { colours, mask } from "./described.js";
import { locate } from "./locate.js";
import { PACKAGES } from "./runtime.js";

const VERSION = "2.5.3";
const WASM = `${PACKAGES}@litertjs/core/wasm/`;

export async function start({ unit, threads, precision, resolution, described }) {
  const threaded = unit === "cpu" && threads > 1;
  // Without it, a network that WebGPU takes in part only falls back to WebAssembly whole.
  const jspi = unit === "gpu" && (await supportsFeature("jspi"));
  const relaxed = await supportsFeature("relaxedSimd");
  const build = !relaxed ? "compat_" : threaded ? "threaded_" : jspi ? "jspi_" : ""; // As loadLiteRt chooses.
  const wasm = await locate(`${WASM}litert_wasm_${build}internal.wasm`);
  // In a worker, Emscripten looks for its files beside the worker's script unless it is told.
  self.Module = {
    mainScriptUrlOrBlob: `${WASM}litert_wasm_threaded_internal.js`,
    locateFile: (name) => (name.endsWith(".wasm") ? wasm : WASM + name),
  };
  await loadLiteRt(WASM, { threads: threaded, jspi });
  return { open: (bytes) => open(bytes, { unit, threads, precision, relaxed, resolution, described }) };
}

async function open(bytes, { unit, threads, precision, relaxed, resolution, described }) {
  const wanted = unit === "gpu" ? "webgpu" : "wasm";
  const gpuPrecision = precision === "fp16" ? "fp16" : "fp32";
  const model = await loadAndCompile(bytes, {
    accelerator: wanted,
    cpuOptions: { numThreads: threads },
    gpuOptions: { precision: gpuPrecision },
  });
  if (model.options.accelerator !== wanted) throw new Error("WebGPU does not take this network; LiteRT.js fell back to the CPU");
  const simd = relaxed ? "relaxed SIMD" : "SIMD";
  const whole = model.isFullyAccelerated;
  const facts = {
    runtime: `LiteRT.js ${VERSION}`,
    actual: unit === "cpu" ? `XNNPACK in WebAssembly, ${simd}` : whole ? "WebGPU" : "WebGPU and, for the rest, WebAssembly",
    threads: unit === "cpu" ? threads : 1,
  };
  if (unit === "gpu") facts.gpu_precision = gpuPrecision;
  return described ? new DescribedSession(model, facts, resolution, described) : new Session(model, facts);
}

class Session {
  layout = "NHWC";

  constructor(model, facts) {
    this.model = model;
    this.facts = facts;
    this.inputs = model.getInputDetails();
    const frame = this.inputs.find(({ name }) => name === "frame");
    const known = this.inputs.every(({ name, dtype }) => ["frame", "prev_mask"].includes(name) && dtype === "float32");
    // [height, width]; null for a network that is not of the contract, or not in float32.
    this.resolution = frame && known ? [...frame.shape].slice(1, 3) : null;
    this.recurrent = this.inputs.some(({ name }) => name === "prev_mask");
    // Numbers a pixel: 1 for a mask.
    this.outputs = [...model.getOutputDetails()[0].shape].at(-1);
  }

  // Tensors live in WebAssembly's memory and are freed by hand.
  async run(frame, previous) {
    // What is not the previous mask is the frame, whatever a reference model calls it.
    const inputs = this.inputs.map(({ name, shape }) => new Tensor(name === "prev_mask" ? previous : frame, shape));
    const outputs = await this.model.run(inputs);
    const mask = await outputs[0].data();
    for (const tensor of [...inputs, ...outputs]) tensor.delete();
    return mask;
  }

  close() {
    this.model.delete();
  }
}

class DescribedSession extends Session {
  constructor(model, facts, resolution, described) {
    super(model, facts);
    Object.assign(this, { resolution, described, layout: described.layout, colours: colours(described) });
    this.recurrent = false;
    const names = model.getOutputDetails().map(({ name }) => name);
    this.which = described.output_name ? names.indexOf(described.output_name) : 0;
  }

  async run(frame) {
    const input = new Tensor(frame, this.inputs[0].shape);
    const outputs = await this.model.run([input]);
    const output = outputs[this.which];
    const data = await output.data();
    const dims = [...output.type.layout.dimensions];
    for (const tensor of [input, ...outputs]) tensor.delete();
    return mask(this.described, { data, dims }, this.resolution);
  }
}
