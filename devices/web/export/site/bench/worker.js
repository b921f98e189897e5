// One configuration a worker, so that each begins as fresh as a page does. Not a module: LiteRT.js calls importScripts,
// which a module refuses.

onmessage = async ({ data }) => {
  const tell = (progress) => postMessage({ progress });
  try {
    const work = data.minutes ? sustained : data.reference ? compared : measured;
    postMessage({ answer: await work(data, tell) });
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
  }
};

// The result of ../page/measure.js, and the figures of its masks.
async function measured({ own, features, truth }, tell) {
  const [{ measure }, { score }] = await Promise.all([import("../page/measure.js"), import("./metrics.js")]);
  const { result, masks } = await measure(own.job, own.model, own.frames, features, tell);
  tell({ phase: "judging the masks" });
  return { result, scored: score(masks, own.job.resolution, truth, own.job.sequences) };
}

async function compared({ own, reference, rounds, features }, tell) {
  const { compare } = await import("./rounds.js");
  return compare(own, reference, rounds, features, tell);
}

async function sustained({ own, minutes, features }, tell) {
  const { run } = await import("./sustained.js");
  return run(own, minutes, features, tell);
}
