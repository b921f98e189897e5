// The other side of network.js. Not a module: LiteRT.js calls importScripts, which a module refuses.

let session;
let input;

onmessage = async ({ data: { open, frame, previous } }) => {
  try {
    postMessage({ answer: open ? await begin(open) : await session.run(lay(frame), previous) });
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
  }
};

async function begin({ model, job, features }) {
  const { start } = await import("./runtime.js");
  const runtime = await start({ format: "tflite", precision: "fp32", ...job }, features);
  session = await runtime.open(new Uint8Array(model));
  if (!session.resolution) throw new Error("this network does not take frame and prev_mask as float32, as those of this project do");
  const [height, width] = session.resolution;
  input = new Float32Array(3 * height * width);
  const { resolution, recurrent, outputs, facts } = session;
  return { resolution, recurrent, outputs, facts };
}

// RGBA uint8 to RGB float32 in [0, 1].
function lay(frame) {
  for (let i = 0, at = 0; i < frame.length; i += 4) {
    input[at++] = frame[i] / 255;
    input[at++] = frame[i + 1] / 255;
    input[at++] = frame[i + 2] / 255;
  }
  return input;
}
