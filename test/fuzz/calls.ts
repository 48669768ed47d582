// Library functions and layers with arguments of any rank and size: a diagnostic or a value, the same everywhere. Kernels larger than their inputs, [B, 1]
// against [B], axes and counts at their ends.
import { libraryFiles } from "../../compiler/std/library.ts";
import type { Item, Param } from "../../grammar/ast.ts";
import { parse } from "../../grammar/parser.ts";
import type { ProgramCase } from "./check.ts";
import { random } from "./random.ts";

type Declared = Extract<Item, { kind: "fn" | "layer" }>;
const declarations = libraryFiles
  .flatMap((f) => parse(f).file.items)
  .filter((i): i is Declared => i.kind === "fn" || i.kind === "layer");
const layers = declarations.filter((d) => d.kind === "layer");
const images = layers.filter((d) => /2d$/.test(d.name.text));
const losses = declarations.filter((d) => d.kind === "fn" && d.params.some((p) => p.name.text === "reduce"));
const functions = declarations.filter((d) => d.kind === "fn" && !["stop"].includes(d.name.text));

export function callProgram(seed: number): ProgramCase {
  const r = random(seed);
  const d = r.pick(r.pick([functions, functions, losses, losses, layers, images]));
  const inputs: Record<string, { shape: number[]; data: number[] }> = {};
  const signature: string[] = [];
  const base = Array.from({ length: 4 }, () => r.pick([1, 2, 3, 4, 5]));
  const runTime = r.chance(0.5);
  const input = (p: Param, i: number): string => {
    const name = `x${i}`;
    const image = /2d$/.test(d.name.text);
    const rank = image
      ? 4
      : r.chance(0.5)
        ? Math.min(4, p.type?.kind === "tensor_type" ? (p.type.dims?.length ?? 0) + r.int(0, 1) : 1)
        : r.int(0, 4);
    const shape = base
      .slice(0, rank)
      .map((n, k) =>
        image && (k === 1 || k === 2) ? r.pick([1, 2, 3, 4, 6, 8]) : r.chance(0.2) ? r.pick([1, 1, 2, 3]) : n,
      );
    const sizes = shape.map((n, k) => (runTime && k === 0 ? (i ? String(n) : "B") : String(n)));
    if (i && rank && signature[0]?.includes("[B") && shape[0] === Object.values(inputs)[0]!.shape[0]) sizes[0] = "B";
    const isInteger = p.type?.kind === "tensor_type" && p.type.element.text === "i32";
    const end = r.int(1, 5);
    const positive = /^(bce|clamp_log|nll|l?log|rsqrt|reciprocal)/.test(d.name.text);
    const value = (): number =>
      isInteger
        ? r.int(0, end - 1)
        : Math.fround(
            r.chance(0.1) ? r.pick([0, 1, positive ? 0.5 : -1]) : positive ? r.real(0.05, 0.95) : r.real(-1.5, 1.5),
          );
    inputs[name] = { shape, data: Array.from({ length: shape.reduce((p2, n) => p2 * n, 1) }, value) };
    signature.push(
      `${name}: ${isInteger ? "i32" : "f32"}${rank ? `[${sizes.join(", ")}]` : ""}${isInteger ? ` in 0..${end}` : ""}`,
    );
    return name;
  };
  const number = (p: Param): string => {
    const type = p.type?.kind === "tensor_type" ? p.type.element.text : "";
    if (type === "int")
      return p.type?.kind === "tensor_type" && p.type.dims && r.chance(0.3)
        ? `[${r.int(1, 4)}, ${r.int(1, 4)}]`
        : String(/axis/.test(p.name.text) ? r.int(-3, 2) : r.pick([0, 1, 1, 2, 2, 3, 4, 5, 9]));
    if (type === "bool") return r.pick(["true", "false"]);
    return r.pick(["0.0", "0.5", "1.0", "2.0", "0.1", "1e-5"]);
  };
  const isTensor = (p: Param): boolean =>
    p.type?.kind === "tensor_type" &&
    p.type.dims !== undefined &&
    p.type.element.text !== "int" &&
    p.type.element.text !== "fn";
  const argument = (p: Param, i: number): string | undefined => {
    if (p.name.text === "axis") return r.chance(0.5) ? undefined : `axis: ${r.pick(["0", "-1", "1", "2", "0..2"])}`;
    if (p.default && r.chance(0.6)) return undefined;
    if (p.type?.kind === "tensor_type" && ["fn", "dist"].includes(p.type.element.text))
      return p.default && r.chance(0.8)
        ? undefined
        : p.name.text === "reduce"
          ? `reduce: ${r.pick(["each", "total", "average"])}`
          : p.default
            ? undefined
            : "|v| v * v + v";
    const value =
      isTensor(p) && !(p.default && r.chance(0.5)) ? input(p, i) : p.type || p.default ? number(p) : input(p, i);
    return p.default ? `${p.name.text}: ${value}` : value;
  };
  const list = (params: readonly Param[], from = 0): string =>
    params
      .map((p, i) => argument(p, from + i))
      .filter((a) => a !== undefined)
      .join(", ");
  let text: string;
  if (d.kind === "layer") {
    const hyper = list(
      d.hyper.filter((p) => !isTensor(p)),
      10,
    );
    const before = signature.length;
    const own = d.params.map((p, i) => input(p, i));
    text = `model m(${signature.slice(before).join(", ")}) = ${d.name.text}(${hyper})(${own.join(", ")})\nexport fn f(${signature.join(", ")}) = m(${own.join(", ")})\nexport fn gradient(${signature.join(", ")}) = grad(sum(tanh(m(${own.join(", ")}))), wrt: ${own[0]})\n`;
  } else {
    const call = `${d.name.text}(${list(d.params)})`;
    const wrt = Object.keys(inputs).find((name) => signature.some((s) => s.startsWith(`${name}: f32`)));
    text = `export fn f(${signature.join(", ")}) = ${call}\n${wrt && r.chance(0.7) ? `export fn gradient(${signature.join(", ")}) = grad(sum(tanh(${call})), wrt: ${wrt})\n` : ""}`;
  }
  return { kind: "calls", text, inputs };
}
