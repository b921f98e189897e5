// The camera, or in a sentence why there is none.

const WHY = {
  NotAllowedError: "The camera was refused. Allow it for this page, in the browser's bar or its settings, and press the button again.",
  NotFoundError: "This browser finds no camera. Connect one and press the button again.",
  NotReadableError: "The camera does not start: another program may be using it. Close that and press the button again.",
};
const INSECURE = "Browsers give a camera to https and localhost alone: open the address just as the command printed it.";

// Plays the camera in `video`; resolves to { facing, many, stop }. `facing` is "environment" for one that looks away from
// its user, `many` says whether there is another. `lost` is called when it is taken away.
export async function openCamera(video, facing, lost) {
  if (!navigator.mediaDevices) throw new Error(INSECURE);
  const wanted = { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  } catch (error) {
    throw new Error(WHY[error.name] ?? `The camera does not start: ${error.message}`);
  }
  const [track] = stream.getVideoTracks();
  track.onended = () => lost("The camera was taken away. Press the button when it is back.");
  video.srcObject = stream;
  await video.play();
  const devices = await navigator.mediaDevices.enumerateDevices();
  return {
    facing: track.getSettings().facingMode ?? facing,
    many: devices.filter(({ kind }) => kind === "videoinput").length > 1,
    stop() {
      track.onended = null;
      track.stop();
      video.srcObject = null;
    },
  };
}

// Resolves at the video's next frame; in a tab that is hidden, once it is seen again.
export function nextFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve);
    else requestAnimationFrame(resolve);
  });
}
