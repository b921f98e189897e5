// One job a worker, so that each begins as fresh as a page does. Not a module: LiteRT.js calls importScripts, which a
// module refuses.

onmessage = async ({ data: { job, model, frames, features } }) => {
  try {
    const { measure } = await import("./measure.js");
    const tell = (progress) => postMessage({ progress });
    const answer = await measure(job, new Uint8Array(model), new Uint8Array(frames), features, tell);
    postMessage({ answer }, [answer.masks, answer.labels].filter(Boolean).map(({ buffer }) => buffer));
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
  }
};
