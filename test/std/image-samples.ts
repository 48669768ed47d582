// Arguments for the declarations of convolution.dlm, pooling.dlm, normalisation.dlm, regularisation.dlm and resampling.dlm. What they compute is checked in
// images.test.ts and normalisation.test.ts; here they run, simplify to the same and are differentiated twice, as every declaration of the library.
import type { Sample } from "./samples.ts";

const layer = (use: string, type: string, more: Partial<Sample> = {}): Sample => ({
  declarations: `model net(x: ${type}) = x |> ${use}`,
  inputs: { x: type },
  call: "net(x)",
  ...more,
});
const line = "f32[2, 6, 2]";
const image = "f32[1, 5, 4, 2]";
const volume = "f32[1, 3, 4, 3, 2]";
const none = "[[0, 0], [0, 0], [0, 0]]";
const ones = "[1, 1, 1]";
const of = (type: string, call: string, more: Partial<Sample> = {}): Sample => ({ inputs: { x: type }, call, ...more });
const moving = "[1, 2, 2], [1, 2, 1], [[0, 0], [1, 0], [0, 1]], [1, 1, 1]"; // k, stride, margin, dilate

const convolutions: Readonly<Record<string, readonly Sample[]>> = {
  Conv1d: [layer("Conv1d(4, 3, pad: 2, dilate: 2, groups: 2)", line)],
  Conv2d: [
    layer("Conv2d(2)", "f32[2, 5, 5, 2]"),
    layer("Conv2d(4, k: [3, 2], stride: 2, pad: [1, 0], dilate: [1, 2], groups: 2)", "f32[1, 7, 6, 2]"),
    layer("Conv2d(2, padding: same, padding_mode: circular, weights: normal(0, 1), biases: ones)", image),
  ],
  Conv3d: [layer("Conv3d(3, [1, 2, 2], stride: [1, 2, 2])", volume)],
  ConvTranspose1d: [layer("ConvTranspose1d(2, 4, stride: 3, pad: 1, dilate: 2)", "f32[1, 3, 2]")],
  ConvTranspose2d: [layer("ConvTranspose2d(3, 3, stride: 2, pad: 1, output_pad: 1)", "f32[1, 3, 2, 2]")],
  ConvTranspose3d: [layer("ConvTranspose3d(2, 2, groups: 2)", "f32[1, 2, 2, 3, 2]")],
  Unfold: [layer("Unfold(2, stride: [2, 1], pad: 1)", image)],
  Fold: [layer("Fold([4, 5], 2, stride: [2, 1])", "f32[1, 8, 8]")],
  patches: [of(image, `patches(x, [2, 2], [1, 1], ${none}, [1, 1])`)],
  convolution: [
    {
      inputs: { x: volume, w: "f32[1, 2, 2, 2, 3]" },
      call: `convolution(x, w, [1, 2, 2], ${ones}, ${none}, ${ones}, 1)`,
    },
  ],
  surrounded: [of(volume, "surrounded(x, [[1, 0], [0, 2], [1, 1]], reflect)")],
  transposed_convolution: [
    {
      inputs: { x: "f32[1, 1, 2, 3, 2]", w: "f32[1, 2, 2, 2, 3]" },
      call: `transposed_convolution(x, w, [1, 2, 2], [1, 2, 1], ${none}, ${ones}, 1, [0, 1, 0])`,
    },
  ],
  lifted: [of(line, "lifted(x)"), of(image, "lifted(x)"), of(volume, "lifted(x)")],
  with_rank: [
    of("f32[1, 1, 1, 4, 2]", "with_rank(x, 3)"),
    of("f32[1, 1, 3, 4, 2]", "with_rank(x, 4)"),
    of(volume, "with_rank(x, 5)"),
  ],
  transposed_out: [{ call: "f32(transposed_out(3, 2, 2, [1, 0], 1, 1))" }],
  same: [{ call: "f32(same(5, 3, 2, 1)[0])" }],
  same_lower: [{ call: "f32(same_lower(5, 3, 2, 1)[0])" }],
  valid: [{ call: "f32(valid(5, 3, 2, 1)[0])" }],
  causal: [{ call: "f32(causal(5, 3, 2, 1)[0])" }],
  margins: [{ call: "f32(margins([5, 4], [3, 3], [1, 1], [1, 1], same)[1][0])" }],
  both_sides: [{ call: "f32(both_sides([5, 4], 2, 1)[0])" }],
  three: [{ call: "f32(three([2], 1)[0] + three([2, 3], 1)[1] + three([2, 3, 4], 1)[2])" }],
  window_moves: [{ call: "f32(window_moves(9, 3, 2, [1, 0]))" }],
  window_out: [{ call: "f32(window_out(9, 3, 2, 1))" }],
};
const pools: Readonly<Record<string, readonly Sample[]>> = {
  MaxPool1d: [layer("MaxPool1d(2)", line)],
  MaxPool2d: [layer("MaxPool2d(2)", "f32[1, 5, 4, 2]"), layer("MaxPool2d(3, stride: 2, pad: 1)", "f32[1, 6, 5, 1]")],
  MaxPool3d: [layer("MaxPool3d(2, stride: 1, dilate: [1, 2, 1])", volume)],
  MaxUnpool1d: [layer("MaxPool1d(2, indices: true) |> MaxUnpool1d(2)", line)],
  MaxUnpool2d: [layer("MaxPool2d(2, indices: true) |> MaxUnpool2d(2, out: [5, 4])", image)],
  MaxUnpool3d: [layer("MaxPool3d(2, stride: 1, indices: true) |> MaxUnpool3d(2, stride: 1)", volume)],
  AvgPool1d: [layer("AvgPool1d(3, stride: 2, pad: 1, ceil_mode: true)", line)],
  AvgPool2d: [layer("AvgPool2d(2)", "f32[1, 5, 4, 2]"), layer("AvgPool2d(3, stride: 2, pad: 1)", "f32[1, 6, 5, 1]")],
  AvgPool3d: [layer("AvgPool3d(2, padding: 1, count_include_pad: false)", volume)],
  LPPool1d: [layer("LPPool1d(3, 2)", line, { domain: { x: [0.2, 1] } })],
  LPPool2d: [layer("LPPool2d(2, k: 2)", image), layer("LPPool2d(1, k: 2)", image)],
  LPPool3d: [layer("LPPool3d(2.5)", volume, { domain: { x: [0.2, 1] } })],
  LSEPool1d: [layer("LSEPool1d(2, beta: 3)", line)],
  LSEPool2d: [layer("LSEPool2d(2, beta: 0.5)", image), layer("LSEPool2d(3, pad: 1, average: false)", image)],
  LSEPool3d: [layer("LSEPool3d(2)", volume)],
  AdaptiveAvgPool1d: [layer("AdaptiveAvgPool1d(4)", line)],
  AdaptiveAvgPool2d: [layer("AdaptiveAvgPool2d(3)", image)],
  AdaptiveAvgPool3d: [layer("AdaptiveAvgPool3d([2, 2, 1])", volume)],
  AdaptiveMaxPool1d: [layer("AdaptiveMaxPool1d(4)", line)],
  AdaptiveMaxPool2d: [layer("AdaptiveMaxPool2d(3)", image)],
  AdaptiveMaxPool3d: [layer("AdaptiveMaxPool3d([2, 2, 1])", volume)],
  GlobalAvgPool: [layer("GlobalAvgPool()", image), layer("GlobalAvgPool1d(keep: true)", line)],
  GlobalMaxPool: [layer("GlobalMaxPool()", image), layer("GlobalMaxPool3d()", volume)],
  windows: [{ call: `f32(windows([3, 4, 5], ${ones}, ${ones}, ${none}, ${ones}, false)[2])` }],
  max_windows: [of(volume, `max_windows(x, ${moving}, false)[0]`)],
  unpooled: [
    {
      inputs: { y: "f32[1, 1, 2, 2, 1]", at: "i32[1, 1, 2, 2, 1] in 0..16" },
      call: "unpooled(y, at, [1, 2, 2], [1, 2, 2], [0, 0, 0], [0, 0, 0])",
    },
  ],
  window_sum: [of(volume, `window_sum(x, ${moving}, true)`)],
  window_cells: [{ call: `window_cells([3, 4, 3], ${moving}, true, true)` }],
  average_pool: [of(volume, `average_pool(x, ${moving}, true, true, 0)`)],
  power_pool: [of(volume, `power_pool(x, 2, ${moving}, false)`)],
  smooth_pool: [of(volume, `smooth_pool(x, 2, true, ${moving}, false)`)],
  bin_start: [{ call: "f32(bin_start(1, 5, 3))" }],
  bin_end: [{ call: "f32(bin_end(1, 5, 3))" }],
  bin_most: [{ call: "f32(bin_most(5, 3))" }],
  adaptive_average: [of(volume, "adaptive_average(x, [2, 3, 1])")],
  adaptive_largest: [of(volume, "adaptive_largest(x, [2, 3, 1])")],
};
const norms: Readonly<Record<string, readonly Sample[]>> = {
  LayerNorm: [
    layer("LayerNorm()", "f32[2, 3]"),
    layer("LayerNorm(affine: false)", "f32[2, 3]"),
    layer("LayerNorm(axes: 2)", "f32[2, 3, 2]"),
  ],
  RMSNorm: [layer("RMSNorm()", "f32[2, 3]"), layer("RMSNorm(axes: 2)", "f32[2, 3, 2]")],
  Scale: [{ declarations: "model net(x: f32[2, 3]) = Scale()(x, x[0])", inputs: { x: "f32[2, 3]" }, call: "net(x)" }],
  BatchNorm: [
    layer("BatchNorm()", "f32[4, 3]", { states: { var: [0.5, 2] } }),
    layer("BatchNorm2d(track: false)", image, { states: { var: [0.5, 2] } }),
  ],
  GroupNorm: [layer("GroupNorm(2)", "f32[2, 3, 4]"), layer("GroupNorm(1, affine: false)", "f32[2, 6]")],
  InstanceNorm: [
    layer("InstanceNorm(affine: true)", "f32[2, 4, 2]"),
    layer("InstanceNorm2d(track: true)", image, { states: { var: [0.5, 2] } }),
  ],
  Running: [
    {
      declarations: "model net(x: f32[2, 3, 2], m: f32[2, 1, 2]) = Running()(x, m, m, 0.1)",
      inputs: { x: "f32[2, 3, 2]", m: "f32[2, 1, 2]" },
      call: "net(x, m)",
      states: { var: [0.5, 2] },
    },
  ],
  LocalResponseNorm: [layer("LocalResponseNorm(3, alpha: 0.5)", "f32[2, 2, 5]")],
  WeightNorm: [layer("Linear(2, normalise: WeightNorm())", "f32[2, 3]")],
  weight_norm: [{ inputs: { w: "f32[2, 3, 2]", g: "f32[2]" }, call: "weight_norm(w, g)" }],
  SpectralNorm: [layer("Linear(2, normalise: SpectralNorm())", "f32[2, 3]", { orders: 1 })],
};
const drops: Readonly<Record<string, readonly Sample[]>> = {
  Dropout: [layer("Dropout(0.3)", "f32[2, 3]"), layer("Dropout(0.3, always: true)", "f32[2, 3]")],
  ChannelDropout: [layer("Dropout2d(0.3)", image), layer("Dropout1d(0.3, always: true)", line)],
  AlphaDropout: [layer("AlphaDropout(0.3)", "f32[2, 3]"), layer("AlphaDropout(0.3, always: true)", "f32[2, 3]")],
  FeatureAlphaDropout: [layer("FeatureAlphaDropout(0.3, always: true)", image)],
  alpha_dropped: [{ inputs: { x: "f32[2, 3]", k: "f32[2, 3]" }, call: "alpha_dropped(x, k, 0.3)" }],
  DropPath: [layer("DropPath(0.3)", image), layer("DropPath(0.3, always: true)", "f32[4, 3]")],
};
const moved: Readonly<Record<string, readonly Sample[]>> = {
  pad: [of("f32[3, 4]", "pad(x, [[1, 0], [2, 1]])"), of("f32[3, 4]", "pad(x, [[1, 0], [2, 1]], reflect)")],
  pad_axis: [of("f32[3, 4]", "pad_axis(x, 0, [2, 1], circular)")],
  pad_last: [of("f32[3, 4]", "pad_last(x, [2, 1], replicate, 0)")],
  reflect: [of("f32[4]", "for i in 0..8: reflect(|j| x[j] ?? 0, i - 2, 4)")],
  symmetric: [of("f32[4]", "for i in 0..8: symmetric(|j| x[j] ?? 0, i - 2, 4)")],
  replicate: [of("f32[4]", "for i in 0..8: replicate(|j| x[j] ?? 0, i - 2, 4)")],
  circular: [of("f32[4]", "for i in 0..8: circular(|j| x[j] ?? 0, i - 2, 4)")],
  Upsample: [layer("Upsample(2)", line), layer("Upsample(out: [3, 7], mode: bicubic)", image)],
  nth: [{ call: "f32(nth(2, 0) + nth([2, 3], 1))" }],
  fitted: [{ call: "f32(fitted(5, 1.5, 0, false)[0])" }],
  resampled: [of(volume, "resampled(x, bilinear, [3, 1, 0, 1], [4, 1, 0, 1], [6, 2, -1, 4])")],
  nearest: [of("f32[4]", "for i in 0..8: nearest(|j| x[j] ?? 0, i, 4, [8, 1, 0, 2])")],
  bilinear: [of("f32[4]", "for i in 0..8: bilinear(|j| x[j] ?? 0, i, 4, [8, 2, -1, 4])")],
  bicubic: [of("f32[4]", "for i in 0..8: bicubic(|j| x[j] ?? 0, i, 4, [8, 2, -1, 4])")],
  blended: [of("f32[4]", "for i in 0..8: blended(|j| x[j] ?? 0, i, 4, [8, 2, -1, 4], 2, |t| 1 - t)")],
  keys: [of("f32[4]", "for i: keys(abs(x[i]))")],
  PixelShuffle: [layer("PixelShuffle(2)", "f32[1, 2, 2, 4]")],
  PixelUnshuffle: [layer("PixelUnshuffle(2)", "f32[1, 2, 4, 1]")],
  SqueezeExcite: [layer("SqueezeExcite(2)", "f32[2, 3, 4]", { orders: 1 })],
};
export const imageSamples: Readonly<Record<string, readonly Sample[]>> = {
  ...convolutions,
  ...pools,
  ...norms,
  ...drops,
  ...moved,
};
