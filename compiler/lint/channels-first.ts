// DLM2511: what is declared with its channels first, right before a layer that takes them last.
import type * as ast from "../../grammar/ast.ts";
import type { Finding, Lint, Linted } from "./finding.ts";
import { callee, expressions } from "./text.ts";

export const channelsFirst: Lint = {
  code: "DLM2511",
  severity: "warning",
  check: (linted) =>
    linted.file.items.flatMap((item) => {
      if (item.kind !== "model" && item.kind !== "layer" && item.kind !== "fn") return [];
      const pictures = new Map(item.params.filter(looksChannelsFirst).map((p) => [p.name.text, p]));
      return pictures.size ? expressions(item.body).flatMap((e) => taken(linted, e, pictures)) : [];
    }),
};
/** One channel or three before two or more equal sizes that are larger: 3 x 32 x 32, and no picture of 3 x 32 dots with 32 channels. */
function looksChannelsFirst({ type }: ast.Param): boolean {
  if (type?.kind !== "tensor_type") return false;
  const [channels, ...sizes] = (type.dims ?? [])
    .slice(1)
    .map((d) => (d.kind === "dim" && d.value.kind === "number" ? d.value.value : undefined));
  const [size] = sizes;
  return sizes.length > 1 && sizes.every((s) => s === size) && size !== undefined && size > 4 && isColour(channels);
}
const isColour = (n: number | undefined): boolean => n === 1 || n === 3;
/** `x |> Conv2d(16, 3)` and `Conv2d(16, 3)(x)`. */
function taken({ facts }: Linted, e: ast.Expr, pictures: ReadonlyMap<string, ast.Param>): Finding[] {
  const isPipe = e.kind === "binary" && e.operator === "|>";
  const input = isPipe ? firstOf(e.left) : e.kind === "call" ? e.args[0]?.value : undefined;
  const layer = isPipe ? e.right : e.kind === "call" ? e.callee : undefined;
  const picture = input?.kind === "name" ? pictures.get(input.text) : undefined;
  const name = layer && callee(layer);
  if (!picture || !layer || name === undefined || !facts(name).has("channelsLast")) return [];
  const dims = picture.type?.kind === "tensor_type" ? (picture.type.dims ?? []) : [];
  const [rows, channels, ...sizes] = dims.map((d) => d.span.file.text.slice(d.span.start, d.span.end));
  const last = `[${[rows, ...sizes, channels].join(", ")}]`;
  return [
    {
      span: layer.span,
      message: `${name} takes channels last, and \`${picture.name.text}\` has ${sizes.at(-1)} of them`,
      labels: [{ span: picture.span, text: "is this channels first?" }],
      hint: `write [${[rows, channels, ...sizes].join(", ")}] as ${last}; rearrange or transpose(x, axes: [${[0, ...sizes.map((_, i) => i + 2), 1].join(", ")}]) brings it there`,
    },
  ];
}
const firstOf = (e: ast.Expr): ast.Expr => (e.kind === "paren" ? firstOf(e.value) : e);
