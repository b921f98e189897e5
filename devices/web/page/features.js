// What this browser offers, and in a sentence why it lacks what it lacks.

// A function that takes a vector and returns it: a browser without SIMD finds it invalid.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 123, 1, 123, 3, 2, 1, 0, 10, 6, 1, 4, 0, 32, 0, 11];
// The same for relaxed SIMD (i8x16.relaxed_swizzle), which LiteRT.js needs for threads.
const RELAXED = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11];

export async function look() {
  return {
    simd: WebAssembly.validate(new Uint8Array(SIMD)),
    relaxed_simd: WebAssembly.validate(new Uint8Array(RELAXED)),
    threads: { cores: navigator.hardwareConcurrency ?? 1, missing: noThreads() },
    gpu: await gpu(),
    user_agent: navigator.userAgent,
    automated: navigator.webdriver === true,
    memory_gb: navigator.deviceMemory ?? null,
    ...(await brand()),
  };
}

function noThreads() {
  if (!isSecureContext) return "threads need an https address, or localhost";
  if (!crossOriginIsolated) return "this browser does not isolate the page (COOP and COEP), so it gives no threads";
  return null;
}

async function gpu() {
  if (!isSecureContext) return { missing: "WebGPU needs an https address, or localhost" };
  if (!navigator.gpu) return { missing: "this browser has no WebGPU" };
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) return { missing: "this browser has WebGPU but finds no graphics processor for it" };
  const { vendor, architecture, description } = adapter.info ?? {};
  const name = [vendor, architecture, description].filter(Boolean).join(" ") || "unnamed";
  return { missing: null, name, software: adapter.info?.isFallbackAdapter === true || /swiftshader|llvmpipe/i.test(name) };
}

// The model, which Chromium tells on Android when it is asked.
async function brand() {
  const told = await navigator.userAgentData?.getHighEntropyValues(["model", "platformVersion"]).catch(() => null);
  return told ? { model: told.model, system: `${told.platform} ${told.platformVersion}`.trim() } : {};
}

export async function battery() {
  const told = await navigator.getBattery?.().catch(() => null);
  return told ? { charging: told.charging, level: told.level } : null;
}

// The shortest time between two pictures that this browser draws, in ms: Safari draws 30 a second in low-power mode
// (WebKit bug 215745). null where it draws none, as in a page that is hidden.
export async function frameInterval(looks = 12, limitMs = 1500) {
  let shortest = Infinity;
  const drawn = (async () => {
    for (let before = null, n = 0; n < looks; n++) {
      const at = await new Promise(requestAnimationFrame);
      if (before !== null) shortest = Math.min(shortest, at - before);
      before = at;
    }
  })();
  await Promise.race([drawn, new Promise((resolve) => setTimeout(resolve, limitMs))]);
  return Number.isFinite(shortest) ? Math.round(10 * shortest) / 10 : null;
}
