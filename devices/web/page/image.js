// Interleaved uint8 RGB as an ImageData.
export function toImage(rgb, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0, at = 0; at < rgb.length; i += 4) {
    image.data[i] = rgb[at++];
    image.data[i + 1] = rgb[at++];
    image.data[i + 2] = rgb[at++];
    image.data[i + 3] = 255;
  }
  return image;
}
