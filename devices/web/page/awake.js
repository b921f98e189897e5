// A lock that keeps the screen on; null where the browser gives none, as to a page that is hidden.
export const stayAwake = async () => (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;

// Whether a page that measures stayed in front and awake. A browser takes the lock back when it hides the page.
export class Presence {
  hidden = false;
  lock = null;

  constructor() {
    document.addEventListener("visibilitychange", async () => {
      this.hidden ||= document.hidden;
      if (this.lock && !document.hidden) this.lock = await stayAwake();
    });
  }

  async begin() {
    this.lock = await stayAwake();
  }

  // Forget what was before.
  look() {
    this.hidden = document.hidden;
  }

  // Since `look`, as facts.
  get facts() {
    return { hidden: this.hidden, wake_lock: this.lock !== null && !this.lock.released };
  }

  async end() {
    await this.lock?.release();
    this.lock = null;
  }
}
