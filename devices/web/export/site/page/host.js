// What the camera's page asks for, from an exported folder: the networks of its manifest that the page can feed.

import { isolate } from "../bench/isolate.js";
import { fetched } from "../bench/packed.js";

export async function about() {
  await isolate();
  const { networks } = JSON.parse(new TextDecoder().decode(await fetched("manifest.json")));
  const own = networks.filter(({ format, reference }) => format === "tflite" && reference === null);
  if (!own.length) throw new Error("this page was exported without networks in TFLite, which its camera needs");
  return { networks: own.map(({ variant, precision, file }) => ({ name: precision === "fp32" ? variant : `${variant} ${precision}`, model: file })) };
}

export const bytes = async (path) => (await fetched(path)).buffer;
