// The norms of every layer's gradient and weights as metrics of training. In: a text. Out: the text with metrics before what is minimized; those that a
// model cannot have (a layer that no loss reaches, a place that has no name in the text) are left out.
import { parse } from "../../grammar/parser.ts";
import type { InstanceInfo } from "../../compiler/query/calls.ts";
import { query } from "../../compiler/query/query.ts";
import type { FrontOptions } from "../../compiler/front.ts";

const most = 12; // layers: a chart shows no more

export function watched(text: string, options: FrontOptions): string {
  const { calls, instances } = query(text, options).callTree();
  if (!calls.length) return text;
  const layers = instances.flatMap(withParameters).slice(0, most);
  const { file } = parse({ name: options.name ?? "model.dlm", text });
  const lines = file.items.flatMap((item) => {
    if (item.kind !== "train") return [];
    const minimize = item.statements.find((s) => s.kind === "minimize");
    if (minimize?.kind !== "minimize") return [];
    const { start, end } = minimize.value.span;
    const loss = text.slice(start, end).replace(/#.*$/gm, "");
    return layers.flatMap(({ path }) => {
      const name = path.replace(/\W+/g, "_");
      const at = minimize.span.start;
      return [
        {
          at,
          line: `let of_${name} = grad(${loss}, wrt: ${path}) metric grad_${name} = sqrt(dot(of_${name}, of_${name}))\n  `,
        },
        { at, line: `metric weight_${name} = sqrt(l2(${path}))\n  ` },
      ];
    });
  });
  const isFine = (more: readonly Line[]): boolean =>
    query(withLines(text, more), options).diagnostics.every((d) => d.severity !== "error");
  if (isFine(lines)) return withLines(text, lines);
  return withLines(
    text,
    lines.filter((line) => isFine([line])),
  );
}
interface Line {
  readonly at: number;
  readonly line: string;
}
const withLines = (text: string, lines: readonly Line[]): string =>
  [...lines].reverse().reduce((t, { at, line }) => t.slice(0, at) + line + t.slice(at), text);
const withParameters = (i: InstanceInfo): readonly InstanceInfo[] => [
  ...(i.parameters.length ? [i] : []),
  ...i.children.flatMap(withParameters),
];
