// Small ONNX models for tests, and their run through the same bytes, translation and evaluator as files are run.
import { expect } from "vitest";
import {
  readModel,
  writeModel,
  type AttributeValue,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type ValueInfo,
} from "../../onnx/model.ts";
import { prepare, runOnEvaluator, type Outcome, type Prepared } from "./case.ts";

export type ElementName = "FLOAT" | "INT64" | "INT32" | "BOOL";
export const tensor = (
  shape: readonly number[],
  data: readonly number[],
  elementType: ElementName = "FLOAT",
  name = "",
): OnnxTensor => ({ name, shape, data: elementType === "FLOAT" ? data.map(Math.fround) : data, elementType });
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  domain = "",
): OnnxNode => ({ op, domain, name: "", inputs, outputs, attributes: new Map(Object.entries(attributes)) });

export interface Built {
  readonly nodes: readonly OnnxNode[];
  /** Inputs that are fed, and those that are weights of the file. */
  readonly inputs: Readonly<Record<string, OnnxTensor>>;
  readonly initializers?: Readonly<Record<string, OnnxTensor>>;
  readonly outputs: Readonly<Record<string, OnnxTensor>>;
  readonly opset?: number;
}
export function build({ nodes, inputs, initializers = {}, outputs, opset = 21 }: Built): Prepared | Outcome {
  const info = (entries: Readonly<Record<string, OnnxTensor>>): ValueInfo[] =>
    Object.entries(entries).map(([name, t]) => ({ name, elementType: t.elementType, shape: t.shape }));
  const graph: OnnxGraph = {
    name: "test",
    nodes,
    initializers: Object.entries(initializers).map(([name, t]) => ({ ...t, name })),
    inputs: info(inputs),
    outputs: info(outputs),
  };
  const model: OnnxModel = readModel(writeModel({ graph, opsets: new Map([["", opset]]) }));
  return prepare({ model, inputs: new Map(Object.entries(inputs)), outputs: new Map(Object.entries(outputs)) });
}
/** The model gives the outputs, or the test fails with the text that was made of it. */
export function gives(built: Built): string {
  const prepared = build(built);
  const outcome = "kind" in prepared ? prepared : runOnEvaluator(prepared);
  expect(outcome).toEqual({ kind: "passed" });
  return "kind" in prepared ? "" : prepared.translation.source;
}
/** Why the model is left out. */
export function refusal(built: Built): string {
  const prepared = build(built);
  if (!("kind" in prepared)) return "translated";
  return prepared.kind === "skipped" ? prepared.reason : prepared.kind;
}

/** Numbers without a pattern, the same in every run. */
export function numbers(count: number, seed = 1): number[] {
  let state = seed * 2654435761;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(state / 2 ** 31 - 1);
  });
}
export const filled = (shape: readonly number[], seed = 1): OnnxTensor =>
  tensor(
    shape,
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
/** A tensor of that shape from its indices. */
export function from(
  shape: readonly number[],
  element: (...index: number[]) => number,
  elementType: ElementName = "FLOAT",
): OnnxTensor {
  const data: number[] = [];
  const walk = (index: number[]): void => {
    if (index.length === shape.length) data.push(element(...index));
    else for (let i = 0; i < shape[index.length]!; i++) walk([...index, i]);
  };
  walk([]);
  return tensor(shape, data, elementType);
}
/** Reads an element; outside it is `beyond`. */
export const reader =
  (t: OnnxTensor, beyond = 0) =>
  (...index: number[]): number => {
    let position = 0;
    for (const [axis, n] of t.shape.entries()) {
      const i = index[axis]!;
      if (i < 0 || i >= n) return beyond;
      position = position * n + i;
    }
    return t.data[position]!;
  };
