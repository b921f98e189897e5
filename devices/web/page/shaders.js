// What the graphics processor does with a frame. Every texture has the picture's top row first; only COMPOSE, which
// draws on the screen, turns it over.

const HEAD = `#version 300 es
precision highp float;
precision highp sampler2D;
`;

// One triangle that covers everything.
export const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}`;

// The mean of VALUE over the part of the frame that one of `to` pixels covers, as OpenCV's INTER_AREA has it.
const AREA = `
vec4 area(ivec2 from, vec2 to) {
  vec2 cell = vec2(from) / to;
  vec2 low = floor(gl_FragCoord.xy) * cell, high = low + cell;
  ivec2 first = ivec2(low), last = min(ivec2(ceil(high - 1e-3)), from);
  vec4 sum = vec4(0.0);
  float whole = 0.0;
  for (int y = first.y; y < last.y; y++) {
    float rows = min(high.y, float(y + 1)) - max(low.y, float(y));
    for (int x = first.x; x < last.x; x++) {
      float share = rows * (min(high.x, float(x + 1)) - max(low.x, float(x)));
      sum += share * value(ivec2(x, y));
      whole += share;
    }
  }
  return sum / whole;
}`;

// The whole frame at the network's size, its aspect not kept: models/segmenter.py's stretch.
export const SHRINK = `${HEAD}
uniform sampler2D frame;
uniform vec2 to;
out vec4 colour;
vec4 value(ivec2 at) { return texelFetch(frame, at, 0); }
${AREA}
void main() {
  ivec2 from = textureSize(frame, 0);
  bool shrinks = from.x >= int(to.x) && from.y >= int(to.y);
  colour = shrinks ? area(from, to) : texture(frame, gl_FragCoord.xy / to);
}`;

// A mask at the frame's size along the frame's own edges: a joint bilateral filter. Of the mask's pixels around, those
// count whose colour the network saw is like this pixel's; then firm, as in video/guided.py. `type` and `channels` are of
// a mask's pixel, `whole` its shader value, and `sure` says whether all around is near 0 or 1.
const refine = (type, channels, sure, whole) => `${HEAD}
uniform sampler2D frame, small, mask;
out vec4 alpha;
const float NEAR = 1.2;    // mask pixels
const float ALIKE = 0.1;   // of the colours' range
const float LOW = 0.15;
const float SURE = 0.02;
void main() {
  vec3 here = texelFetch(frame, ivec2(gl_FragCoord.xy), 0).rgb;
  vec2 at = gl_FragCoord.xy / vec2(textureSize(frame, 0));
  ivec2 size = textureSize(mask, 0);
  vec2 middle = at * vec2(size) - 0.5;
  // Where the mask is sure all around, so is the answer: most pixels are spared the rest.
  ${type} least = ${type}(1.0), most = ${type}(0.0);
  for (int i = 0; i < 5; i++) {
    vec2 corner = i == 4 ? vec2(0.0) : vec2(i & 1, i >> 1) * 3.0 - 1.5;
    ${type} one = texture(mask, at + corner / vec2(size)).${channels};
    least = min(least, one);
    most = max(most, one);
  }
  if (${sure}) {
    ${type} firm = step(0.5, least);
    alpha = ${whole};
    return;
  }
  // Where nothing around is alike, the plain enlargement stands.
  float weights = 1e-3;
  ${type} sum = weights * texture(mask, at).${channels};
  for (int y = -2; y <= 2; y++) {
    for (int x = -2; x <= 2; x++) {
      vec2 there = round(middle) + vec2(x, y);
      ivec2 inside = clamp(ivec2(there), ivec2(0), size - 1);
      vec2 away = (there - middle) / NEAR;
      vec3 unlike = (texelFetch(small, inside, 0).rgb - here) / ALIKE;
      float weight = exp(-0.5 * (dot(away, away) + dot(unlike, unlike)));
      sum += weight * texelFetch(mask, inside, 0).${channels};
      weights += weight;
    }
  }
  ${type} firm = smoothstep(LOW, 1.0 - LOW, sum / weights);
  alpha = ${whole};
}`;

export const REFINE = refine("float", "r", "most < SURE || least > 1.0 - SURE", "vec4(firm)");
const ALL_SURE = "all(lessThan(min(most, 1.0 - least), vec3(SURE)))";
export const REFINE_PARTS = refine("vec3", "rgb", ALL_SURE, "vec4(firm, 1.0)");

// The frame at a small size, of the person alone or of what is behind: colours times their weight, and the weight. The
// stricter, the less of the other may be in a pixel that counts.
export const WEIGH = `${HEAD}
uniform sampler2D frame, alpha;
uniform vec2 to;
uniform bool person;
uniform float strict;
out vec4 colour;
vec4 value(ivec2 at) {
  float cover = texelFetch(alpha, at, 0).r;
  float sure = clamp(1.0 - strict * (person ? 1.0 - cover : cover), 0.0, 1.0);
  return sure * sure * sure * vec4(texelFetch(frame, at, 0).rgb, 1.0);
}
${AREA}
void main() { colour = area(textureSize(frame, 0), to); }`;

// A Gaussian, one pixel being `stride`.
export const BLUR = `${HEAD}
uniform sampler2D from;
uniform vec2 stride;
uniform float sigma;
out vec4 colour;
void main() {
  vec2 at = gl_FragCoord.xy / vec2(textureSize(from, 0));
  vec4 sum = vec4(0.0);
  float weights = 0.0;
  int reach = int(ceil(3.0 * sigma));
  for (int i = -reach; i <= reach; i++) {
    float weight = exp(-0.5 * float(i * i) / (sigma * sigma));
    sum += weight * textureLod(from, at + float(i) * stride, 0.0);
    weights += weight;
  }
  colour = sum / weights;
}`;

// The person before the background, on the screen. Where they mix, the person's own colour is found from the means about,
// as in video/foreground.py, but at once; light wrap is as in video/replace.py.
export const COMPOSE = `${HEAD}
uniform sampler2D frame, alpha, soft, front, picture, parts, labels;
uniform int behind;        // BEHIND in compositor.js
uniform vec3 flat_colour;
uniform vec2 cover;        // the share of the picture that is seen, in each direction
uniform bool mirror, show_mask, overlay;
uniform int tinted;        // Bits: which of the parts have another colour.
uniform vec3 tints[3];
out vec4 colour;
const float OPACITY = 0.6;   // Of the labels, as in video/parts.py.
const float WRAP = 0.25;
const float REACH = 0.03;
const float ENOUGH = 0.1;
const float FEW = 0.01;
const vec3 LUMINANCE = vec3(0.2126, 0.7152, 0.0722);   // of BT.709

// The mean colour of a layer; where nearly all of it is hidden, that of farther around; where it all is, the pixel's own.
vec3 mean(sampler2D layer, vec2 at, vec3 own) {
  vec4 near = textureLod(layer, at, 0.0), far = textureLod(layer, at, 5.0);
  vec3 wide = mix(own, far.rgb / max(far.a, 1e-3), min(far.a / FEW, 1.0));
  return mix(wide, near.rgb / max(near.a, 1e-3), min(near.a / ENOUGH, 1.0));
}

// A colour's hue at a luminance, which is kept: video/recolour.py.
vec3 toned(vec3 hue, float light) {
  vec3 away = hue - dot(hue, LUMINANCE);
  vec3 room = mix(vec3(light), vec3(1.0 - light), step(0.0, away)) / max(abs(away), 1e-6);
  return light + away * min(min(room.r, min(room.g, room.b)), 1.0);
}

// The parts that are given another colour, each by its share of the pixel.
vec3 recoloured(vec3 own, ivec2 pixel) {
  if (tinted == 0) return own;
  vec3 share = texelFetch(parts, pixel, 0).rgb;
  for (int part = 0; part < 3; part++) {
    if ((tinted >> part & 1) == 1) own = mix(own, toned(tints[part], dot(own, LUMINANCE)), share[part]);
  }
  return own;
}

vec4 shown(vec3 made, vec2 at) {
  return vec4(overlay ? mix(made, texture(labels, at).rgb, OPACITY) : made, 1.0);
}

void main() {
  ivec2 size = textureSize(frame, 0);
  ivec2 seen = ivec2(gl_FragCoord.x, float(size.y) - gl_FragCoord.y);
  vec2 place = (vec2(seen) + 0.5) / vec2(size);
  ivec2 pixel = mirror ? ivec2(size.x - 1 - seen.x, seen.y) : seen;
  vec2 at = (vec2(pixel) + 0.5) / vec2(size);
  float cut = texelFetch(alpha, pixel, 0).r;
  if (show_mask) {
    colour = vec4(vec3(cut), 1.0);
    return;
  }
  vec3 person = texelFetch(frame, pixel, 0).rgb;
  vec3 other, light;
  vec2 picked = 0.5 + cover * (place - 0.5);
  if (behind == 4) {
    colour = shown(recoloured(person, pixel), at);
    return;
  }
  if (behind == 0 || behind == 3) {
    vec3 back = behind == 0 ? mean(soft, at, person) : toned(flat_colour, dot(person, LUMINANCE));
    colour = shown(mix(back, recoloured(person, pixel), cut), at);
    return;
  }
  if (cut > 0.0 && cut < 1.0) {
    vec3 ahead = mean(front, at, person), back = mean(soft, at, person);
    person = clamp(ahead + cut * (person - mix(back, ahead, cut)), 0.0, 1.0);
  }
  person = recoloured(person, pixel);
  other = behind == 1 ? flat_colour : texture(picture, picked).rgb;
  light = behind == 1 ? flat_colour : textureLod(picture, picked, 6.0).rgb;
  float around = textureLod(alpha, at, log2(REACH * float(min(size.x, size.y)))).r;
  person += WRAP * (1.0 - around) * light * (1.0 - person);
  colour = shown(mix(other, person, cut), at);
}`;
