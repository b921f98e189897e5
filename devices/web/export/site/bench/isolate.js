// Isolation where the server sets no headers: the service worker sets them, and the page is loaded once more.

const TRIED = "isolation";
const WAIT_MS = 4000;

// Resolves to null when the page is isolated, else to the reason why not, in a sentence. Reloads the page at most once.
export async function isolate() {
  if (crossOriginIsolated) {
    sessionStorage.removeItem(TRIED);
    return null;
  }
  if (!isSecureContext) return "It has no https address (and is not localhost).";
  if (!("serviceWorker" in navigator)) return "This browser gives this page no service worker.";
  if (sessionStorage.getItem(TRIED)) return "This browser did not isolate it, although it was asked to.";
  try {
    await navigator.serviceWorker.register("service-worker.js");
    await Promise.race([controlled(), new Promise((_, reject) => setTimeout(reject, WAIT_MS, new Error("no answer")))]);
  } catch (error) {
    return `The service worker did not start (${error.message}).`;
  }
  sessionStorage.setItem(TRIED, "yes");
  location.reload();
  return new Promise(() => {});
}

function controlled() {
  if (navigator.serviceWorker.controller) return Promise.resolve();
  return new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
}
