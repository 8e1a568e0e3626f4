// Draw, and see what the models of a run make of it. All numbers come from the JSON in the page; nothing is fetched.
//
// `window.layerwise` holds what is shown, for whoever wants to compare it with what the program computes:
//   model           the name of the model
//   image           the number of the chosen test image, or null for a drawing
//   drawing         what is drawn, row by row, as it would be in the files of the data; null for a test image
//   input           what the model is given, row by row
//   layers          the activations of every hidden layer, from the input up, with the units that are held
//   reconstruction  of an autoencoder: what it makes of its code; else null
//   probabilities   of a classifier: a number for each class; else null
//   held            for each layer the units that were turned: [unit, value]

const byId = (id) => document.getElementById(id);
const run = JSON.parse(byId("run").textContent);
const { height, width, channels } = run.picture;

// ---------------------------------------------------------------------------------------------------------------------
// Numbers from text.

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function floatsOf(base64) {
  return new Float32Array(bytesOf(base64).buffer);
}

/** The test images as a model sees them, one array each. */
function unpackedExamples({ bytes, numbers, count }) {
  const all = bytes ? Float32Array.from(bytesOf(bytes), (byte) => byte / 255) : floatsOf(numbers ?? "");
  return Array.from({ length: count }, (_, at) => all.subarray(at * all.length / count, (at + 1) * all.length / count));
}

function unpackedTransform({ kind, arrays }) {
  const unpacked = Object.entries(arrays).map(([name, numbers]) => [name, floatsOf(numbers)]);
  return { kind, arrays: Object.fromEntries(unpacked) };
}

function unpackedLayer(layer) {
  return { ...layer, weight: floatsOf(layer.weight), bias: floatsOf(layer.bias) };
}

function unpackedKept({ largest, above, above_exp }) {
  if (above) return { above: floatsOf(above) };
  return above_exp ? { above: floatsOf(above_exp).map(Math.exp) } : { largest };
}

function unpackedModel({ name, layers, output, decoder }) {
  const model = { name, layers: layers.map(unpackedLayer), output: output && unpackedLayer(output) };
  model.decoder = decoder && {
    ...decoder,
    bias: floatsOf(decoder.bias),
    weight: decoder.weight && floatsOf(decoder.weight),
    kept: unpackedKept(decoder.kept ?? {}),
  };
  model.seen = throughLayers(model);
  model.largest = largestActivations(model);
  return model;
}

// ---------------------------------------------------------------------------------------------------------------------
// What a model computes, in double precision from the program's own single-precision numbers.

const ACTIVATIONS = {
  relu: (z) => Math.max(0, z),
  prelu: (z, slope) => (z > 0 ? z : slope * z),
  leaky_relu: (z, slope) => (z > 0 ? z : slope * z),
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  tanh: Math.tanh,
  softsign: (z) => z / (1 + Math.abs(z)),
  identity: (z) => z,
};

function activated(z, { activation, slope }) {
  const f = ACTIVATIONS[activation];
  return z.map((z) => f(z, slope));
}

/** x W + b, with W row by row: [input, unit]. */
function affine(x, { weight, bias }) {
  const sums = Float64Array.from(bias);
  const units = bias.length;
  x.forEach((value, input) => {
    if (value === 0) return;
    for (let unit = 0; unit < units; unit++) sums[unit] += value * weight[input * units + unit];
  });
  return sums;
}

/** What a unit puts into the picture for each 1 of its activation: a row of the decoder, or a column of the encoder. */
function decoderRow(model, unit) {
  const [encoder] = model.layers;
  const units = encoder.bias.length;
  const { weight } = model.decoder;
  return Float64Array.from({ length: encoder.inputs }, (_, input) =>
    weight ? weight[unit * encoder.inputs + input] : encoder.weight[input * units + unit]);
}

/** g(h W̃ + c), with W̃ the encoder's weights transposed where the decoder has none of its own. */
function decoded(model, code) {
  const { decoder, layers: [encoder] } = model;
  if (decoder.weight) return activated(affine(code, decoder), decoder);
  const tied = (sum, input) =>
    code.reduce((sum, value, unit) => sum + value * encoder.weight[input * code.length + unit], sum);
  return activated(Float64Array.from(decoder.bias, tied), decoder);
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / sum);
}

/** A code of which only the largest units stay, of equals the first, or those above a threshold. */
function keptOf(code, { largest, above }) {
  if (above) return code.map((value, unit) => (value > above[unit % above.length] ? value : 0));
  if (!largest) return code;
  const first = [...code.keys()].sort((one, other) => code[other] - code[one]).slice(0, largest);
  const kept = new Float64Array(code.length);
  for (const unit of first) kept[unit] = Math.max(0, code[unit]);
  return kept;
}

/** The activations of each hidden layer; units that are `held` have the value they are held at, whatever x is. */
function activations(model, x, held = []) {
  const { decoder } = model;
  let below = decoder?.subtracts_bias ? Float64Array.from(x, (value, input) => value - decoder.bias[input]) : x;
  return model.layers.map((layer, at) => {
    below = activated(affine(below, layer), layer);
    if (decoder) below = keptOf(below, decoder.kept);
    for (const [unit, value] of held[at] ?? []) below[unit] = value;
    return below;
  });
}

/** Everything that a model makes of x. */
function forward(model, x, held) {
  const layers = activations(model, x, held);
  const top = layers.at(-1) ?? x;
  return {
    layers,
    reconstruction: model.decoder ? decoded(model, top) : null,
    probabilities: model.output ? softmax(affine(top, model.output)) : null,
  };
}

/** What the units of each layer, the softmax layer's too, see of the input: W₁·W₂·…·Wₖ, [input, unit]. */
function throughLayers(model) {
  const seen = [];
  for (const { weight, bias } of [...model.layers, ...(model.output ? [model.output] : [])]) {
    seen.push(seen.length ? product(seen.at(-1), weight, bias.length) : weight);
  }
  return seen;
}

/** The product of two matrices that lie row by row, of which the second has so many columns. */
function product(one, other, columns) {
  const shared = other.length / columns;
  const rows = one.length / shared;
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < shared; at++) {
      const factor = one[row * shared + at];
      for (let column = 0; column < columns; column++) {
        result[row * columns + column] += factor * other[at * columns + column];
      }
    }
  }
  return result;
}

/** The largest |activation| in each layer over the test images: the scale of its bars and sliders. */
function largestActivations(model) {
  const largest = model.layers.map(() => 1e-3);
  for (const image of examples) {
    activations(model, image).forEach((layer, at) => {
      largest[at] = layer.reduce((most, value) => Math.max(most, Math.abs(value)), largest[at]);
    });
  }
  return examples.length ? largest : model.layers.map(() => 1);
}

// ---------------------------------------------------------------------------------------------------------------------
// The pad: ink from 0 to 1, several of its pixels to one of the frame.

const zoom = Math.max(1, Math.round(224 / Math.max(height, width)));
const pad = { width: zoom * width, height: zoom * height };
pad.ink = new Float32Array(pad.width * pad.height);
const RADIUS = 0.04 * Math.max(pad.width, pad.height);
/** MNIST's digits fit into so many pixels. */
const BOX = 20;

/** A stroke of the round brush from one point to another, in pixels of the pad, with soft edges. */
function ink([x0, y0], [x1, y1]) {
  const reach = RADIUS + 1;
  const [dx, dy] = [x1 - x0, y1 - y0];
  const squared = dx * dx + dy * dy;
  const within = (value, end) => Math.min(end - 1, Math.max(0, Math.floor(value)));
  for (let y = within(Math.min(y0, y1) - reach, pad.height); y <= within(Math.max(y0, y1) + reach, pad.height); y++) {
    for (let x = within(Math.min(x0, x1) - reach, pad.width); x <= within(Math.max(x0, x1) + reach, pad.width); x++) {
      const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
      const along = squared ? Math.min(1, Math.max(0, (px * dx + py * dy) / squared)) : 0;
      const distance = Math.hypot(px - along * dx, py - along * dy);
      const at = y * pad.width + x;
      pad.ink[at] = Math.max(pad.ink[at], Math.min(1, Math.max(0, RADIUS + 0.5 - distance)));
    }
  }
}

/** The mean of the ink in a rectangle of the pad whose edges may lie within pixels: antialiasing. */
function meanInk(left, top, right, bottom) {
  let sum = 0;
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(pad.height, bottom); y++) {
    const tall = Math.min(y + 1, bottom) - Math.max(y, top);
    for (let x = Math.max(0, Math.floor(left)); x < Math.min(pad.width, right); x++) {
      sum += pad.ink[y * pad.width + x] * tall * (Math.min(x + 1, right) - Math.max(x, left));
    }
  }
  return sum / ((right - left) * (bottom - top));
}

/** The smallest rectangle that holds all ink: left, top, right, bottom; null for an empty pad. */
function inkBox() {
  let box = null;
  pad.ink.forEach((value, at) => {
    if (value < 0.02) return;
    const [x, y] = [at % pad.width, Math.floor(at / pad.width)];
    box ??= [x, y, x + 1, y + 1];
    box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x + 1), Math.max(box[3], y + 1)];
  });
  return box;
}

/** The ink of each pixel of the frame where the pad is scaled to it. */
function scaledToFrame() {
  return Float64Array.from({ length: height * width }, (_, at) => {
    const [x, y] = [zoom * (at % width), zoom * Math.floor(at / width)];
    return meanInk(x, y, x + zoom, y + zoom);
  });
}

/** The ink as MNIST's makers prepared their digits: its box scaled to fit 20×20, the centre of mass in the middle. */
function preparedAsMnist() {
  const prepared = new Float64Array(height * width);
  const box = inkBox();
  if (!box) return prepared;
  const [left, top, right, bottom] = box;
  const scale = Math.max(right - left, bottom - top) / BOX;
  const small = Float64Array.from({ length: BOX * BOX }, (_, at) => {
    const x = (left + right) / 2 + scale * (at % BOX - BOX / 2);
    const y = (top + bottom) / 2 + scale * (Math.floor(at / BOX) - BOX / 2);
    return meanInk(x, y, x + scale, y + scale);
  });
  // In MNIST's own files the centre of mass of all but a few digits lies within the pixel in row 14 and column 14,
  // counted from 0: digits were moved by whole pixels.
  let [mass, massX, massY] = [0, 0, 0];
  small.forEach((value, at) => {
    mass += value;
    massX += value * (at % BOX + 0.5);
    massY += value * (Math.floor(at / BOX) + 0.5);
  });
  const shift = (centre, size) => Math.min(size - BOX, Math.max(0, Math.floor(size / 2) - Math.floor(centre)));
  const [toX, toY] = [shift(massX / mass, width), shift(massY / mass, height)];
  small.forEach((value, at) => {
    prepared[(Math.floor(at / BOX) + toY) * width + at % BOX + toX] = value;
  });
  return prepared;
}

/** What is on the pad as a picture of the data. Pixels are rounded to bytes, as they are in the files of data sets. */
function drawing() {
  const shares = run.preparation === "mnist" ? preparedAsMnist() : scaledToFrame();
  const [black, white] = ends;
  const picture = new Float32Array(height * width * channels);
  shares.forEach((share, pixel) => {
    const value = Math.round(255 * (paper ? 1 - share : share)) / 255;
    picture.fill(black + (white - black) * value, pixel * channels, (pixel + 1) * channels);
  });
  return picture;
}

/** What the run does to its inputs before a model sees them. */
const TRANSFORMS = {
  scale: (row, { factor: [factor], offset: [offset] }) => row.map((x) => factor * x + offset),
  standardise: (row, { mean, deviation }) =>
    row.map((x, at) => (x - mean[at % mean.length]) / deviation[at % deviation.length]),
  remove_row_mean: (row) => {
    const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
    return row.map((x) => x - mean);
  },
  unit_length: (row) => {
    const length = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0)) || 1;
    return row.map((x) => x / length);
  },
  whiten_zca: (row, { mean, forward }) => product(row.map((x, at) => x - mean[at]), forward, row.length),
  squash: (row, { middle: [middle], reach: [reach], low: [low], high: [high] }) =>
    row.map((x) => low + (high - low) * (Math.min(1, Math.max(-1, (x - middle) / reach)) / 2 + 0.5)),
};

function transformed(picture) {
  return transforms.reduce((row, { kind, arrays }) => TRANSFORMS[kind](row, arrays), picture);
}

/**
 * Black and white before the run's transforms: 0 and 1 as of pixels, or more than 1 where a drawing would be faint beside
 * the test images, as it would be beside patches of photographs that were whitened before.
 */
function endsOfDrawings() {
  if (!transforms.length) return [low, high];
  const span = (white) => {
    const halves = Float32Array.from({ length: height * width * channels }, (_, at) =>
      (at % (width * channels) < width * channels / 2 ? 0 : white));
    const [least, most] = extremes([transformed(halves)]);
    return most - least;
  };
  let white = 1;
  while (span(white) < (high - low) / 2 && span(2 * white) > 1.5 * span(white)) white *= 2;
  return [0, white];
}

// ---------------------------------------------------------------------------------------------------------------------
// Painting.

function canvas(label) {
  const made = document.createElement("canvas");
  [made.width, made.height] = [width, height];
  if (label) {
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", label);
  }
  return made;
}

/** A picture in grey or colour, with `from` black and `to` white. */
function paint(onto, values, from, to) {
  const picture = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let colour = 0; colour < 3; colour++) {
      const value = values[pixel * channels + Math.min(colour, channels - 1)];
      picture.data[4 * pixel + colour] = to > from ? 255 * (value - from) / (to - from) : 128;
    }
    picture.data[4 * pixel + 3] = 255;
  }
  onto.getContext("2d").putImageData(picture, 0, 0);
}

/** Weights from their smallest, black, to their largest, white. */
function paintWeights(onto, weights) {
  paint(onto, weights, Math.min(...weights), Math.max(...weights));
}

/** Column `unit` of a matrix that lies row by row. */
function column(matrix, units, unit) {
  return Float32Array.from({ length: matrix.length / units }, (_, row) => matrix[row * units + unit]);
}

function paintPad() {
  const context = byId("pad").getContext("2d");
  const picture = context.createImageData(pad.width, pad.height);
  pad.ink.forEach((value, at) => {
    const grey = 255 * (paper ? 1 - value : value);
    picture.data.set([grey, grey, grey, 255], 4 * at);
  });
  context.putImageData(picture, 0, 0);
  if (shown.image !== null) {
    const image = canvas();
    paint(image, examples[shown.image], low, high);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, pad.width, pad.height);
  }
  if (document.activeElement !== byId("pad")) return;
  context.beginPath();
  context.arc(...brush.at, RADIUS, 0, 2 * Math.PI);
  context.lineWidth = 3;
  context.strokeStyle = brush.isDown ? "#ff9500" : "#808080";
  context.stroke();
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** A picture with words under it, put into `parent` and found again by these words. */
function captioned(parent, words, values, from, to) {
  let figure = [...parent.children].find((figure) => figure.lastChild.textContent === words);
  if (!figure) {
    figure = element("figure", "");
    figure.append(canvas(words), element("figcaption", "", words));
    parent.append(figure);
  }
  paint(figure.firstChild, values, from, to);
}

/** A number for a reader. */
function written(value) {
  const text = Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3);
  return (value === 0 ? "0" : text).replace("-", "−");
}

// ---------------------------------------------------------------------------------------------------------------------
// What is shown.

const transforms = run.transforms.map(unpackedTransform);
const examples = unpackedExamples(run.examples);
/** What is black and what is white: bytes from 0 to 1, other numbers as far as the test images reach. */
const [low, high] = run.examples.numbers ? extremes(examples) : [0, 1];
const ends = endsOfDrawings();
/** Whether what one draws on is white, as the corners of the test images are. */
const paper = examples.length > 0 && cornersAreLight();
const brush = { at: [pad.width / 2, pad.height / 2], isDown: false };
const models = new Map();
const shown = { model: null, image: null, drawing: null, input: null, held: [], order: [], chosen: null, tiles: [] };
let isAsked = false;

function extremes(images) {
  const ends = images.map((image) => [Math.min(...image), Math.max(...image)]);
  return [Math.min(...ends.map(([low]) => low)), Math.max(...ends.map(([, high]) => high))];
}

function cornersAreLight() {
  const corners = [0, width - 1, (height - 1) * width, height * width - 1];
  const values = examples.flatMap((image) => corners.map((pixel) => image[pixel * channels]));
  return values.reduce((sum, value) => sum + value, 0) / values.length > low + 0.75 * (high - low);
}

function chooseModel(at) {
  if (!models.has(at)) models.set(at, unpackedModel(run.models[at]));
  shown.model = models.get(at);
  shown.held = shown.model.layers.map(() => new Map());
  shown.chosen = null;
  byId("pictures").replaceChildren();
  byId("classes").replaceChildren();
  buildLayers();
  show();
}

/** A new input is looked at once before the next frame, however many strokes come until then. */
function ask() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    show();
  });
}

/** Computes everything from what is on the pad, and shows it. */
function show() {
  paintPad();
  shown.drawing = shown.image === null ? drawing() : null;
  shown.input = shown.drawing ? transformed(shown.drawing) : examples[shown.image];
  const layers = activations(shown.model, shown.input);
  const strength = (layer) => (one, other) => Math.abs(layer[other]) - Math.abs(layer[one]) || one - other;
  shown.order = layers.map((layer) => [...layer.keys()].sort(strength(layer)));
  showAgain();
}

/** The same with units turned: they stay where they are, so that one can follow them. */
function showAgain() {
  const found = forward(shown.model, shown.input, shown.held);
  window.layerwise = {
    model: shown.model.name,
    image: shown.image,
    drawing: shown.drawing && [...shown.drawing],
    input: [...shown.input],
    layers: found.layers.map((layer) => [...layer]),
    reconstruction: found.reconstruction && [...found.reconstruction],
    probabilities: found.probabilities && [...found.probabilities],
    held: shown.held.map((units) => [...units]),
  };
  showPictures(found);
  showClasses(found.probabilities);
  found.layers.forEach((layer, at) => shown.tiles[at].forEach((tile, place) => showTile(tile, at, place, layer)));
  showUnit(found);
  byId("reset").disabled = shown.held.every((units) => units.size === 0);
}

function showPictures({ layers, reconstruction, probabilities }) {
  captioned(byId("pictures"), "the input", shown.input, low, high);
  if (reconstruction) {
    captioned(byId("pictures"), "its reconstruction", reconstruction, low, high);
    const error = reconstruction.map((value, at) => value - shown.input[at]);
    captioned(byId("pictures"), "the error: grey is none", error, low - high, high - low);
    const squared = error.reduce((sum, value) => sum + value * value, 0) / 2;
    const active = layers[0].filter((value) => !isZero(value)).length;
    byId("summary").textContent =
      `Units that are not 0: ${active} of ${layers[0].length}. ½ squared error: ${written(squared)}.`;
    return;
  }
  const best = probabilities.indexOf(Math.max(...probabilities));
  const label = shown.image === null ? null : run.examples.labels?.[shown.image];
  const truth = label === null || label === undefined ? "" : ` Its label is ${label}.`;
  byId("summary").textContent = `Class ${best}, with probability ${written(100 * probabilities[best])} %.${truth}`;
}

/** The classes with their probabilities, over what the net sees of each; of many, the most probable. */
function showClasses(probabilities) {
  const list = byId("classes");
  list.hidden = !probabilities;
  if (!probabilities) return;
  const most = 12;
  const byChance = [...probabilities.keys()].sort((one, other) => probabilities[other] - probabilities[one]);
  const classes = probabilities.length > most ? byChance.slice(0, most) : [...probabilities.keys()];
  while (list.children.length < classes.length) list.append(classRow());
  classes.forEach((of, at) => {
    const row = list.children[at];
    const [picture, name, track, share] = row.children;
    if (name.textContent !== `${of}`) {
      name.textContent = of;
      paintWeights(picture, column(shown.model.seen.at(-1), probabilities.length, of));
    }
    track.firstChild.style.width = `${100 * probabilities[of]}%`;
    share.textContent = `${(100 * probabilities[of]).toFixed(1)} %`;
    row.classList.toggle("best", of === byChance[0]);
  });
}

function classRow() {
  const row = element("li", "");
  const track = element("span", "track");
  track.append(element("i", ""));
  row.append(canvas(), element("span", ""), track, element("span", "share"));
  return row;
}

// ---------------------------------------------------------------------------------------------------------------------
// Layers: a tile for each unit, the strongest first.

const TILES = 24;
const isZero = (value) => Math.abs(value) < 1e-6;

function buildLayers() {
  shown.tiles = [];
  byId("layers").replaceChildren(...shown.model.layers.map((layer, at) => {
    const units = layer.bias.length;
    const details = element("details", "layer");
    // Of deep nets, those at the ends: all of them would be a long way on a phone.
    details.open = shown.model.layers.length <= 3 || at === 0 || at === shown.model.layers.length - 1;
    const heading = element("summary", "");
    heading.append(element("strong", "", shown.model.decoder ? "The code" : `Layer ${at + 1}`),
      ` of ${units} units, counted from 0: the strongest first, above what they look for`);
    const tiles = element("div", "units");
    tiles.setAttribute("role", "toolbar");
    tiles.setAttribute("aria-label", `Units of layer ${at + 1}: arrow keys move between them, enter chooses one`);
    shown.tiles.push([]);
    const grow = (count) => {
      while (shown.tiles[at].length < count) {
        const tile = unitTile(at);
        shown.tiles[at].push(tile);
        tiles.append(tile.button);
      }
      rove(tiles);
    };
    grow(Math.min(TILES, units));
    details.append(heading, tiles);
    if (units > TILES) details.append(showAllButton(units, () => grow(units)));
    return details;
  }));
}

function showAllButton(units, grow) {
  const all = element("button", "", `Show all ${units} units`);
  all.type = "button";
  all.addEventListener("click", () => {
    grow();
    all.remove();
    showAgain();
  });
  return all;
}

function unitTile(layer) {
  const button = element("button", "");
  button.type = "button";
  const [bar, picture] = [element("span", "bar"), canvas()];
  const [value, name] = [element("span", ""), element("span", "name")];
  bar.append(element("i", ""));
  button.append(bar, picture, value, name);
  const tile = { button, bar: bar.firstChild, picture, value, name, unit: null };
  button.addEventListener("click", () => {
    shown.chosen = { layer, unit: tile.unit };
    byId("unit-pictures").replaceChildren();
    showAgain();
    byId("unit-slider").focus({ preventScroll: true });
  });
  return tile;
}

/** The tile in this place shows the unit that is so strong. */
function showTile(tile, layer, place, values) {
  const unit = shown.order[layer][place];
  const value = values[unit];
  if (tile.unit !== unit) {
    tile.unit = unit;
    tile.name.textContent = `unit ${unit}`;
    paintWeights(tile.picture, column(shown.model.seen[layer], values.length, unit));
  }
  const share = Math.min(1, Math.abs(value) / shown.model.largest[layer]);
  tile.bar.style.height = `${100 * share}%`;
  tile.value.textContent = isZero(value) ? "0" : written(value);
  const { chosen, held } = shown;
  const { classList } = tile.button;
  classList.toggle("zero", isZero(value));
  classList.toggle("minus", value < 0);
  classList.toggle("held", held[layer].has(unit));
  tile.button.setAttribute("aria-pressed", chosen?.layer === layer && chosen.unit === unit);
}

/** One stop of the tab key for a row of buttons; arrow keys move within it. */
function rove(row) {
  const buttons = [...row.children];
  buttons.forEach((button, at) => { button.tabIndex = at === 0 ? 0 : -1; });
  row.onkeydown = (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0,
      End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// One unit, turned up or down.

/** The ends of a unit's slider: twice what the layer's strongest units reach, within what the activation can give. */
function sliderEnds(layer) {
  const { activation } = shown.model.layers[layer];
  const most = 2 * shown.model.largest[layer];
  const ends = { relu: [0, most], sigmoid: [0, 1], tanh: [-1, 1], softsign: [-1, 1] };
  return ends[activation] ?? [-most, most];
}

function showUnit(found) {
  const { chosen, model } = shown;
  byId("unit").hidden = !chosen;
  if (!chosen) return;
  const { layer, unit } = chosen;
  const value = found.layers[layer][unit];
  const [least, most] = sliderEnds(layer);
  const slider = byId("unit-slider");
  [slider.min, slider.max, slider.value] = [least, Math.max(most, value), value];
  slider.setAttribute("aria-valuetext", written(value));
  byId("unit-name").textContent = model.decoder ? `Unit ${unit}` : `Unit ${unit} of layer ${layer + 1}`;
  const without = forward(model, shown.input);
  const was = without.layers[layer][unit];
  byId("unit-value").textContent = shown.held[layer].has(unit)
    ? `held at ${written(value)}, was ${written(was)}` : `at ${written(value)}`;
  const seen = column(model.seen[layer], found.layers[layer].length, unit);
  const pictures = byId("unit-pictures");
  captioned(pictures, "looks for", seen, Math.min(...seen), Math.max(...seen));
  if (model.decoder) {
    const row = decoderRow(model, unit);
    const limit = Math.max(...row.map(Math.abs)) * Math.max(Math.abs(least), most) / 2;
    captioned(pictures, "adds", row.map((weight) => weight * value), -limit, limit);
    captioned(pictures, "as it was", without.reconstruction, low, high);
    captioned(pictures, "as it is", found.reconstruction, low, high);
  }
  byId("unit-words").textContent = unitWords(found, without);
}

function unitWords(found, without) {
  if (shown.model.decoder) {
    const before = shown.model.decoder.activation === "sigmoid" ? ", before the decoder’s sigmoid" : "";
    return `“adds” is the unit’s activation times its decoder weights${before}: mid-grey is nothing.`;
  }
  const named = ({ probabilities }) => {
    const best = probabilities.indexOf(Math.max(...probabilities));
    return `class ${best} (${(100 * probabilities[best]).toFixed(1)} %)`;
  };
  return `As it was: ${named(without)}. As it is: ${named(found)}.`;
}

function turn() {
  const { layer, unit } = shown.chosen;
  shown.held[layer].set(unit, Number(byId("unit-slider").value));
  showAgain();
}

function reset() {
  shown.held.forEach((units) => units.clear());
  showAgain();
}

function close() {
  shown.chosen = null;
  showAgain();
}

// ---------------------------------------------------------------------------------------------------------------------
// Drawing by pointer and by key.

function clear() {
  pad.ink.fill(0);
  choose(null);
}

/** A test image is the input as it is in its file; whoever then draws begins on an empty pad. */
function choose(image) {
  shown.image = image;
  [...byId("examples").children].forEach((button, at) => button.setAttribute("aria-pressed", at === image));
  if (image !== null) pad.ink.fill(0);
  ask();
}

function draw(from, to) {
  ink(from, to);
  choose(null);
}

function pointOnPad(event) {
  const box = byId("pad").getBoundingClientRect();
  return [(event.clientX - box.left) * pad.width / box.width, (event.clientY - box.top) * pad.height / box.height];
}

function listenToPointers() {
  const onto = byId("pad");
  let last = null;
  onto.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    onto.setPointerCapture(event.pointerId);
    last = pointOnPad(event);
    draw(last, last);
  });
  onto.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const moved of between.length ? between : [event]) {
      const point = pointOnPad(moved);
      draw(last, point);
      last = point;
    }
  });
  const lift = () => { last = null; };
  onto.addEventListener("pointerup", lift);
  onto.addEventListener("pointercancel", lift);
}

function listenToKeys() {
  const onto = byId("pad");
  const step = Math.max(zoom, Math.round(pad.width / 28));
  const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  const tell = () => {
    const [x, y] = brush.at.map((along) => Math.floor(along / zoom));
    byId("brush").textContent = `brush ${brush.isDown ? "down" : "lifted"}, row ${y}, column ${x}`;
  };
  onto.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (way) {
      const [x, y] = brush.at;
      const to = [Math.min(pad.width, Math.max(0, x + way[0])), Math.min(pad.height, Math.max(0, y + way[1]))];
      if (brush.isDown) draw(brush.at, to);
      brush.at = to;
    } else if (event.key === " " && !event.repeat) {
      brush.isDown = !brush.isDown;
      if (brush.isDown) draw(brush.at, brush.at);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
    } else if (event.key !== " ") {
      return;
    }
    event.preventDefault();
    tell();
    paintPad();
  });
  onto.addEventListener("focus", paintPad);
  onto.addEventListener("blur", () => {
    brush.isDown = false;
    byId("brush").textContent = "";
    paintPad();
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// The page.

function buildExamples() {
  byId("test-images").hidden = examples.length === 0;
  byId("examples").append(...examples.map((image, at) => {
    const button = element("button", "");
    button.type = "button";
    const label = run.examples.labels ? `, of class ${run.examples.labels[at]}` : "";
    const picture = canvas(`test image ${at}${label}`);
    paint(picture, image, low, high);
    button.append(picture);
    button.addEventListener("click", () => choose(at));
    return button;
  }));
  rove(byId("examples"));
}

function buildWords() {
  byId("run-name").textContent = run.name;
  byId("preparation").textContent = run.preparation === "mnist"
    ? "As MNIST’s makers prepared their digits: the smallest box that holds the drawing is scaled, keeping its shape, to fit 20×20 pixels, each of them the mean of the ink that it covers; the result is moved by whole pixels in the frame of 28×28 so that its centre of mass lies in the pixel of row 14 and column 14 (counted from 0), as it does in MNIST’s own files. So it does not matter where on the pad one draws, or how large."
    : `The pad is scaled to the frame of ${height}×${width} pixels, each of them the mean of the ink that it covers.`;
  byId("preparation").textContent += transforms.length
    ? ` Then the run’s own transforms are applied, to pixels from 0 to ${ends[1]}. Test images are shown as the model is given them, transformed.`
    : " A test image is given to the model as it is in its file.";
  byId("left-out").textContent = run.left_out.join(" ");
}

function buildModels() {
  const select = byId("model");
  run.models.forEach(({ name }, at) => select.append(new Option(name, at)));
  byId("choose-model").hidden = run.models.length === 1;
  select.addEventListener("change", () => chooseModel(Number(select.value)));
}

function start() {
  [byId("pad").width, byId("pad").height] = [pad.width, pad.height];
  buildWords();
  buildModels();
  buildExamples();
  listenToPointers();
  listenToKeys();
  byId("clear").addEventListener("click", clear);
  byId("unit-slider").addEventListener("input", turn);
  byId("reset").addEventListener("click", reset);
  byId("close").addEventListener("click", close);
  if (examples.length) choose(0);
  chooseModel(0);
}

addEventListener("error", (event) => {
  byId("failure").textContent = `This page has failed: ${event.message}`;
  byId("failure").hidden = false;
});
start();
