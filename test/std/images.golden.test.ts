// The reference cases of layers of images and signals (test/golden/layer, made with PyTorch): values and gradients, channels first there, last here.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { programOf } from "../graph/programs.ts";
import { made, read, type Tensor } from "./naive.ts";

interface Case {
  readonly name: string;
  readonly kind: string;
  readonly attrs: Readonly<Record<string, number | boolean | string | readonly number[]>>;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly params: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly cotangent: Readonly<Record<string, Tensor>>;
  readonly grads: Readonly<Record<string, Tensor>>;
  readonly tolerance: { readonly rtol: number; readonly atol: number };
}
const layer = new URL("../golden/layer/", import.meta.url);
const cases = readFileSync(new URL("../golden/CASES.md", import.meta.url), "utf8")
  .split("\n")
  .flatMap((line) => /^\| (\w+) \| (\w+) \|/.exec(line)?.slice(1, 3) ?? [])
  .filter((_, i, all) => i % 2 === 0 && all[i + 1]! in uses())
  .map((name) => JSON.parse(readFileSync(new URL(`${name}.json`, layer), "utf8")) as Case);

/** The layer of each kind, by the attributes of a case. */
function uses(): Readonly<Record<string, (c: Case) => string>> {
  const text = (v: Case["attrs"][string] | undefined): string => JSON.stringify(v).replaceAll('"', "");
  const window = (c: Case, ...names: string[]): string =>
    Object.entries({
      kernel: "k",
      stride: "stride",
      padding: "pad",
      dilation: "dilate",
      ceil_mode: "ceil_mode",
      count_include_pad: "count_include_pad",
      output_padding: "output_pad",
      groups: "groups",
      bias: "bias",
    })
      .filter(([theirs]) => theirs in c.attrs && !names.includes(theirs))
      .map(([theirs, ours]) => `${ours}: ${text(c.attrs[theirs])}`)
      .join(", ");
  const rank = (c: Case): number => c.inputs["x"]!.shape.length - 2;
  const convolution = (c: Case): string => `Conv${rank(c)}d(${text(c.attrs["out"])}, ${window(c)})`;
  const transposed = (c: Case): string => `ConvTranspose${rank(c)}d(${text(c.attrs["out"])}, ${window(c)})`;
  const pool =
    (kind: string) =>
    (c: Case): string =>
      `${kind}Pool${rank(c)}d(${window(c)})`;
  return {
    conv1d: convolution,
    conv2d: convolution,
    conv3d: convolution,
    conv_transpose1d: transposed,
    conv_transpose2d: transposed,
    max_pool1d: pool("Max"),
    max_pool2d: pool("Max"),
    avg_pool1d: pool("Avg"),
    avg_pool2d: pool("Avg"),
    lp_pool2d: (c) => `LPPool2d(${text(c.attrs["p"])}, ${window(c)})`,
    logsumexp_pool2d: (c) => `LSEPool2d(${window(c)}, beta: ${text(c.attrs["r"])}, average: ${text(c.attrs["mean"])})`,
    adaptive_avg_pool2d: (c) => `AdaptiveAvgPool2d(${text(c.attrs["output"])})`,
    adaptive_max_pool2d: (c) => `AdaptiveMaxPool2d(${text(c.attrs["output"])})`,
    group_norm: (c) => `GroupNorm(${text(c.attrs["groups"])}, eps: ${text(c.attrs["eps"])})`,
    instance_norm: (c) => `InstanceNorm(eps: ${text(c.attrs["eps"])}, affine: ${text(c.attrs["affine"])})`,
    local_response_norm: (c) =>
      `LocalResponseNorm(${text(c.attrs["size"])}, alpha: ${text(c.attrs["alpha"])}, beta: ${text(c.attrs["beta"])}, k: ${text(c.attrs["k"])})`,
    upsample: (c) =>
      `Upsample(${text(c.attrs["scale"])}, mode: ${text(c.attrs["mode"])}${c.attrs["align_corners"] ? ", align_corners: true" : ""})`,
  };
}
/** Channels first to last, and weights [out, in, k...] to [k..., in, out]. */
const channelsLast = (x: Tensor): Tensor =>
  x.shape.length < 3
    ? x
    : made([x.shape[0]!, ...x.shape.slice(2), x.shape[1]!], (at) => read(x, [at[0]!, at.at(-1)!, ...at.slice(1, -1)]));
const kernelLast = (w: Tensor, isTransposed: boolean): Tensor => {
  const [first, second] = w.shape;
  const pair = isTransposed ? [first!, second!] : [second!, first!];
  return made([...w.shape.slice(2), ...pair], (at) => {
    const [a, b] = at.slice(-2);
    return read(w, [...(isTransposed ? [a!, b!] : [b!, a!]), ...at.slice(0, -2)]);
  });
};
const names: Readonly<Record<string, readonly string[]>> = { weight: ["w", "g"], bias: ["b"] };

test("there are cases of most kinds", () => expect(cases.length).toBeGreaterThan(50));
test.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => {
  const laid = (name: string, t: Tensor): Tensor =>
    !(name in names) ? channelsLast(t) : t.shape.length > 2 ? kernelLast(t, c.kind.startsWith("conv_transpose")) : t;
  const x = channelsLast(c.inputs["x"]!);
  const y = channelsLast(c.outputs["y"]!);
  const type = (t: Tensor): string => `f32[${t.shape.join(", ")}]`;
  const wrt = Object.keys(c.grads).filter((name) => name in names);
  const program = programOf(
    `model net(x: ${type(x)}) = x |> ${uses()[c.kind]!(c)}
export fn forward(x: ${type(x)}) = net(x)
export fn backward(x: ${type(x)}, v: ${type(y)}) = grad(sum(net(x) * v), wrt: x)
${wrt.length ? `model held(x: ${type(x)}) = net(x)\nexport fn slopes(x: ${type(x)}, v: ${type(y)}) {\n  let g = sum(net(x) * v)\n  return (${wrt.map((n) => `grad(g, wrt: PATH.${n})`).join(", ")})\n}\n` : ""}`.replace(
      /PATH\.(\w+)/g,
      (_all, n: string) =>
        `net.${pathOf(c)}.${names[n]!.find((own) => own === "b" || (own === "w") === c.kind.startsWith("conv"))!}`,
    ),
  );
  const given = (s: Source): readonly number[] => {
    if (s.path === "x") return x.data;
    if (s.path === "v") return channelsLast(c.cotangent["y"]!).data;
    const end = s.path.split(".").at(-1)!;
    const name = Object.keys(names).find((n) => names[n]!.includes(end))!;
    return laid(name, { ...c.inputs, ...c.params }[name]!).data;
  };
  const near = (got: ArrayLike<number>, want: Tensor): void => {
    expect(got.length).toBe(want.data.length);
    for (const [i, w] of want.data.entries())
      expect(Math.abs(got[i]! - w), `element ${i}`).toBeLessThanOrEqual(
        c.tolerance.atol + c.tolerance.rtol * Math.abs(w),
      );
  };
  for (const e of program.exports) {
    const values = new Map(e.program.inputs.map((s) => [s, given(s)]));
    const outputs = [...evaluate(e.program, values).outputs.values()];
    const wanted = { forward: ["y"], backward: ["x"], slopes: wrt }[e.name]!;
    wanted.forEach((name, i) => {
      const want = e.name === "forward" ? c.outputs[name] : c.grads[name];
      if (want) near(outputs[i]!, laid(name, want));
    });
  }
});
/** The instance's name of the layer that a case uses. */
function pathOf(c: Case): string {
  const name = /^\w+/.exec(uses()[c.kind]!(c))![0];
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "_").toLowerCase();
}
