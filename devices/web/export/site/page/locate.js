// Where a runtime's WebAssembly is fetched from: it lies packed beside its address, and is unpacked in this browser.

import { unpacked } from "../bench/packed.js";

export async function locate(url) {
  const bytes = await unpacked(`${url}.gz`);
  return URL.createObjectURL(new Blob([bytes], { type: "application/wasm" }));
}
