// Names that take a shape in brackets, a row each. In: a shape, and for some a tensor. Out: a tensor of this shape.
import type { Span } from "../../../grammar/diagnostic.ts";
import { reshape, sameElementCount } from "../../graph/node.ts";
import { shapeText } from "../../graph/print.ts";
import type { Node, Shape } from "../../graph/types.ts";
import { shapeMismatch } from "../errors.ts";
import { expand } from "../tensors.ts";

export interface Shaped {
  readonly summary: string; // for the reference and lints: how it is written, and what it gives
  readonly gives:
    | { readonly kind: "number"; readonly value: number } // `zeros[2, 3]`; by its name alone also what a parameter begins as
    | { readonly kind: "draws" } // `normal[B, 4]`, of the distribution of this name
    | { readonly kind: "tensor"; readonly of: (x: Node, shape: Shape, span: Span) => Node }; // `reshape[B, 4](x)`
}
const rows: Readonly<Record<string, Shaped>> = {
  zeros: { summary: "`zeros[2, 3]`: zeros", gives: { kind: "number", value: 0 } },
  ones: { summary: "`ones[2, 3]`: ones", gives: { kind: "number", value: 1 } },
  expand: {
    summary: "`expand[B, 4](x)`: x, repeated along axes of extent 1 and along new ones in front",
    gives: { kind: "tensor", of: expand },
  },
  reshape: {
    summary: "`reshape[B, 4](x)`: the elements of x in the same order. Changes the shape only.",
    gives: { kind: "tensor", of: reshaped },
  },
  normal: { summary: "`normal[B, 4]`: draws of mean 0 and deviation 1", gives: { kind: "draws" } },
  uniform: { summary: "`uniform[B, 4]`: draws from 0..1", gives: { kind: "draws" } },
};
export const shaped: ReadonlyMap<string, Shaped> = new Map(Object.entries(rows));

function reshaped(x: Node, shape: Shape, span: Span): Node {
  if (!sameElementCount(shape, x.shape))
    throw shapeMismatch(span, "reshape", shapeText(shape), shapeText(x.shape), {
      notes: ["both must have the same number of elements"],
      unequal: [[shape, x.shape]],
    });
  return reshape(x, shape, { span });
}
