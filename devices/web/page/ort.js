// ONNX Runtime Web: WebAssembly, or WebGPU; and an older build for browsers without SIMD.

import { colours, mask } from "./described.js";
import { locate } from "./locate.js";
import { PACKAGES, runScript } from "./runtime.js";

export async function start(options) {
  const ort = options.features.simd ? await current(options) : await plain();
  return { open: (bytes) => open(ort, bytes, options) };
}

async function current({ unit, threads }) {
  const dist = `${PACKAGES}onnxruntime-web/dist/`;
  const ort = await import(`${dist}ort.${unit === "gpu" ? "webgpu" : "wasm"}.min.mjs`);
  const name = `${dist}ort-wasm-simd-threaded`;
  ort.env.wasm.wasmPaths = unit === "gpu" ? dist : { mjs: `${name}.mjs`, wasm: await locate(`${name}.wasm`) };
  ort.env.wasm.numThreads = unit === "gpu" ? 1 : threads;
  return ort;
}

// The last version with a build that needs neither SIMD nor threads: for iPhone 7, whose Safari stops at iOS 15.
async function plain() {
  const dist = `${PACKAGES}onnxruntime-web-plain/dist/`;
  await runScript(`${dist}ort.wasm.min.js`);
  const ort = self.ort;
  ort.env.wasm.wasmPaths = dist;
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.simd = false;
  return ort;
}

async function open(ort, bytes, { unit, threads, resolution, features, described }) {
  const provider = unit === "gpu" ? "webgpu" : "wasm";
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [provider], intraOpNumThreads: threads });
  const facts = {
    runtime: `ONNX Runtime Web ${ort.env.versions.web}`,
    actual:
      unit === "gpu"
        ? "WebGPU; what it lacks runs in WebAssembly and is not told"
        : `WebAssembly, ${features.simd ? "SIMD" : "no SIMD"}`,
    threads: unit === "cpu" ? threads : 1,
  };
  return described
    ? new DescribedSession(ort, session, resolution, facts, described)
    : new Session(ort, session, resolution, facts);
}

class Session {
  layout = "NCHW";

  constructor(ort, session, resolution, facts) {
    this.ort = ort;
    this.session = session;
    this.resolution = resolution;
    this.facts = facts;
  }

  async run(frame, previous) {
    const { Tensor } = this.ort;
    const [height, width] = this.resolution;
    const feed = { frame: new Tensor("float32", frame, [1, 3, height, width]) };
    if (this.session.inputNames.includes("prev_mask")) {
      feed.prev_mask = new Tensor("float32", previous, [1, 1, height, width]);
    }
    const { mask } = await this.session.run(feed);
    return mask.data;
  }

  close() {
    return this.session.release();
  }
}

class DescribedSession extends Session {
  constructor(ort, session, resolution, facts, described) {
    super(ort, session, resolution, facts);
    Object.assign(this, { described, layout: described.layout, colours: colours(described) });
  }

  async run(frame) {
    const [height, width] = this.resolution;
    const shape = this.layout === "NCHW" ? [1, 3, height, width] : [1, height, width, 3];
    const name = this.described.input_name ?? this.session.inputNames[0];
    const outputs = await this.session.run({ [name]: new this.ort.Tensor("float32", frame, shape) });
    return mask(this.described, outputs[this.described.output_name ?? this.session.outputNames[0]], this.resolution);
  }
}
