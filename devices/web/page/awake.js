// A lock that keeps the screen on; null where the browser gives none, as to a page that is hidden.
export const stayAwake = async () => (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
