// What spoils a measurement: devices/web/phone.py names the same.

const COARSE = 0.02;
const SLOW_MS = 25;

const MEANINGS = {
  "headless": "A program drove this browser, without a screen.",
  "hidden-page": "The page was in the background for a while, where browsers slow down.",
  "coarse-timer": "One step of the browser's clock is more than 2 % of the time that it measured.",
  "software-gpu": "The processor computed WebGPU.",
  "slow-display": "The browser drew at most 40 pictures a second, as in a low-power mode.",
  "battery": "The phone ran on its battery.",
  "no-wake-lock": "The browser did not promise to keep the screen awake.",
  "not-isolated": "The page was not isolated: one thread, and a coarser clock.",
};

// Names of the hazards that the facts of a configuration show.
export function hazards(facts, medianNs, unit) {
  const shown = {
    "headless": /Headless/.test(facts.user_agent) || facts.automated === true,
    "hidden-page": facts.hidden === true,
    "coarse-timer": facts.timer_resolution_ns > COARSE * medianNs,
    "software-gpu": unit === "gpu" && facts.software_gpu === true,
    "slow-display": facts.frame_ms > SLOW_MS,
    "battery": facts.charging === false,
    "no-wake-lock": facts.wake_lock === false,
    "not-isolated": facts.isolated === false,
  };
  return Object.keys(shown).filter((name) => shown[name]);
}

export const meaning = (name) => MEANINGS[name];
