// The runtimes, the same to their callers: a runtime is started once, then opens a model.
//
//   const runtime = await start(job, features);  // fetches and compiles the runtime, once a worker
//   const session = await runtime.open(bytes);   // what `load_ns` times
//   const mask = await session.run(frame, previous);   // what `model_ns` times
//
// `session.layout` is NHWC or NCHW; frame, previous mask and mask are Float32Array in [0, 1], in ordinary memory. A network
// with labels gives their nine probabilities in place of the mask, in its layout: `personIn` of labels.js takes both. The
// frame of a model that is not ours is scaled as `session.colours` say (described.js); `job.described` is its description.
// `session.facts` says in flat words how it runs. Works in a worker and in a page; of LiteRT.js there is one in each.

export const PACKAGES = new URL("../packages/", import.meta.url).href;

const STARTERS = {
  tflite: () => import("./litert.js"),
  onnx: () => import("./ort.js"),
};

export async function start(job, features) {
  const why = missing(job, features);
  if (why) throw new Error(why);
  return (await STARTERS[job.format]()).start({ ...job, features });
}

// Why this browser cannot run `job`; null when it can. Of the job count format, precision, unit, threads and described.
export function missing({ format, precision, unit, threads, described }, features) {
  if (!(format in STARTERS)) return `a browser runs ${Object.keys(STARTERS).join(" and ")}, not ${format}`;
  if (described?.refused) return described.refused;
  if (unit === "npu") return "browsers give no access to the NPU";
  if (unit === "gpu" && features.gpu.missing) return features.gpu.missing;
  if (format === "tflite" && !features.simd) return "this browser has no WebAssembly SIMD, which LiteRT.js needs";
  if (format === "tflite" && precision === "int8") return "LiteRT.js 2.5.3 takes no int8 tensors";
  if (unit === "cpu" && threads > 1 && features.threads.missing) return features.threads.missing;
  if (format === "tflite" && unit === "cpu" && threads > 1 && !features.relaxed_simd) {
    return "this browser has no relaxed SIMD in WebAssembly, without which LiteRT.js gives no threads";
  }
  return null;
}

// Runs a script that is no module, in a page or in a classic worker.
export async function runScript(url) {
  if (typeof document === "undefined") return importScripts(url);
  const script = document.createElement("script");
  script.src = url;
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${url} could not be loaded`));
    document.head.append(script);
  });
}
